//! Dispatch: what fires, one item at a time, in the order of a turn.
//!
//! A turn is a set of *work*: due timers, I/O, tasks, posts. Each has its own `next_…`, which hands over one item or clears its
//! work when there is none left. `drive` asks them in order.

use super::Reactor;
use crate::backend::{Backend, Key};
use crate::ready::{IMPLIED, Ready, UNASKED, fold, report, unfold};
use crate::target::Target;
use crate::time::{FOREVER, Nanos};
use crate::timers;
use crate::token::Token;
use crate::watch::{ALWAYS, DIRTY, FED, HEAD, ONESHOT};

/// Due timers.
pub(crate) const TIMERS: u8 = 1;
/// Raised bits, fds, and readiness made in user space.
pub(crate) const IO: u8 = 2;
/// The loop's own tasks.
pub(crate) const TASKS: u8 = 4;
/// Posts from elsewhere.
pub(crate) const REMOTE: u8 = 8;

/// Where the general path of I/O stands. The three are repeated for each priority if there are several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Raised,
    Events,
    Attention,
}

/// An I/O watcher to be called.
pub(crate) struct FiredIo {
    pub(crate) target: Target,
    pub(crate) io: Token,
    pub(crate) fd: i32,
    pub(crate) ready: u32,
}

const LEVELS: u8 = 3;

