#![allow(unsafe_code, reason = "C functions are called")]
#![allow(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "the calls are what is tested"
)]
//! Random scripts against the specification: actors, callers, futures and fibers mixed, wait with
//! and without limits, are cancelled, dropped and end, queues are closed and barriers reset, in
//! virtual time. After every step the objects are as the specification says, and no actor waits
//! that could be served.

#[path = "support/specification.rs"]
mod specification;
#[path = "support/mod.rs"]
mod support;

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::mem::{MaybeUninit, zeroed};
use std::ops::Range;
use std::ptr::null_mut;
use std::rc::Rc;

use ::pirn_fiber::ffi::*;
use ::pirn_fiber::*;
use pirn_sync::*;
use pirn_wait::ffi::*;
use pirn_wait::*;

use specification::{FOREVER, MOST, MUTEXES, Order, PARTIES, QUEUES, Specification, Wait};
use support::{World, guarded};

const ACTORS: usize = 8;

/// These actors wait as futures do: when the wait is over they are woken, and the script takes the
/// result later, or drops the actor before.
const DEFERRED: Range<usize> = 3..5;

/// Actors from here on are fibers. Miri cannot switch stacks.
const FIRST_FIBER: usize = if cfg!(miri) { ACTORS } else { 5 };

/// Numbers that look random.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 11) % limit
    }

    fn index(&mut self, limit: usize) -> usize {
        self.below(limit as u64) as usize
    }

    /// True once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// All objects, on the heap and reached by their addresses.
struct Objects {
    event: *mut pirn_event,
    mutexes: [*mut pirn_mutex; MUTEXES],
    semaphore: *mut pirn_semaphore,
    /// Without a mutex, and with the first one.
    conditions: [*mut pirn_condition; 2],
    barrier: *mut pirn_barrier,
    queues: [*mut pirn_queue; QUEUES],
    storage: [*mut [u32; 4]; QUEUES],
    /// Where an actor puts from and gets to.
    items: [*mut u32; ACTORS],
}

fn zero<T>() -> *mut T {
    Box::into_raw(Box::new(unsafe { zeroed() }))
}

unsafe extern "C" fn is_smaller(a: *const c_void, b: *const c_void) -> c_int {
    c_int::from(unsafe { *a.cast::<u32>() < *b.cast::<u32>() })
}

impl Objects {
    fn new(specification: &Specification) -> Objects {
        let objects = Objects {
            event: zero(),
            mutexes: [(); MUTEXES].map(|()| zero()),
            semaphore: zero(),
            conditions: [zero(), zero()],
            barrier: zero(),
            queues: [(); QUEUES].map(|()| zero()),
            storage: [(); QUEUES].map(|()| zero()),
            items: [(); ACTORS].map(|()| zero()),
        };
        let recursive = PIRN_MUTEX_RECURSIVE;
        assert_eq!(unsafe { pirn_mutex_init(objects.mutexes[0], recursive) }, 0);
        assert_eq!(
            unsafe { pirn_semaphore_init(objects.semaphore, 1, MOST) },
            0
        );
        assert_eq!(
            unsafe { pirn_barrier_init(objects.barrier, PARTIES as u32) },
            0
        );
        for (at, queue) in specification.queues.iter().enumerate() {
            let (order, before): (u32, pirn_queue_before_fn) = match queue.order {
                Order::Fifo => (PIRN_QUEUE_FIFO, None),
                Order::Lifo => (PIRN_QUEUE_LIFO, None),
                Order::Priority => (PIRN_QUEUE_PRIORITY, Some(is_smaller)),
            };
            let (address, array) = (objects.queues[at], objects.storage[at].cast());
            let size = queue.capacity * 4;
            assert_eq!(
                unsafe { pirn_queue_init(address, array, size, 4, order, before) },
                0
            );
        }
        objects
    }

