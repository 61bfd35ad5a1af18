//! Scripts: what a random program does to a loop. Everything is chosen among what is there by a
//! number, so that a script stays meaningful while it is shrunk.

use pirn::Interest;
use proptest::prelude::*;

/// One step. The first number of each names a victim: an fd, a watcher, a timer or a task, modulo
/// how many there are.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    Pipe,
    Pair,
    Duplicate(usize),
    /// Tells the loop, then closes.
    Close(usize),
    Write(usize),
    Drain(usize),
    Fill(usize),
    Shutdown(usize),
    Add(usize, Interest),
    Modify(usize, Interest),
    Remove(usize),
    Feed(usize, u32),
    Start(Start, Period),
    Again(usize, u64),
    Stop(usize),
    Slack(usize, u64),
    Post,
    Cancel(usize),
    RemotePost,
    RaiseAdd(u32, Interest),
    Raise(u32),
    Wake,
    Limit(u32),
    /// Moves the loop to a block of one of the sizes. Not inside a callback.
    Grow(usize),
    /// Lets time pass: only where it is simulated.
    Advance(u64),
    /// A turn that may wait that long. Nothing inside a callback.
    Turn(u64),
}

/// A timer's first deadline. `Past` is a point long gone, so that it is due on any clock.
#[derive(Clone, Copy, Debug)]
pub enum Start {
    Past(u64),
    After(u64),
    AfterCached(u64),
    Never,
}

#[derive(Clone, Copy, Debug)]
pub enum Period {
    Once,
    Rate(u64),
    Delay(u64),
    Skip(u64),
}

/// What an I/O callback does to its own watcher when traces are compared: nothing whose effect
/// depends on the order of fds.
#[derive(Clone, Copy, Debug)]
pub enum Own {
    Nothing,
    Drain,
    Modify(Interest),
    Feed(u32),
    Remove,
}

#[derive(Clone, Debug)]
pub struct Script {
    pub ops: Vec<Op>,
    /// How many of the next ops each callback takes, in turn.
    pub appetites: Vec<usize>,
    pub own: Vec<Own>,
    /// The loop times its callbacks: nothing else may come of that.
    pub is_measured: bool,
    pub way: Way,
}

/// How turns are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Turn,
    /// `prepare`, `wait` and `dispatch`.
    Steps,
    /// `prepare`, `wait` and `take`, one event at a time.
    Take,
}

/// What a script may contain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Anything; deadlines lie in the past or never come, so that it runs on a real clock.
    Timeless,
    /// Anything, and deadlines and time that passes.
    Timed,
    /// As `Timeless`, without what makes a trace depend on the order of fds.
    Comparable,
}

fn asked() -> impl Strategy<Value = Interest> {
    prop_oneof![
        3 => Just(Interest::READ),
        3 => Just(Interest::WRITE),
        2 => Just(Interest::READ | Interest::WRITE),
        1 => Just(Interest::empty()),
    ]
}

fn level() -> impl Strategy<Value = Interest> {
    prop_oneof![4 => Just(Interest::empty()), 1 => Just(Interest::HIGH), 1 => Just(Interest::LOW)]
}

fn start(scope: Scope) -> BoxedStrategy<Start> {
    let past = (0..6u64).prop_map(Start::Past);
    if scope == Scope::Timed {
        let delay = || prop_oneof![0..4u64, 0..300u64, 0..5_000_000u64, Just(1 << 62)];
        prop_oneof![
            past,
            delay().prop_map(Start::After),
            delay().prop_map(Start::AfterCached),
            Just(Start::Never)
        ]
        .boxed()
    } else {
        prop_oneof![4 => past, 2 => Just(Start::AfterCached(0)), 1 => Just(Start::Never)].boxed()
    }
}

fn period(scope: Scope) -> BoxedStrategy<Period> {
    // On a real clock a period is so long that only the first tick comes; only "delay" reckons from
    // there.
    let length = if scope == Scope::Timed {
        prop_oneof![1..5u64, 1..400u64].boxed()
    } else {
        Just(1 << 62).boxed()
    };
    let periodic = (0..3, length).prop_map(|(kind, length)| match kind {
        0 => Period::Rate(length),
        1 => Period::Delay(length),
        _ => Period::Skip(length),
    });
    prop_oneof![3 => Just(Period::Once), 1 => periodic].boxed()
}

