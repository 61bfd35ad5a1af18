//! The test bench: a loop in a world, a log of what was called, and callbacks that are closures
//! with a name.

use std::collections::HashMap;
use std::mem::MaybeUninit;
use std::sync::RwLock;

use pirn::{
    Config, Duration, Ended, Instant, Interest, Io, IoEvent, Limit, Memory, Ready, Repeat, Result,
    Storage, Task, Timer, TimerEvent, When,
};

use crate::face::Whole;
use crate::world::World;

pub use crate::face::Lp;
/// What a callback does after it was logged. Runs with the loop and the context, as callbacks do.
type Action<W> = Box<dyn FnMut(&mut Lp<'_, '_, W>, &mut Context<W>)>;

/// What the callbacks share: the world, the log, and every handle by its name.
pub struct Context<W: World> {
    pub world: W,
    pub log: Vec<String>,
    names: Vec<(&'static str, Option<Action<W>>)>,
    pub ios: HashMap<&'static str, Io>,
    pub timers: HashMap<&'static str, Timer>,
    pub tasks: HashMap<&'static str, Task>,
    /// The read ends of all ready pipes.
    pub fds: Vec<i32>,
    /// Checked after every callback too; off where that would take the square of the time.
    pub verifies: bool,
    /// The clock when each callback ran.
    pub times: Vec<Instant>,
}

impl<W: World> Context<W> {
    /// The word for a callback that is logged under `name`.
    pub fn name(&mut self, name: &'static str) -> usize {
        self.names.push((name, None));
        self.names.len() - 1
    }

    /// The same, for one that goes on to do something.
    pub fn name_then(
        &mut self,
        name: &'static str,
        action: impl FnMut(&mut Lp<'_, '_, W>, &mut Context<W>) + 'static,
    ) -> usize {
        self.names.push((name, Some(Box::new(action))));
        self.names.len() - 1
    }

    pub fn io(&self, name: &str) -> Io {
        self.ios[name]
    }

    pub fn timer(&self, name: &str) -> Timer {
        self.timers[name]
    }

    pub fn task(&self, name: &str) -> Task {
        self.tasks[name]
    }

    fn called(&mut self, event_loop: &mut Lp<'_, '_, W>, user: usize, detail: &str) {
        let name = self.names[user].0;
        self.log.push(if detail.is_empty() {
            name.to_owned()
        } else {
            format!("{name} {detail}")
        });
        self.times.push(self.world.now());
        if let Some(mut action) = self.names[user].1.take() {
            action(event_loop, self);
            self.names[user].1.get_or_insert(action);
        }
        if self.verifies {
            event_loop.verify().expect("sound inside a callback");
        }
    }
}

/// One letter for each bit that was found.
pub fn letters(ready: Ready) -> String {
    let all = [
        (Ready::READ, 'R'),
        (Ready::URGENT, 'U'),
        (Ready::WRITE, 'W'),
        (Ready::ERROR, 'E'),
        (Ready::HANGUP, 'H'),
        (Ready::INVALID, 'I'),
        (Ready::PEER_CLOSED, 'P'),
    ];
    all.iter()
        .filter(|(bit, _)| ready.contains(*bit))
        .map(|(_, letter)| letter)
        .collect()
}

pub fn on_io<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>, event: IoEvent) {
    context.called(event_loop, event.user, &letters(event.ready));
}

pub fn on_timer<W: World>(
    event_loop: &mut Lp<'_, '_, W>,
    context: &mut Context<W>,
    event: TimerEvent,
) {
    let missed = if event.missed > 0 {
        format!("+{}", event.missed)
    } else {
        String::new()
    };
    context.called(event_loop, event.user, &missed);
}

pub fn on_task<W: World>(event_loop: &mut Lp<'_, '_, W>, context: &mut Context<W>, user: usize) {
    context.called(event_loop, user, "");
}

/// A loop in a world of its own.
pub struct Bench<'s, W: World> {
    pub event_loop: Whole<'s, W>,
    pub context: Context<W>,
    /// How many callbacks a turn may run.
    limit: u32,
}

impl<'s, W: World> Bench<'s, W> {
    pub fn new(memory: impl Into<Memory<'s>>) -> Self {
        Self::make(memory.into(), false)
    }

