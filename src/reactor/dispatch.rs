//! Dispatch: what fires, one item at a time, in the order of a turn.
//!
//! A turn is a set of *work*: due timers, I/O, tasks, posts. Each has its own `next_…`, which hands over one item or clears its
//! work when there is none left. Plain events and tasks go in batches: how many may be called, then one after the other, then what
//! became of them. `drive` asks them in order.

use core::ops::Range;

use super::Reactor;
use super::general::Stage;
use crate::backend::Backend;
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
/// The turn has begun and is not finished, though it may be between two dispatches.
const BEGUN: u8 = 0x20;
/// A dispatch is under way.
const CALLING: u8 = 0x40;
/// The wait found something, and nothing was called yet: for the count of wake-ups in vain.
pub(super) const WOKEN: u8 = 0x80;

/// An I/O watcher to be called.
pub(crate) struct FiredIo {
    pub(crate) target: Target,
    pub(crate) io: Token,
    pub(crate) fd: i32,
    pub(crate) ready: u32,
}

impl<B: Backend> Reactor<'_, B> {
    /// Whether watchers must be told what was found before any of them is called.
    #[inline]
    pub(super) fn must_mark(&self) -> bool {
        self.watchers.shared | self.watchers.prioritised != 0 || self.backend.must_mark()
    }

    /// Begins the turn's dispatch, or goes on with one that was cut short. What there is to do; if nothing, the turn has ended.
    #[cfg_attr(not(for_size), inline(always))]
    pub(crate) fn begin_dispatch(&mut self) -> u8 {
        if self.work & BEGUN == 0 {
            self.begin_turn();
            if self.work == 0 {
                self.changed();
                return 0;
            }
        }
        self.work |= BEGUN | CALLING;
        self.budget = self.next_budget;
        self.left = self.budget;
        if self.is_watched() {
            self.begin_watch();
        }
        self.work
    }

    #[cfg_attr(not(for_size), inline(always))]
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
        if self.has_raised() || self.watchers.has_listed() || self.is_marked {
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
        self.watchers.begin_turn();
        self.general_from(Stage::Raised);
    }

    /// What is left of the events goes on from there by the general path.
    fn general_from(&mut self, stage: Stage) {
        if self.work & EVENTS != 0 && !self.is_marked {
            self.mark(false);
        }
        (self.stage, self.level, self.current) = (stage, 0, None);
        self.work = self.work & !EVENTS | IO;
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
        let called = if self.is_watched() { self.end_watch() } else { self.budget - self.left };
        self.stats.callbacks += u64::from(called);
        if called == 0 {
            self.stats.spurious_wakeups += u64::from(self.work & WOKEN != 0);
        }
        let left = self.work & (TIMERS | EVENTS | IO | TASKS | REMOTE);
        self.work = if left == 0 { 0 } else { left | BEGUN };
        self.changed();
        called
    }

    pub(super) fn is_dispatching(&self) -> bool {
        self.work & CALLING != 0
    }

    // ---- one item ----

    /// The next due timer.
    #[inline]
    pub(crate) fn next_timer(&mut self) -> Option<timers::Fired> {
        if !self.may_call() {
            return None;
        }
        let fired = self.timers.pop_due(self.now);
        if fired.is_none() {
            self.finish(TIMERS);
        }
        fired
    }

    /// The next I/O watcher of the general path.
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
    #[inline]
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

    /// Where the next of them stand, as many as may be called.
    #[inline]
    pub(crate) fn events(&mut self) -> Range<u32> {
        self.backend.events(self.left)
    }

    /// The watcher of the event at a place, if all it takes is to call it.
    #[inline]
    pub(crate) fn event(&mut self, at: u32) -> Option<FiredIo> {
        let (io, found) = self.backend.event(at)?;
        let watcher = self.watchers.slab.get(io.slot)?;
        let is_plain = watcher.is_generation(io.generation) && watcher.is_plain(found);
        is_plain.then_some(FiredIo { target: watcher.target, io, fd: watcher.fd, ready: found })
    }

    /// The same where it takes more: a watcher that is gone, an error, a hang-up, a oneshot.
    #[cold]
    #[inline(never)]
    pub(crate) fn event_apart(&mut self, at: u32) -> Option<FiredIo> {
        let (io, found) = self.backend.event(at)?;
        if self.watchers.slab.check(io).is_err() {
            self.stale(io);
            return None;
        }
        self.fired(io.slot, found)
    }

    /// After the events of `places`, `idle` of which were nobody's. Whether it is worth asking for more.
    #[inline]
    pub(crate) fn end_events(&mut self, places: Range<u32>, idle: u32) -> bool {
        let has_more = self.backend.skip_to(places.end);
        self.end_batch(EVENTS, places.end - places.start - idle, has_more)
    }

    /// After a batch in which so many were called. Whether it is worth asking for more.
    #[inline]
    fn end_batch(&mut self, work: u8, called: u32, has_more: bool) -> bool {
        self.left -= called;
        // At the limit the turn is not finished, as little as on the general path, which does not know that nothing is left.
        if self.left > 0 && !has_more {
            self.work &= !work;
        }
        self.left > 0 && has_more
    }

    // ---- the loop's own tasks ----

    /// How many of the turn's tasks may be taken, cancelled ones included. None at the limit.
    #[inline]
    pub(crate) fn tasks(&mut self) -> u32 {
        if self.is_watched() { self.tasks_watched() } else { self.tasks.batch(self.left) }
    }

    /// One at a time while the clock is read around each.
    #[cold]
    fn tasks_watched(&mut self) -> u32 {
        if !self.may_call_watched() {
            return 0;
        }
        let count = self.tasks.batch(1);
        if count == 0 {
            self.finish(TASKS);
        }
        count
    }

    /// The next of them, unless it was cancelled.
    #[inline]
    pub(crate) fn task(&mut self) -> Option<Target> {
        self.tasks.pop()
    }

    /// After `count` of them, `idle` of which were cancelled. Whether it is worth asking for more.
    #[inline]
    pub(crate) fn end_tasks(&mut self, count: u32, idle: u32) -> bool {
        if self.is_watched() {
            self.watched_calls -= idle;
            return count > 0;
        }
        let has_more = self.tasks.has_turn();
        self.end_batch(TASKS, count - idle, has_more)
    }

    // ---- looking at the clock around callbacks ----

    /// For the longest callback, and to stop when the turn's time is used up. That is the general path's.
    #[cold]
    fn begin_watch(&mut self) {
        if self.work & EVENTS != 0 {
            self.general_from(Stage::Events);
        }
        let now = self.backend.now();
        self.watched_calls = 0;
        self.most_watched_calls = if self.limit.callbacks > 0 { self.limit.callbacks } else { u32::MAX };
        self.called_at = None;
        self.cut_at = if self.limit.time > 0 { now.saturating_add(self.limit.time) } else { FOREVER };
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
            self.stats.longest_callback_ns = self.stats.longest_callback_ns.max(now.saturating_sub(called_at));
        }
        now
    }
}
