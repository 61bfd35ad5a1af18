//! Plays a script on a loop in a world and tells the oracle of everything that happens.

use std::mem::MaybeUninit;

use pirn::{
    Config, Core, Duration, Error, Io, IoEvent, Limit, Loop, Memory, Ready, Storage, Task, Timer,
    TimerEvent,
};

use super::oracle::{Capacity, IO_CAPACITY, Oracle, Place, Source, TASK_CAPACITY, TIMER_CAPACITY};
use super::script::{Op, Own, Scope, Script, Way};
use crate::simulation::Simulation;
use crate::world::World;

/// What callbacks receive.
pub type Lp<'l, W> = Core<'l, Actor<W>, <W as World>::Host>;
type Whole<'l, W> = Loop<'l, Actor<W>, <W as World>::Host>;

/// On a clock that runs, deadlines before this have passed, and those from here on never come.
pub const LATER: u64 = 1 << 62;

/// One callback as it is compared between backends. The second is the order: of arrival, or for fds
/// of their watchers.
pub type Entry = (Place, usize, usize, u32);

pub struct Actor<W: World> {
    pub world: W,
    /// What the world's fds are held against, and the difference between the numbers there and
    /// here.
    pub shadow: Simulation,
    pub offset: i32,
    pub scope: Scope,
    pub script: Script,
    pub cursor: usize,
    pub calls: usize,
    pub oracle: Oracle,
    /// By the shadow's numbers.
    pub fds: Vec<i32>,
    pub ios: Vec<(usize, Io)>,
    pub timers: Vec<(usize, Timer)>,
    pub tasks: Vec<(usize, Task)>,
    pub ids: usize,
    /// Of the dispatch under way, and of those to come.
    limit: u32,
    pub next_limit: u32,
    pub woken: bool,
    /// The loop's own count of turns, when the oracle last looked.
    pub turns: u64,
    pub idle_turns: u32,
    pub called: u32,
    pub trace: Vec<Vec<Entry>>,
}

/// Blocks of one size that a loop may move to.
fn blocks<const IO: usize, const TIMERS: usize, const TASKS: usize>()
-> Vec<Storage<IO, TIMERS, TASKS>> {
    (0..4).map(|_| Storage::new()).collect()
}

/// The same as the loop wants them, with their capacity.
fn lent<const IO: usize, const TIMERS: usize, const TASKS: usize>(
    blocks: &mut [Storage<IO, TIMERS, TASKS>],
) -> (Capacity, Vec<Memory<'_>>) {
    let capacity = Capacity {
        io: IO,
        timers: TIMERS,
        tasks: TASKS,
    };
    (capacity, blocks.iter_mut().map(Memory::from).collect())
}

/// Plays the whole script; what each turn called.
pub fn play<W: World>(script: &Script, scope: Scope) -> Vec<Vec<Entry>> {
    let mut storage = Storage::<IO_CAPACITY, TIMER_CAPACITY, TASK_CAPACITY>::new();
    let mut small = blocks::<4, 3, 2>();
    let mut middle = blocks::<IO_CAPACITY, TIMER_CAPACITY, TASK_CAPACITY>();
    let mut large = blocks::<24, 17, 13>();
    let mut blocks = [lent(&mut small), lent(&mut middle), lent(&mut large)];
    let world = W::new();
    let config = Config {
        measure: script.is_measured,
        ..Config::default()
    };
    let mut event_loop = world
        .open::<Actor<W>>((&mut storage).into(), config)
        .expect("the backend opens");
    let mut actor = Actor {
        world,
        shadow: Simulation::new(),
        offset: 0,
        scope,
        script: script.clone(),
        cursor: 0,
        calls: 0,
        oracle: Oracle::default(),
        fds: Vec::new(),
        ios: Vec::new(),
        timers: Vec::new(),
        tasks: Vec::new(),
        ids: 0,
        limit: 0,
        next_limit: 0,
        woken: false,
        turns: 0,
        idle_turns: 0,
        called: 0,
        trace: Vec::new(),
    };
    actor.make(Simulation::pair);
    while actor.step(&mut event_loop, &mut blocks) {}
    // What is left over comes, and then there is silence.
    actor.next_limit = 0;
    event_loop.set_limit(Limit::default());
    for _ in 0..3 {
        actor.turn(&mut event_loop, 0);
    }
    actor.trace
}

