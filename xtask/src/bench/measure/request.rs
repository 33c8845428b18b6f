//! What small requests and responses on kept connections cost.

use anyhow::Result;

use super::super::bpf::{Accounting, Floor, spent};
use super::super::figures::{Figures, quantile};
use super::super::load::{Done, Lane, request};
use super::super::subject::{Subject, Tools};

const WHAT: &str = "requests on loopback";
const CPU: &str = "processor time a request";

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
    let mut samples = vec![Vec::new(); subjects.len()];
    for round in 0..rounds as usize {
        eprintln!("bench: requests, round {} of {rounds}", round + 1);
        for turn in 0..subjects.len() {
            // Each goes first in turn.
            let index = (turn + round) % subjects.len();
            let (subject, watcher) = (subjects[index], subjects[index].start(tools)?);
            let done = request(&lane)?;
            watcher.stop()?;
            figures.add(WHAT, subject.name(), "1/s", done.a_second);
            figures.add(CPU, subject.name(), "ns", done.cpu_ns);
            samples[index].push(done);
        }
    }
    let ratio = |index: usize, of: fn(&Done, &Done) -> f64| {
        let pairs = samples[index].iter().zip(&samples[0]);
        quantile(
            &pairs.map(|(own, none)| of(own, none)).collect::<Vec<_>>(),
            0.5,
        )
    };
    for (index, subject) in subjects.iter().enumerate().skip(1) {
        let of_time = ratio(index, |own, none| own.a_second / none.a_second);
        let of_cpu = ratio(index, |own, none| none.cpu_ns / own.cpu_ns);
        if *subject == Subject::Run {
            figures.at_least("run: requests / none", Some(of_time), 0.98, "");
            figures.at_least("run: requests a CPU second / none", Some(of_cpu), 0.98, "");
        } else {
            figures.note(format!(
                "empty programs where threads receive and send: {of_time:.3} of the requests without, \
                 {of_cpu:.3} of those in a second of processor time"
            ));
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