    /// With `measure`, the loop times its callbacks.
    pub fn make(memory: Memory<'s>, measure: bool) -> Self {
        let world = W::new();
        let config = Config {
            measure,
            ..Config::default()
        };
        let event_loop = Whole::open(&world, memory, config).expect("the backend opens");
        assert_eq!(event_loop.backend(), W::KIND);
        let context = Context {
            world,
            log: Vec::new(),
            names: Vec::new(),
            ios: HashMap::new(),
            timers: HashMap::new(),
            tasks: HashMap::new(),
            fds: Vec::new(),
            verifies: true,
            times: Vec::new(),
        };
        Bench {
            event_loop,
            context,
            limit: u32::MAX,
        }
    }

    pub fn pipe(&self) -> (i32, i32) {
        self.context.world.pipe()
    }

    pub fn pair(&self) -> (i32, i32) {
        self.context.world.pair()
    }

    /// The read end of a pipe with one byte in it, and the other end.
    pub fn ready_pipe(&mut self) -> (i32, i32) {
        let (reader, writer) = self.pipe();
        self.context.fds.push(reader);
        assert_eq!(self.context.world.write(writer, 1), 1);
        (reader, writer)
    }

    // ---- watchers, timers and tasks that only log ----

    pub fn io(&mut self, name: &'static str, fd: i32, interest: Interest) -> Io {
        let user = self.context.name(name);
        self.add(name, fd, interest, user)
    }

    pub fn timer(&mut self, name: &'static str, when: When, repeat: Repeat) -> Timer {
        let user = self.context.name(name);
        self.start(name, when, repeat, user)
    }

    pub fn task(&mut self, name: &'static str) -> Task {
        let user = self.context.name(name);
        self.post(name, user)
    }

    pub fn raise_handler(&mut self, name: &'static str, bit: u32, options: Interest) -> Io {
        let user = self.context.name(name);
        self.handle(name, bit, options, user)
    }

    // ---- and those that go on to do something ----

    pub fn io_then(
        &mut self,
        name: &'static str,
        fd: i32,
        interest: Interest,
        action: impl FnMut(&mut Lp<'_, '_, W>, &mut Context<W>) + 'static,
    ) -> Io {
        let user = self.context.name_then(name, action);
        self.add(name, fd, interest, user)
    }

    pub fn timer_then(
        &mut self,
        name: &'static str,
        when: When,
        repeat: Repeat,
        action: impl FnMut(&mut Lp<'_, '_, W>, &mut Context<W>) + 'static,
    ) -> Timer {
        let user = self.context.name_then(name, action);
        self.start(name, when, repeat, user)
    }

    pub fn task_then(
        &mut self,
        name: &'static str,
        action: impl FnMut(&mut Lp<'_, '_, W>, &mut Context<W>) + 'static,
    ) -> Task {
        let user = self.context.name_then(name, action);
        self.post(name, user)
    }

    pub fn add(&mut self, name: &'static str, fd: i32, interest: Interest, user: usize) -> Io {
        let io = self
            .event_loop
            .io_add(fd, interest, on_io::<W>, user)
            .expect(name);
        self.context.ios.insert(name, io);
        io
    }

    pub fn handle(&mut self, name: &'static str, bit: u32, options: Interest, user: usize) -> Io {
        let io = self
            .event_loop
            .raise_add(bit, options, on_io::<W>, user)
            .expect(name);
        self.context.ios.insert(name, io);
        io
    }

    pub fn start(&mut self, name: &'static str, when: When, repeat: Repeat, user: usize) -> Timer {
        let timer = self
            .event_loop
            .timer_start(when, repeat, on_timer::<W>, user)
            .expect(name);
        self.context.timers.insert(name, timer);
        timer
    }

    pub fn post(&mut self, name: &'static str, user: usize) -> Task {
        let task = self.event_loop.task_post(on_task::<W>, user).expect(name);
        self.context.tasks.insert(name, task);
        task
    }

    // ---- turns ----

    /// One turn that does not wait; what it called, in order.
    pub fn turn(&mut self) -> Vec<String> {
        self.turn_for(Duration::ZERO)
    }

    /// The same and no more: what it called stays in the log.
    pub fn quiet_turn(&mut self, timeout: Duration) -> Result<u32> {
        if !W::TAKES {
            return self.event_loop.turn(timeout, &mut self.context);
        }
        let timeout = self.event_loop.prepare(timeout)?;
        self.event_loop.wait(timeout)?;
        self.dispatch()
    }

