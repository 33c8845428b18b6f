//! What small requests and responses on kept connections cost.

use anyhow::Result;

use super::super::figures::Figures;
use super::super::load::{Lane, request};
use super::super::subject::{Subject, Tools};

const WHAT: &str = "requests on loopback";

/// Nobody and `run` in turn, `rounds` times.
pub(in super::super) fn measure(
    tools: &Tools,
    figures: &mut Figures,
    requests: u32,
    rounds: u32,
) -> Result<()> {
    let lane = Lane::loopback(requests, 1);
    let mut ratios = Vec::new();
    for round in 0..rounds {
        eprintln!("bench: requests, round {} of {rounds}", round + 1);
        let mut pair = [0.0; 2];
        // Each goes first in turn.
        for index in [round as usize % 2, (round as usize + 1) % 2] {
            let subject = [Subject::None, Subject::Run][index];
            let watcher = subject.start(tools)?;
            pair[index] = request(&lane)?;
            figures.add(WHAT, subject.name(), "1/s", pair[index]);
            watcher.stop()?;
        }
        ratios.push(pair[1] / pair[0]);
    }
    let ratio = super::super::figures::quantile(&ratios, 0.5);
    figures.at_least("run: requests / none", Some(ratio), 0.98, "");
    Ok(())
}
