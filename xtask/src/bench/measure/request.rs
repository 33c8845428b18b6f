//! What small requests and responses on kept connections cost.

use anyhow::Result;

use super::super::bpf::{Accounting, Floor, spent};
use super::super::figures::{Figures, quantile};
use super::super::load::{Lane, request};
use super::super::subject::{Subject, Tools};

const WHAT: &str = "requests on loopback";

/// Who takes turns: nobody first, as the others are set against that.
const SUBJECTS: [Subject; 3] = [Subject::None, Subject::UsesFloor, Subject::Run];

/// How many requests are made while the kernel accounts for programs.
const ACCOUNTED: u32 = 50_000;

/// All in turn, `rounds` times.
pub(in super::super) fn measure(
    tools: &Tools,
    figures: &mut Figures,
    requests: u32,
    rounds: u32,
) -> Result<()> {
    let subjects: Vec<Subject> = SUBJECTS
        .into_iter()
        .filter(|subject| *subject != Subject::UsesFloor || hooks_are_there(figures))
        .collect();
    let lane = Lane::loopback(requests, 1);
    request(&lane)?;
    let mut ratios = vec![Vec::new(); subjects.len()];
    for round in 0..rounds as usize {
        eprintln!("bench: requests, round {} of {rounds}", round + 1);
        let mut times = vec![0.0; subjects.len()];
        for turn in 0..subjects.len() {
            // Each goes first in turn.
            let index = (turn + round) % subjects.len();
            let watcher = subjects[index].start(tools)?;
            times[index] = request(&lane)?;
            figures.add(WHAT, subjects[index].name(), "1/s", times[index]);
            watcher.stop()?;
        }
        for (ratios, time) in ratios.iter_mut().zip(&times) {
            ratios.push(time / times[0]);
        }
    }
    for (subject, ratios) in subjects.iter().zip(&ratios) {
        match subject {
            Subject::Run => figures.at_least(
                "run: requests / none",
                Some(quantile(ratios, 0.5)),
                0.98,
                "",
            ),
            Subject::UsesFloor => figures.note(format!(
                "requests / none with empty programs where threads receive and send: {:.3}",
                quantile(ratios, 0.5)
            )),
            _ => {}
        }
        account(tools, figures, *subject)?;
    }
    Ok(())
}

/// The hooks are there since Linux 6.3.
fn hooks_are_there(figures: &mut Figures) -> bool {
    Floor::at_uses()
        .map_err(|error| figures.note(format!("no empty programs for requests: {error:#}")))
        .is_ok()
}

/// What each program of a subject costs a run, and how often it runs for a request and its response.
fn account(tools: &Tools, figures: &mut Figures, subject: Subject) -> Result<()> {
    if subject == Subject::None {
        return Ok(());
    }
    let watcher = subject.start(tools)?;
    let accounting = Accounting::start()?;
    let before = watcher.costs()?;
    request(&Lane::loopback(ACCOUNTED, 1))?;
    let after = watcher.costs()?;
    drop(accounting);
    watcher.stop()?;
    for (name, cost) in spent(&before, &after) {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let (ns, runs) = (cost.ns as f64, cost.runs as f64);
        figures.note(format!(
            "{}: {name}: {:.0} ns a run, {:.2} runs a request",
            subject.name(),
            ns / runs,
            runs / f64::from(ACCOUNTED)
        ));
    }
    Ok(())
}