    fn start(&self, actor: usize, waiter: *mut pirn_waiter, wait: Wait, timeout: u64) -> c_int {
        let item = self.items[actor].cast::<c_void>();
        unsafe {
            match wait {
                Wait::Event => pirn_event_wait_start(self.event, waiter, timeout),
                Wait::Lock(mutex) => pirn_mutex_lock_start(self.mutexes[mutex], waiter, timeout),
                Wait::Units(units) => {
                    pirn_semaphore_acquire_start(self.semaphore, waiter, units, timeout)
                }
                Wait::Notified { locked } => {
                    let mutex = if locked { self.mutexes[0] } else { null_mut() };
                    let condition = self.conditions[usize::from(locked)];
                    pirn_condition_wait_start(condition, mutex, waiter, timeout)
                }
                Wait::Barrier => pirn_barrier_wait_start(self.barrier, waiter, timeout),
                Wait::Put(queue, number) => {
                    // A waiter that waits still needs what it puts.
                    if pirn_waiter_is_waiting(waiter) == 0 {
                        *self.items[actor] = number;
                    }
                    pirn_queue_put_start(self.queues[queue], waiter, item, timeout)
                }
                Wait::Get(queue) => pirn_queue_get_start(self.queues[queue], waiter, item, timeout),
                Wait::Join(queue) => pirn_queue_join_start(self.queues[queue], waiter, timeout),
            }
        }
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        unsafe {
            drop(Box::from_raw(self.event));
            drop(Box::from_raw(self.semaphore));
            drop(Box::from_raw(self.barrier));
            for mutex in self.mutexes {
                drop(Box::from_raw(mutex));
            }
            for condition in self.conditions {
                drop(Box::from_raw(condition));
            }
            for (queue, storage) in self.queues.into_iter().zip(self.storage) {
                drop(Box::from_raw(queue));
                drop(Box::from_raw(storage));
            }
            for item in self.items {
                drop(Box::from_raw(item));
            }
        }
    }
}

/// A waiter with a callback, or a fiber that follows the script.
struct Actor {
    number: usize,
    waiter: *mut pirn_waiter,
    fiber: *mut pirn_fiber,
    _stack: Vec<u64>,
    world: Rc<World>,
    objects: Rc<Objects>,
    log: Rc<RefCell<Vec<String>>>,
    /// What the wait in progress, or the one to come, is for.
    wait: Cell<Wait>,
    timeout: Cell<u64>,
    /// What `start` has returned in the fiber.
    begun: Cell<c_int>,
    /// The fiber waits to be told what to do.
    is_parked: Cell<bool>,
    ends: Cell<bool>,
}

const STACK: usize = 32 * 1024;

impl Actor {
    fn new(
        world: &Rc<World>,
        objects: &Rc<Objects>,
        log: &Rc<RefCell<Vec<String>>>,
        number: usize,
    ) -> Rc<Actor> {
        let is_fiber = number >= FIRST_FIBER;
        let fiber: *mut pirn_fiber = zero();
        let waiter: *mut MaybeUninit<pirn_waiter> = Box::into_raw(Box::new(MaybeUninit::uninit()));
        let mut stack = vec![0u64; if is_fiber { STACK / 8 } else { 0 }];
        let memory = stack.as_mut_ptr().cast();
        let actor = Rc::new(Actor {
            number,
            waiter: if is_fiber {
                fiber.cast()
            } else {
                waiter.cast()
            },
            fiber,
            _stack: stack,
            world: Rc::clone(world),
            objects: Rc::clone(objects),
            log: Rc::clone(log),
            wait: Cell::new(Wait::Event),
            timeout: Cell::new(0),
            begun: Cell::new(0),
            is_parked: Cell::new(false),
            ends: Cell::new(false),
        });
        let user = Rc::as_ptr(&actor).cast_mut().cast::<c_void>();
        if is_fiber {
            drop(unsafe { Box::from_raw(waiter) });
            let body = Some(obeys as _);
            let rc = unsafe { pirn_fiber_start(world.hub, fiber, memory, STACK, 0, body, user) };
            assert_eq!(rc, 0);
            world.turn();
        } else {
            let rc = unsafe { pirn_waiter_init(world.hub, waiter.cast(), Some(on_wake), user) };
            assert_eq!(rc, 0);
            if DEFERRED.contains(&number) {
                unsafe { &*actor.waiter }.set_deferred();
            }
        }
        actor
    }

    fn is_fiber(&self) -> bool {
        self.number >= FIRST_FIBER
    }

    fn is_idle(&self) -> bool {
        self.is_parked.get() || (unsafe { pirn_waiter_is_waiting(self.waiter) }) == 0
    }

    /// A wait was over at once, or is over now.
    fn note(&self, result: c_int, is_at_once: bool) {
        let mut log = self.log.borrow_mut();
        if matches!(self.wait.get(), Wait::Get(_)) && result == 0 {
            let item = unsafe { *self.objects.items[self.number] };
            log.push(format!("{} got {item}", self.number));
        }
        if !is_at_once {
            log.push(format!("{}={result}", self.number));
        }
    }