pub fn on_io<W: World>(event_loop: &mut Lp<'_, W>, actor: &mut Actor<W>, event: IoEvent) {
    actor.follow(event_loop);
    let id = event.user;
    let io = actor
        .ios
        .iter()
        .find(|(known, _)| *known == id)
        .expect("known")
        .1;
    assert_eq!(io, event.io, "the handle that was given out");
    if actor.oracle.handlers.contains_key(&id) {
        assert_eq!(event.ready, Ready::READ);
        let level = actor.oracle.called_raised(id);
        actor.note(
            Place::Level(level, Source::Raised),
            id,
            0,
            event.ready.bits(),
        );
        return actor.react(event_loop);
    }
    let watched = actor
        .oracle
        .watchers
        .get(&id)
        .map(|watcher| watcher.fd + actor.offset);
    assert_eq!(watched, Some(event.fd), "its own fd");
    let level = actor.oracle.called_io(id, event.ready);
    actor.note(Place::Level(level, Source::Fd), id, id, event.ready.bits());
    if actor.scope != Scope::Comparable {
        return actor.react(event_loop);
    }
    let turns = actor.trace.len();
    match actor.script.own[(id + turns) % actor.script.own.len()] {
        Own::Nothing => {}
        Own::Drain => actor.drain(event.fd - actor.offset),
        Own::Modify(interest) => actor.modify(event_loop, id, io, interest),
        Own::Feed(bits) => actor.feed(event_loop, id, io, bits),
        Own::Remove => actor.remove(event_loop, id, io),
    }
}

pub fn on_timer<W: World>(event_loop: &mut Lp<'_, W>, actor: &mut Actor<W>, event: TimerEvent) {
    actor.follow(event_loop);
    let clock = (actor.scope == Scope::Timed).then(|| actor.clock());
    actor.oracle.called_timer(event.user, event.missed, clock);
    actor.note(Place::Timer, event.user, 0, 0);
    actor.react(event_loop);
}

pub fn on_task<W: World>(event_loop: &mut Lp<'_, W>, actor: &mut Actor<W>, user: usize) {
    actor.follow(event_loop);
    actor.oracle.called_task(user);
    actor.note(Place::Task, user, 0, 0);
    actor.react(event_loop);
}

pub fn on_post<W: World>(event_loop: &mut Lp<'_, W>, actor: &mut Actor<W>, user: usize) {
    actor.follow(event_loop);
    actor.oracle.called_post(user);
    actor.note(Place::Post, user, 0, 0);
    actor.react(event_loop);
}

impl<W: World> Actor<W> {
    // ---- the turn ----

    /// The world's clock in nanoseconds: the oracle counts in plain numbers.
    pub fn clock(&self) -> u64 {
        self.world.now().as_nanos()
    }

    /// The clock as the oracle is to see it.
    fn now(&self) -> u64 {
        if self.scope == Scope::Timed {
            self.clock()
        } else {
            LATER - 1
        }
    }

    /// Follows the loop into a new turn: the oracle's begins with the first callback in it, or at
    /// its end if there was none. After a dispatch that was cut just as it came out even, the loop
    /// alone knows whether it goes on or begins anew.
    fn follow(&mut self, event_loop: &mut Lp<'_, W>) {
        let turns = event_loop.stats().turns;
        if turns == self.turns {
            assert!(self.oracle.in_turn, "it goes on with a turn that had ended");
            return;
        }
        assert_eq!(turns, self.turns + 1);
        self.turns = turns;
        if self.oracle.in_turn {
            self.oracle.end();
        }
        let now = self.now();
        self.oracle.begin(now, |fd| self.shadow.readiness(fd));
    }

    fn note(&mut self, place: Place, id: usize, order: usize, ready: u32) {
        self.called += 1;
        self.idle_turns = 0;
        let order = if matches!(place, Place::Level(_, Source::Fd)) {
            order
        } else {
            self.called as usize
        };
        self.trace
            .last_mut()
            .expect("inside a turn")
            .push((place, order, id, ready));
    }

    /// A callback goes on with the script.
    fn react(&mut self, event_loop: &mut Lp<'_, W>) {
        let appetite = self.script.appetites[self.calls % self.script.appetites.len()];
        self.calls += 1;
        for _ in 0..appetite {
            // A callback makes no turn: that does not compile.
            if let Some(op) = self.next_op() {
                if !matches!(op, Op::Turn(_) | Op::Grow(_)) {
                    self.perform(event_loop, op);
                }
            }
            event_loop.verify().expect("sound after a call");
        }
    }

