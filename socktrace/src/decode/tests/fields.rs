//! Every field that can be wrong, with the values that are.

use socktrace_common::wire::{
    self, header_flag, owner_flag, release_flag, role, sock_flag, suspect_flag,
};
use zerocopy::{Immutable, IntoBytes};

use super::wire::{
    accept, connect, gap, held, mapped, mark, read, release, sock, state_change, suspect, unheld,
};
use crate::decode::DecodeError;

/// The record must be refused for this field's value.
#[track_caller]
fn bad(wire: &(impl IntoBytes + Immutable), field: &str, value: u64) {
    match read(wire) {
        Err(DecodeError::Field {
            field: found,
            value: says,
            ..
        }) => {
            assert_eq!((found, says), (field, value));
        }
        other => panic!("expected {field} to be refused for {value}, got {other:?}"),
    }
}

/// Bits of `u32` that are not among `known`.
fn foreign_bits(known: u32) -> impl Iterator<Item = u32> {
    (0..32).map(|n| 1 << n).filter(move |bit| bit & known == 0)
}

/// Tries a socket in a record of every kind that has one.
#[track_caller]
fn bad_sock(sock: wire::Sock, field: &str, value: u64) {
    bad_unless_sighted(sock, field, value);
    bad(&wire::Held { sock, ..held() }, field, value);
    bad(&wire::Unheld { sock, ..unheld() }, field, value);
}

/// Tries it in those that are not of a reading.
#[track_caller]
fn bad_unless_sighted(sock: wire::Sock, field: &str, value: u64) {
    bad(
        &wire::StateChange {
            sock,
            ..state_change()
        },
        field,
        value,
    );
    bad(&wire::Connect { sock, ..connect() }, field, value);
    bad(&wire::Accept { sock, ..accept() }, field, value);
    bad(&wire::Release { sock, ..release() }, field, value);
    bad(&wire::Suspect { sock, ..suspect() }, field, value);
}

#[test]
fn header_flags() {
    for flags in foreign_bits(header_flag::SEQUENCED) {
        let mut gap = gap();
        gap.header.flags = flags;
        bad(&gap, "header.flags", flags.into());
    }
}

#[test]
fn header_cpu() {
    for cpu in [8192, 8193, u32::MAX] {
        let mut mark = mark();
        mark.header.cpu = cpu;
        bad(&mark, "header.cpu", cpu.into());
    }
    let mut mark = mark();
    mark.header.cpu = 8191;
    assert!(read(&mark).is_ok());
}

#[test]
fn states() {
    for state in (0..=u8::MAX).filter(|state| !(1..=12).contains(state)) {
        bad_sock(wire::Sock { state, ..sock() }, "sock.state", state.into());
    }
}

#[test]
fn old_states() {
    for old_state in [0, 13, 14, 255, 256, 257, 0x0100_0001, u32::MAX] {
        bad(
            &wire::StateChange {
                old_state,
                ..state_change()
            },
            "old_state",
            old_state.into(),
        );
    }
}

#[test]
fn families() {
    for family in [0, 1, 3, 9, 11, 16, 0x0200, 0x0a00, u16::MAX] {
        bad_sock(
            wire::Sock { family, ..sock() },
            "sock.family",
            family.into(),
        );
    }
}

#[test]
fn sock_flags() {
    let known = sock_flag::COOKIE_SYNTHETIC
        | sock_flag::NO_SOCKET
        | sock_flag::DEAD
        | sock_flag::ESTABLISHED_ONCE;
    for flags in (0..8).map(|n| 1 << n).filter(|bit| bit & known == 0) {
        let (sock, value) = (wire::Sock { flags, ..sock() }, u64::from(flags));
        if LISTED & flags == 0 {
            bad_sock(sock, "sock.flags", value);
        } else {
            bad_unless_sighted(sock, "sock.flags", value);
        }
    }
}

/// What the table of suspects knows of a socket is said of what a reading shows, and is one of three.
const LISTED: u8 = sock_flag::WAITING | sock_flag::TOLD | sock_flag::UNLISTED;

#[test]
fn one_thing_is_known_of_a_sight() {
    let several = (0..=LISTED).filter(|flags| flags & !LISTED == 0 && flags.count_ones() > 1);
    for flags in several {
        let (sock, value) = (wire::Sock { flags, ..sock() }, u64::from(flags));
        bad(&wire::Held { sock, ..held() }, "sock.flags", value);
        bad(&wire::Unheld { sock, ..unheld() }, "sock.flags", value);
    }
}