    /// The last part of a turn: everything that is due, or as much as the limit allows.
    pub fn dispatch(&mut self) -> Result<u32> {
        if !W::TAKES {
            return Ok(self.event_loop.dispatch(&mut self.context));
        }
        for taken in 0..self.limit {
            if self.take(1)? == 0 {
                return Ok(taken);
            }
        }
        Ok(self.limit)
    }

    /// Takes at most `room` events and calls their callbacks; how many there were.
    pub fn take(&mut self, room: usize) -> Result<usize> {
        let mut room: Vec<_> = (0..room).map(|_| MaybeUninit::uninit()).collect();
        let taken = self.event_loop.take(&mut room)?;
        for due in taken.iter_mut() {
            due.call(&mut self.event_loop, &mut self.context);
        }
        Ok(taken.len())
    }

    /// Limits the turns to come.
    pub fn set_limit(&mut self, limit: Limit) {
        self.event_loop.set_limit(limit);
        self.limit = match limit.callbacks {
            0 => u32::MAX,
            callbacks => callbacks,
        };
    }

    /// The same by a number of callbacks alone; 0 is any number.
    pub fn limit(&mut self, callbacks: u32) {
        self.set_limit(Limit {
            callbacks,
            time: Duration::ZERO,
        });
    }

    /// Turns until stopped, or until nothing keeps the loop going.
    pub fn run(&mut self) -> Result<Ended> {
        self.run_until(Instant::NEVER)
    }

    /// The same, but not beyond a point in time.
    pub fn run_until(&mut self, deadline: Instant) -> Result<Ended> {
        if !W::TAKES {
            return self.event_loop.run_until(deadline, &mut self.context);
        }
        loop {
            if let Some(ended) = self.event_loop.ended() {
                return Ok(ended);
            }
            if deadline != Instant::NEVER && self.event_loop.update() >= deadline {
                return Ok(Ended::Expired);
            }
            let limit = if deadline == Instant::NEVER {
                Duration::FOREVER
            } else {
                deadline - self.event_loop.now()
            };
            self.quiet_turn(limit)?;
        }
    }

    /// One turn that waits at most that long.
    pub fn turn_for(&mut self, timeout: Duration) -> Vec<String> {
        self.context.log.clear();
        let called = self.quiet_turn(timeout).expect("a turn");
        self.event_loop.verify().expect("sound after a turn");
        assert_eq!(
            called as usize,
            self.context.log.len(),
            "turn() counts its callbacks"
        );
        std::mem::take(&mut self.context.log)
    }

    /// The same, where the order among the called is the kernel's.
    pub fn turn_sorted(&mut self) -> Vec<String> {
        let mut called = self.turn();
        called.sort();
        called
    }

    /// Turns that wait up to a millisecond each, until `count` callbacks have run.
    pub fn turns_until(&mut self, count: usize) -> Vec<String> {
        let mut all = Vec::new();
        for _ in 0..20_000 {
            all.extend(self.turn_for(Duration::from_millis(1)));
            if all.len() >= count {
                return all;
            }
        }
        panic!("{count} callbacks never came: {all:?}");
    }

    /// No turn from here on calls anything.
    pub fn assert_silent(&mut self) {
        for _ in 0..3 {
            assert_eq!(self.turn(), [""; 0]);
        }
    }

    /// Waits sleep as long as they are told: nothing makes the loop spin. Takes 20 ms on a real
    /// clock.
    pub fn assert_sleeps(&mut self) {
        let before = self.event_loop.stats().waits;
        let start = self.context.world.now();
        while self.context.world.now() < start + Duration::from_millis(20) {
            let called = self.turn_for(Duration::from_millis(5));
            assert!(called.is_empty(), "nothing was due: {called:?}");
            let waits = self.event_loop.stats().waits - before;
            assert!(
                waits < 30,
                "the loop spins: {waits} waits in {:?}",
                self.context.world.now() - start
            );
        }
    }
}

/// Tests share this; one that starts a process has it alone. Until a child process execs it holds a
/// copy of every fd, and what another test closes meanwhile stays open.
pub static PROCESSES: RwLock<()> = RwLock::new(());

/// Runs a claim on a bench of 32 watchers, 32 timers and 32 tasks.
pub fn check<W: World>(claim: fn(&mut Bench<'_, W>)) {
    let _shared = PROCESSES
        .read()
        .unwrap_or_else(|poison| poison.into_inner());
    let mut storage = Storage::<32, 32, 32>::new();
    let mut bench = Bench::new(&mut storage);
    claim(&mut bench);
    bench.event_loop.verify().expect("sound at the end");
}