    fn turn(&mut self, event_loop: &mut Whole<'_, W>, limit: u64) {
        self.trace.push(Vec::new());
        self.called = 0;
        self.limit = self.next_limit;
        if self.script.way == Way::Turn {
            let limit = Duration::from_nanos(limit);
            let called = event_loop.turn(limit, self).expect("a turn");
            return self.turned(event_loop, called);
        }
        let was_cut = self.oracle.in_turn;
        let before = self.clock();
        let prepared = event_loop.prepare(Duration::from_nanos(limit));
        let timeout = prepared.expect("prepared").as_nanos();
        assert!(timeout <= limit);
        let is_ready = self.oracle.would_find(|fd| self.shadow.readiness(fd));
        let has_fed = self.oracle.has_fed();
        if !was_cut && (self.oracle.has_queued() || has_fed) {
            assert_eq!(timeout, 0, "there is work");
        }
        if self.scope == Scope::Timed && !was_cut {
            let due = self.oracle.next_deadline().saturating_sub(before);
            assert!(
                timeout <= due,
                "it would sleep {timeout} ns, and a timer is due in {due}"
            );
        }
        let waited = event_loop.wait(Duration::from_nanos(timeout));
        waited.expect("waited");
        if self.scope == Scope::Timed && !was_cut {
            let slept = self.clock() - before;
            if is_ready {
                assert_eq!(slept, 0, "something is ready");
            } else if !self.woken {
                assert_eq!(slept, timeout, "the wait is as long as it was said to be");
            }
        }
        if timeout > 0 {
            self.woken = false;
        }
        let called = if self.script.way == Way::Take {
            self.take(event_loop)
        } else {
            event_loop.dispatch(self)
        };
        self.turned(event_loop, called);
        // No spinning: a turn that was told not to sleep does something, or the next one does.
        let is_idle = called == 0 && timeout == 0 && limit > 0 && !was_cut && !has_fed;
        self.idle_turns = if is_idle { self.idle_turns + 1 } else { 0 };
        assert!(
            self.idle_turns < 2,
            "two turns in a row neither slept nor called: {:#?}",
            self.oracle
        );
    }

    /// What a dispatch would do, by taking one event at a time.
    fn take(&mut self, event_loop: &mut Whole<'_, W>) -> u32 {
        let mut room = [MaybeUninit::uninit()];
        let mut called = 0;
        while self.limit == 0 || called < self.limit {
            let [due] = event_loop.take(&mut room).expect("taken") else {
                break;
            };
            called += 1;
            due.call(event_loop, self);
        }
        called
    }

    fn turned(&mut self, event_loop: &mut Lp<'_, W>, called: u32) {
        event_loop.verify().expect("sound after a turn");
        assert_eq!(called, self.called, "a dispatch counts its callbacks");
        self.follow(event_loop);
        if self.limit == 0 || called < self.limit {
            self.oracle.end();
        }
        assert!(
            self.limit == 0 || called <= self.limit,
            "the limit was {}",
            self.limit
        );
        self.trace.last_mut().expect("just pushed").sort_unstable();
    }

    // ---- the script ----

    fn next_op(&mut self) -> Option<Op> {
        let op = self.script.ops.get(self.cursor).copied()?;
        self.cursor += 1;
        Some(op)
    }

    fn grow<'s>(&mut self, event_loop: &mut Whole<'s, W>, block: Memory<'s>, to: Capacity) {
        let expected = self.oracle.must_move(to);
        let result = event_loop.grow(block);
        assert!(matches!(result, Ok(()) | Err(Error::EBUSY)), "{result:?}");
        if let Some(expected) = expected {
            assert_eq!(result.is_ok(), expected, "to {to:?}: {:#?}", self.oracle);
        }
        if result.is_ok() {
            self.oracle.capacity = to;
        }
    }

    /// The next op; `false` at the end.
    fn step<'s>(
        &mut self,
        event_loop: &mut Whole<'s, W>,
        blocks: &mut [(Capacity, Vec<Memory<'s>>)],
    ) -> bool {
        match self.next_op() {
            Some(Op::Grow(size)) => {
                let count = blocks.len();
                let (capacity, blocks) = &mut blocks[size % count];
                if let Some(block) = blocks.pop() {
                    self.grow(event_loop, block, *capacity);
                }
            }
            Some(Op::Turn(limit)) => self.turn(event_loop, limit),
            Some(op) => self.perform(event_loop, op),
            None => return false,
        }
        event_loop.verify().expect("sound after a call");
        true
    }
}