    /// Returns what the function that ends in `_start` has returned.
    fn begin(&self, wait: Wait, timeout: u64) -> c_int {
        if !self.is_fiber() {
            let rc = self.objects.start(self.number, self.waiter, wait, timeout);
            if rc != -EBUSY && rc != -EPERM {
                self.wait.set(wait);
            }
            if rc == 0 {
                self.note(rc, true);
            }
            return rc;
        }
        self.wait.set(wait);
        self.timeout.set(timeout);
        self.begun.set(c_int::MIN);
        assert_eq!(unsafe { pirn_waiter_wake(self.waiter, 0) }, 0);
        self.world.turn();
        self.begun.get()
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        unsafe {
            drop(Box::from_raw(self.fiber));
            if !self.is_fiber() {
                drop(Box::from_raw(self.waiter));
            }
        }
    }
}

unsafe extern "C" fn on_wake(_: *mut pirn_hub, waiter: *mut pirn_waiter, result: c_int) {
    let actor = unsafe { &*(*waiter).user.get().cast::<Actor>() };
    if DEFERRED.contains(&actor.number) {
        actor
            .log
            .borrow_mut()
            .push(format!("{} told", actor.number));
    } else {
        actor.note(result, false);
    }
}

unsafe extern "C" fn obeys(hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let actor = unsafe { &*user.cast::<Actor>() };
    loop {
        actor.is_parked.set(true);
        let begun = unsafe { pirn_park_start(actor.waiter, FOREVER) };
        unsafe { pirn_fiber_await(hub, begun) };
        actor.is_parked.set(false);
        if actor.ends.get() {
            return 0;
        }
        let (wait, timeout) = (actor.wait.get(), actor.timeout.get());
        let begun = actor
            .objects
            .start(actor.number, actor.waiter, wait, timeout);
        actor.begun.set(begun);
        if begun == 0 {
            actor.note(begun, true);
        }
        if begun == PIRN_WAITS {
            let result = unsafe { pirn_fiber_await(hub, begun) };
            guarded(|| actor.note(result, false));
        }
    }
}

/// One script.
struct Play {
    random: Random,
    specification: Specification,
    world: Rc<World>,
    objects: Rc<Objects>,
    actors: Vec<Rc<Actor>>,
    log: Rc<RefCell<Vec<String>>>,
    script: Vec<String>,
    next_item: u32,
}

impl Play {
    fn new(seed: u64) -> Play {
        let specification = Specification::new(ACTORS, DEFERRED);
        let (world, objects) = (World::new(), Rc::new(Objects::new(&specification)));
        let log = Rc::default();
        let actor = |number| Actor::new(&world, &objects, &log, number);
        Play {
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            specification,
            actors: (0..ACTORS).map(actor).collect(),
            world,
            objects,
            log,
            script: Vec::new(),
            next_item: 0,
        }
    }

    fn write(&mut self, step: String) {
        self.script.push(step);
    }

    /// The loop runs those that are ready, and time has passed.
    fn turn(&mut self, time: u64) {
        support::pass(time);
        self.world.turn();
        // Those whose time is up run in the next turn, as tasks do that a callback posts.
        self.world.turn();
        self.specification.pass(time);
        self.specification.run();
    }

    fn wait(&mut self) -> Wait {
        let random = &mut self.random;
        match random.below(8) {
            0 => Wait::Event,
            1 | 2 => Wait::Lock(random.index(MUTEXES)),
            3 => Wait::Units(1 + random.below(3) as u32),
            4 => Wait::Notified {
                locked: !random.once_in(3),
            },
            5 => Wait::Barrier,
            6 => {
                self.next_item += 1;
                // Distinct ones, in no order.
                let item = self.next_item.wrapping_mul(2_654_435_761);
                Wait::Put(self.random.index(QUEUES), item)
            }
            _ if random.once_in(4) => Wait::Join(random.index(QUEUES)),
            _ => Wait::Get(random.index(QUEUES)),
        }
    }

    /// No two deadlines are the same: their order is not promised.
    fn timeout(&mut self) -> u64 {
        match self.random.below(4) {
            0 => 0,
            1 => FOREVER,
            _ => loop {
                let timeout = 1 + self.random.below(200);
                let at = self.specification.now + timeout;
                if self
                    .specification
                    .deadlines()
                    .all(|deadline| deadline != at)
                {
                    break timeout;
                }
            },
        }
    }

