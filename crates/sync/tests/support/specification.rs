//! What the objects are to do, in a few hundred lines of safe Rust without a pointer.
//!
//! Actors are numbers. An actor waits for one thing at most; when its wait is over it is ready,
//! until `run` lets it run. Everything that happens is noted in `log`.

use std::collections::VecDeque;
use std::ops::Range;

use pirn_wait::*;

pub const MUTEXES: usize = 2;
pub const QUEUES: usize = 5;
/// The queue that is linked.
pub const LINKED: usize = 4;
pub const PARTIES: usize = 3;
/// The most units that can be free.
pub const MOST: u32 = 4;
pub const FOREVER: u64 = u64::MAX;

/// What an actor can wait for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wait {
    Event,
    Lock(usize),
    Units(u32),
    /// With the first mutex, or without one.
    Notified {
        locked: bool,
    },
    Barrier,
    Put(usize, u32),
    Get(usize),
    Join(usize),
    /// Waits to be woken.
    Park,
}

/// Taking the mutex back after a wait for a condition.
#[derive(Clone, Copy, Debug)]
struct Back {
    depth: u32,
    result: i32,
    /// The notification was meant for it alone.
    meant: bool,
}

/// What has ended a wait.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Left,
    Granted,
    /// By a notification that was meant for this waiter alone.
    Notified,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Waiting(Wait, u64),
    /// Waits for the first mutex, and for nothing else.
    Back(Back),
    Ready(Wait, i32, End),
    BackReady(Back, i32),
}

#[derive(Default)]
struct Mutex {
    owner: Option<usize>,
    depth: u32,
    is_orphan: bool,
    waiters: VecDeque<usize>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Order {
    Fifo,
    Lifo,
    Priority,
}

pub struct Queue {
    pub order: Order,
    pub capacity: usize,
    items: VecDeque<u32>,
    claims: usize,
    unfinished: usize,
    closed: bool,
    now: bool,
    putters: VecDeque<usize>,
    getters: VecDeque<usize>,
    joiners: VecDeque<usize>,
}

pub struct Specification {
    pub log: Vec<String>,
    pub now: u64,
    /// Actors that are woken and take the results of their waits later, as futures do.
    pub deferred: Range<usize>,
    states: Vec<State>,
    ready: VecDeque<usize>,
    /// The mutexes of each actor, the last one first.
    held: Vec<VecDeque<usize>>,
    is_set: bool,
    event: VecDeque<usize>,
    mutexes: [Mutex; MUTEXES],
    units: u32,
    semaphore: VecDeque<usize>,
    /// How deep each of them held the mutex; without one and with one.
    conditions: [VecDeque<(usize, u32)>; 2],
    barrier: VecDeque<usize>,
    is_broken: bool,
    pub queues: [Queue; QUEUES],
    /// What was put from other threads, and the loop has not seen yet.
    arrivals: Vec<u32>,
    /// Fibers that were cancelled.
    cancelled: Vec<bool>,
}

impl Specification {
    pub fn new(actors: usize, deferred: Range<usize>) -> Specification {
        let queue = |order, capacity| Queue {
            order,
            capacity,
            items: VecDeque::new(),
            claims: 0,
            unfinished: 0,
            closed: false,
            now: false,
            putters: VecDeque::new(),
            getters: VecDeque::new(),
            joiners: VecDeque::new(),
        };
        Specification {
            log: Vec::new(),
            now: 0,
            deferred,
            states: vec![State::Idle; actors],
            ready: VecDeque::new(),
            held: vec![VecDeque::new(); actors],
            is_set: false,
            event: VecDeque::new(),
            mutexes: Default::default(),
            units: 1,
            semaphore: VecDeque::new(),
            conditions: Default::default(),
            barrier: VecDeque::new(),
            is_broken: false,
            queues: [
                queue(Order::Fifo, 1),
                queue(Order::Fifo, 3),
                queue(Order::Lifo, 2),
                queue(Order::Priority, 3),
                queue(Order::Fifo, usize::MAX),
            ],
            arrivals: Vec::new(),
            cancelled: vec![false; actors],
        }
    }

