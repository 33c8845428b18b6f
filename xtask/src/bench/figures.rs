//! What was measured: samples, medians and spreads, goals, as a table and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Samples of one quantity.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// What was measured.
    pub(super) what: &'static str,
    /// Of whom, or under which circumstances.
    pub(super) who: String,
    /// In which unit.
    pub(super) unit: &'static str,
    samples: Vec<f64>,
}

/// A goal and how close a figure came to it.
#[derive(Clone, Debug)]
struct Goal {
    what: String,
    value: f64,
    limit: f64,
    at_most: bool,
    unit: &'static str,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Figures {
    all: Vec<Figure>,
    goals: Vec<Goal>,
    notes: Vec<String>,
}

impl Figures {
    /// Adds a sample.
    pub(super) fn add(&mut self, what: &'static str, who: &str, unit: &'static str, sample: f64) {
        let same = |figure: &&mut Figure| figure.what == what && figure.who == who;
        if let Some(figure) = self.all.iter_mut().find(same) {
            figure.samples.push(sample);
            return;
        }
        self.all.push(Figure {
            what,
            who: who.to_owned(),
            unit,
            samples: vec![sample],
        });
    }

    /// The median of what was added.
    pub(super) fn median(&self, what: &str, who: &str) -> Option<f64> {
        let figure = self
            .all
            .iter()
            .find(|figure| figure.what == what && figure.who == who)?;
        Some(figure.quantile(0.5))
    }

    /// Holds a value against a goal that it must not exceed.
    pub(super) fn at_most(
        &mut self,
        what: &str,
        value: Option<f64>,
        limit: f64,
        unit: &'static str,
    ) {
        self.goal(what, value, limit, unit, true);
    }

    /// Holds a value against a goal that it must reach.
    pub(super) fn at_least(
        &mut self,
        what: &str,
        value: Option<f64>,
        limit: f64,
        unit: &'static str,
    ) {
        self.goal(what, value, limit, unit, false);
    }

    /// Something a reader of the figures has to know.
    pub(super) fn note(&mut self, text: String) {
        eprintln!("bench: {text}");
        self.notes.push(text);
    }

    /// Goals that were missed.
    pub(super) fn missed(&self) -> Vec<String> {
        let missed = self.goals.iter().filter(|goal| !goal.is_met());
        missed.map(Goal::describe).collect()
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let mut rows =
            vec![["figure", "of", "median", "least", "most", "n", "unit"].map(str::to_owned)];
        rows.extend(self.all.iter().map(|figure| {
            [
                figure.what.to_owned(),
                figure.who.clone(),
                number(figure.quantile(0.5)),
                number(figure.quantile(0.0)),
                number(figure.quantile(1.0)),
                figure.samples.len().to_string(),
                figure.unit.to_owned(),
            ]
        }));
        let mut out = align(&rows);
        if !self.goals.is_empty() {
            let mut rows = vec![["goal", "measured", "wanted", "unit", ""].map(str::to_owned)];
            rows.extend(self.goals.iter().map(|goal| {
                [
                    goal.what.clone(),
                    number(goal.value),
                    format!("{} {}", goal.sign(), number(goal.limit)),
                    goal.unit.to_owned(),
                    if goal.is_met() { "met" } else { "MISSED" }.to_owned(),
                ]
            }));
            out.push('\n');
            out.push_str(&align(&rows));
        }
        for note in &self.notes {
            out.push_str("\nnote: ");
            out.push_str(note);
        }
        out
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let figure = |figure: &Figure| {
            json!({
                "figure": figure.what, "of": figure.who, "unit": figure.unit,
                "median": figure.quantile(0.5), "samples": figure.samples,
            })
        };
        let goal = |goal: &Goal| {
            json!({
                "goal": goal.what, "measured": goal.value, "limit": goal.limit, "unit": goal.unit,
                "at_most": goal.at_most, "met": goal.is_met(),
            })
        };
        json!({
            "figures": self.all.iter().map(figure).collect::<Vec<_>>(),
            "goals": self.goals.iter().map(goal).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }

    fn goal(
        &mut self,
        what: &str,
        value: Option<f64>,
        limit: f64,
        unit: &'static str,
        at_most: bool,
    ) {
        // A goal against somebody who is not installed is none.
        let Some(value) = value else { return };
        self.goals.push(Goal {
            what: what.to_owned(),
            value,
            limit,
            at_most,
            unit,
        });
    }
}

impl Figure {
    /// The sample below which this share of all lies; between two samples, in between.
    fn quantile(&self, share: f64) -> f64 {
        quantile(&self.samples, share)
    }
}

impl Goal {
    fn is_met(&self) -> bool {
        if self.at_most {
            self.value <= self.limit
        } else {
            self.value >= self.limit
        }
    }

    fn sign(&self) -> &'static str {
        if self.at_most { "≤" } else { "≥" }
    }

    fn describe(&self) -> String {
        let (value, limit) = (number(self.value), number(self.limit));
        format!(
            "{}: {value} {}, wanted {} {limit}",
            self.what,
            self.unit,
            self.sign()
        )
    }
}

/// The value below which this share of `samples` lies, between two of them in proportion.
pub(super) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    #[expect(clippy::cast_precision_loss, reason = "there are few samples")]
    let at = share.clamp(0.0, 1.0) * last as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it lies between 0 and the number of samples"
    )]
    let (below, above) = (at.floor() as usize, at.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * at.fract()
}

/// Three significant digits, more where there are more before the point.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Columns as wide as their widest cell.
fn align<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_lie_in_the_middle() {
        let check = |samples: &[f64], expected: f64| {
            assert!(
                (quantile(samples, 0.5) - expected).abs() < 1e-9,
                "{samples:?}"
            );
        };
        check(&[3.0], 3.0);
        check(&[9.0, 1.0, 2.0], 2.0);
        check(&[4.0, 1.0], 2.5);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn goals_tell_who_misses_them() {
        let mut figures = Figures::default();
        figures.at_most("cost", Some(2.0), 1.0, "µs");
        figures.at_most("room", Some(1.0), 1.0, "MiB");
        figures.at_least("ratio", Some(0.5), 1.0, "");
        figures.at_least("absent", None, 1.0, "");
        assert_eq!(
            figures.missed(),
            [
                "cost: 2.00 µs, wanted ≤ 1.00",
                "ratio: 0.500 , wanted ≥ 1.00"
            ]
        );
        // What cannot be compared meets nothing.
        figures.at_most("nothing", Some(f64::NAN), 1.0, "");
        assert_eq!(figures.missed().len(), 3);
    }

    #[test]
    fn tables_are_aligned() {
        let mut figures = Figures::default();
        figures.add("churn", "none", "conn/s", 30_000.0);
        figures.add("churn", "none", "conn/s", 32_000.0);
        let table = figures.table();
        assert_eq!(
            table,
            "figure  of    median  least  most   n  unit\n\
             churn   none  31000   30000  32000  2  conn/s\n"
        );
    }
}
