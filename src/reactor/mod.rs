//! The reactor: watchers, timers, tasks and a backend, and the turn that moves them.
//!
//! ```text
//! prepare   apply coalesced changes, say how long may be waited
//! wait      the backend waits: the only place that blocks; afterwards the clock is read once
//! dispatch  due timers, then I/O by priority, then the tasks that were there when the turn began
//! ```
//!
//! The reactor never calls out. `next` hands over one fired item at a time, by value; the layer that asked makes the call while
//! nothing of the reactor is borrowed, and then asks for the next. An item is validated at the moment it is handed over, so
//! that what an earlier callback removed is skipped.
//!
//! A turn that is cut short by its limit is continued by the next dispatch before anything new is fetched: everything that
//! was there is served before anything of it is served twice.

mod dispatch;
mod general;
mod hooks;
mod info;
mod io;

use core::ops::Range;

use crate::backend::{Backend, MoveTo, Owned};
use crate::error::{Error, Result};
use crate::ready::Interest;
use crate::remote::{Entry, Shared, Ticket};
use crate::slab::NONE;
use crate::stats::Stats;
#[cfg(feature = "ffi")]
use crate::storage::Places;
use crate::storage::{Parts, Tables};
use crate::target::Target;
use crate::tasks::Tasks;
use crate::time::{FOREVER, Nanos};
use crate::timers::Timers;
use crate::token::{Token, first_generation};
use crate::watch::Watchers;

pub(crate) use dispatch::{EVENTS, FiredIo, IO, REMOTE, TASKS, TIMERS};
use dispatch::{LEFT, WOKEN};
use general::Stage;
pub(crate) use info::Live;

/// How long a loop sleeps, and serves nobody, between two turns for nothing but a ghost that it cannot get rid of.
const NAP: Nanos = 1_000_000;

/// As the owner of a loop: this process is a copy, made by fork, of the one that it belongs to.
const FORKED: u32 = u32::MAX;

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(i32)]
pub enum Ended {
    /// Nothing is left that keeps the loop going.
    Done = 0,
    /// `stop` was called.
    Stopped = 1,
    /// The deadline passed.
    Expired = 2,
}

/// What one turn may use up. Zero means no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limit {
    /// How many callbacks may run.
    pub callbacks: u32,
    /// For how many nanoseconds callbacks may be started.
    pub time: Nanos,
}

/// [`Reactor::show`].
type Show<B> = for<'r, 'a> fn(&'r mut Reactor<'a, B>);

/// In this order in memory: first what every turn and every item touches, where the machine's short addresses reach it; the timers, by far the
/// largest, last.
#[repr(C)]
pub(crate) struct Reactor<'a, B: Backend> {
    /// What is left of the turn, and how far it is: see `dispatch`.
    work: u8,
    /// This turn has several priorities, whatever its callbacks make of them.
    has_levels: bool,
    /// An entry left the backend's set since the last wait, so that a stale event is no surprise.
    has_removed: bool,
    /// An event came from an fd that is watched no more: the set is to be rebuilt.
    is_haunted: bool,
    now_is_stale: bool,
    /// There is a hook for idle times: the loop does not sleep.
    has_idle: bool,
    /// How many more callbacks this dispatch may start, what it began with, and what the next will begin with. While the clock is read
    /// around each callback all are 0, and `may_call_watched` counts.
    left: u32,
    budget: u32,
    next_budget: u32,
    /// The process that the loop belongs to; 0: nobody asks; [`FORKED`] in a copy.
    owner: u32,
    /// What the last wait found, without those of the loop's own fds that were come across since.
    sources: u32,
    /// The places of the backend's events that are still to be handed over.
    events: Range<u32>,
    shared: &'a Shared<'a, B::Waker>,
    watchers: Watchers<'a>,
    pub(crate) backend: B,
    tasks: Tasks<'a>,
    /// The turn's time; to be read through `now`.
    now: Nanos,
    remote_end: Ticket,
    stats: Stats,

    /// Of the general path: where it stands, and for which priority.
    stage: Stage,
    level: u8,
    /// Raised bits not yet handed over, those without handler included, and the bits that have one.
    raised: u64,
    handled: u64,

    limit: Limit,
    /// The clock is read around every callback to find the longest, as it is for a limit of time.
    measure: bool,
    /// A dispatch with hooks is under way.
    is_hooked: bool,
    watched_calls: u32,
    /// Noted when the dispatch begins: a limit that is set in it is for the next.
    most_watched_calls: u32,
    /// The list of hooks.
    first_hook: u32,
    called_at: Option<Nanos>,
    cut_at: Nanos,

    /// Once the application has the pollable fd every change must show there at once. Reached by address, which the call that hands out the
    /// fd leaves here: so the linker leaves it out of a program without that call.
    show: Option<Show<B>>,
    /// Until when the pollable fd's alarm is set: `FOREVER` while it is off.
    alarm: Nanos,
    holds: u32,
    block_size: u32,
    /// The spurious wake-ups there had been when a haunted set was last waited for.
    turns_in_vain: u64,
    timers: Timers<'a>,
}

