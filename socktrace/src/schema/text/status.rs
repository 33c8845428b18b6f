//! The agent's own health, and what `doctor` finds.

use super::super::escape::escape;
use super::super::health::status_message;
use super::super::words::hook_remarks;
use super::paint::{Colour, Paint};
use crate::model::{HookReport, Status, StatusReason, Support};

/// `15:04:05Z  STATUS    started: hooks 5 ok, 1 fallback (accept); tracking 0 sockets, 0 leaks open`.
pub(super) fn line(paint: Paint, time: &str, status: &Status) -> String {
    let colour = match status.reason {
        StatusReason::Started | StatusReason::Reloaded | StatusReason::Stopped => Colour::Green,
        StatusReason::Gap | StatusReason::Unproven | StatusReason::ReloadFailed => Colour::Yellow,
    };
    format!(
        "{time}  {}  {}",
        paint.word(colour, "STATUS", 8),
        status_message(status)
    )
}

/// `fallback  accept               kretprobe/inet_csk_accept  — accepts above maxactive are missed; cure`.
pub(super) fn hook(paint: Paint, hook: &HookReport) -> String {
    let colour = match hook.support {
        Support::Ok => Colour::Green,
        Support::Fallback => Colour::Yellow,
        Support::Missing => Colour::Red,
    };
    let word = paint.word(colour, hook.support.name(), 8);
    let used = if hook.used.is_empty() {
        "-".into()
    } else {
        escape(hook.used.as_bytes())
    };
    let mut line = format!("{word}  {:<19}  {used:<34}", hook.purpose);
    let remarks = hook_remarks(hook);
    if !remarks.is_empty() {
        line.push_str("  — ");
        line.push_str(&remarks);
    }
    line
}
