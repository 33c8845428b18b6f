//! Phrases about what was kept, shared by the formats.

use super::super::escape::{escape, escape_into};
use super::super::words::{push, push_fd, why};
use crate::model::{ENDED_UNSEEN, Past};

/// The sentence of a finding that was kept.
pub(in crate::schema) fn past_message(past: &Past) -> String {
    let mut out = String::new();
    match &past.process {
        Some(process) => {
            escape_into(&process.name, &mut out);
            push(&mut out, format_args!("[{}]", process.pid));
        }
        None => out.push_str("unknown process"),
    }
    if let Some(fd) = past.fd {
        push_fd(&mut out, past.kind, fd);
    }
    let (kind, outcome, peer) = (past.kind, past_outcome(past), past.socket.peer);
    push(&mut out, format_args!(": {kind}, {outcome}, peer {peer}"));
    out
}

/// What became of a finding that was kept, or why it is there.
pub(in crate::schema) fn past_outcome(past: &Past) -> String {
    let Some(end) = &past.end else {
        let why = why(past.kind, super::diagnosis(past), super::seqs(past));
        return match why {
            Some(why) => format!("open: {why}"),
            None => "open".to_owned(),
        };
    };
    let mut out = match &*end.cause {
        "closed" => "closed".to_owned(),
        "exited" => "holder exited".to_owned(),
        "progress" => "bytes moved again".to_owned(),
        "reset" => "the kernel dropped the connection".to_owned(),
        ENDED_UNSEEN => "ended unseen".to_owned(),
        other => escape(other.as_bytes()).into_owned(),
    };
    if let Some((pid, tid, comm)) = end.by {
        out.push_str(" by ");
        escape_into(comm.as_bytes(), &mut out);
        push(&mut out, format_args!("[{pid}/{tid}]"));
    }
    out
}
