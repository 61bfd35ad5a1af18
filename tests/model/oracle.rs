//! The model: what a turn must report, in the plainest terms. It is told of every call and every
//! callback, and objects.
//!
//! Inside one priority the order of fds is the kernel's; the model takes any. Everything else has
//! one order. What a callback takes away from another watcher and gives back within the turn may or
//! may not be reported, depending on who was first: the model then calls it uncertain.

use std::collections::{BTreeMap, VecDeque};

use pirn::{Interest, Ready};

use super::script::Period;

pub const IO_CAPACITY: usize = 8;
pub const TIMER_CAPACITY: usize = 6;
pub const TASK_CAPACITY: usize = 5;
/// The room for posts stays as it was when the loop moves.
pub const POST_CAPACITY: usize = TASK_CAPACITY.div_ceil(2);

/// How many of each there is room for.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    pub io: usize,
    pub timers: usize,
    pub tasks: usize,
}

impl Default for Capacity {
    fn default() -> Self {
        Capacity {
            io: IO_CAPACITY,
            timers: TIMER_CAPACITY,
            tasks: TASK_CAPACITY,
        }
    }
}

/// Where in a turn something belongs: timers, then raised bits and fds of each priority, then
/// tasks, then posts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    Timer,
    Level(u8, Source),
    Task,
    Post,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    Raised,
    Fd,
}

#[derive(Debug)]
pub struct Watcher {
    pub fd: i32,
    pub asked: Interest,
    pub once: bool,
    level: u8,
    /// Found by the wait, and fed before the dispatch began.
    heard: Ready,
    fed: Ready,
    /// Fed since.
    fed_later: Ready,
    certain: bool,
}

impl Watcher {
    fn mask(&self) -> Ready {
        if self.asked.is_empty() {
            return Ready::empty();
        }
        let mut mask = Ready::from_bits_truncate(self.asked.bits()) | Ready::ERROR | Ready::HANGUP;
        mask.set(Ready::PEER_CLOSED, self.asked.contains(Interest::READ));
        mask
    }

    /// What it would be told now.
    fn owed(&self) -> Ready {
        let mut ready = (self.heard | self.fed) & self.mask();
        if ready.intersects(Ready::ERROR | Ready::HANGUP) {
            ready |= self.mask() & (Ready::READ | Ready::WRITE);
        }
        ready
    }
}

#[derive(Debug)]
pub struct Handler {
    bit: u32,
    level: u8,
}

#[derive(Debug)]
pub struct Timer {
    pub deadline: u64,
    sequence: u64,
    pub period: Period,
    slack: u64,
    /// Due in this turn.
    pub due: bool,
}

impl Timer {
    /// The next multiple of the greatest power of two within the slack.
    pub fn effective(&self) -> u64 {
        if self.slack < 2 {
            self.deadline
        } else {
            self.deadline
                .checked_next_multiple_of(1 << self.slack.ilog2())
                .unwrap_or(u64::MAX)
        }
    }
}

#[derive(Default, Debug)]
pub struct Oracle {
    pub capacity: Capacity,
    pub watchers: BTreeMap<usize, Watcher>,
    pub handlers: BTreeMap<usize, Handler>,
    pub timers: BTreeMap<usize, Timer>,
    /// `None` for a cancelled one, which keeps its place until its turn.
    tasks: VecDeque<Option<usize>>,
    posts: VecDeque<usize>,
    /// Of the tasks and posts: how many belong to this turn.
    tasks_now: usize,
    posts_now: usize,
    raised: u64,
    raised_now: u64,
    sequence: u64,
    now: u64,
    pub in_turn: bool,
    place: Option<Place>,
}

pub fn level_of(interest: Interest) -> u8 {
    if interest.contains(Interest::HIGH) {
        0
    } else {
        1 + u8::from(interest.contains(Interest::LOW))
    }
}

impl Oracle {
    // ---- calls; each answers whether it must succeed ----

    pub fn io_used(&self) -> usize {
        self.watchers.len() + self.handlers.len()
    }

    pub fn add(&mut self, id: usize, fd: i32, interest: Interest) {
        let asked = interest & (Interest::READ | Interest::WRITE);
        let (level, once) = (level_of(interest), interest.contains(Interest::ONESHOT));
        let none = Ready::empty();
        self.watchers.insert(
            id,
            Watcher {
                fd,
                asked,
                once,
                level,
                heard: none,
                fed: none,
                fed_later: none,
                certain: false,
            },
        );
    }

    pub fn modify(&mut self, id: usize, asked: Interest) -> bool {
        let Some(watcher) = self.watchers.get_mut(&id) else {
            return false;
        };
        watcher.asked = asked;
        watcher.certain &= !watcher.owed().is_empty();
        true
    }

    pub fn feed(&mut self, id: usize, ready: Ready) -> bool {
        self.watchers
            .get_mut(&id)
            .map(|watcher| watcher.fed_later |= ready)
            .is_some()
    }

