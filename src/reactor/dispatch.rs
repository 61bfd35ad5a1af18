//! Dispatch: what fires, one item at a time, in the order of a turn.
//!
//! A turn is a set of *work*: due timers, I/O, tasks, posts. Each has its own `next_…`, which hands over one item or clears its
//! work when there is none left. Plain events and tasks go in batches: how many may be called, then one after the other, then what
//! became of them. `drive` asks them in order.

use core::ops::Range;

use super::Reactor;
use super::general::Stage;
use crate::backend::{Backend, Entry};
use crate::target::Target;
use crate::time::{FOREVER, Nanos};
use crate::timers;
use crate::token::Token;

/// Due timers.
pub(crate) const TIMERS: u8 = 0x01;
/// What the wait found, where nothing is needed but a look at each watcher.
pub(crate) const EVENTS: u8 = 0x02;
/// I/O by the general path: raised bits, what the wait found, readiness made in user space; by priority and fd.
pub(crate) const IO: u8 = 0x04;
/// The loop's own tasks.
pub(crate) const TASKS: u8 = 0x08;
/// Posts from elsewhere.
pub(crate) const REMOTE: u8 = 0x10;
/// The turn has begun and is not finished, though it may be between two dispatches. Alone: all of
/// it was taken, and the next take reports that.
const BEGUN: u8 = 0x20;
/// A dispatch is under way.
const CALLING: u8 = 0x40;
/// The wait found something, and nothing was called yet: for the count of wake-ups in vain.
pub(super) const WOKEN: u8 = 0x80;
/// What can be left to hand over.
pub(super) const LEFT: u8 = TIMERS | EVENTS | IO | TASKS | REMOTE;

/// An I/O watcher to be called.
pub(crate) struct FiredIo {
    pub(crate) target: Target,
    pub(crate) io: Token,
    pub(crate) fd: i32,
    pub(crate) ready: u32,
}

