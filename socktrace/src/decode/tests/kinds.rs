//! What each kind of the kernel's records decodes to.

use std::time::Duration;

use socktrace_common::wire::{self, release_flag, sock_flag, suspect_flag};
use zerocopy::IntoBytes;

use super::encoder::encode;
use super::wire::{
    HZ, accept, connect, every_kind, held, read, release, sock, state_change, suspect, unheld,
};
use super::{TASK, event};
use crate::decode::{DecodeContext, decode};
use crate::model::{BootTime, Event, Seqs, Task, TcpState, Tgid, Tid};

const SEQS: wire::Seqs = wire::Seqs {
    rcv_nxt: 11,
    copied_seq: 10,
    write_seq: 9,
    snd_una: 7,
};

#[test]
fn times() {
    for boot_ns in [0, 1, u64::MAX] {
        let mut accept = accept();
        accept.header.boot_ns = boot_ns;
        assert_eq!(read(&accept).unwrap().at, BootTime(boot_ns));
    }
}

#[test]
fn state_changes() {
    let change = event!(
        StateChange,
        wire::StateChange {
            seqs: SEQS,
            bytes_received: 5,
            bytes_acked: 6,
            sk_err: 104,
            ..state_change()
        }
    );
    assert_eq!(
        change.seqs,
        Seqs {
            rcv_nxt: 11,
            copied_seq: 10,
            write_seq: 9,
            snd_una: 7
        }
    );
    assert_eq!((change.bytes_received, change.bytes_acked), (5, 6));
    assert_eq!(
        (change.old, change.error),
        (TcpState::Established, Some(104))
    );
    assert_eq!(event!(StateChange, state_change()).error, None);
}

#[test]
fn connects() {
    let connect = event!(Connect, connect());
    assert_eq!((connect.task, connect.started), (TASK, BootTime(400)));
}

#[test]
fn accepts() {
    assert_eq!(event!(Accept, accept()).task, TASK);
}

/// Whoever is in another pid namespace has no numbers in ours.
#[test]
fn tasks_out_of_sight() {
    let task = wire::Task {
        tgid: 0,
        tid: 0,
        ..super::wire::task()
    };
    let unseen = Task {
        tgid: Tgid(0),
        tid: Tid(0),
        ..TASK
    };
    let connect = event!(Connect, wire::Connect { task, ..connect() });
    assert_eq!(connect.task, unseen);
    let accept = event!(Accept, wire::Accept { task, ..accept() });
    assert_eq!(accept.task, unseen);
    let release = event!(Release, wire::Release { task, ..release() });
    assert_eq!(release.task, None);
}

#[test]
fn releases() {
    let plain = event!(Release, release());
    assert_eq!(
        (plain.task, plain.exiting, plain.opened),
        (Some(TASK), false, Some(BootTime(500)))
    );
    let exiting = event!(
        Release,
        wire::Release {
            flags: release_flag::EXITING,
            ..release()
        }
    );
    assert_eq!((exiting.task, exiting.exiting), (Some(TASK), true));
    let kthread = event!(
        Release,
        wire::Release {
            flags: release_flag::KTHREAD,
            ..release()
        }
    );
    assert_eq!((kthread.task, kthread.exiting), (None, false));
    let both = release_flag::KTHREAD | release_flag::EXITING;
    let both = event!(
        Release,
        wire::Release {
            flags: both,
            ..release()
        }
    );
    assert_eq!((both.task, both.exiting), (None, true));
    let unknown = event!(
        Release,
        wire::Release {
            task: wire::Task::default(),
            ..release()
        }
    );
    assert_eq!(unknown.task, None);
    assert_eq!(
        event!(
            Release,
            wire::Release {
                opened_ns: 0,
                ..release()
            }
        )
        .opened,
        None
    );
    let counted = wire::Release {
        seqs: SEQS,
        bytes_received: 5,
        bytes_acked: 6,
        ..release()
    };
    let counted = event!(Release, counted);
    assert_eq!(
        (
            counted.bytes_received,
            counted.bytes_acked,
            counted.seqs.rx_queue()
        ),
        (5, 6, 1)
    );
}