    /// Removes a watcher or a handler.
    pub fn remove(&mut self, id: usize) -> bool {
        self.watchers.remove(&id).is_some() | self.handlers.remove(&id).is_some()
    }

    pub fn has_handler(&self, bit: u32) -> bool {
        self.handlers.values().any(|handler| handler.bit == bit)
    }

    pub fn raise_add(&mut self, id: usize, bit: u32, interest: Interest) {
        self.handlers.insert(
            id,
            Handler {
                bit,
                level: level_of(interest),
            },
        );
    }

    /// Whether it is a handler that is going to be called.
    pub fn is_raised(&self, id: usize) -> bool {
        self.handlers
            .get(&id)
            .is_some_and(|handler| (self.raised | self.raised_now) >> handler.bit & 1 == 1)
    }

    pub fn raise(&mut self, bit: u32) {
        self.raised |= 1 << bit;
    }

    pub fn start(&mut self, id: usize, deadline: u64, period: Period) -> bool {
        if self.timers.len() == self.capacity.timers {
            return false;
        }
        self.sequence += 1;
        self.timers.insert(
            id,
            Timer {
                deadline,
                sequence: self.sequence,
                period,
                slack: 0,
                due: false,
            },
        );
        true
    }

    pub fn again(&mut self, id: usize, deadline: u64) -> bool {
        self.sequence += 1;
        let Some(timer) = self.timers.get_mut(&id) else {
            return false;
        };
        (timer.deadline, timer.sequence, timer.due) = (deadline, self.sequence, false);
        true
    }

    pub fn slack(&mut self, id: usize, slack: u64) -> bool {
        self.timers
            .get_mut(&id)
            .map(|timer| timer.slack = slack)
            .is_some()
    }

    pub fn post(&mut self, id: usize) -> bool {
        let has_room = self.tasks.len() < self.capacity.tasks;
        if has_room {
            self.tasks.push_back(Some(id));
        }
        has_room
    }

    pub fn cancel(&mut self, id: usize) -> bool {
        let task = self.tasks.iter_mut().find(|task| **task == Some(id));
        task.map(|task| *task = None).is_some()
    }

    pub fn remote_post(&mut self, id: usize) -> bool {
        let has_room = self.posts.len() < POST_CAPACITY;
        if has_room {
            self.posts.push_back(id);
        }
        has_room
    }

    /// The loop moves to a block of another size: what must come of it, where that is certain. What
    /// is in use may have slots of high numbers, of which nothing is known here.
    pub fn must_move(&self, to: Capacity) -> Option<bool> {
        let (io, timers, tasks) = (self.io_used(), self.timers.len(), self.tasks.len());
        let from = self.capacity;
        if self.in_turn || io > to.io || timers > to.timers || tasks > to.tasks {
            Some(false)
        } else if from.io <= to.io && from.timers <= to.timers {
            Some(true)
        } else {
            None
        }
    }

    // ---- the turn ----

    /// Whether the next wait may not sleep.
    pub fn has_queued(&self) -> bool {
        self.tasks.iter().any(Option::is_some) || !self.posts.is_empty() || self.raised != 0
    }

    pub fn has_fed(&self) -> bool {
        self.watchers
            .values()
            .any(|watcher| !watcher.fed_later.is_empty())
    }

