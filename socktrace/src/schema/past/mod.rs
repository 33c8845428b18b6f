//! Findings on their way into the history, and out of it.
//!
//! * [`Chronicle`]: a finding as it is kept.
//! * [`HistoryPrinter`]: what was kept, as text, JSON or CSV.

mod chronicle;
mod csv;
mod printer;
mod text;
mod words;

use crate::model::{
    BootTime, Cookie, Diagnosis, Family, KernelAddr, Past, Role, Seqs, Socket, WallMicros,
};

pub use chronicle::Chronicle;
pub use printer::{HistoryFormat, HistoryPrinter};
pub(super) use words::{past_message, past_outcome};

/// A wall time as a moment of a host that was booted in 1970.
pub(super) fn at(micros: WallMicros) -> BootTime {
    BootTime(u64::try_from(micros).unwrap_or(0).saturating_mul(1000))
}

/// What a role was kept as.
pub(super) fn role(word: &str) -> Role {
    match word {
        "accepted" => Role::Accepted,
        "connected" => Role::Connected,
        _ => Role::Unknown,
    }
}

/// Why, from the word it was kept as.
pub(super) fn diagnosis(past: &Past) -> Option<Diagnosis> {
    const ALL: [Diagnosis; 7] = [
        Diagnosis::UnreadData,
        Diagnosis::EofUnread,
        Diagnosis::EofRead,
        Diagnosis::EofUnknown,
        Diagnosis::Reset,
        Diagnosis::AfterFin,
        Diagnosis::Timeout,
    ];
    let word = past.diagnosis.as_deref()?;
    ALL.into_iter().find(|diagnosis| diagnosis.name() == word)
}

/// Sequence numbers that come to the queues that were kept.
pub(super) fn seqs(past: &Past) -> Seqs {
    Seqs {
        rcv_nxt: past.socket.rx_queue,
        write_seq: past.socket.tx_queue,
        ..Seqs::default()
    }
}

/// The socket, as far as it was kept.
pub(super) fn socket(past: &Past) -> Socket {
    let kept = &past.socket;
    Socket {
        cookie: Cookie(kept.cookie),
        cookie_synthetic: false,
        kaddr: KernelAddr(0),
        netns: kept.netns,
        inode: kept.inode,
        family: if kept.local.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        },
        state: kept.state,
        no_socket: kept.inode.is_none(),
        dead: false,
        established_once: true,
        local: kept.local,
        peer: kept.peer,
    }
}
