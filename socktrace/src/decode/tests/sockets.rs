//! What sockets decode to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socktrace_common::wire::{self, sock_flag};

use super::event;
use super::wire::{accept, mapped, sock, state_change};
use crate::model::{Cookie, Family, KernelAddr, Socket, TcpState};

fn socket_of(sock: wire::Sock) -> Socket {
    event!(Accept, wire::Accept { sock, ..accept() }).socket
}

#[test]
fn sockets() {
    let expected = Socket {
        cookie: Cookie(4711),
        cookie_synthetic: false,
        kaddr: KernelAddr(0xffff_8881_0000_0000),
        netns: 4_026_531_840,
        inode: Some(90_210),
        family: Family::V4,
        state: TcpState::CloseWait,
        no_socket: false,
        dead: false,
        established_once: true,
        local: "10.0.0.5:8080".parse().unwrap(),
        peer: "10.0.0.9:52114".parse().unwrap(),
    };
    assert_eq!(socket_of(sock()), expected);
}

#[test]
fn no_inode() {
    assert_eq!(socket_of(wire::Sock { inode: 0, ..sock() }).inode, None);
}

#[test]
fn every_state() {
    for (state, expected) in (1..).zip(TcpState::ALL) {
        assert_eq!(socket_of(wire::Sock { state, ..sock() }).state, expected);
        let change = wire::StateChange {
            old_state: state.into(),
            ..state_change()
        };
        assert_eq!(event!(StateChange, change).old, expected);
    }
}

#[test]
fn every_sock_flag() {
    let flags = |socket: Socket| {
        [
            socket.cookie_synthetic,
            socket.no_socket,
            socket.dead,
            socket.established_once,
        ]
    };
    let of = |bits| {
        flags(socket_of(wire::Sock {
            flags: bits,
            ..sock()
        }))
    };
    assert_eq!(of(0), [false, false, false, false]);
    assert_eq!(of(sock_flag::COOKIE_SYNTHETIC), [true, false, false, false]);
    assert_eq!(of(sock_flag::NO_SOCKET), [false, true, false, false]);
    assert_eq!(of(sock_flag::DEAD), [false, false, true, false]);
    assert_eq!(of(sock_flag::ESTABLISHED_ONCE), [false, false, false, true]);
    assert_eq!(of(0b1111), [true, true, true, true]);
}

#[test]
fn addresses() {
    /// The local end of a socket of `family` with these octets.
    #[track_caller]
    fn check(family: u16, octets: [u8; 16], expected: &str) {
        let expected: SocketAddr = expected.parse().unwrap();
        let sock = wire::Sock {
            family,
            laddr: octets,
            ..sock()
        };
        assert_eq!(socket_of(sock).local, expected);
        let sock = wire::Sock {
            family,
            raddr: octets,
            rport: 8080,
            ..sock
        };
        assert_eq!(socket_of(sock).peer, expected);
    }
    let v6 = |text: &str| match text.parse().unwrap() {
        IpAddr::V6(ip) => ip.octets(),
        IpAddr::V4(_) => panic!("{text} is not IPv6"),
    };
    check(2, mapped([127, 0, 0, 1]), "127.0.0.1:8080");
    check(2, mapped([0, 0, 0, 0]), "0.0.0.0:8080");
    check(2, mapped([255, 255, 255, 255]), "255.255.255.255:8080");
    check(10, mapped([10, 0, 0, 9]), "10.0.0.9:8080");
    check(10, v6("::"), "[::]:8080");
    check(10, v6("::1"), "[::1]:8080");
    check(10, v6("2001:db8::7"), "[2001:db8::7]:8080");
    check(10, v6("fe80::1:2:3:4"), "[fe80::1:2:3:4]:8080");
    check(10, v6("::ffff:0:1"), "0.0.0.1:8080");
    check(10, v6("::fffe:0:1"), "[::fffe:0:1]:8080");
    check(10, v6("::10.0.0.9"), "[::10.0.0.9]:8080");
    check(10, v6("64:ff9b::10.0.0.9"), "[64:ff9b::a00:9]:8080");
}

#[test]
fn a_mapped_socket_keeps_its_family() {
    let socket = socket_of(wire::Sock {
        family: 10,
        ..sock()
    });
    assert_eq!(socket.family, Family::V6);
    assert_eq!(socket.peer.ip(), Ipv4Addr::new(10, 0, 0, 9));
}

#[test]
fn ports() {
    for port in [0, 1, 80, 0x1234, u16::MAX] {
        let socket = socket_of(wire::Sock {
            lport: port,
            rport: !port,
            ..sock()
        });
        assert_eq!((socket.local.port(), socket.peer.port()), (port, !port));
    }
}
