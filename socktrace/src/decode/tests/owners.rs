//! What tasks and owners decode to.

use socktrace_common::wire::{self, owner_flag, touch_op};

use super::wire::{accept, owner, suspect, task, touch};
use super::{TASK, event};
use crate::model::{BootTime, Comm, Role, Tgid, Tid, Touch, TouchOp};

#[test]
fn names_end_at_the_first_nul() {
    let named = |comm| {
        let task = wire::Task { comm, ..task() };
        event!(Accept, wire::Accept { task, ..accept() }).task.comm
    };
    assert_eq!(
        named(*b"orders\0\0\0\0\0\0\0\0\0\0"),
        Comm::from_bytes(b"orders")
    );
    assert_eq!(named(*b"orders\0leftover\0"), Comm::from_bytes(b"orders"));
    assert_eq!(named([0; 16]), Comm::from_bytes(b""));
    assert_eq!(named([b'x'; 16]), Comm([b'x'; 16]));
    assert_eq!(named([0xff; 16]), Comm([0xff; 16]));
    assert_eq!(
        named(*b"a\nb\x1b[31m\0\0\0\0\0\0\0\0"),
        Comm::from_bytes(b"a\nb\x1b[31m")
    );
}

#[test]
fn owners() {
    let of = |owner| event!(Suspect, wire::Suspect { owner, ..suspect() }).owner;
    let seen = of(owner());
    assert_eq!((seen.role, seen.opener), (Role::Accepted, Some(TASK)));
    assert_eq!(seen.opened, Some(BootTime(500)));
    assert_eq!(of(wire::Owner { role: 1, ..owner() }).role, Role::Connected);
    assert_eq!(of(wire::Owner { role: 0, ..owner() }).role, Role::Unknown);
    assert_eq!(
        of(wire::Owner {
            opened_ns: 0,
            ..owner()
        })
        .opened,
        None
    );
    assert_eq!(
        of(wire::Owner {
            task: wire::Task::default(),
            ..owner()
        })
        .opener,
        None
    );
    assert_eq!(of(wire::Owner::default()), crate::model::Owner::default());
}

#[test]
fn end_of_file_evidence() {
    let of = |flags| {
        let owner = wire::Owner { flags, ..owner() };
        event!(Suspect, wire::Suspect { owner, ..suspect() })
            .owner
            .eof_read
    };
    assert_eq!(of(0), None);
    assert_eq!(of(owner_flag::EOF_VISIBLE), Some(false));
    assert_eq!(of(owner_flag::EOF_READ), Some(true));
    assert_eq!(
        of(owner_flag::EOF_READ | owner_flag::EOF_VISIBLE),
        Some(true)
    );
}

#[test]
fn touches() {
    let of = |touches| {
        let owner = wire::Owner { touches, ..owner() };
        event!(Suspect, wire::Suspect { owner, ..suspect() })
            .owner
            .touches
    };
    let empty = wire::Touch::default();
    let expected = |op| {
        Some(Touch {
            at: BootTime(900),
            tgid: Tgid(812),
            tid: Tid(816),
            op,
        })
    };
    assert_eq!(of([empty; 3]), [None; 3]);
    assert_eq!(
        of([
            touch(),
            wire::Touch {
                op: touch_op::SEND,
                ..touch()
            },
            wire::Touch {
                op: touch_op::EOF,
                ..touch()
            }
        ]),
        [
            expected(TouchOp::Recv),
            expected(TouchOp::Send),
            expected(TouchOp::Eof)
        ]
    );
    assert_eq!(
        of([empty, touch(), empty]),
        [None, expected(TouchOp::Recv), None]
    );
    // What an empty slot's other fields say does not matter.
    assert_eq!(
        of([
            wire::Touch {
                boot_ns: 0,
                op: 9,
                reserved: 9,
                ..touch()
            },
            empty,
            empty
        ]),
        [None; 3]
    );
    // A slot that is half written, or an interrupt's: nobody is known, and the rest still counts.
    for half in [
        wire::Touch {
            tgid: 0,
            tid: 0,
            ..touch()
        },
        wire::Touch { op: 0, ..touch() },
    ] {
        assert_eq!(
            of([half, touch(), empty]),
            [None, expected(TouchOp::Recv), None]
        );
    }
    // A runtime's own task has no place in the model and is not required to be 0.
    let goroutine = wire::Touch {
        runtime_task: 0xc000_0000,
        ..touch()
    };
    assert_eq!(of([goroutine, empty, empty])[0], expected(TouchOp::Recv));
}