#[test]
fn an_ipv4_socket_with_ipv6_addresses() {
    let documentation = 0x2001_0db8_0000_0000_u64;
    let mut ipv6 = [0; 16];
    ipv6[..8].copy_from_slice(&documentation.to_be_bytes());
    bad_sock(
        wire::Sock {
            laddr: ipv6,
            ..sock()
        },
        "sock.laddr",
        documentation,
    );
    bad_sock(
        wire::Sock {
            raddr: ipv6,
            ..sock()
        },
        "sock.raddr",
        documentation,
    );
    bad_sock(
        wire::Sock {
            laddr: [0; 16],
            ..sock()
        },
        "sock.laddr",
        0,
    );
    bad_sock(
        wire::Sock {
            raddr: [0; 16],
            ..sock()
        },
        "sock.raddr",
        0,
    );
    // IPv4 in the compatible form that RFC 4291 has given up.
    let mut compatible = mapped([10, 0, 0, 9]);
    compatible[10..12].fill(0);
    bad_sock(
        wire::Sock {
            raddr: compatible,
            ..sock()
        },
        "sock.raddr",
        0,
    );
}

#[test]
fn tasks_that_must_be_known() {
    let task = wire::Task {
        tgid: 0,
        ..super::wire::task()
    };
    bad(&wire::Held { task, ..held() }, "task.tgid", 0);
}

#[test]
fn release_flags() {
    for flags in foreign_bits(release_flag::EXITING | release_flag::KTHREAD) {
        bad(&wire::Release { flags, ..release() }, "flags", flags.into());
    }
}

#[test]
fn suspect_flags() {
    let known = suspect_flag::FOUND | suspect_flag::PROGRESS | suspect_flag::ASKED;
    for flags in foreign_bits(known) {
        bad(&wire::Suspect { flags, ..suspect() }, "flags", flags.into());
    }
}

#[test]
fn owner_flags() {
    for flags in foreign_bits(owner_flag::EOF_READ | owner_flag::EOF_VISIBLE) {
        let mut suspect = suspect();
        suspect.owner.flags = flags;
        bad(&suspect, "owner.flags", flags.into());
    }
}

#[test]
fn roles() {
    for role in [role::ACCEPTED + 1, 4, 256, u32::MAX] {
        let mut suspect = suspect();
        suspect.owner.role = role;
        bad(&suspect, "owner.role", role.into());
    }
}

#[test]
fn touch_ops() {
    for slot in 0..wire::TOUCHES {
        for op in [4, 5, 256, u32::MAX] {
            let mut suspect = suspect();
            suspect.owner.touches[slot] = wire::Touch {
                op,
                ..super::wire::touch()
            };
            bad(&suspect, "owner.touches.op", op.into());
        }
    }
}

#[test]
fn gap_places() {
    for place in [0, 8, 9, 256, u32::MAX] {
        bad(&wire::Gap { place, ..gap() }, "place", place.into());
    }
}

#[test]
fn marks() {
    for what in [0, 6, 7, 256, u32::MAX] {
        bad(&wire::Mark { what, ..mark() }, "what", what.into());
    }
}

#[test]
fn marks_that_carry_nothing() {
    use wire::mark::{TICK, TRUTH_BEGIN, WALK_BEGIN};
    for what in [WALK_BEGIN, TRUTH_BEGIN, TICK] {
        for value in [1, 2, u64::MAX] {
            bad(
                &wire::Mark {
                    what,
                    value,
                    ..mark()
                },
                "value",
                value,
            );
        }
    }
}

#[test]
fn completeness_that_is_neither_yes_nor_no() {
    for value in [2, 3, 256, u64::MAX] {
        bad(
            &wire::Mark {
                what: wire::mark::TRUTH_END,
                value,
                ..mark()
            },
            "value",
            value,
        );
    }
}

#[test]
fn reserved_fields() {
    for reserved in [1, 2, 0x8000_0000, u32::MAX] {
        let value = reserved.into();
        bad(
            &wire::Release {
                reserved,
                ..release()
            },
            "reserved",
            value,
        );
        bad(
            &wire::Suspect {
                reserved,
                ..suspect()
            },
            "reserved",
            value,
        );
        bad(
            &wire::Unheld {
                reserved,
                ..unheld()
            },
            "reserved",
            value,
        );
        bad(&wire::Gap { reserved, ..gap() }, "reserved", value);
        bad(&wire::Mark { reserved, ..mark() }, "reserved", value);
        for slot in 0..wire::TOUCHES {
            let mut suspect = suspect();
            suspect.owner.touches[slot] = wire::Touch {
                reserved,
                ..super::wire::touch()
            };
            bad(&suspect, "owner.touches.reserved", value);
        }
    }
}

#[test]
fn errors_say_what_is_wrong_where() {
    let error = read(&wire::StateChange {
        old_state: 13,
        ..state_change()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "state change: old_state is 0xd, not a TCP state"
    );
    let error = read(&wire::Gap { place: 8, ..gap() }).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gap: place is 0x8, not a place where records get lost"
    );
    let error = read(&wire::Mark {
        reserved: 1,
        ..mark()
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "mark: reserved is 0x1, not 0 as reserved"
    );
}