    // ---- what can be seen ----

    pub fn is_idle(&self, actor: usize) -> bool {
        matches!(self.states[actor], State::Idle)
    }

    pub fn deadlines(&self) -> impl Iterator<Item = u64> {
        self.states.iter().filter_map(|state| match state {
            State::Waiting(_, deadline) => Some(*deadline),
            _ => None,
        })
    }

    pub fn is_set(&self) -> bool {
        self.is_set
    }

    pub fn units(&self) -> u32 {
        self.units
    }

    pub fn arrived(&self) -> usize {
        self.barrier.len()
    }

    pub fn owner(&self, mutex: usize) -> Option<usize> {
        self.mutexes[mutex].owner
    }

    pub fn size(&self, queue: usize) -> usize {
        self.queues[queue].items.len() - self.queues[queue].claims
    }

    /// True if no actor waits that could be served.
    pub fn is_just(&self) -> bool {
        let units = |actor: &usize| match self.states[*actor] {
            State::Waiting(Wait::Units(units), _) => units,
            _ => 0,
        };
        (!self.is_set || self.event.is_empty())
            && self
                .mutexes
                .iter()
                .all(|mutex| mutex.owner.is_some() || mutex.waiters.is_empty())
            && self
                .semaphore
                .front()
                .is_none_or(|first| units(first) > self.units)
            && self.barrier.len() < PARTIES
            && (!self.is_broken || self.barrier.is_empty())
            && self.queues.iter().all(|queue| {
                (queue.putters.is_empty() || queue.items.len() == queue.capacity)
                    && (queue.getters.is_empty() || queue.items.len() == queue.claims)
                    && (queue.joiners.is_empty() || queue.unfinished != 0)
                    && (!queue.closed || queue.putters.is_empty() && queue.getters.is_empty())
            })
    }

    // ---- a wait begins ----

    /// What a function that ends in `_start` returns.
    pub fn begin(&mut self, actor: usize, wait: Wait, timeout: u64) -> i32 {
        // That the mutex belongs to another is checked first.
        if wait == (Wait::Notified { locked: true }) && self.owner(0) != Some(actor) {
            return -EPERM;
        }
        if !self.is_idle(actor) {
            return -EBUSY;
        }
        if self.cancelled[actor] && timeout != 0 {
            self.states[actor] = State::Ready(wait, -ECANCELED, End::Left);
            self.ready.push_back(actor);
            return PIRN_WAITS;
        }
        if let Some(result) = self.at_once(actor, wait, timeout) {
            return result;
        }
        if timeout == 0 {
            return -EAGAIN;
        }
        match wait {
            Wait::Event => self.event.push_back(actor),
            Wait::Lock(mutex) => self.mutexes[mutex].waiters.push_back(actor),
            Wait::Units(_) => self.semaphore.push_back(actor),
            Wait::Notified { locked } => {
                let depth = if locked { self.give_up(0) } else { 0 };
                self.conditions[usize::from(locked)].push_back((actor, depth));
            }
            Wait::Barrier => self.barrier.push_back(actor),
            Wait::Put(queue, _) => self.queues[queue].putters.push_back(actor),
            Wait::Get(queue) => self.queues[queue].getters.push_back(actor),
            Wait::Join(queue) => self.queues[queue].joiners.push_back(actor),
            Wait::Park => {}
        }
        let deadline = if timeout == FOREVER {
            FOREVER
        } else {
            self.now + timeout
        };
        self.states[actor] = State::Waiting(wait, deadline);
        PIRN_WAITS
    }