impl<'a, B: Backend> Reactor<'a, B> {
    pub(crate) fn new(
        mut backend: B,
        parts: Parts<'a, B::Waker>,
        measure: bool,
        seed: u32,
    ) -> Self {
        let now = backend.now();
        let generation = first_generation(seed, parts.hash, now);
        Reactor {
            backend,
            watchers: Watchers::new(parts.watchers, parts.buckets, generation),
            timers: Timers::new(parts.timers, generation, now),
            tasks: Tasks::new(parts.tasks, generation),
            shared: parts.shared,
            now,
            now_is_stale: false,
            has_idle: false,
            work: 0,
            left: 0,
            budget: 0,
            sources: 0,
            events: 0..0,
            next_budget: if measure { 0 } else { u32::MAX },
            has_levels: false,
            stage: Stage::Raised,
            level: 0,
            raised: 0,
            handled: 0,
            limit: Limit::default(),
            measure,
            is_hooked: false,
            watched_calls: 0,
            most_watched_calls: 0,
            first_hook: NONE,
            called_at: None,
            cut_at: FOREVER,
            remote_end: Ticket::default(),
            has_removed: false,
            is_haunted: false,
            show: None,
            alarm: FOREVER,
            holds: 0,
            owner: parts.shared.owner(),
            block_size: parts.block_size,
            turns_in_vain: 0,
            stats: Stats::default(),
        }
    }

    // ---- the turn ----

    /// Brings the backend up to date and says how long may be waited: 0 if there is work, at most `limit`.
    #[inline]
    pub(crate) fn prepare(&mut self, limit: Nanos) -> Result<Nanos> {
        if self.is_unfinished() {
            return Ok(0);
        }
        let has_attention =
            (self.is_haunted || self.watchers.has_listed()) && self.bring_up_to_date()?;
        if limit == 0 || has_attention || self.has_queued() || self.has_idle {
            return Ok(0);
        }
        if self.timers.used() == 0 {
            return Ok(limit);
        }
        Ok(limit.min(self.time_to_timer()))
    }

    /// Tells the backend what has changed. Whether the attention list has something to hand over.
    #[inline(never)]
    fn bring_up_to_date(&mut self) -> Result<bool> {
        if self.is_haunted {
            // Without an fd for another set this one goes on, and the next turn tries again.
            let _ = self.rebuild();
        }
        Ok(self.apply_changes())
    }

    /// As [`prepare`](Self::prepare), for whoever may wait by other means than [`wait`](Self::wait), which looks for posts itself.
    pub(crate) fn prepare_foreign(&mut self, limit: Nanos) -> Result<Nanos> {
        self.check_fork()?;
        let timeout = self.prepare(limit)?;
        Ok(if self.shared.has_work() { 0 } else { timeout })
    }

    /// How long may be slept for the timers.
    #[inline(never)]
    fn time_to_timer(&mut self) -> Nanos {
        let wake = self.timers.next_wake();
        if wake == FOREVER {
            return FOREVER;
        }
        // The time of the last wait does not do here: callbacks may have taken long since.
        wake.saturating_sub(self.update())
    }

