//! What can happen to the simulated kernel and its agent.

use proptest::prelude::*;

use crate::model::TcpState;

/// Something happens. Numbers choose among what there is.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Create {
        state: TcpState,
        process: u32,
        unread: u32,
    },
    Queue,
    Accept(usize),
    Dup(usize, u32),
    Close(usize),
    Exit(usize),
    Reset(usize),
    Shutdown(usize),
    LastAcked(usize),
    Read(usize, u32),
    Write(usize),
    Wait(u64),
    /// The ring buffer holds its records back until the next operation but three.
    Delay,
    /// The ring buffer loses what it holds.
    LoseRing,
    /// The next suspect that a walk tells of, or that is an answer, cannot be decoded.
    LoseSuspect,
    /// A record of the next reading cannot be decoded.
    LoseSight,
    /// The table of suspects has so much room from now on. What is in it stays.
    Table(usize),
    /// The table of owners has no room for the next socket.
    LoseOwner,
    /// The next reading fails.
    FailReading,
    /// Nothing of the next walk or reading arrives.
    LoseAnswer,
    /// The agent is killed and another one starts.
    Restart,
    /// The next reading is interrupted half way by this.
    Race(Box<Op>),
}

/// Any operation, the likely ones more often.
pub(super) fn op() -> impl Strategy<Value = Op> {
    let state = prop_oneof![
        6 => Just(TcpState::CloseWait),
        1 => Just(TcpState::Close),
        1 => Just(TcpState::FinWait2)
    ];
    let create = (state, 10..13_u32, prop_oneof![Just(0), Just(1), Just(40)]).prop_map(
        |(state, process, unread)| Op::Create {
            state,
            process,
            unread,
        },
    );
    let one = 0..20_usize;
    let plain = prop_oneof![
        6 => create,
        2 => Just(Op::Queue),
        2 => one.clone().prop_map(Op::Accept),
        2 => (one.clone(), 10..13_u32).prop_map(|(one, process)| Op::Dup(one, process)),
        4 => one.clone().prop_map(Op::Close),
        1 => one.clone().prop_map(Op::Exit),
        2 => one.clone().prop_map(Op::Reset),
        1 => one.clone().prop_map(Op::Shutdown),
        1 => one.clone().prop_map(Op::LastAcked),
        3 => (one.clone(), prop_oneof![Just(1), Just(10), Just(100)])
            .prop_map(|(one, count)| Op::Read(one, count)),
        2 => one.prop_map(Op::Write),
        1 => Just(Op::Delay),
    ];
    let plain = plain.boxed();
    prop_oneof![
        12 => plain.clone(),
        6 => (1..6_000_u64).prop_map(Op::Wait),
        1 => Just(Op::LoseRing),
        1 => Just(Op::LoseSuspect),
        1 => Just(Op::LoseSight),
        1 => prop_oneof![Just(usize::MAX), 0..4_usize].prop_map(Op::Table),
        1 => Just(Op::LoseOwner),
        1 => Just(Op::FailReading),
        1 => Just(Op::LoseAnswer),
        1 => Just(Op::Restart),
        2 => plain.prop_map(|op| Op::Race(Box::new(op))),
    ]
}
