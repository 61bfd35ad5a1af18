//! A turn (prepare, wait, dispatch), and a run, which makes turns.
//!
//! `docs/TURN.md` defines what each of them does. `pirn_run` uses the same functions as an
//! embedding program: there is only one path.
//!
//! The reactor never calls a callback. It returns one item at a time, by value; the [`Caller`]
//! calls the callback while no part of the reactor is borrowed, and then asks for the next item.

pub(crate) use super::caller::Caller;
use super::calls::{call_due, call_hooks};
pub(crate) use super::calls::{call_posts, call_tasks, call_timers};
use super::state::{Due, ORDERED, POSTS, Phase, READY, TASKS, TIMERS, TimerCode};
use super::unwind::OnUnwind;
use super::{Ended, Reactor};
use crate::backend::Backend;
use crate::error::Result;
use crate::time::{Duration, Instant};
use crate::watchers::Hook;

/// How long a loop pauses if the previous turn found only a stale registration that it cannot
/// remove.
const NAP: Duration = Duration::from_millis(1);

/// As [`run`], with a deadline.
pub(crate) fn run_until<'a, C: Caller<'a> + ?Sized>(
    caller: &mut C,
    deadline: Instant,
) -> Result<Ended> {
    caller.reactor().backend.expect_timeouts();
    run(caller, deadline)
}

/// Makes turns until the loop is stopped, nothing keeps it going, or the deadline has passed, which
/// is `NEVER` unless [`run_until`] calls this.
pub(crate) fn run<'a, C: Caller<'a> + ?Sized>(caller: &mut C, deadline: Instant) -> Result<Ended> {
    loop {
        let reactor = caller.reactor();
        // Checked in each turn, because a callback of the previous turn may have forked and
        // returned here in the child too. A wait in the child would take a wake-up from the parent.
        reactor.check_fork()?;
        if let Some(ended) = reactor.ended(deadline) {
            return Ok(ended);
        }
        let limit = reactor.limit_until(deadline);
        turn_here(caller, limit)?;
    }
}

/// Makes one turn.
pub(crate) fn turn<'a, C: Caller<'a> + ?Sized>(caller: &mut C, limit: Duration) -> Result<u32> {
    caller.reactor().check_fork()?;
    caller.reactor().backend.expect_timeouts();
    turn_here(caller, limit)
}

/// Makes one turn, without the check for a fork, as an embedding program would.
#[inline(never)]
fn turn_here<'a, C: Caller<'a> + ?Sized>(caller: &mut C, limit: Duration) -> Result<u32> {
    let timeout = caller.reactor().prepare(limit);
    caller.reactor().wait(timeout)?;
    Ok(dispatch(caller))
}

/// Calls everything that is due and returns the number of calls, without those of hooks.
#[inline(always)]
pub(crate) fn dispatch<'a, C: Caller<'a> + ?Sized>(caller: &mut C) -> u32 {
    match caller.dispatch_with_hooks() {
        Some(called) => called,
        None => dispatch_due(caller),
    }
}

/// As [`dispatch`], for a loop that has hooks.
pub(crate) fn dispatch_with_hooks<'a, C: Caller<'a> + ?Sized>(caller: &mut C) -> u32 {
    caller.reactor().begin_hooks();
    let hooked = OnUnwind::new(caller, |caller| caller.reactor().end_hooks());
    let caller = &mut *hooked.state;
    call_hooks(caller, Hook::First);
    let called = dispatch_due(caller);
    if called == 0 {
        call_hooks(caller, Hook::Idle);
    }
    call_hooks(caller, Hook::Last);
    // `hooked` calls `end_hooks` when it is dropped, also if a callback has panicked.
    called
}

/// As [`dispatch`], without hooks.
#[inline(always)]
fn dispatch_due<'a, C: Caller<'a> + ?Sized>(caller: &mut C) -> u32 {
    let due = caller.reactor().begin_dispatch();
    if due == 0 {
        return 0;
    }
    let dispatch = OnUnwind::new(caller, |caller| {
        caller.reactor().end_dispatch();
    });
    call_due(&mut *dispatch.state, due);
    let called = dispatch.state.reactor().end_dispatch();
    dispatch.disarm();
    called
}

