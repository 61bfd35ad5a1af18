//! Items: what a dispatch hands over, one at a time.
//!
//! Each kind of work has its own `next_…`, which hands over one item, or clears its bit when there
//! is none left. Plain events and tasks come in batches: first how many may be called, then one
//! after the other.
//!
//! All are inlined into each of the callers in [`turn`](super::turn): a program without `pirn_take`
//! has one alone.

use core::num::NonZero;
use core::ops::Range;

use super::Reactor;
use super::state::{Due, ORDERED, POSTS, READY, Stage, TASKS, TIMERS};
use crate::backend::{Backend, Entry};
use crate::callback::Callback;
use crate::remote::{self, BURST, Ticket};
use crate::time::Instant;
use crate::timers;
use crate::token::Token;
use crate::watchers::{Concerns, RAISED};

/// An I/O watcher to be called.
pub(crate) struct FiredIo {
    pub(crate) callback: Callback,
    pub(crate) io: Token,
    pub(crate) fd: i32,
    pub(crate) ready: u32,
}

impl<'a, B: Backend> Reactor<'a, B> {
    /// The next due timer.
    #[inline(always)]
    pub(super) fn next_timer(&mut self) -> Option<timers::Fired> {
        if !self.may_call() {
            return None;
        }
        let backend = &mut self.backend;
        let fired = self.timers.pop_due(self.turn.now, || backend.now());
        if fired.is_none() {
            self.exhausted(TIMERS);
        }
        fired
    }

    /// The next I/O watcher of the ordered ones.
    #[inline(always)]
    pub(super) fn next_io(&mut self) -> Option<FiredIo> {
        if !self.may_call() {
            return None;
        }
        let Some((index, ready)) = self.next_ordered() else {
            self.exhausted(ORDERED);
            return None;
        };
        let watcher = self.watchers.slab.get(index)?;
        let is_raised = watcher.flags & RAISED != 0;
        Some(FiredIo {
            callback: watcher.callback,
            io: watcher.token(index),
            // Of a raise handler, the bit.
            fd: if is_raised {
                -1 - watcher.fd
            } else {
                watcher.fd
            },
            ready: ready.get(),
        })
    }

    /// Charges one more callback, if it may be started.
    #[inline(always)]
    fn may_call(&mut self) -> bool {
        self.budget.take_one() || self.may_call_timed()
    }

    /// This kind has nothing more to call: leave it, and give back the call that `may_call` has
    /// charged.
    #[inline(always)]
    fn exhausted(&mut self, kind: Due) {
        self.turn.due &= !kind;
        self.budget.give_back(1);
    }

    // ---- events that need no more than a look at their watcher ----

    /// The places of the next events, as many as may still be called, at least one; they are
    /// charged. `None` if there are no more, or at the limit.
    #[inline(always)]
    pub(super) fn next_events(&mut self) -> Option<Range<u32>> {
        let left = self.budget.left();
        if left == 0 || self.turn.due & READY == 0 {
            return None;
        }
        let Range { start, end } = self.turn.events;
        if start == end {
            self.turn.due &= !READY;
            return None;
        }
        let count = left.min(end - start);
        self.budget.take(count);
        let places = start..start + count;
        self.turn.events.start = places.end;
        if left > count {
            // These are all. (At the limit nobody looks whether there are more: the next dispatch
            // does.)
            self.turn.due &= !READY;
        }
        Some(places)
    }

    /// Takes back the rest of a batch that was not reached.
    #[cold]
    pub(super) fn give_back_events(&mut self, rest: &Range<u32>) {
        self.budget.give_back(rest.end - rest.start);
        self.turn.events.start = rest.start;
        self.turn.due |= READY;
    }

    /// The watcher of the event at a place.
    #[inline(always)]
    pub(super) fn event(&mut self, at: u32) -> Option<FiredIo> {
        let (entry, found) = self.backend.event(at)?;
        let (watcher, ready) = match self.watchers.slab.get(entry.slot) {
            Some(watcher) if watcher.backend_id == entry.backend_id && watcher.is_direct(found) => {
                (watcher, found)
            }
            _ => {
                let ready = self.event_special(entry, found)?;
                (self.watchers.slab.get(entry.slot)?, ready)
            }
        };
        Some(FiredIo {
            callback: watcher.callback,
            io: watcher.token(entry.slot),
            fd: watcher.fd,
            ready,
        })
    }