#[test]
fn suspects() {
    let of = |flags| {
        let suspect = event!(Suspect, wire::Suspect { flags, ..suspect() });
        (suspect.since_seen, suspect.progress, suspect.asked)
    };
    assert_eq!(of(0), (true, false, false));
    assert_eq!(of(suspect_flag::FOUND), (false, false, false));
    assert_eq!(of(suspect_flag::PROGRESS), (true, true, false));
    assert_eq!(of(suspect_flag::ASKED), (true, false, true));
    assert_eq!(of(0b111), (false, true, true));
    let seqs_since = wire::Seqs {
        rcv_nxt: 10,
        ..SEQS
    };
    let full = wire::Suspect {
        seqs: SEQS,
        seqs_since,
        sk_err: 110,
        episode: 2,
        ..suspect()
    };
    let full = event!(Suspect, full);
    assert_eq!((full.seqs.rcv_nxt, full.seqs_since.rcv_nxt), (11, 10));
    assert_eq!(
        (full.since, full.error, full.episode),
        (BootTime(700), Some(110), 2)
    );
}

#[test]
fn holders() {
    let held = event!(
        Held,
        wire::Held {
            seqs: SEQS,
            sk_err: 32,
            ack_backlog: 3,
            max_ack_backlog: 128,
            ..held()
        }
    );
    assert_eq!(
        (held.task, held.task_started, held.fd),
        (TASK, BootTime(100), 37)
    );
    assert_eq!((held.ack_backlog, held.max_ack_backlog), (3, 128));
    assert_eq!((held.error, held.seqs.tx_queue()), (Some(32), 2));
}

#[test]
fn idleness() {
    #[track_caller]
    fn check(hz: u32, idle_jiffies: u32, expected: Option<Duration>) {
        let context = DecodeContext { hz };
        match decode(
            wire::Held {
                idle_jiffies,
                ..held()
            }
            .as_bytes(),
            context,
        )
        .unwrap()
        .event
        {
            Event::Held(held) => assert_eq!(held.idle, expected),
            other => panic!("{other:?}"),
        }
        match decode(
            wire::Unheld {
                idle_jiffies,
                ..unheld()
            }
            .as_bytes(),
            context,
        )
        .unwrap()
        .event
        {
            Event::Unheld(unheld) => assert_eq!(unheld.idle, expected),
            other => panic!("{other:?}"),
        }
    }
    check(1000, 0, Some(Duration::ZERO));
    check(1000, 1, Some(Duration::from_millis(1)));
    check(100, 1, Some(Duration::from_millis(10)));
    check(250, 1, Some(Duration::from_millis(4)));
    check(300, 1, Some(Duration::from_nanos(3_333_333)));
    check(300, 300, Some(Duration::from_secs(1)));
    check(1000, u32::MAX, Some(Duration::from_millis(u32::MAX.into())));
    check(1, u32::MAX, Some(Duration::from_secs(u32::MAX.into())));
    check(u32::MAX, u32::MAX, Some(Duration::from_secs(1)));
    check(0, 0, None);
    check(0, 1, None);
}

#[test]
fn what_never_was_a_connection_is_not_idle() {
    let listener = wire::Sock {
        state: 10,
        flags: 0,
        ..sock()
    };
    assert_eq!(
        event!(
            Held,
            wire::Held {
                sock: listener,
                ..held()
            }
        )
        .idle,
        None
    );
    let never = wire::Sock {
        flags: sock_flag::NO_SOCKET,
        ..sock()
    };
    assert_eq!(
        event!(
            Unheld,
            wire::Unheld {
                sock: never,
                ..unheld()
            }
        )
        .idle,
        None
    );
}

#[test]
fn unheld_sockets() {
    let unheld = event!(
        Unheld,
        wire::Unheld {
            seqs: SEQS,
            ..unheld()
        }
    );
    assert_eq!(
        (unheld.seqs.rcv_nxt, unheld.idle),
        (11, Some(Duration::from_secs(1)))
    );
}

#[test]
fn the_encoder_of_these_tests_is_the_decoders_inverse() {
    for (name, bytes) in every_kind() {
        let record = decode(&bytes, HZ).unwrap();
        assert_eq!(decode(&encode(&record), HZ), Ok(record), "{name}");
    }
}
