//! Why it leaks, in short cases.

use super::*;
use crate::model::{BootTime, Cookie, Family, KernelAddr, Owner, Socket};

#[track_caller]
fn close_wait(rx_queue: u32, eof_read: Option<bool>, expected: Diagnosis) {
    for rcv_nxt in [0, 1, 5, 1000, u32::MAX] {
        let copied_seq = rcv_nxt.wrapping_sub(rx_queue);
        let seqs = Seqs {
            rcv_nxt,
            copied_seq,
            write_seq: 7,
            snd_una: 7,
        };
        let evidence = Evidence {
            seqs,
            eof_read,
            end: End::Unseen,
        };
        assert_eq!(
            diagnose(Kind::CloseWait, &evidence),
            Some(expected),
            "at {rcv_nxt}"
        );
    }
}

#[test]
fn the_queue_of_close_wait() {
    for eof_read in [None, Some(false), Some(true)] {
        close_wait(2, eof_read, Diagnosis::UnreadData);
        close_wait(100_000, eof_read, Diagnosis::UnreadData);
        close_wait(1, eof_read, Diagnosis::EofUnread);
    }
    close_wait(0, Some(true), Diagnosis::EofRead);
    close_wait(0, Some(false), Diagnosis::EofUnknown);
    close_wait(0, None, Diagnosis::EofUnknown);
    close_wait(u32::MAX, None, Diagnosis::EofUnknown);
}

#[track_caller]
fn closed(end: End, expected: Option<Diagnosis>) {
    let evidence = Evidence {
        end,
        ..Evidence::default()
    };
    assert_eq!(diagnose(Kind::ClosedHeld, &evidence), expected, "{end:?}");
}

#[test]
fn the_end_of_closed_held() {
    closed(End::Unseen, None);
    closed(End::Fins, Some(Diagnosis::AfterFin));
    closed(End::Error(104), Some(Diagnosis::Reset));
    closed(End::Error(32), Some(Diagnosis::Reset));
    closed(End::Error(103), Some(Diagnosis::Reset));
    closed(End::Error(110), Some(Diagnosis::Timeout));
    closed(End::Error(113), Some(Diagnosis::Timeout));
    closed(End::Error(101), Some(Diagnosis::Timeout));
    closed(End::Error(112), Some(Diagnosis::Timeout));
    closed(End::Error(111), None);
    closed(End::Error(5), None);
    closed(End::Error(u32::MAX), None);
}

#[test]
fn no_diagnosis_where_the_kind_says_it() {
    for end in [End::Unseen, End::Fins, End::Error(104)] {
        let evidence = Evidence {
            eof_read: Some(true),
            end,
            ..Evidence::default()
        };
        assert_eq!(diagnose(Kind::Unaccepted, &evidence), None);
        assert_eq!(diagnose(Kind::HalfClosed, &evidence), None);
    }
}

fn socket(state: TcpState) -> Socket {
    Socket {
        cookie: Cookie(1),
        cookie_synthetic: false,
        kaddr: KernelAddr(1),
        netns: 1,
        inode: None,
        family: Family::V4,
        state,
        no_socket: false,
        dead: false,
        established_once: true,
        local: ([127, 0, 0, 1], 80).into(),
        peer: ([127, 0, 0, 1], 5000).into(),
    }
}

#[track_caller]
fn change(old: TcpState, new: TcpState, error: Option<u32>, expected: End) {
    let change = StateChange {
        socket: socket(new),
        seqs: Seqs::default(),
        bytes_received: 0,
        bytes_acked: 0,
        old,
        error,
    };
    assert_eq!(
        End::of_change(&change),
        expected,
        "{old} -> {new} {error:?}"
    );
}

#[test]
fn the_end_seen_in_a_change() {
    use TcpState::{Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, TimeWait};
    for old in [LastAck, FinWait2, Closing, TimeWait] {
        change(old, Close, None, End::Fins);
        change(old, Close, Some(104), End::Error(104));
    }
    for old in [Established, CloseWait, FinWait1] {
        change(old, Close, None, End::Unseen);
        change(old, Close, Some(32), End::Error(32));
    }
    change(CloseWait, LastAck, None, End::Unseen);
    change(Established, CloseWait, Some(104), End::Unseen);
}

#[track_caller]
fn suspect(state: TcpState, error: Option<u32>, since_seen: bool, expected: End) {
    let suspect = Suspect {
        socket: socket(state),
        seqs: Seqs::default(),
        seqs_since: Seqs::default(),
        since: BootTime(1),
        since_seen,
        progress: false,
        asked: false,
        episode: 0,
        error,
        owner: Owner::default(),
    };
    assert_eq!(
        End::of_suspect(&suspect),
        expected,
        "{state} {error:?} {since_seen}"
    );
}

#[test]
fn the_end_in_the_table_of_suspects() {
    suspect(TcpState::Close, Some(104), true, End::Error(104));
    suspect(TcpState::Close, Some(104), false, End::Error(104));
    suspect(TcpState::Close, None, true, End::Fins);
    suspect(TcpState::Close, None, false, End::Unseen);
    suspect(TcpState::CloseWait, None, true, End::Unseen);
    suspect(TcpState::CloseWait, Some(104), true, End::Unseen);
    suspect(TcpState::FinWait2, None, true, End::Unseen);
}

#[test]
fn the_errno_of_now() {
    assert_eq!(End::of_error(TcpState::Close, Some(110)), End::Error(110));
    assert_eq!(End::of_error(TcpState::Close, None), End::Unseen);
    assert_eq!(End::of_error(TcpState::CloseWait, Some(110)), End::Unseen);
}

#[test]
fn evidence_adds_up() {
    let all = [End::Unseen, End::Fins, End::Error(104)];
    for end in all {
        assert_eq!(end.or(End::Unseen), end);
        assert_eq!(End::Unseen.or(end), end);
        assert_eq!(end.or(end), end);
        assert_eq!(End::Error(32).or(end), End::Error(32));
    }
    assert_eq!(End::Fins.or(End::Error(104)), End::Error(104));
}