    fn at_once(&mut self, actor: usize, wait: Wait, timeout: u64) -> Option<i32> {
        match wait {
            Wait::Event => self.is_set.then_some(0),
            Wait::Lock(mutex) => match self.owner(mutex) {
                None => Some(self.own(mutex, actor, 1)),
                // The first one is recursive.
                Some(owner) if owner == actor && mutex == 0 => {
                    self.mutexes[0].depth += 1;
                    Some(0)
                }
                Some(owner) if owner == actor => Some(-EDEADLK),
                Some(_) => (timeout == FOREVER && self.leads_to(mutex, actor)).then_some(-EDEADLK),
            },
            Wait::Units(units) => (self.semaphore.is_empty() && self.units >= units).then(|| {
                self.units -= units;
                0
            }),
            Wait::Notified { .. } | Wait::Park => None,
            Wait::Barrier if self.is_broken => Some(-EPIPE),
            Wait::Barrier => (self.barrier.len() + 1 == PARTIES).then(|| {
                for (place, waiter) in std::mem::take(&mut self.barrier).into_iter().enumerate() {
                    self.grant(waiter, place as i32);
                }
                PARTIES as i32 - 1
            }),
            Wait::Put(queue, item) => {
                let this = &mut self.queues[queue];
                if this.closed {
                    return Some(-ESHUTDOWN);
                }
                if this.items.len() == this.capacity {
                    return None;
                }
                this.accept(item);
                self.serve_queue(queue);
                Some(0)
            }
            Wait::Get(queue) => {
                let this = &mut self.queues[queue];
                if this.items.len() == this.claims {
                    return this.closed.then_some(-ESHUTDOWN);
                }
                let item = this.take();
                self.log.push(format!("{actor} got {item}"));
                self.serve_queue(queue);
                Some(0)
            }
            Wait::Join(queue) => (self.queues[queue].unfinished == 0).then_some(0),
        }
    }

    /// True if the owner of the mutex waits for ever for one of the actor's, or for one whose owner
    /// does.
    fn leads_to(&self, mutex: usize, actor: usize) -> bool {
        let mut at = mutex;
        for _ in 0..=MUTEXES {
            let Some(owner) = self.owner(at) else {
                return false;
            };
            if owner == actor {
                return true;
            }
            at = match self.states[owner] {
                State::Waiting(Wait::Lock(next), FOREVER) => next,
                State::Back(_) => 0,
                _ => return false,
            };
        }
        false
    }

    // ---- a wait ends ----

    fn end(&mut self, actor: usize, result: i32, end: End) {
        self.states[actor] = match self.states[actor] {
            State::Waiting(wait, _) => State::Ready(wait, result, end),
            State::Back(back) => State::BackReady(back, result),
            other => unreachable!("{actor} does not wait: {other:?}"),
        };
        self.ready.push_back(actor);
    }

    fn grant(&mut self, actor: usize, result: i32) {
        self.end(actor, result, End::Granted);
    }

    /// Takes an actor out of the list it waits in. Returns how deep it held the mutex of a
    /// condition.
    fn unlist(&mut self, actor: usize) -> u32 {
        let out = |list: &mut VecDeque<usize>| list.retain(|other| *other != actor);
        match self.states[actor] {
            State::Waiting(wait, _) => match wait {
                Wait::Event => out(&mut self.event),
                Wait::Lock(mutex) => out(&mut self.mutexes[mutex].waiters),
                Wait::Units(_) => out(&mut self.semaphore),
                Wait::Notified { locked } => {
                    let list = &mut self.conditions[usize::from(locked)];
                    let at = list.iter().position(|(other, _)| *other == actor);
                    return at
                        .and_then(|at| list.remove(at))
                        .map_or(0, |(_, depth)| depth);
                }
                Wait::Barrier => out(&mut self.barrier),
                Wait::Put(queue, _) => out(&mut self.queues[queue].putters),
                Wait::Get(queue) => out(&mut self.queues[queue].getters),
                Wait::Join(queue) => out(&mut self.queues[queue].joiners),
                Wait::Park => {}
            },
            State::Back(_) => out(&mut self.mutexes[0].waiters),
            _ => {}
        }
        0
    }