    /// Waits at most `timeout` for readiness and returns how many sources are ready. Does nothing while an earlier wait
    /// or a limited turn still has something to hand over.
    #[inline(always)]
    pub(crate) fn wait(&mut self, timeout: Nanos) -> Result<u32> {
        if self.is_unfinished() {
            return Ok(0);
        }
        // A turn whose events were all taken ends here, unless a take has reported its end.
        self.work = 0;
        let sleeps = timeout > 0
            && !(self.is_haunted && self.has_napped(timeout))
            && self.shared.about_to_sleep();
        let timeout = if sleeps { timeout } else { 0 };
        self.sources = 0;
        let (watchers, reported) = (&mut self.watchers, &mut self.sources);
        let result = self.backend.wait(timeout, |fd, found| {
            *reported += 1;
            watchers
                .find(fd)
                .map_or(0, |head| watchers.mark(head, found, true))
        });
        self.shared.awake();
        self.stats.waits += 1;
        self.now_is_stale = true;
        // After a failed wait too: `timer_again` relies on it.
        if self.timers.used() > 0 {
            self.update();
        }
        let events = match result {
            Ok(events) => events,
            Err(error) => {
                // No dispatch follows, whose end would say so.
                self.changed();
                return Err(error);
            }
        };
        self.has_removed = false;
        self.sources += events;
        let found = self.sources;
        if found > 0 {
            self.work = EVENTS | WOKEN;
            self.events = 0..events;
            self.stats.events += u64::from(found);
            if let Some(entry) = self.backend.suspect() {
                self.examine(entry);
            }
            if self.watchers.shared | self.watchers.prioritised != 0 || events == 0 {
                self.mark(true);
            }
        }
        Ok(found)
    }

    /// In a set that is haunted and could not be rebuilt, before a wait that may sleep. If the last turn was for
    /// nothing but a ghost, so will be the next: sleeps for some time, when there is none, and returns true.
    #[cold]
    fn has_napped(&mut self, timeout: Nanos) -> bool {
        let in_vain = self.stats.spurious_wakeups;
        let naps = core::mem::replace(&mut self.turns_in_vain, in_vain) != in_vain;
        if naps {
            self.backend.nap(timeout.min(NAP));
        }
        naps
    }

    /// As [`wait`](Self::wait), for a caller that may wait for the pollable fd before it dispatches: what
    /// was found, and what comes from now on, shows there. The loop's own fds do not count.
    pub(crate) fn wait_foreign(&mut self, timeout: Nanos) -> Result<u32> {
        self.check_fork()?;
        let mut found = self.wait(timeout)?;
        if found > 0 {
            let own = self.own_events();
            found = self.sources - own;
            if found == 0 {
                // Only the loop's own fds. If that counted as something to do, the fd would be made readable
                // again, and the next wait would find that: for ever.
                self.stats.events -= u64::from(own);
                self.work = 0;
            }
        }
        self.changed();
        Ok(found)
    }

    /// How many of the events that no one has come across yet are the loop's own.
    fn own_events(&self) -> u32 {
        let is_own = |at: &u32| {
            let event = self.backend.event(*at);
            event.is_some_and(|(entry, _)| entry.slot == NONE)
        };
        self.events.clone().filter(is_own).count() as u32
    }

    /// Whether something that was there at the last wait is still to be handed over.
    #[inline]
    pub(crate) fn is_unfinished(&self) -> bool {
        self.work & LEFT != 0
    }

    /// Whether anything waits to be handed over: the rest of a turn, tasks, posts or raised bits.
    fn has_work(&self) -> bool {
        self.is_unfinished() || self.has_queued() || self.shared.has_work()
    }

    /// Whether tasks of the loop's own wait, or raised bits that were taken and have a handler.
    #[inline]
    fn has_queued(&self) -> bool {
        !self.tasks.is_empty() || self.has_raised()
    }

    #[inline]
    fn has_raised(&self) -> bool {
        self.raised & self.handled != 0
    }

    /// Why `run` should end now, if it should. Looked at between turns.
    #[inline(always)]
    pub(crate) fn ended(&mut self, deadline: Nanos) -> Option<Ended> {
        if self.shared.take_stop() {
            return Some(Ended::Stopped);
        }
        let keeps_going =
            self.watchers.referenced > 0 || self.timers.referenced() > 0 || self.holds > 0;
        if !keeps_going && !self.has_work() {
            return Some(Ended::Done);
        }
        if deadline != FOREVER && self.update() >= deadline {
            return Some(Ended::Expired);
        }
        None
    }

    /// How long a turn of a run until `deadline` may wait.
    pub(crate) fn limit_until(&self, deadline: Nanos) -> Nanos {
        if deadline == FOREVER {
            FOREVER
        } else {
            deadline.saturating_sub(self.now)
        }
    }