impl<B: Backend> Reactor<'_, B> {
    /// Begins the turn's dispatch, or goes on with one that was cut short. What there is to do; if nothing, the turn has ended.
    #[inline(always)]
    pub(crate) fn begin_dispatch(&mut self) -> u8 {
        if !self.enter_turn() {
            return 0;
        }
        self.work |= BEGUN | CALLING;
        self.budget = self.next_budget;
        self.left = self.budget;
        if self.is_watched() {
            self.begin_watch();
        }
        self.work
    }

    /// Begins a turn, or goes on with one that was cut short. False if there is nothing to do.
    #[inline(always)]
    fn enter_turn(&mut self) -> bool {
        if self.work & BEGUN == 0 {
            self.begin_turn();
            if self.work == 0 {
                self.changed();
                return false;
            }
        }
        true
    }

    /// As [`begin_dispatch`](Self::begin_dispatch), for at most `capacity` items that are handed
    /// over as data. The limit of callbacks holds too. That of time does not, and nothing is timed:
    /// what takes time is done after the take. So the budget is never 0.
    pub(crate) fn begin_take(&mut self, capacity: u32) -> u8 {
        if self.work == BEGUN {
            self.work = 0;
            return 0;
        }
        if !self.enter_turn() {
            return 0;
        }
        self.work |= BEGUN | CALLING;
        self.budget = match self.limit.callbacks {
            0 => capacity,
            callbacks => capacity.min(callbacks),
        };
        self.left = self.budget;
        self.work
    }

    #[inline(always)]
    fn begin_turn(&mut self) {
        self.stats.turns += 1;
        if self.timers.used() > 0 {
            self.collect_timers();
        }
        if self.tasks.begin() {
            self.work |= TASKS;
        }
        if self.shared.has_posts() {
            self.begin_posts();
        }
        let raised = self.shared.take_raised();
        if raised != 0 {
            self.raised |= raised;
        }
        if self.has_raised() || self.watchers.has_listed() || self.work & IO != 0 {
            self.begin_general();
        }
    }

    #[inline(never)]
    fn begin_posts(&mut self) {
        let (end, length) = self.shared.published_end();
        if length > 0 {
            self.remote_end = end;
            self.work |= REMOTE;
        }
    }

    /// This turn's I/O takes the general path.
    #[inline(never)]
    fn begin_general(&mut self) {
        self.has_levels = self.watchers.prioritised > 0;
        self.events_to_general();
        self.watchers.begin_turn();
    }

    /// What is left of the events goes on from there by the general path.
    fn events_to_general(&mut self) {
        if self.work & EVENTS != 0 {
            self.mark(false);
        }
        (self.stage, self.level) = (Stage::Raised, 0);
        self.work |= IO;
    }

    #[inline(never)]
    fn collect_timers(&mut self) {
        let now = self.now();
        if let Some(deadline) = self.timers.collect(now) {
            self.work |= TIMERS;
            self.stats.longest_lag_ns = self.stats.longest_lag_ns.max(now.saturating_sub(deadline));
        }
    }

    /// Ends a dispatch and returns how many callbacks it started.
    #[inline]
    pub(crate) fn end_dispatch(&mut self) -> u32 {
        let called = if self.is_watched() {
            self.end_watch()
        } else {
            self.budget - self.left
        };
        self.stats.callbacks += u64::from(called);
        if called == 0 {
            self.stats.spurious_wakeups += u64::from(self.work & WOKEN != 0);
        }
        let left = self.work & LEFT;
        self.work = if left == 0 { 0 } else { left | BEGUN };
        self.changed();
        called
    }

    /// Ends a take and returns how many items it handed over. The turn ends with the take that
    /// returns 0: what the program does with the items of this one, a task that it posts for
    /// example, would else be found by the next take, and a loop of takes might never end.
    pub(crate) fn end_take(&mut self) -> u32 {
        let taken = self.end_dispatch();
        if taken > 0 {
            self.work |= BEGUN;
        }
        taken
    }

    /// Ends a dispatch that a callback has left without returning. Nobody gives back the rest of
    /// its batch: tasks of it are of the next turn, and events are reported again by the next wait,
    /// edges because they are armed again.
    #[cfg(feature = "ffi")]
    #[cold]
    pub(crate) fn abandon(&mut self) {
        let is_in_hook = core::mem::take(&mut self.is_hooked);
        if self.is_dispatching() {
            self.watchers.spoil_edges();
            // The next dispatch finds out what is left of the turn, be it nothing.
            self.work |= TASKS;
            self.end_dispatch();
        } else if is_in_hook {
            self.changed();
        }
    }

    /// True if a callback may be under way: of a hook too.
    pub(crate) fn is_dispatching(&self) -> bool {
        self.work & CALLING != 0 || self.is_hooked
    }

    // ---- one item ----
    //
    // Inlined into each of the two callers of `drive`: a program without `take` has one alone.

    /// The next due timer.
    #[inline(always)]
    pub(crate) fn next_timer(&mut self) -> Option<timers::Fired> {
        if !self.may_call() {
            return None;
        }
        let backend = &mut self.backend;
        let fired = self.timers.pop_due(self.now, || backend.now());
        if fired.is_none() {
            self.finish(TIMERS);
        }
        fired
    }

    /// The next I/O watcher of the general path.
    #[inline(always)]
    pub(crate) fn next_io(&mut self) -> Option<FiredIo> {
        if !self.may_call() {
            return None;
        }
        let fired = self.next_general();
        if fired.is_none() {
            self.finish(IO);
        }
        fired
    }

    /// The next post from elsewhere.
    #[inline(always)]
    pub(crate) fn next_post(&mut self) -> Option<Target> {
        if !self.may_call() {
            return None;
        }
        let post = self.shared.pop(self.remote_end);
        if post.is_none() {
            self.finish(REMOTE);
        }
        post
    }

    /// Whether the clock is read around each callback of this dispatch, which then starts them one by one.
    #[inline]
    fn is_watched(&self) -> bool {
        self.budget == 0
    }

    /// Whether one more callback may be started; counts it.
    #[inline]
    fn may_call(&mut self) -> bool {
        let (left, is_used_up) = self.left.overflowing_sub(1);
        if is_used_up {
            return self.may_call_watched();
        }
        self.left = left;
        true
    }

    /// There was none to call after all.
    #[inline]
    fn finish(&mut self, work: u8) {
        self.work &= !work;
        if self.is_watched() {
            self.watched_calls = self.watched_calls.saturating_sub(1);
        } else {
            self.left += 1;
        }
    }

    // ---- events that need no more than a look at their watcher ----

    /// Where the next of them stand, as many as may still be called; they are counted as called. `None` when there are no more, or at the limit.
    #[inline(always)]
    pub(crate) fn next_events(&mut self) -> Option<Range<u32>> {
        if self.left == 0 || self.work & EVENTS == 0 {
            return None;
        }
        let Range { start, end } = self.events;
        if start == end {
            self.work &= !EVENTS;
            return None;
        }
        let places = start..start + (end - start).min(self.left);
        self.left -= places.end - start;
        self.events.start = places.end;
        if self.left > 0 {
            // These are all. (At the limit nobody looks whether there are more: the next dispatch does.)
            self.work &= !EVENTS;
        }
        Some(places)
    }

    /// Takes back the rest of a batch that was not reached.
    #[cold]
    pub(crate) fn give_back_events(&mut self, rest: &Range<u32>) {
        self.left += rest.end - rest.start;
        self.events.start = rest.start;
        self.work |= EVENTS;
    }

    /// The watcher of the event at a place.
    #[inline(always)]
    pub(crate) fn event(&mut self, at: u32) -> Option<FiredIo> {
        let (entry, found) = self.backend.event(at)?;
        let (watcher, ready) = match self.watchers.slab.get(entry.slot) {
            Some(watcher) if watcher.position == entry.position && watcher.is_plain(found) => {
                (watcher, found)
            }
            _ => {
                let ready = self.event_apart(entry, found)?;
                (self.watchers.slab.get(entry.slot)?, ready)
            }
        };
        Some(FiredIo {
            target: watcher.target,
            io: watcher.token(entry.slot),
            fd: watcher.fd,
            ready,
        })
    }

    /// The same where it takes more: a watcher that is gone, an error, a hang-up, a oneshot.
    #[cold]
    #[inline(never)]
    fn event_apart(&mut self, entry: Entry, found: u32) -> Option<u32> {
        let ready = if self.watchers.has(entry) {
            self.report(entry.slot, found)
        } else {
            self.stale(entry);
            0
        };
        self.left += u32::from(ready == 0);
        (ready != 0).then_some(ready)
    }

    // ---- the loop's own tasks ----

    /// How many of the turn's tasks may be taken, cancelled ones included; they are counted as called.
    #[inline(always)]
    pub(crate) fn next_tasks(&mut self) -> Option<u32> {
        if self.work & TASKS == 0 {
            return None;
        }
        if self.left == 0 {
            return self.next_task_watched();
        }
        let count = self.tasks.batch(self.left);
        self.left -= count;
        if self.left > 0 {
            // These are all. (At the limit nobody looks whether there are more: the next dispatch does.)
            self.work &= !TASKS;
        }
        Some(count)
    }

    /// One at a time where each callback is timed.
    #[cold]
    fn next_task_watched(&mut self) -> Option<u32> {
        if !self.may_call_watched() {
            return None;
        }
        let count = self.tasks.batch(1);
        if count == 0 {
            self.finish(TASKS);
            return None;
        }
        Some(count)
    }

    /// Takes back as many of a batch as were not reached.
    #[cold]
    pub(crate) fn give_back_tasks(&mut self, count: u32) {
        self.tasks.give_back(count);
        self.work |= TASKS;
        if !self.is_watched() {
            self.left += count;
        }
    }

    /// The next of them, unless it was cancelled.
    #[inline(always)]
    pub(crate) fn task(&mut self) -> Option<Target> {
        let task = self.tasks.pop();
        if task.is_none() {
            self.uncount();
        }
        task
    }

    #[cold]
    #[inline(never)]
    fn uncount(&mut self) {
        if self.is_watched() {
            self.watched_calls -= 1;
        } else {
            self.left += 1;
        }
    }

    // ---- looking at the clock around callbacks ----

    /// For the longest callback, and to stop when the turn's time is used up. That is the general path's.
    #[cold]
    fn begin_watch(&mut self) {
        if self.work & EVENTS != 0 {
            self.events_to_general();
            // Only those: what has come in since is of the next turn.
            self.watchers.begin_visit();
            self.stage = Stage::Attention;
        }
        let now = self.backend.now();
        self.watched_calls = 0;
        self.most_watched_calls = if self.limit.callbacks > 0 {
            self.limit.callbacks
        } else {
            u32::MAX
        };
        self.called_at = None;
        self.cut_at = if self.limit.time > 0 {
            now.saturating_add(self.limit.time)
        } else {
            FOREVER
        };
    }

    #[cold]
    fn end_watch(&mut self) -> u32 {
        self.note_time();
        self.watched_calls
    }

    /// The limit of callbacks is reached, or each is timed.
    #[cold]
    fn may_call_watched(&mut self) -> bool {
        if self.is_watched() && self.watched_calls < self.most_watched_calls {
            let now = self.note_time();
            // One callback at least, or a turn would never end.
            if self.watched_calls == 0 || now < self.cut_at {
                self.called_at = Some(now);
                self.watched_calls += 1;
                return true;
            }
        }
        false
    }

    fn note_time(&mut self) -> Nanos {
        let now = self.backend.now();
        if let Some(called_at) = self.called_at.take() {
            self.stats.longest_callback_ns = self
                .stats
                .longest_callback_ns
                .max(now.saturating_sub(called_at));
        }
        now
    }
}
