//! What watching needs once everything is attached, found out by trying.

use std::fs;

use super::iterators::Iterators;
use super::losses::Losses;
use crate::service::confine;

/// 0: everybody may use bpf(2), as far as that goes; else those with `CAP_BPF` (kernel/bpf/syscall.c).
const RESTRICTED: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";

/// Whether iterators run and maps are read without `CAP_BPF`: on newer kernels whoever has the descriptor
/// may, on older ones it depends on the setting in [`RESTRICTED`]. Where bpf(2) is not restricted, a trial
/// says nothing about the time after somebody has restricted it, so the capability is needed.
pub(super) fn needs_bpf(iterators: &mut Iterators, losses: &Losses) -> bool {
    let setting = fs::read_to_string(RESTRICTED).unwrap_or_default();
    if matches!(setting.trim(), "" | "0") {
        return true;
    }
    let works = confine::as_if(|| iterators.measure().is_ok() && losses.read().is_ok());
    works != Ok(true)
}
