//! What can be read from a line again.

use super::super::{Encoder, Format, Glance};
use super::samples;

fn glance(format: Format) -> Glance {
    let mut line = Vec::new();
    Encoder::new(format, samples::host(), false).encode_finding(&samples::finding(), &mut line);
    Glance::of(&line)
}

#[test]
fn both_formats_tell_the_same() {
    let native = glance(Format::Json);
    let ocsf = glance(Format::Ocsf);
    assert!(native.id.is_some() && native.at.is_some() && native.host.is_some());
    assert_eq!(native.action.as_deref(), Some("socket.leak"));
    assert_eq!(native.kind.as_deref(), Some("close_wait"));
    // OCSF counts milliseconds.
    let millis = |glance: &Glance| glance.at.map(|at| at / 1_000_000);
    assert_eq!(millis(&native), millis(&ocsf));
    let without = |glance: Glance| Glance { at: None, ..glance };
    assert_eq!(without(native), without(ocsf));
}

#[test]
fn other_formats_tell_nothing() {
    assert_eq!(glance(Format::Cef), Glance::default());
    assert_eq!(glance(Format::Otlp), Glance::default());
}
