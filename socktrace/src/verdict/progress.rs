//! Whether bytes moved on a socket between two looks.

use socktrace_common::{progress, wire};

use crate::model::{Seqs, TcpState};

/// Whether bytes were read, written or acknowledged between `base` and `now`; `state` is the state at
/// the time of `now`. The rule is the programs' too: [`progress::made_progress`].
#[must_use]
pub fn made_progress(base: Seqs, now: Seqs, state: TcpState) -> bool {
    progress::made_progress(&wire(base), &wire(now), state as u32)
}

fn wire(seqs: Seqs) -> wire::Seqs {
    let Seqs {
        rcv_nxt,
        copied_seq,
        write_seq,
        snd_una,
    } = seqs;
    wire::Seqs {
        rcv_nxt,
        copied_seq,
        write_seq,
        snd_una,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TcpState::{Close, CloseWait, Established, FinWait2, LastAck};

    /// `(rcv_nxt, copied_seq, write_seq, snd_una)`, moved by `offset` so that every case is also run
    /// across the end of the number space.
    type Four = (u32, u32, u32, u32);

    fn seqs((rcv_nxt, copied_seq, write_seq, snd_una): Four, offset: u32) -> Seqs {
        Seqs {
            rcv_nxt: rcv_nxt.wrapping_add(offset),
            copied_seq: copied_seq.wrapping_add(offset),
            write_seq: write_seq.wrapping_add(offset),
            snd_una: snd_una.wrapping_add(offset),
        }
    }

    #[track_caller]
    fn check(state: TcpState, base: Four, now: Four, expected: bool) {
        for offset in [
            0,
            1,
            u32::MAX - 100,
            u32::MAX - 99,
            u32::MAX - 500,
            1 << 31,
            (1 << 31) - 100,
        ] {
            let seen = made_progress(seqs(base, offset), seqs(now, offset), state);
            assert_eq!(seen, expected, "{state} {base:?} -> {now:?} at {offset}");
        }
    }

    #[test]
    fn close_wait() {
        let base = (101, 91, 500, 490);
        check(CloseWait, base, base, false);
        check(CloseWait, base, (101, 92, 500, 490), true);
        check(CloseWait, base, (101, 100, 500, 490), true);
        check(CloseWait, base, (101, 101, 500, 490), true);
        check(CloseWait, base, (101, 91, 501, 490), true);
        check(CloseWait, base, (101, 91, 500, 491), true);
        check(CloseWait, base, (101, 91, 500, 500), true);
    }

    #[test]
    fn reading_the_end_is_no_progress() {
        check(CloseWait, (101, 100, 500, 500), (101, 101, 500, 500), false);
        check(CloseWait, (101, 101, 500, 500), (101, 101, 500, 500), false);
        check(Close, (101, 100, 500, 500), (101, 101, 500, 500), false);
        // A FIN that came with its data, looked at before rcv_nxt moved past it.
        check(CloseWait, (100, 100, 500, 500), (101, 101, 500, 500), false);
    }

    #[test]
    fn reading_the_last_byte_and_the_end_is_progress() {
        check(CloseWait, (101, 99, 500, 500), (101, 101, 500, 500), true);
        check(Close, (101, 99, 500, 500), (101, 101, 500, 500), true);
    }

    #[test]
    fn our_own_fin_is_no_progress() {
        check(LastAck, (101, 101, 500, 500), (101, 101, 501, 500), false);
        check(Close, (101, 101, 500, 500), (101, 101, 501, 501), false);
        check(FinWait2, (101, 101, 500, 500), (101, 101, 501, 501), false);
    }

    #[test]
    fn bytes_before_our_fin_are_progress() {
        check(LastAck, (101, 101, 500, 500), (101, 101, 502, 500), true);
        check(Close, (101, 101, 500, 500), (101, 101, 506, 506), true);
        check(Close, (101, 101, 500, 490), (101, 101, 501, 501), true);
        check(Close, (101, 101, 500, 490), (101, 101, 501, 495), true);
    }

    #[test]
    fn a_base_that_counts_fins_stays_quiet() {
        check(Close, (102, 102, 501, 501), (102, 102, 501, 501), false);
        check(FinWait2, (101, 101, 501, 501), (101, 101, 501, 501), false);
        // FIN_WAIT2, then the peer's FIN: the connection is over, nothing was read.
        check(Close, (101, 101, 501, 501), (102, 101, 501, 501), false);
        check(Close, (101, 101, 501, 501), (102, 102, 501, 501), false);
        // FIN_WAIT2, then a reset.
        check(Close, (101, 101, 501, 501), (101, 101, 501, 501), false);
    }

    #[test]
    fn received_and_left_unread_is_no_progress() {
        check(FinWait2, (101, 101, 501, 501), (201, 101, 501, 501), false);
        check(FinWait2, (101, 101, 501, 501), (201, 150, 501, 501), true);
        check(FinWait2, (101, 101, 501, 501), (201, 201, 501, 501), true);
    }

    #[test]
    fn an_open_connection_counts_every_byte() {
        check(
            Established,
            (101, 100, 500, 500),
            (101, 101, 500, 500),
            true,
        );
        check(
            Established,
            (101, 100, 500, 500),
            (101, 100, 501, 500),
            true,
        );
        check(
            Established,
            (101, 100, 500, 500),
            (150, 100, 500, 500),
            false,
        );
    }

    #[test]
    fn backwards_is_no_progress() {
        check(CloseWait, (101, 91, 500, 490), (101, 81, 500, 490), false);
        check(CloseWait, (101, 91, 500, 490), (101, 91, 450, 490), false);
        check(CloseWait, (101, 91, 500, 490), (101, 91, 500, 480), false);
    }
}
