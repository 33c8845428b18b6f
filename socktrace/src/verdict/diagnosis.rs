//! Why a socket leaks.

use super::errno;
use crate::model::{Diagnosis, Kind, Seqs, StateChange, Suspect, TcpState};

/// What is known about a leaked socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its streams.
    pub seqs: Seqs,
    /// Whether a read returned 0; `None` where such reads cannot be seen.
    pub eof_read: Option<bool>,
    /// How the connection ended, if it has.
    pub end: End,
}

/// How a connection reached `TCP_CLOSE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It has not, or nobody looked.
    #[default]
    Unseen,
    /// Both sides sent their FIN.
    Fins,
    /// The kernel ended it with this errno.
    Error(u32),
}

impl End {
    /// What a state change tells.
    ///
    /// A connection that ends without an error leaves one of the states in which both FINs are on
    /// their way (RFC 9293 §3.3.2); a `FIN_WAIT2` socket whose descriptor is held goes to `TCP_CLOSE` at the
    /// peer's FIN, a timewait mini-socket takes its place on the wire.
    #[must_use]
    pub fn of_change(change: &StateChange) -> Self {
        match (change.socket.state, change.error, change.old) {
            (TcpState::Close, Some(error), _) => Self::Error(error),
            (
                TcpState::Close,
                None,
                TcpState::LastAck | TcpState::FinWait2 | TcpState::Closing | TcpState::TimeWait,
            ) => Self::Fins,
            _ => Self::Unseen,
        }
    }

    /// What the kernel's table of suspects tells.
    ///
    /// Its errno is that of the moment the socket reached `TCP_CLOSE`, if that was seen: then none means
    /// that there was none. For a socket that was found later the program may have read the errno already.
    #[must_use]
    pub fn of_suspect(suspect: &Suspect) -> Self {
        match (suspect.socket.state, suspect.error, suspect.since_seen) {
            (TcpState::Close, Some(error), _) => Self::Error(error),
            (TcpState::Close, None, true) => Self::Fins,
            _ => Self::Unseen,
        }
    }

    /// What the errno that a socket holds now tells; one that was read is gone.
    #[must_use]
    pub fn of_error(state: TcpState, error: Option<u32>) -> Self {
        match (state, error) {
            (TcpState::Close, Some(error)) => Self::Error(error),
            _ => Self::Unseen,
        }
    }

    /// Both pieces of evidence together; an errno says most, and the first one was the cause.
    #[must_use]
    pub fn or(self, later: Self) -> Self {
        match (self, later) {
            (Self::Error(_), _) | (_, Self::Unseen) => self,
            _ => later,
        }
    }
}

/// Why a socket of this kind leaks, as far as the evidence goes.
///
/// `unaccepted` and `half_closed` have no diagnosis: the kind already says that the acceptor, or the
/// other side, is the one that does nothing.
#[must_use]
pub fn diagnose(kind: Kind, evidence: &Evidence) -> Option<Diagnosis> {
    match kind {
        Kind::CloseWait => Some(of_close_wait(evidence)),
        Kind::ClosedHeld => of_closed(evidence.end),
        Kind::Unaccepted | Kind::HalfClosed => None,
    }
}

/// The peer's FIN is the last number in the queue. As long as it is there the end was not consumed,
/// whatever returned 0 (a read into an empty buffer does, and so does a peek at the end); once it is
/// gone it may have gone with the last data, so only a read that returned 0 shows that it was seen.
fn of_close_wait(evidence: &Evidence) -> Diagnosis {
    // A queue that seems negative is a torn look at two numbers that are being moved: it is empty.
    match evidence.seqs.rx_queue().cast_signed() {
        2.. => Diagnosis::UnreadData,
        1 => Diagnosis::EofUnread,
        _ if evidence.eof_read == Some(true) => Diagnosis::EofRead,
        _ => Diagnosis::EofUnknown,
    }
}

fn of_closed(end: End) -> Option<Diagnosis> {
    match end {
        End::Unseen => None,
        End::Fins => Some(Diagnosis::AfterFin),
        End::Error(errno) => of_errno(errno),
    }
}

/// `tcp_reset()` sets ECONNRESET, or EPIPE in `CLOSE_WAIT`; `tcp_abort()` ECONNABORTED. `tcp_write_err()`
/// sets ETIMEDOUT, or in its place the last soft error (ICMP) when the retries ran out.
fn of_errno(error: u32) -> Option<Diagnosis> {
    match error {
        errno::ECONNRESET | errno::EPIPE | errno::ECONNABORTED => Some(Diagnosis::Reset),
        errno::ETIMEDOUT | errno::EHOSTUNREACH | errno::ENETUNREACH | errno::EHOSTDOWN => {
            Some(Diagnosis::Timeout)
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests/diagnosis.rs"]
mod tests;