    /// One has left without a grant.
    fn after_leaving(&mut self, wait: Wait) {
        match wait {
            Wait::Units(_) => self.serve_semaphore(),
            Wait::Barrier => self.break_barrier(),
            _ => {}
        }
    }

    fn quit(&mut self, actor: usize, result: i32) {
        let State::Waiting(wait, _) = self.states[actor] else {
            return;
        };
        let depth = self.unlist(actor);
        if wait == (Wait::Notified { locked: true }) {
            self.take_back(
                actor,
                Back {
                    depth,
                    result,
                    meant: false,
                },
            );
            return;
        }
        self.end(actor, result, End::Left);
        self.after_leaving(wait);
    }

    pub fn cancel(&mut self, actor: usize) -> i32 {
        match self.states[actor] {
            State::Waiting(..) => {
                self.quit(actor, -ECANCELED);
                0
            }
            State::Idle => -ENOENT,
            _ => -EALREADY,
        }
    }

    /// Cancels a fiber: its wait, and all that it begins later.
    pub fn cancel_fiber(&mut self, actor: usize) {
        self.cancelled[actor] = true;
        self.quit(actor, -ECANCELED);
    }

    /// Wakes an actor that is parked.
    pub fn wake(&mut self, actor: usize, result: i32) -> i32 {
        if !matches!(self.states[actor], State::Waiting(Wait::Park, _)) {
            return -ENOENT;
        }
        self.end(actor, result, End::Left);
        0
    }

    /// Time passes.
    pub fn pass(&mut self, time: u64) {
        self.now += time;
        let mut due: Vec<(u64, usize)> = Vec::new();
        for (actor, state) in self.states.iter().enumerate() {
            match state {
                State::Waiting(_, deadline) if *deadline <= self.now => {
                    due.push((*deadline, actor));
                }
                _ => {}
            }
        }
        due.sort_unstable();
        for (_, actor) in due {
            self.quit(actor, -ETIMEDOUT);
        }
    }

    /// Its wait is forgotten, and what it was granted given back.
    pub fn drop(&mut self, actor: usize) {
        let state = self.states[actor];
        self.unlist(actor);
        self.ready.retain(|other| *other != actor);
        self.states[actor] = State::Idle;
        match state {
            State::Idle => {}
            State::Waiting(wait, _) => self.after_leaving(wait),
            State::Back(back) => {
                if back.meant {
                    self.notify(true, 1);
                }
            }
            State::Ready(_, _, End::Left) => {}
            State::Ready(_, _, End::Notified) => {
                self.notify(false, 1);
            }
            State::Ready(wait, result, End::Granted) => match wait {
                Wait::Lock(mutex) => self.give_back(mutex, actor, result),
                Wait::Units(units) => {
                    self.units += units;
                    self.serve_semaphore();
                }
                Wait::Get(queue) if result == 0 && !self.queues[queue].now => {
                    self.queues[queue].claims -= 1;
                    self.serve_queue(queue);
                }
                _ => {}
            },
            State::BackReady(back, result) => {
                if back.meant {
                    self.notify(true, 1);
                }
                self.give_back(0, actor, result);
            }
        }
    }

    /// Drops the actor, and all that it owns. Who takes its place is not cancelled.
    pub fn die(&mut self, actor: usize) {
        self.drop(actor);
        self.cancelled[actor] = false;
        while let Some(mutex) = self.held[actor].front().copied() {
            self.disown(mutex);
            self.mutexes[mutex].is_orphan = true;
            self.serve_mutex(mutex);
        }
    }

    /// Runs the actors that are ready. Futures are woken, and take their results later.
    pub fn run(&mut self) {
        self.run_until(usize::MAX);
    }

    /// The same until this actor has run.
    pub fn run_until(&mut self, last: usize) {
        while let Some(actor) = self.ready.pop_front() {
            if self.deferred.contains(&actor) {
                self.log.push(format!("{actor} told"));
            } else {
                self.give(actor);
            }
            if actor == last {
                return;
            }
        }
    }

