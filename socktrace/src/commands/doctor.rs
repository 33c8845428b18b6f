//! `doctor`: what this kernel gives, what is lost without the rest, and how to get it.

use std::time::Duration;

use super::Failure;
use super::live;
use super::outputs::Outputs;
use crate::cli::{DoctorSettings, Exit};
use crate::clock::{self, Clock as _};
use crate::sink::{Class, WhenFull};
use crate::source::hooks::HookOverrides;
use crate::source::kernel::Sizes;
use crate::source::kernel::loader::{Mode, Options};
use crate::source::kernel::privilege;

/// Attaches everything for a moment and tells how that went.
pub(super) fn execute(settings: &DoctorSettings) -> Result<Exit, Failure> {
    let mut outputs = Outputs::open(&settings.outputs, &live::host(), WhenFull::Wait)?;
    // Suspects are not looked for, however old: nothing is to be streamed in that moment.
    let options = Options {
        mode: Mode::Run,
        leak_after: Duration::MAX,
        sizes: Sizes::LEAST,
        forced: HookOverrides::default(),
    };
    let loaded = live::load_with(&options);
    let mut reports = live::reports(loaded.as_ref().ok());
    reports.extend(privilege::reports());
    let at = clock::System.boot();
    for report in &reports {
        outputs.encode(Class::Finding, |encoder, out| {
            encoder.encode_hook(at, report, out);
        });
    }
    outputs.finish();
    loaded.map(|_| Exit::Fine)
}