impl<B: Backend> Reactor<'_, B> {
    /// Updates the backend and returns how long the loop may wait: 0 if there is something to do,
    /// and at most `limit`.
    #[inline]
    pub(crate) fn prepare(&mut self, limit: Duration) -> Duration {
        if self.is_unfinished() {
            return Duration::ZERO;
        }
        let has_changes = self.set.needs_rebuild || self.watchers.has_pending();
        let has_pending = has_changes && self.bring_up_to_date();
        if limit == Duration::ZERO || has_pending || self.has_queued() || self.hooks.has_idle {
            return Duration::ZERO;
        }
        match &self.timer_code {
            Some(code) if self.timers.used() > 0 => limit.min((code.time_to_next)(self)),
            _ => limit,
        }
    }

    /// Waits at most `timeout` for readiness and returns how many sources are ready. Does nothing
    /// while items of an earlier wait or of a limited turn are left.
    #[inline(always)]
    pub(crate) fn wait(&mut self, timeout: Duration) -> Result<u32> {
        if self.is_unfinished() {
            return Ok(0);
        }
        // If everything of a turn was taken but its end was not reported yet, the turn ends here.
        self.turn.phase = Phase::Idle;
        let sleeps = timeout > Duration::ZERO
            && !(self.set.needs_rebuild && self.has_napped(timeout))
            && self.announce_sleep();
        self.turn.found_count = 0;
        let (watchers, reported_count) = (&mut self.watchers, &mut self.turn.found_count);
        let result = self.backend.wait(
            if sleeps { timeout } else { Duration::ZERO },
            |fd, found| {
                *reported_count += 1;
                let head = watchers.find(fd);
                head.map_or(0, |head| watchers.mark(head, found, true))
            },
        );
        self.shared.awake();
        self.stats.waits += 1;
        self.turn.now_is_stale = true;
        // Also after a failed wait, because `timer_again` relies on it.
        if self.timers.used() > 0 {
            self.update_apart();
        }
        let event_count = match result {
            Ok(count) => count,
            Err(error) => {
                // No dispatch follows, which would call this at its end.
                self.on_change();
                return Err(error);
            }
        };
        self.set.has_removed = false;
        self.turn.found_count += event_count;
        let found_count = self.turn.found_count;
        if found_count > 0 {
            self.note_found(event_count);
        }
        Ok(found_count)
    }

    /// True if the wait may sleep: see [`about_to_sleep`](crate::remote::Shared::about_to_sleep).
    #[inline(always)]
    fn announce_sleep(&mut self) -> bool {
        if core::mem::take(&mut self.turn.had_burst) {
            self.shared.let_posts_gather();
        }
        self.shared.about_to_sleep()
    }

    /// Stores the result of a wait that found something. The backend still has `event_count`
    /// events.
    #[inline(always)]
    fn note_found(&mut self, event_count: u32) {
        self.turn.due = READY;
        self.turn.has_found = true;
        self.turn.events = 0..event_count;
        self.stats.events += u64::from(self.turn.found_count);
        if self.backend.has_suspect() {
            self.examine();
        }
        // If watchers share an fd or have priorities, all ready watchers are marked before any
        // callback is called.
        let has_order = self.watchers.sibling_count | self.watchers.prioritised_count != 0;
        if has_order || event_count == 0 {
            self.mark_events(true);
        }
    }

    /// Begins the turn's dispatch, or continues one that a limit has interrupted. Returns what is
    /// due; if that is nothing, the turn has ended.
    #[inline(always)]
    pub(super) fn begin_dispatch(&mut self) -> Due {
        if !self.begin_or_continue_turn() {
            return 0;
        }
        if self.budget.begin() {
            self.begin_timing();
        }
        self.turn.due
    }

    /// Begins or continues the turn. Returns false if nothing is due.
    #[inline(always)]
    pub(super) fn begin_or_continue_turn(&mut self) -> bool {
        if self.turn.phase == Phase::Idle {
            self.begin_turn();
            if self.turn.due == 0 {
                self.on_change();
                return false;
            }
        }
        self.turn.phase = Phase::Dispatching;
        true
    }

    /// Determines what belongs to the turn.
    #[inline(always)]
    fn begin_turn(&mut self) {
        self.stats.turns += 1;
        if self.timers.used() > 0 {
            if let Some(code) = &self.timer_code {
                (code.collect)(self);
            }
        }
        if self.tasks.begin() {
            self.turn.due |= TASKS;
        }
        if let Some(tail) = self.shared.snapshot_tail() {
            self.turn.posts_tail = tail;
            self.turn.due |= POSTS;
        }
        let raised = self.shared.take_raised();
        if raised != 0 {
            self.raised.raised_bits |= raised;
        }
        let has_order = self.watchers.has_pending() || self.turn.due & ORDERED != 0;
        if has_order || self.raised.due() != 0 {
            self.begin_ordered();
        }
    }

    /// Leaves in the reactor what a turn does for timers.
    #[cold]
    #[inline(never)]
    pub(super) fn use_timers(&mut self) {
        self.timer_code = Some(TimerCode {
            collect: |reactor| reactor.collect_timers(),
            time_to_next: |reactor| reactor.time_to_timer(),
        });
        self.pollable.timers_start_quietly = self.pollable.update.is_none();
        self.backend.expect_timeouts();
    }

    fn collect_timers(&mut self) {
        let now = self.now();
        if let Some(deadline) = self.timers.collect(now) {
            self.turn.due |= TIMERS;
            self.stats.longest_lag_ns = self.stats.longest_lag_ns.max((now - deadline).0);
        }
    }

    /// Ends a dispatch and returns how many callbacks it has called.
    #[inline]
    pub(super) fn end_dispatch(&mut self) -> u32 {
        if self.budget.is_timed() {
            self.note_time();
        }
        let called = self.budget.called();
        self.stats.callbacks += u64::from(called);
        if called == 0 {
            self.stats.spurious_wakeups += u64::from(self.turn.has_found);
        }
        self.turn.has_found = false;
        self.turn.phase = if self.turn.due == 0 {
            Phase::Idle
        } else {
            Phase::Begun
        };
        self.on_change();
        called
    }

    /// Ends a dispatch that a callback has left without returning. The rest of its batch is lost:
    /// its tasks belong to the next turn, and the next wait reports its events again. What is
    /// reported only once is armed again for this.
    #[cfg(feature = "ffi")]
    #[cold]
    pub(crate) fn abandon(&mut self) {
        let was_in_hook = core::mem::take(&mut self.hooks.is_calling);
        if self.is_dispatching() {
            self.watchers.forget_reported();
            // The next dispatch finds out whether tasks of this turn are left.
            if !self.tasks.is_empty() {
                self.turn.due |= TASKS;
            }
            // The places of the posts that were called.
            self.shared.end_batch();
            self.end_dispatch();
        } else if was_in_hook {
            self.on_change();
        }
    }

    /// Updates the backend's set. Returns true if a watcher on the pending list must be called.
    #[inline(never)]
    fn bring_up_to_date(&mut self) -> bool {
        if self.set.needs_rebuild {
            // If there is no free fd for a new set, the old one stays in use, and the next turn
            // tries again.
            let _ = self.rebuild();
        }
        self.apply_changes()
    }

    /// Returns the time until the loop must wake up for a timer.
    fn time_to_timer(&mut self) -> Duration {
        let wake = self.timers.next_wake();
        if wake == Instant::NEVER {
            return Duration::FOREVER;
        }
        // The clock is read again, because callbacks may have taken a long time since the last
        // wait.
        wake - self.update()
    }

    /// Called before a wait that may sleep, with a set that could not be rebuilt. If the last turn
    /// found only a stale registration, the next wait will find the same: this then sleeps for a
    /// moment and returns true.
    #[cold]
    fn has_napped(&mut self, timeout: Duration) -> bool {
        let spurious = self.stats.spurious_wakeups as u32;
        let naps = core::mem::replace(&mut self.set.spurious_before, spurious) != spurious;
        if naps {
            self.backend.nap(timeout.min(NAP));
        }
        naps
    }

    /// True if items of the current turn are still due.
    #[inline]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.turn.due != 0
    }

    /// True if a callback may be running, including that of a hook.
    pub(crate) fn is_dispatching(&self) -> bool {
        self.turn.phase == Phase::Dispatching || self.hooks.is_calling
    }

    /// True if there is anything to call: the rest of a turn, tasks, posts or raised bits.
    #[inline(always)]
    pub(super) fn has_work(&self) -> bool {
        self.is_unfinished() || self.has_queued() || self.shared.has_work()
    }

    /// True if there are tasks in the loop's own queue, or raised bits with a handler that were
    /// taken from `shared`.
    #[inline(always)]
    fn has_queued(&self) -> bool {
        !self.tasks.is_empty() || self.raised.due() != 0
    }

    /// Returns the reason if a run should end now. Called between turns.
    #[inline(always)]
    pub(crate) fn ended(&mut self, deadline: Instant) -> Option<Ended> {
        if self.shared.take_stop() {
            return Some(Ended::Stopped);
        }
        let keeps_going = self.watchers.referenced_count > 0
            || self.timers.referenced() > 0
            || self.hold_count > 0;
        if !keeps_going && !self.has_work() {
            return Some(Ended::Done);
        }
        if deadline != Instant::NEVER && self.update() >= deadline {
            return Some(Ended::Expired);
        }
        None
    }

    /// Returns how long a turn of a run until `deadline` may wait.
    fn limit_until(&self, deadline: Instant) -> Duration {
        if deadline == Instant::NEVER {
            Duration::FOREVER
        } else {
            deadline - self.turn.now
        }
    }
}