    /// Takes the result of a future's wait, if the wait is over.
    pub fn take(&mut self, actor: usize) -> Option<i32> {
        let state = self.states[actor];
        if !matches!(state, State::Ready(..) | State::BackReady(..)) {
            return None;
        }
        self.ready.retain(|other| *other != actor);
        Some(self.give(actor))
    }

    /// The wait of an actor is over, and it has the result.
    fn give(&mut self, actor: usize) -> i32 {
        let state = std::mem::replace(&mut self.states[actor], State::Idle);
        let result = match state {
            State::Ready(Wait::Get(queue), 0, End::Granted) => {
                let this = &mut self.queues[queue];
                if this.now {
                    -ESHUTDOWN
                } else {
                    this.claims -= 1;
                    let item = this.take();
                    self.log.push(format!("{actor} got {item}"));
                    self.serve_queue(queue);
                    0
                }
            }
            State::Ready(_, result, _) | State::BackReady(_, result) => result,
            other => unreachable!("{actor} is not ready: {other:?}"),
        };
        self.log.push(format!("{actor}={result}"));
        result
    }

    // ---- event ----

    pub fn set(&mut self) {
        self.is_set = true;
        for waiter in std::mem::take(&mut self.event) {
            self.grant(waiter, 0);
        }
    }

    pub fn clear(&mut self) {
        self.is_set = false;
    }

    // ---- mutex ----

    fn own(&mut self, mutex: usize, actor: usize, depth: u32) -> i32 {
        let this = &mut self.mutexes[mutex];
        (this.owner, this.depth) = (Some(actor), depth);
        self.held[actor].push_front(mutex);
        if std::mem::take(&mut this.is_orphan) {
            -EOWNERDEAD
        } else {
            0
        }
    }

    fn disown(&mut self, mutex: usize) {
        if let Some(owner) = self.mutexes[mutex].owner.take() {
            self.held[owner].retain(|other| *other != mutex);
        }
    }

    fn serve_mutex(&mut self, mutex: usize) {
        if self.owner(mutex).is_some() {
            return;
        }
        let Some(first) = self.mutexes[mutex].waiters.pop_front() else {
            return;
        };
        let (depth, result) = match self.states[first] {
            State::Back(back) => (back.depth, back.result),
            _ => (1, 0),
        };
        let told = self.own(mutex, first, depth);
        self.grant(first, if told != 0 { told } else { result });
    }

    fn give_up(&mut self, mutex: usize) -> u32 {
        let depth = std::mem::take(&mut self.mutexes[mutex].depth);
        self.disown(mutex);
        self.serve_mutex(mutex);
        depth
    }

    fn give_back(&mut self, mutex: usize, actor: usize, result: i32) {
        if self.owner(mutex) == Some(actor) {
            self.mutexes[mutex].is_orphan = result == -EOWNERDEAD;
            self.give_up(mutex);
        }
    }

    pub fn unlock(&mut self, mutex: usize, actor: usize) -> i32 {
        if self.owner(mutex) != Some(actor) {
            return -EPERM;
        }
        self.mutexes[mutex].depth -= 1;
        if self.mutexes[mutex].depth == 0 {
            self.give_up(mutex);
        }
        0
    }

    // ---- semaphore ----

    fn serve_semaphore(&mut self) {
        while let Some(first) = self.semaphore.front().copied() {
            let State::Waiting(Wait::Units(units), _) = self.states[first] else {
                unreachable!("it waits for units");
            };
            if units > self.units {
                return;
            }
            self.units -= units;
            self.semaphore.pop_front();
            self.grant(first, 0);
        }
    }

    pub fn release(&mut self, units: u32) -> i32 {
        if self.units + units > MOST {
            return -EOVERFLOW;
        }
        self.units += units;
        self.serve_semaphore();
        0
    }

    // ---- condition ----