    // ---- time ----

    /// The turn's time: read after the wait, or at the first call that needs it.
    #[inline]
    pub(crate) fn now(&mut self) -> Nanos {
        if self.now_is_stale {
            self.update()
        } else {
            self.now
        }
    }

    /// Reads the clock. A clock that goes back is taken to stand still.
    pub(crate) fn update(&mut self) -> Nanos {
        self.now = self.now.max(self.backend.now());
        self.now_is_stale = false;
        self.now
    }

    pub(crate) fn next_deadline(&self) -> Nanos {
        self.timers.next_deadline()
    }

    /// A fresh reading of the clock, for delays that count from this moment.
    #[inline]
    pub(crate) fn clock(&mut self) -> Nanos {
        self.backend.now()
    }

    // ---- timers ----

    /// Whether a timer can be started with no call of anything but the timers: the turn's time is known, and nobody outside waits for news.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        !self.now_is_stale && self.show.is_none()
    }

    /// Starts a timer without flags, `delay` from the turn's time, if the reactor is quiet.
    #[cfg(feature = "ffi")]
    #[inline]
    pub(crate) fn timer_start_quietly(
        &mut self,
        delay: Nanos,
        period: Nanos,
        target: Target,
        tell: impl FnOnce(Token),
    ) -> Result<()> {
        debug_assert!(self.is_quiet());
        self.timers
            .start_and_tell(self.now.saturating_add(delay), period, target, tell)
    }

    pub(crate) fn timer_start(
        &mut self,
        deadline: Nanos,
        period: Nanos,
        flags: u8,
        target: Target,
    ) -> Result<Token> {
        if self.now_is_stale {
            self.update();
        }
        let token = self.timers.start(deadline, period, target)?;
        if flags != 0 {
            self.timers.set_flags(token, flags)?;
        }
        self.changed();
        Ok(token)
    }

    /// True if a handle is of a timer that is armed, or due and not called yet.
    pub(crate) fn is_timer(&self, timer: Token) -> bool {
        self.timers.get(timer).is_ok()
    }

    /// Arms a live timer anew, with everything that [`timer_start`](Self::timer_start) gives one.
    pub(crate) fn timer_reset(
        &mut self,
        timer: Token,
        deadline: Nanos,
        period: Nanos,
        flags: u8,
        target: Target,
    ) -> Result<()> {
        self.timers.set(timer, deadline, period, flags, target)?;
        self.changed();
        Ok(())
    }

    /// From the turn's time: that is what makes it a few nanoseconds.
    #[inline]
    pub(crate) fn timer_again(&mut self, timer: Token, delay: Nanos) -> Result<()> {
        // While there is a timer the time is never stale: the wait has read it, or starting the timer has.
        let deadline = self.now.saturating_add(delay);
        // Nothing to tell outside then: until when may be waited is what it was.
        if self.timers.push(timer, deadline) {
            return Ok(());
        }
        self.timer_move(timer, deadline)
    }

    #[inline(never)]
    fn timer_move(&mut self, timer: Token, deadline: Nanos) -> Result<()> {
        self.timers.again(timer, deadline)?;
        self.changed();
        Ok(())
    }

    #[inline]
    pub(crate) fn timer_stop(&mut self, timer: Token) -> Result<()> {
        self.timers.stop(timer)
    }

    pub(crate) fn timer_remaining(&mut self, timer: Token) -> Result<Nanos> {
        let deadline = self.timers.deadline(timer)?;
        if deadline == FOREVER {
            return Ok(FOREVER);
        }
        let now = self.backend.now();
        Ok(deadline.saturating_sub(now))
    }

    pub(crate) fn timer_slack(&mut self, timer: Token, slack: Nanos) -> Result<()> {
        self.timers.set_slack(timer, slack)?;
        self.changed();
        Ok(())
    }

    pub(crate) fn timer_reference(&mut self, timer: Token, holds: bool) -> Result<()> {
        self.timers.set_ref(timer, holds).map(drop)
    }

    // ---- tasks ----

    #[inline]
    pub(crate) fn task_post(&mut self, target: Target) -> Result<Token> {
        let token = self.tasks.push(target)?;
        self.changed();
        Ok(token)
    }

    #[inline]
    pub(crate) fn task_cancel(&mut self, task: Token) -> Result<()> {
        self.tasks.cancel(task)
    }

    /// The handle of the task that a dispatch has just handed over.
    pub(crate) fn last_task(&self) -> Token {
        self.tasks.popped()
    }

    /// Hands back one post that has not run. Closes the queues, so that the last one is the last.
    pub(crate) fn task_reclaim(&mut self) -> Option<Target> {
        self.shared.close();
        let task = if self.is_dispatching() {
            self.tasks.take_in_place()
        } else {
            self.tasks.take()
        };
        task.or_else(|| self.shared.take_here())
    }

    // ---- raise handlers ----

    /// True if a live watcher is the handler of a raised bit.
    pub(crate) fn is_raise_handler(&self, io: Token) -> bool {
        self.watchers
            .slab
            .get(io.slot)
            .is_some_and(|watcher| watcher.fd < 0)
    }

    pub(crate) fn raise_add(
        &mut self,
        bit: u32,
        options: Interest,
        target: Target,
    ) -> Result<Token> {
        let allowed = Interest::HIGH | Interest::LOW | Interest::UNREF;
        if bit > 63
            || !allowed.contains(options)
            || options.contains(Interest::HIGH | Interest::LOW)
        {
            return Err(Error::EINVAL);
        }
        if self.handled & (1 << bit) != 0 {
            return Err(Error::EEXIST);
        }
        let io = self
            .watchers
            .insert(-1 - bit as i32, Interest::READ | options, target, None)?;
        self.handled |= 1 << bit;
        // The bit may be raised already.
        self.changed();
        Ok(io)
    }

    // ---- the life of the loop ----

    pub(crate) fn hold(&mut self) -> Result<()> {
        self.holds = self.holds.checked_add(1).ok_or(Error::ENOSPC)?;
        Ok(())
    }

    pub(crate) fn release(&mut self) -> Result<()> {
        self.holds = self.holds.checked_sub(1).ok_or(Error::EINVAL)?;
        Ok(())
    }

    pub(crate) fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
        self.next_budget = if limit.callbacks == 0 {
            u32::MAX
        } else {
            limit.callbacks
        };
        if self.measure || limit.time > 0 {
            self.next_budget = 0;
        }
    }

    /// `ECHILD` in a copy of the loop made by fork: asked before anything that reaches the kernel, whose
    /// objects are the parent's. A system call.
    #[inline(always)]
    pub(crate) fn check_fork(&mut self) -> Result<()> {
        if self.owner != 0 && self.owner != B::Waker::process() {
            self.owner = FORKED;
            return Err(Error::ECHILD);
        }
        Ok(())
    }

    /// Takes a copy made by fork over: new kernel objects, all watchers added again. The caller says that
    /// this is a copy; only what would harm the parent's loop, if it is not one, is checked.
    pub(crate) fn after_fork(&mut self) -> Result<()> {
        if self.shared.is_copy() != Some(false) {
            self.shared.forget_others();
        }
        // Another thread may have been in the middle of a change when the process forked.
        self.verify()?;
        // If this fails half way the set may still be the parent's.
        self.owner = FORKED;
        (self.show, self.alarm) = (None, FOREVER);
        self.backend.take_over()?;
        self.rebuild()?;
        self.shared.adopt();
        self.owner = self.shared.owner();
        Ok(())
    }

    /// Moves all tables to another block. Every handle stays what it is.
    ///
    /// `EBUSY` if a turn is not finished, or if something in use has no place there; then nothing has changed.
    /// `mailbox` moves the half that others touch, or leaves it where it is.
    pub(crate) fn move_to(
        &mut self,
        tables: Tables<'a>,
        mailbox: impl FnOnce(&Shared<'a, B::Waker>, &'a [Entry]) -> Result<()>,
    ) -> Result<()>
    where
        B: MoveTo<'a>,
    {
        let fits = !self.is_unfinished()
            && self.watchers.slab.fits(tables.watchers.len())
            && self.timers.fits(tables.timers.len())
            && self.tasks.fits(tables.tasks.len())
            && self.backend.fits(tables.area.len());
        if !fits {
            return Err(Error::EBUSY);
        }
        mailbox(self.shared, tables.mailbox)?;
        self.watchers.move_to(tables.watchers, tables.buckets);
        self.timers.move_to(tables.timers);
        self.tasks.move_to(tables.tasks);
        self.backend.move_to(tables.area);
        Ok(())
    }

    /// What `pirn_stats` reports as the block.
    pub(crate) fn set_block_size(&mut self, size: usize) {
        self.block_size = u32::try_from(size).unwrap_or(u32::MAX);
    }

    // ---- the pollable fd ----

    pub(crate) fn pollable_fd(&mut self) -> Result<i32> {
        self.check_fork()?;
        let fd = self.backend.pollable_fd()?;
        self.show = Some(|reactor| reactor.show());
        self.changed();
        Ok(fd)
    }

    /// After every change that a foreign loop must see: only once the application has the pollable fd, and not during a
    /// dispatch, whose end does it for all.
    #[inline]
    fn changed(&mut self) {
        if let Some(show) = self.show {
            show(self);
        }
    }

    #[cold]
    fn show(&mut self) {
        if self.is_dispatching() || self.owner == FORKED {
            return;
        }
        let is_unfinished = self.is_unfinished();
        let has_changes = !is_unfinished && self.watchers.has_listed();
        let wake = self.timers.next_wake();
        let moves = self.moves_alarm(wake);
        // In a copy nothing is told to the kernel. (What ends a wait finds out by itself.)
        if (has_changes || moves) && self.check_fork().is_err() {
            return;
        }
        let attention = is_unfinished || (has_changes && self.apply_changes());
        // A failure leaves the foreign loop with its own timeout, which `prepare` told it.
        if moves && self.backend.set_alarm(wake).is_ok() {
            self.alarm = wake;
        }
        // To posters the loop sleeps while the foreign loop has the fd: what they bring must make it readable.
        let may_sleep = self.shared.about_to_sleep();
        if !may_sleep || attention || self.has_work() || self.has_idle {
            self.shared.ring();
        }
    }

    /// True if the alarm must be set so that the pollable fd becomes readable at `wake`.
    fn moves_alarm(&self, wake: Nanos) -> bool {
        // One that is still to ring stands. One whose time has passed may have rung and been heard, so that
        // it must ring again. (While there are timers `now` was read after the last wait.)
        wake != self.alarm || (wake <= self.now && wake != FOREVER)
    }

    // ---- asking ----

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            remote_posts: self.shared.accepted_count() as u64,
            wake_writes: u64::from(self.shared.wake_count()),
            io_capacity: self.watchers.slab.capacity(),
            io_used: self.watchers.slab.used(),
            io_peak: self.watchers.slab.peak(),
            timer_capacity: self.timers.capacity(),
            timer_used: self.timers.used(),
            timer_peak: self.timers.peak(),
            task_capacity: self.tasks.capacity(),
            task_used: self.tasks.len(),
            task_peak: self.tasks.peak(),
            remote_capacity: self.shared.capacity() as u32,
            remote_peak: self.shared.peak() as u32,
            task_refused: self.tasks.refused_count(),
            remote_refused: self.shared.refused_count(),
            block_size: self.block_size,
            io_referenced: self.watchers.referenced,
            timer_referenced: self.timers.referenced(),
            holds: self.holds,
            remote_used: self.shared.len() as u32,
            ..self.stats
        }
    }

    /// Where its parts are, to be compared before any of them is looked into.
    #[cfg(feature = "ffi")]
    pub(crate) fn places(&self) -> Places {
        Places {
            shared: core::ptr::from_ref(self.shared).cast(),
            watchers: self.watchers.slab.place(),
            buckets: self.watchers.place(),
            timers: self.timers.place(),
            tasks: self.tasks.place(),
        }
    }

    /// `EUCLEAN` if any structure contradicts itself. O(everything), and whatever stands in the
    /// parts.
    pub(crate) fn verify(&self) -> Result<()> {
        let is_handled = |bit| self.handled >> bit & 1 == 1;
        if self.watchers.is_sound()
            && self.are_hooks_sound()
            && (0..64).all(|bit| is_handled(bit) == self.watchers.find(-1 - bit).is_some())
            && self.timers.is_sound()
            && self.tasks.is_sound()
            && self.shared.is_sound()
        {
            Ok(())
        } else {
            Err(Error::EUCLEAN)
        }
    }
}
