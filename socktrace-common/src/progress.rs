//! Whether bytes moved on a socket between two looks: one rule for the programs and the agent.

use crate::wire::Seqs;

/// Sets of `enum tcp_state` (include/net/tcp_states.h), a bit a state.
mod states {
    const FIN_WAIT1: u32 = 1 << 4;
    const FIN_WAIT2: u32 = 1 << 5;
    const TIME_WAIT: u32 = 1 << 6;
    const CLOSE: u32 = 1 << 7;
    const CLOSE_WAIT: u32 = 1 << 8;
    const LAST_ACK: u32 = 1 << 9;
    const CLOSING: u32 = 1 << 11;
    const BOTH: u32 = TIME_WAIT | CLOSE | LAST_ACK | CLOSING;

    /// The peer's FIN may have arrived.
    pub(super) const FIN_RECEIVED: u32 = BOTH | CLOSE_WAIT;
    /// We may have sent ours.
    pub(super) const FIN_SENT: u32 = BOTH | FIN_WAIT1 | FIN_WAIT2;
}

/// Whether bytes were read, written or acknowledged between `base` and `now`.
///
/// `tcp_state` is the kernel's number of the state at the time of `now`. A FIN takes a sequence number
/// and is no byte: reading the peer's (`copied_seq` reaches `rcv_nxt`), sending ours (`write_seq`) and
/// having it acknowledged (`snd_una`) are no progress, so where a FIN may have passed the last number
/// is left out. `base` is taken as it is: a FIN counted there only makes the step smaller. In
/// `TCP_CLOSE` it cannot be known whether FINs passed (it may have been a reset): a step of one is
/// taken for a FIN there. Numbers that went back, as records out of order show them, are no progress.
#[inline(always)]
#[must_use]
#[expect(
    clippy::inline_always,
    reason = "a call of its own would count against the verifier's limits"
)]
pub fn made_progress(base: &Seqs, now: &Seqs, tcp_state: u32) -> bool {
    let state = 1_u32.wrapping_shl(tcp_state);
    let read = if state & states::FIN_RECEIVED != 0 && now.copied_seq == now.rcv_nxt {
        now.rcv_nxt.wrapping_sub(1)
    } else {
        now.copied_seq
    };
    let (written, acked) = if state & states::FIN_SENT != 0 {
        let last_byte = now.write_seq.wrapping_sub(1);
        let all_acked = now.snd_una == now.write_seq;
        (last_byte, if all_acked { last_byte } else { now.snd_una })
    } else {
        (now.write_seq, now.snd_una)
    };
    advanced(base.copied_seq, read)
        || advanced(base.write_seq, written)
        || advanced(base.snd_una, acked)
}

/// Whether `to` is after `from`, modulo 2^32 (RFC 9293 §3.4).
#[inline(always)]
#[expect(clippy::inline_always, reason = "as above")]
fn advanced(from: u32, to: u32) -> bool {
    to.wrapping_sub(from).cast_signed() > 0
}