    fn take_back(&mut self, actor: usize, back: Back) {
        self.states[actor] = State::Back(back);
        self.mutexes[0].waiters.push_back(actor);
        self.serve_mutex(0);
    }

    pub fn notify(&mut self, locked: bool, count: u32) -> i32 {
        let list = &mut self.conditions[usize::from(locked)];
        let number = list.len().min(count as usize);
        let notified: Vec<(usize, u32)> = list.drain(..number).collect();
        let meant = count != u32::MAX;
        for (actor, depth) in notified {
            if locked {
                let result = 0;
                self.take_back(
                    actor,
                    Back {
                        depth,
                        result,
                        meant,
                    },
                );
            } else {
                let end = if meant { End::Notified } else { End::Granted };
                self.end(actor, 0, end);
            }
        }
        number as i32
    }

    // ---- barrier ----

    fn break_barrier(&mut self) {
        self.is_broken = true;
        for waiter in std::mem::take(&mut self.barrier) {
            self.grant(waiter, -EPIPE);
        }
    }

    pub fn reset(&mut self) {
        self.break_barrier();
        self.is_broken = false;
    }

    // ---- queue ----

    fn serve_queue(&mut self, queue: usize) {
        while self.queues[queue].items.len() < self.queues[queue].capacity {
            let Some(putter) = self.queues[queue].putters.pop_front() else {
                break;
            };
            let State::Waiting(Wait::Put(_, item), _) = self.states[putter] else {
                unreachable!("it waits to put");
            };
            self.queues[queue].accept(item);
            self.grant(putter, 0);
        }
        while self.queues[queue].items.len() > self.queues[queue].claims {
            let Some(getter) = self.queues[queue].getters.pop_front() else {
                break;
            };
            self.queues[queue].claims += 1;
            self.grant(getter, 0);
        }
    }

    fn finish(&mut self, queue: usize, count: usize) {
        let this = &mut self.queues[queue];
        this.unfinished = this.unfinished.saturating_sub(count);
        if this.unfinished == 0 {
            for joiner in std::mem::take(&mut this.joiners) {
                self.grant(joiner, 0);
            }
        }
    }

    pub fn done(&mut self, queue: usize) -> i32 {
        if self.queues[queue].unfinished == 0 {
            return -EINVAL;
        }
        self.finish(queue, 1);
        0
    }

    /// An item is put from another thread into the linked queue.
    pub fn put_from(&mut self, item: u32) {
        self.arrivals.push(item);
    }

    /// The loop sees what other threads have put, also if the queue was closed meanwhile.
    pub fn arrive(&mut self) {
        for item in std::mem::take(&mut self.arrivals) {
            self.queues[LINKED].accept(item);
            self.serve_queue(LINKED);
        }
    }

    pub fn close(&mut self, queue: usize, now: bool) -> i32 {
        if now && queue == LINKED {
            return -EINVAL;
        }
        let this = &mut self.queues[queue];
        this.closed = true;
        this.now |= now;
        let putters = std::mem::take(&mut this.putters);
        let getters = std::mem::take(&mut this.getters);
        for waiter in putters.into_iter().chain(getters) {
            self.grant(waiter, -ESHUTDOWN);
        }
        if now {
            let this = &mut self.queues[queue];
            let count = this.items.len();
            this.items.clear();
            this.claims = 0;
            self.finish(queue, count);
        }
        0
    }
}

impl Queue {
    fn accept(&mut self, item: u32) {
        self.items.push_back(item);
        self.unfinished += 1;
    }

    fn take(&mut self) -> u32 {
        let item = match self.order {
            Order::Fifo => self.items.pop_front(),
            Order::Lifo => self.items.pop_back(),
            Order::Priority => {
                let least = self.items.iter().min().copied();
                let at = self.items.iter().position(|item| Some(*item) == least);
                at.and_then(|at| self.items.remove(at))
            }
        };
        item.expect("there is one")
    }
}