    pub fn next_deadline(&self) -> u64 {
        self.timers
            .values()
            .map(Timer::effective)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// Whether a wait would find something.
    pub fn would_find(&self, readiness: impl Fn(i32) -> Ready) -> bool {
        self.watchers
            .values()
            .any(|watcher| readiness(watcher.fd).intersects(watcher.mask()))
    }

    /// The dispatch begins: everything that is there now belongs to it.
    pub fn begin(&mut self, now: u64, readiness: impl Fn(i32) -> Ready) {
        self.in_turn = true;
        self.place = None;
        self.now = now;
        for watcher in self.watchers.values_mut() {
            watcher.heard = readiness(watcher.fd) & watcher.mask();
            watcher.fed = std::mem::take(&mut watcher.fed_later);
            watcher.certain = !watcher.owed().is_empty();
        }
        for timer in self.timers.values_mut() {
            timer.due = timer.effective() <= now && timer.effective() != u64::MAX;
        }
        self.raised_now |= std::mem::take(&mut self.raised);
        self.tasks_now = self.tasks.len();
        self.posts_now = self.posts.len();
    }

    /// The dispatch ends. What was not reported is forgotten.
    pub fn end(&mut self) {
        assert_eq!(self.first_owed(), None, "left out of the turn: {self:#?}");
        self.in_turn = false;
        self.drop_cancelled();
        for watcher in self.watchers.values_mut() {
            (watcher.heard, watcher.fed, watcher.certain) = (Ready::empty(), Ready::empty(), false);
        }
    }

    /// The place of what must be called next.
    pub fn first_owed(&self) -> Option<Place> {
        let handlers = self
            .handlers
            .values()
            .filter(|handler| self.raised_now >> handler.bit & 1 == 1);
        let watchers = self
            .watchers
            .values()
            .filter(|watcher| watcher.certain && !watcher.owed().is_empty());
        let timers = self.timers.values().filter(|timer| timer.due);
        timers
            .map(|_| Place::Timer)
            .chain(handlers.map(|handler| Place::Level(handler.level, Source::Raised)))
            .chain(watchers.map(|watcher| Place::Level(watcher.level, Source::Fd)))
            .chain(
                self.tasks
                    .iter()
                    .take(self.tasks_now)
                    .flatten()
                    .map(|_| Place::Task),
            )
            .chain(self.posts.iter().take(self.posts_now).map(|_| Place::Post))
            .min()
    }

    fn enter(&mut self, place: Place) {
        assert!(
            self.place.is_none_or(|before| before <= place),
            "{place:?} after {:?}",
            self.place
        );
        if let Some(owed) = self.first_owed() {
            assert!(owed >= place, "{place:?} before {owed:?}: {self:#?}");
        }
        self.place = Some(place);
    }

    /// `clock`: what it shows now, where that is known to the nanosecond.
    pub fn called_timer(&mut self, id: usize, missed: u64, clock: Option<u64>) {
        self.enter(Place::Timer);
        let first = self
            .timers
            .iter()
            .filter(|(_, timer)| timer.due)
            .min_by_key(|(_, timer)| (timer.effective(), timer.sequence));
        assert_eq!(
            first.map(|(id, _)| *id),
            Some(id),
            "the first of the due timers: {self:#?}"
        );
        self.sequence += 1;
        let now = self.now;
        let timer = self.timers.get_mut(&id).expect("it was found");
        let late = |period: u64| {
            if clock.is_some() {
                (now - timer.deadline) / period
            } else {
                0
            }
        };
        let (next, expected) = match timer.period {
            Period::Once => {
                assert_eq!(missed, 0);
                self.timers.remove(&id);
                return;
            }
            Period::Rate(period) => (timer.deadline.saturating_add(period), late(period)),
            Period::Delay(period) => (clock.unwrap_or(now).saturating_add(period), 0),
            Period::Skip(period) => (
                timer.deadline + late(period) * period + period,
                late(period),
            ),
        };
        assert_eq!(missed, expected, "missed ticks");
        (timer.deadline, timer.sequence, timer.due) = (next, self.sequence, false);
    }

    pub fn called_io(&mut self, id: usize, ready: Ready) -> u8 {
        let watcher = self
            .watchers
            .get(&id)
            .unwrap_or_else(|| panic!("watcher {id} was removed"));
        let level = watcher.level;
        assert!(
            !ready.is_empty() && watcher.owed() == ready,
            "watcher {id} was told {ready:?}: {self:#?}"
        );
        self.enter(Place::Level(level, Source::Fd));
        let watcher = self.watchers.get_mut(&id).expect("it was found");
        (watcher.heard, watcher.fed, watcher.certain) = (Ready::empty(), Ready::empty(), false);
        if watcher.once {
            watcher.asked = Interest::empty();
        }
        level
    }

    pub fn called_raised(&mut self, id: usize) -> u8 {
        let handler = self
            .handlers
            .get(&id)
            .unwrap_or_else(|| panic!("handler {id} was removed"));
        let (bit, level) = (handler.bit, handler.level);
        assert!(self.raised_now >> bit & 1 == 1, "bit {bit} was not raised");
        self.enter(Place::Level(level, Source::Raised));
        let lower = self
            .handlers
            .values()
            .filter(|other| other.level == level && other.bit < bit);
        assert_eq!(
            lower
                .filter(|other| self.raised_now >> other.bit & 1 == 1)
                .count(),
            0,
            "lower bits come first"
        );
        self.raised_now &= !(1 << bit);
        level
    }

    fn drop_cancelled(&mut self) {
        while self.tasks_now > 0 && self.tasks.front() == Some(&None) {
            self.tasks.pop_front();
            self.tasks_now -= 1;
        }
    }

    pub fn called_task(&mut self, id: usize) {
        self.enter(Place::Task);
        self.drop_cancelled();
        assert!(self.tasks_now > 0, "task {id} is of a later turn");
        self.tasks_now -= 1;
        assert_eq!(self.tasks.pop_front(), Some(Some(id)), "tasks in order");
    }

    pub fn called_post(&mut self, id: usize) {
        self.enter(Place::Post);
        // The loop has passed all tasks of this turn.
        self.drop_cancelled();
        assert!(self.posts_now > 0, "post {id} is of a later turn");
        self.posts_now -= 1;
        assert_eq!(self.posts.pop_front(), Some(id), "posts in order");
    }
}
