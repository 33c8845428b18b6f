//! Which kind of leak a socket is.

use crate::model::{Kind, Socket, TcpState};

/// The kind of leak `socket` is if it stays as it is; `None` if it is none.
///
/// `held` says whether a descriptor refers to it. A socket that its owner has released is never a
/// leak, nor is one that was never connected. After `connect(AF_UNSPEC)` a once established socket is
/// in `TCP_CLOSE` without a peer and can be connected anew: that is no leak either.
#[must_use]
pub fn kind_of(socket: &Socket, held: bool) -> Option<Kind> {
    if socket.dead {
        return None;
    }
    match socket.state {
        TcpState::CloseWait if held => Some(Kind::CloseWait),
        TcpState::CloseWait if socket.no_socket => Some(Kind::Unaccepted),
        TcpState::FinWait2 if held => Some(Kind::HalfClosed),
        TcpState::Close if held && socket.established_once && socket.peer.port() != 0 => {
            Some(Kind::ClosedHeld)
        }
        _ => None,
    }
}

/// Whether a socket in this state can be a leak of any kind.
#[must_use]
pub fn can_leak(state: TcpState) -> bool {
    matches!(
        state,
        TcpState::CloseWait | TcpState::Close | TcpState::FinWait2
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cookie, Family, KernelAddr};

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
    fn check(socket: Socket, held: Option<Kind>, unheld: Option<Kind>) {
        assert_eq!(kind_of(&socket, true), held, "held {socket:?}");
        assert_eq!(kind_of(&socket, false), unheld, "unheld {socket:?}");
    }

    #[test]
    fn every_state() {
        for state in TcpState::ALL {
            let held = match state {
                TcpState::CloseWait => Some(Kind::CloseWait),
                TcpState::Close => Some(Kind::ClosedHeld),
                TcpState::FinWait2 => Some(Kind::HalfClosed),
                _ => None,
            };
            check(socket(state), held, None);
            assert_eq!(can_leak(state), held.is_some(), "{state}");
        }
    }

    #[test]
    fn queued_is_unaccepted_only_in_close_wait() {
        for state in TcpState::ALL {
            let queued = Socket {
                no_socket: true,
                ..socket(state)
            };
            let expected = (state == TcpState::CloseWait).then_some(Kind::Unaccepted);
            assert_eq!(kind_of(&queued, false), expected, "{state}");
        }
    }

    #[test]
    fn released_is_never_a_leak() {
        for state in TcpState::ALL {
            for no_socket in [false, true] {
                check(
                    Socket {
                        dead: true,
                        no_socket,
                        ..socket(state)
                    },
                    None,
                    None,
                );
            }
        }
    }

    #[test]
    fn never_connected_is_no_leak() {
        check(
            Socket {
                established_once: false,
                ..socket(TcpState::Close)
            },
            None,
            None,
        );
    }

    #[test]
    fn disconnected_is_no_leak() {
        let peer = ([0, 0, 0, 0], 0).into();
        check(
            Socket {
                peer,
                ..socket(TcpState::Close)
            },
            None,
            None,
        );
    }
}