impl<B: Backend> Reactor<'_, B> {
    /// Begins the turn's dispatch, or goes on with one that was cut short. Whether there is anything to do; if not, the turn has ended.
    #[inline]
    pub(crate) fn begin_dispatch(&mut self) -> bool {
        if !self.in_turn {
            self.stats.turns += 1;
            if self.timers.used() > 0 {
                self.collect_timers();
            }
            if self.tasks.begin() {
                self.work |= TASKS;
            }
            if self.shared.has_posts() {
                self.remote_end = self.shared.published_end();
                self.work |= REMOTE;
            }
            self.raised |= self.shared.take_raised();
            self.is_plain = true;
            if self.must_mark() || self.watchers.has_listed() || self.raised & self.handled != 0 || self.is_marked {
                self.begin_general();
            }
            self.in_turn = self.work != 0;
            if !self.in_turn {
                self.changed();
                return false;
            }
        }
        self.budget = self.next_budget;
        self.left = self.budget;
        if self.budget == 0 {
            self.begin_watch();
        }
        self.is_dispatching = true;
        true
    }

    /// This turn's I/O takes the general path.
    #[inline(never)]
    fn begin_general(&mut self) {
        self.is_plain = false;
        self.has_levels = self.watchers.prioritised > 0;
        self.watchers.begin_turn();
        if self.work & IO != 0 && !self.is_marked {
            self.mark();
        }
        (self.stage, self.level, self.current) = (Stage::Raised, 0, None);
        self.work |= IO;
    }

    fn collect_timers(&mut self) {
        let now = self.now();
        self.timers.collect(now);
        if let Some(deadline) = self.timers.first_due_deadline() {
            self.work |= TIMERS;
            self.stats.longest_lag_ns = self.stats.longest_lag_ns.max(now.saturating_sub(deadline));
        }
    }

    /// What is left to do in this dispatch; 0 ends it, because all is done or the limit is reached.
    #[inline]
    pub(crate) fn work(&self) -> u8 {
        if self.is_cut { 0 } else { self.work }
    }

    /// Ends a dispatch and returns how many callbacks it started.
    #[inline]
    pub(crate) fn end_dispatch(&mut self) -> u32 {
        let mut called = self.budget.wrapping_sub(self.left);
        if self.budget == 0 {
            called = self.end_watch();
        }
        self.is_cut = false;
        self.is_dispatching = false;
        self.stats.callbacks += u64::from(called);
        if self.work == 0 {
            self.in_turn = false;
            self.stats.spurious_wakeups += u64::from(self.was_woken && called == 0);
            self.was_woken = false;
        }
        if self.is_exposed {
            self.expose();
        }
        called
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

    /// The next I/O watcher.
    #[inline]
    pub(crate) fn next_io(&mut self) -> Option<FiredIo> {
        if !self.may_call() {
            return None;
        }
        let fired = if self.is_plain { self.next_event() } else { self.next_general() };
        if fired.is_none() {
            self.finish(IO);
        }
        fired
    }

    /// The next of the loop's own tasks.
    #[inline]
    pub(crate) fn next_task(&mut self) -> Option<Target> {
        if !self.may_call() {
            return None;
        }
        let task = self.tasks.pop();
        if task.is_none() {
            self.finish(TASKS);
        }
        task
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
        if self.budget == 0 {
            self.watched_calls = self.watched_calls.saturating_sub(1);
        } else {
            self.left += 1;
        }
    }

    // ---- I/O ----

    /// The fast path: no raised bits, no shared fds, no priorities, nothing that needs attention.
    #[inline]
    fn next_event(&mut self) -> Option<FiredIo> {
        while let Some((io, found)) = self.backend.next() {
            let Some(watcher) = self.watchers.slab.get(io.slot) else {
                self.stale(io);
                continue;
            };
            if !watcher.is_generation(io.generation) {
                self.stale(io);
                continue;
            }
            let (target, fd) = (watcher.target, watcher.fd);
            let mut ready = found & u32::from(watcher.mask);
            // Anything but plain readiness takes the longer way round.
            let special = ready & !(IMPLIED | Ready::PEER_CLOSED.bits()) | u32::from(watcher.flags & ONESHOT);
            if special != 0 || ready == 0 {
                ready = self.report(io.slot, found);
                if ready == 0 {
                    continue;
                }
            }
            return Some(FiredIo { target, io, fd, ready });
        }
        None
    }

    /// Everything else: raised bits, then what the wait found, then readiness made in user space; for each priority.
    #[inline(never)]
    fn next_general(&mut self) -> Option<FiredIo> {
        loop {
            let fired = match self.stage {
                Stage::Raised => self.next_raised(),
                Stage::Events => self.next_marked(),
                Stage::Attention => self.next_attention(),
            };
            if fired.is_some() {
                return fired;
            }
            self.stage = match self.stage {
                Stage::Raised => Stage::Events,
                Stage::Events => {
                    self.watchers.begin_visit();
                    Stage::Attention
                }
                Stage::Attention => {
                    self.stage = Stage::Raised;
                    if !self.has_levels || self.level + 1 >= LEVELS {
                        self.level = 0;
                        self.is_marked = false;
                        return None;
                    }
                    self.level += 1;
                    self.backend.rewind();
                    Stage::Raised
                }
            };
        }
    }

    fn next_raised(&mut self) -> Option<FiredIo> {
        let mut bits = self.raised & self.handled;
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let index = self.watchers.find(-1 - bit as i32)?;
            if self.is_turn_of(index) {
                self.raised &= !(1 << bit);
                let io = self.watchers.slab.token(index);
                let target = self.watchers.slab.get(index)?.target;
                return Some(FiredIo { target, io, fd: bit as i32, ready: Ready::READ.bits() });
            }
        }
        None
    }

    /// What the wait found. Every watcher concerned was given its `pending` when it ended.
    fn next_marked(&mut self) -> Option<FiredIo> {
        if !self.is_marked {
            return None;
        }
        loop {
            let mut next = self.current.and_then(|fd| self.watchers.find(fd));
            while let Some(index) = next {
                if self.is_turn_of(index)
                    && let Some(fired) = self.hand_over(index, 0)
                {
                    return Some(fired);
                }
                next = self.watchers.sibling(index);
            }
            self.current = Some(self.backend.next_marked()?);
        }
    }

    /// Readiness made in user space: files that are always ready, fed events, fds that are gone.
    fn next_attention(&mut self) -> Option<FiredIo> {
        while let Some(index) = self.watchers.visit() {
            if !self.is_turn_of(index) {
                continue;
            }
            let Some(watcher) = self.watchers.slab.get(index) else { continue };
            let always = if watcher.flags & ALWAYS != 0 { IMPLIED } else { 0 };
            // What was fed since the turn began waits for the next one.
            if watcher.fed == 0 {
                self.watchers.unlist(index, FED);
            }
            if let Some(fired) = self.hand_over(index, always) {
                return Some(fired);
            }
        }
        None
    }

    fn is_turn_of(&self, index: u32) -> bool {
        !self.has_levels || self.watchers.slab.get(index).is_some_and(|watcher| watcher.level() == self.level)
    }

    /// The item for a watcher, if what was found for it, `more` included, concerns it.
    fn hand_over(&mut self, index: u32, more: u32) -> Option<FiredIo> {
        let watcher = self.watchers.slab.get_mut(index)?;
        let found = unfold(core::mem::take(&mut watcher.found)) | more;
        if found == 0 {
            return None;
        }
        let ready = self.report(index, found);
        if ready == 0 {
            return None;
        }
        let watcher = self.watchers.slab.get(index)?;
        Some(FiredIo { target: watcher.target, io: self.watchers.slab.token(index), fd: watcher.fd, ready })
    }

    /// What a watcher is told when `found` was found: 0 if that does not concern it.
    ///
    /// A oneshot watcher rests from now on, until it is modified; if that happens before the turn ends the kernel never learns of it.
    /// One whose fd is lost rests too, and the fd leaves the backend's set, if it was not already told so.
    #[inline(never)]
    fn report(&mut self, index: u32, found: u32) -> u32 {
        let Some(watcher) = self.watchers.slab.get_mut(index) else { return 0 };
        let (fd, flags, mask) = (watcher.fd, watcher.flags, watcher.mask);
        let is_lost = found & Ready::INVALID.bits() != 0;
        let ready = if is_lost { Ready::INVALID.bits() } else { report(found, mask) };
        if is_lost || (ready != 0 && flags & ONESHOT != 0) {
            watcher.mask = 0;
            let head = if flags & HEAD != 0 { Some(index) } else { self.watchers.find(fd) };
            match head {
                Some(head) if is_lost && mask != 0 => self.lose(head),
                Some(head) if !is_lost => self.watchers.list(head, DIRTY),
                _ => {}
            }
        }
        ready
    }

    /// An event whose watcher is gone. If none was removed since the wait, the kernel watches an open file that no fd of ours
    /// names any more (it was duplicated or inherited, then closed here).
    #[cold]
    fn stale(&mut self, token: Token) {
        // Generation 0 marks the loop's own objects: their news is that the wait ended.
        if token.generation != 0 {
            self.stats.stale_events += 1;
            self.is_haunted |= !self.has_removed;
        }
    }

    /// After a wait: gives every watcher of every ready fd what was found, so that who joins later is not served by it.
    pub(super) fn mark(&mut self) {
        let Reactor { backend, watchers, stats, has_removed, is_haunted, .. } = self;
        backend.mark(&mut |key, found| {
            let fd = match key {
                Key::Fd(fd) => fd,
                Key::Token(token) => match watchers.slab.check(token) {
                    Ok(watcher) => watcher.fd,
                    Err(_) if token.generation == 0 => return None,
                    Err(_) => {
                        stats.stale_events += 1;
                        *is_haunted |= !*has_removed;
                        return None;
                    }
                },
            };
            let mut next = watchers.find(fd);
            while let Some(index) = next {
                if let Some(watcher) = watchers.slab.get_mut(index) {
                    let heard = found & (u32::from(watcher.mask) | UNASKED | Ready::INVALID.bits());
                    watcher.found |= if watcher.mask == 0 { 0 } else { fold(heard) };
                }
                next = watchers.sibling(index);
            }
            Some(fd)
        });
        self.is_marked = true;
    }

    // ---- looking at the clock around callbacks ----

    /// For the longest callback, and to stop when the turn's time is used up.
    #[cold]
    fn begin_watch(&mut self) {
        let now = self.backend.now();
        self.watched_calls = 0;
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
        let has_room = self.budget == 0 && (self.limit.callbacks == 0 || self.watched_calls < self.limit.callbacks);
        if has_room {
            let now = self.note_time();
            // One callback at least, or a turn would never end.
            if self.watched_calls == 0 || now < self.cut_at {
                self.called_at = Some(now);
                self.watched_calls += 1;
                return true;
            }
        }
        self.is_cut = true;
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