    fn begin(&mut self) {
        let number = self.random.index(ACTORS);
        let wait = self.wait();
        let timeout = self.timeout();
        // A wait that needs the mutex is mostly made by its owner, if there is one.
        let has_lock = wait == (Wait::Notified { locked: true });
        let owner = self.specification.owner(0).filter(|_| has_lock);
        if let Some(owner) = owner {
            if !self.random.once_in(4) && self.specification.is_idle(owner) {
                let rc = self.begin_of(owner, wait, timeout);
                self.write(format!("{owner} {wait:?} {timeout} -> {rc}"));
                return;
            }
        }
        // A fiber that waits cannot begin another wait; a caller that tries is refused.
        let is_idle = self.specification.is_idle(number);
        if !is_idle && (self.actors[number].is_fiber() || !self.random.once_in(8)) {
            return;
        }
        let rc = self.begin_of(number, wait, timeout);
        self.write(format!("{number} {wait:?} {timeout} -> {rc}"));
    }

    fn begin_of(&mut self, number: usize, wait: Wait, timeout: u64) -> c_int {
        let actor = Rc::clone(&self.actors[number]);
        if actor.is_fiber() {
            // The actors that are ready run before it.
            self.turn(0);
        }
        let expected = self.specification.begin(number, wait, timeout);
        let rc = actor.begin(wait, timeout);
        if actor.is_fiber() {
            self.specification.run();
        }
        assert_eq!(rc, expected, "{number} {wait:?} {timeout}");
        rc
    }

    fn step(&mut self) {
        let (objects, specification) = (Rc::clone(&self.objects), &mut self.specification);
        let random = &mut self.random;
        let number = random.index(ACTORS);
        let actor = Rc::clone(&self.actors[number]);
        match random.below(36) {
            28..34 | 0..=9 => self.begin(),
            34.. if DEFERRED.contains(&number) => {
                let taken = unsafe { &*actor.waiter }.take();
                if let Some(result) = taken {
                    actor.note(result, false);
                }
                assert_eq!(taken, specification.take(number));
                self.write(format!("{number} takes {taken:?}"));
            }
            10..=12 => {
                let time = random.below(60);
                self.turn(time);
                self.write(format!("{time} pass"));
            }
            13 => {
                assert_eq!(unsafe { pirn_event_set(objects.event) }, 0);
                specification.set();
                self.write("set".to_owned());
            }
            14 => {
                assert_eq!(unsafe { pirn_event_clear(objects.event) }, 0);
                specification.clear();
                self.write("clear".to_owned());
            }
            15..=17 => {
                let mutex = random.index(MUTEXES);
                let owner = specification.owner(mutex).unwrap_or(number);
                let who = if random.once_in(5) { number } else { owner };
                let waiter = self.actors[who].waiter;
                let rc = unsafe { pirn_mutex_unlock_by(objects.mutexes[mutex], waiter) };
                assert_eq!(rc, specification.unlock(mutex, who));
                self.write(format!("{who} unlocks {mutex} -> {rc}"));
            }
            18 | 19 => {
                let units = 1 + random.below(2) as u32;
                let rc = unsafe { pirn_semaphore_release(objects.semaphore, units) };
                assert_eq!(rc, specification.release(units));
                self.write(format!("release {units} -> {rc}"));
            }
            20 | 21 => {
                let locked = random.once_in(2);
                let count = [1, 2, u32::MAX][random.index(3)];
                let condition = objects.conditions[usize::from(locked)];
                let rc = unsafe { pirn_condition_notify(condition, count) };
                assert_eq!(rc, specification.notify(locked, count));
                self.write(format!("notify {locked} {count} -> {rc}"));
            }
            22 => {
                assert_eq!(unsafe { pirn_barrier_reset(objects.barrier) }, 0);
                specification.reset();
                self.write("reset".to_owned());
            }
            23 => {
                let queue = random.index(QUEUES);
                let rc = unsafe { pirn_queue_done(objects.queues[queue]) };
                assert_eq!(rc, specification.done(queue));
                self.write(format!("done {queue} -> {rc}"));
            }
            24 if random.once_in(30) => {
                let (queue, now) = (random.index(QUEUES), random.once_in(2));
                let how = if now {
                    PIRN_QUEUE_NOW
                } else {
                    PIRN_QUEUE_DRAIN
                };
                assert_eq!(unsafe { pirn_queue_close(objects.queues[queue], how) }, 0);
                specification.close(queue, now);
                self.write(format!("close {queue} now: {now}"));
            }
            25 if !actor.is_parked.get() => {
                let rc = unsafe { pirn_waiter_cancel(actor.waiter, -ECANCELED) };
                assert_eq!(rc, specification.cancel(number));
                self.write(format!("cancel {number} -> {rc}"));
            }
            26 if !actor.is_fiber() => {
                assert_eq!(unsafe { pirn_waiter_drop(actor.waiter) }, 0);
                specification.drop(number);
                self.write(format!("drop {number}"));
            }
            27 if !actor.is_fiber() && random.once_in(2) => {
                unsafe { pirn_waiter_end(actor.waiter) };
                specification.die(number);
                self.write(format!("{number} ends"));
            }
            _ => {}
        }
        self.compare();
    }