fn op(scope: Scope) -> BoxedStrategy<Op> {
    let any = || 0..64usize;
    let fed = || (1..4u32).prop_map(|bits| bits & 1 | (bits & 2) << 1);
    let delay = if scope == Scope::Timed {
        prop_oneof![0..400u64, Just(u64::MAX)].boxed()
    } else {
        prop_oneof![Just(0), Just(u64::MAX)].boxed()
    };
    let once = prop_oneof![4 => Just(Interest::empty()), 1 => Just(Interest::ONESHOT)];
    let world = prop_oneof![
        1 => Just(Op::Pipe),
        1 => Just(Op::Pair),
        1 => any().prop_map(Op::Duplicate),
        1 => any().prop_map(Op::Close),
        4 => any().prop_map(Op::Write),
        3 => any().prop_map(Op::Drain),
        1 => any().prop_map(Op::Fill),
        1 => any().prop_map(Op::Shutdown),
    ];
    let io = prop_oneof![
        6 => (any(), asked(), level(), once)
            .prop_map(|(fd, asked, level, once)| Op::Add(fd, asked | level | once)),
        4 => (any(), asked()).prop_map(|(io, interest)| Op::Modify(io, interest)),
        2 => any().prop_map(Op::Remove),
        2 => (any(), fed()).prop_map(|(io, ready)| Op::Feed(io, ready)),
    ];
    let timers = prop_oneof![
        4 => (start(scope), period(scope)).prop_map(|(start, period)| Op::Start(start, period)),
        2 => (any(), delay).prop_map(|(timer, delay)| Op::Again(timer, delay)),
        2 => any().prop_map(Op::Stop),
        u32::from(scope == Scope::Timed) => (any(), 0..600u64)
            .prop_map(|(timer, slack)| Op::Slack(timer, slack)),
    ];
    let queues = prop_oneof![
        4 => Just(Op::Post),
        2 => any().prop_map(Op::Cancel),
        3 => Just(Op::RemotePost),
        2 => (0..3u32, level()).prop_map(|(bit, level)| Op::RaiseAdd(bit * 31, level)),
        3 => (0..3u32).prop_map(|bit| Op::Raise(bit * 31)),
        1 => Just(Op::Wake),
    ];
    let turn = if scope == Scope::Timed {
        prop_oneof![Just(0), 0..500u64, 0..3_000_000u64].boxed()
    } else {
        prop_oneof![3 => Just(0), 1 => Just(20_000u64)].boxed()
    };
    prop_oneof![
        5 => world,
        6 => io,
        4 => timers,
        4 => queues,
        if scope == Scope::Comparable { 0 } else { 1 } => prop_oneof![Just(0), 1..5u32]
            .prop_map(Op::Limit),
        1 => any().prop_map(Op::Grow),
        if scope == Scope::Timed { 2 } else { 0 } => (0..300u64).prop_map(Op::Advance),
        6 => turn.prop_map(Op::Turn),
    ]
    .boxed()
}

fn own() -> impl Strategy<Value = Own> {
    prop_oneof![
        4 => Just(Own::Nothing),
        1 => Just(Own::Drain),
        2 => asked().prop_map(Own::Modify),
        1 => Just(Own::Feed(1)),
        1 => Just(Own::Remove),
    ]
}

pub fn script(scope: Scope) -> impl Strategy<Value = Script> {
    (
        prop::collection::vec(op(scope), 1..120),
        prop::collection::vec(prop_oneof![2 => Just(0usize), 1 => 1..4usize], 1..8),
        prop::collection::vec(own(), 1..12),
        any::<bool>(),
        prop_oneof![1 => Just(Way::Turn), 2 => Just(Way::Steps), 2 => Just(Way::Take)],
    )
        .prop_map(|(ops, appetites, own, is_measured, way)| Script {
            ops,
            appetites,
            own,
            is_measured,
            way,
        })
}