    /// Slow path of [`event`](Self::event): the watcher may be gone, or the event is an error, a
    /// hang-up, for a oneshot watcher, or has disarmed its entry. Returns what the watcher is
    /// called with.
    #[cold]
    #[inline(never)]
    fn event_special(&mut self, entry: Entry, found: u32) -> Option<u32> {
        let ready = match self.watchers.accept(entry, found) {
            Concerns::Watchers => self.take_readiness(entry.slot, found),
            Concerns::Nobody => None,
            Concerns::NoEntry => {
                self.stale(entry);
                None
            }
        };
        self.budget.give_back(u32::from(ready.is_none()));
        ready.map(NonZero::get)
    }

    // ---- the loop's own tasks ----

    /// How many of the turn's tasks are to be taken, cancelled ones included; they are charged.
    /// `None` if there are no more, or at the limit.
    #[inline(always)]
    pub(super) fn next_tasks(&mut self) -> Option<u32> {
        if self.turn.due & TASKS == 0 {
            return None;
        }
        let left = self.budget.left();
        if left == 0 {
            return self.next_task_timed();
        }
        let count = self.tasks.batch(left);
        self.budget.take(count);
        if left > count {
            // These are all. (At the limit nobody looks whether there are more: the next dispatch
            // does.)
            self.turn.due &= !TASKS;
        }
        Some(count)
    }

    /// One at a time where each callback is timed.
    #[cold]
    fn next_task_timed(&mut self) -> Option<u32> {
        if !self.may_call_timed() {
            return None;
        }
        let count = self.tasks.batch(1);
        if count == 0 {
            self.exhausted(TASKS);
            return None;
        }
        Some(count)
    }

    /// Takes back as many of a batch as were not reached.
    #[cold]
    pub(super) fn give_back_tasks(&mut self, count: u32) {
        self.tasks.give_back(count);
        self.turn.due |= TASKS;
        self.budget.give_back(count);
    }

    /// The next of them, unless it was cancelled.
    #[inline(always)]
    pub(super) fn task(&mut self) -> Option<Callback> {
        let task = self.tasks.pop();
        if task.is_none() {
            self.task_was_cancelled();
        }
        task
    }

    #[cold]
    #[inline(never)]
    fn task_was_cancelled(&mut self) {
        self.budget.give_back(1);
    }

    // ---- posts from other threads ----

    /// Begins or continues to hand over the posts of the turn, which are those before the ticket.
    #[inline]
    pub(super) fn begin_posts(&mut self) -> Ticket {
        let (end, length) = self.shared.end_at(self.turn.posts_tail);
        self.turn.had_burst |= length >= BURST;
        end
    }

    /// The places of the next posts before `end`, one at a time where each callback is timed; they
    /// are charged. Empty if there are no more, or at the limit.
    #[inline(always)]
    pub(super) fn next_posts(&mut self, end: Ticket) -> &'a [remote::Entry] {
        if self.turn.due & POSTS == 0 || !self.may_call() {
            return &[];
        }
        // One is charged, and where each callback is timed no more are left.
        let most = self.budget.left().saturating_add(1);
        let batch = self.shared.batch(end, most);
        match batch.len() {
            0 => self.exhausted(POSTS),
            count => self.budget.take(count as u32 - 1),
        }
        batch
    }

    /// The address of the function that calls posts: see
    /// [`Shared::set_caller`](crate::remote::Shared::set_caller). If there is none, the first post
    /// is not published yet, and the turn has no posts.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn posts_caller(&mut self) -> *mut () {
        let caller = self.shared.caller();
        if caller.is_null() {
            self.turn.due &= !POSTS;
        }
        caller
    }

    /// Takes back as many of a batch as were not taken. If the next one is not published, the turn
    /// has no more posts.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back_posts(&mut self, count: usize) {
        if !self.shared.end_batch() {
            self.turn.due &= !POSTS;
        }
        self.budget.give_back(count as u32);
    }

    // ---- timing ----

    /// Begins to read the clock around every callback, to find the longest one and to enforce the
    /// time limit. A timed dispatch takes what the wait found in order.
    #[cold]
    pub(super) fn begin_timing(&mut self) {
        if self.turn.due & READY != 0 {
            self.order_events();
            // Only those: what has come in since is of the next turn.
            self.watchers.begin_visit();
            self.turn.stage = Stage::Pending;
        }
        let now = self.backend.now();
        self.budget.begin_timing(now);
    }

    /// The limit of callbacks is reached, or each is timed.
    #[cold]
    fn may_call_timed(&mut self) -> bool {
        if !self.budget.is_timed() {
            return false;
        }
        let now = self.note_time();
        self.budget.take_timed(now)
    }

    /// Reads the clock after a callback of a timed dispatch, if there was one.
    pub(super) fn note_time(&mut self) -> Instant {
        let now = self.backend.now();
        let longest = &mut self.stats.longest_callback_ns;
        *longest = self.budget.time_of_call(now).0.max(*longest);
        now
    }
}