    fn compare(&mut self) {
        let (objects, specification) = (&self.objects, &mut self.specification);
        let real = std::mem::take(&mut *self.log.borrow_mut());
        let expected = std::mem::take(&mut specification.log);
        assert_eq!(real, expected);
        assert!(
            specification.is_just(),
            "somebody waits who could be served"
        );
        for actor in &self.actors {
            let number = actor.number;
            assert_eq!(actor.is_idle(), specification.is_idle(number), "{number}");
        }
        let is_set = unsafe { pirn_event_is_set(objects.event) };
        assert_eq!(is_set == 1, specification.is_set());
        let units = unsafe { (*objects.semaphore).value.get() };
        assert_eq!(units, specification.units());
        let arrived = unsafe { (*objects.barrier).arrived.get() };
        assert_eq!(arrived as usize, specification.arrived());
        for queue in 0..QUEUES {
            let size = unsafe { pirn_queue_size(objects.queues[queue]) };
            assert_eq!(size as usize, specification.size(queue), "queue {queue}");
        }
        assert_eq!(unsafe { pirn_hub_verify(self.world.hub) }, 0);
    }

    /// Ends all actors. Nothing is left behind in the hub.
    fn end(self) {
        for actor in &self.actors {
            if actor.is_fiber() && !actor.is_parked.get() {
                unsafe { pirn_waiter_cancel(actor.waiter, -ECANCELED) };
                // An actor that must lock its mutex again gets it when the owner has gone.
                for mutex in self.objects.mutexes {
                    for owner in &self.actors {
                        while unsafe { pirn_mutex_unlock_by(mutex, owner.waiter) } == 0 {}
                    }
                }
            }
        }
        for actor in &self.actors {
            if !actor.is_fiber() {
                unsafe { pirn_waiter_end(actor.waiter) };
            }
        }
        for _ in 0..4 * ACTORS {
            self.world.turn();
            for mutex in self.objects.mutexes {
                for owner in &self.actors {
                    while unsafe { pirn_mutex_unlock_by(mutex, owner.waiter) } == 0 {}
                }
            }
        }
        for actor in self.actors.iter().filter(|actor| actor.is_fiber()) {
            assert!(actor.is_parked.get(), "{} does not come back", actor.number);
            actor.ends.set(true);
            assert_eq!(unsafe { pirn_waiter_wake(actor.waiter, 0) }, 0);
        }
        self.world.turn();
    }
}

fn play(seed: u64, steps: usize) {
    let mut play = Play::new(seed);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        for _ in 0..steps {
            play.step();
        }
    }));
    if let Err(failure) = outcome {
        let last = play.script.len().saturating_sub(60);
        eprintln!("seed {seed}, step {}:", play.script.len());
        eprintln!("{}", play.script[last..].join("\n"));
        // Nothing can be taken apart any more.
        std::mem::forget(play);
        std::panic::resume_unwind(failure);
    }
    play.end();
}

#[test]
fn random_scripts_do_what_the_specification_says() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|n| n.parse().expect("a number"))
    };
    let (scripts, steps) = if cfg!(miri) { (3, 150) } else { (3000, 300) };
    // One script alone: PIRN_SEED=17 cargo test --package pirn-sync --test model
    if let Some(seed) = number("PIRN_SEED") {
        play(seed, steps);
        return;
    }
    for seed in 1..=number("PIRN_SCRIPTS").unwrap_or(scripts) {
        play(seed, steps);
    }
}
