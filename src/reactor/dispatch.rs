//! Dispatch: what fires, one item at a time, in the order of a turn.

use super::Reactor;
use crate::backend::{Backend, Key};
use crate::ready::{Interest, Ready, report};
use crate::target::Target;
use crate::time::{FOREVER, Nanos};
use crate::token::Token;
use crate::watch::{ALWAYS, DIRTY, FED, HEAD, ONESHOT};

/// Where a dispatch stands. The order of the variants is the order of a turn; the middle three are repeated for each
/// priority if there are several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    Timers,
    Raised,
    Events,
    Attention,
    Tasks,
    Remote,
    Done,
}

/// An item to be called, by value: nothing of the reactor is borrowed while the call is made.
pub(crate) enum Fired {
    Io { target: Target, io: Token, fd: i32, ready: u32 },
    Timer { target: Target, timer: Token, missed: u64 },
    Task { target: Target },
}

const LEVELS: u8 = 3;

impl<B: Backend> Reactor<'_, B> {
    /// Begins the turn's dispatch, or goes on with one that was cut short.
    pub(crate) fn begin_dispatch(&mut self) {
        if self.phase == Phase::Done {
            self.stats.turns += 1;
            if self.timers.used() > 0 {
                let now = self.now();
                self.timers.collect(now);
                self.note_lag(now);
            }
            self.tasks.begin();
            self.remote_end = self.shared.published_end();
            self.raised |= self.shared.take_raised();
            self.level = 0;
            self.prioritised = self.watchers.prioritised > 0;
            self.phase = Phase::Timers;
        }
        self.left = if self.limit.callbacks == 0 { u32::MAX } else { self.limit.callbacks };
        self.handed_at = None;
        if self.limit.time > 0 {
            self.cut_at = self.update().saturating_add(self.limit.time);
        }
    }

    /// The next item to call, or `None` when the turn is over or its limit is reached.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Fired> {
        if self.left == 0 || (self.watchful && self.is_cut()) {
            return None;
        }
        let fired = if self.phase == Phase::Events && !self.marked {
            match self.next_event() {
                Some(fired) => Some(fired),
                None => self.next_phase(),
            }
        } else {
            self.next_phase()
        };
        self.left -= u32::from(fired.is_some());
        fired
    }

    /// Ends a dispatch and returns how many callbacks it started.
    pub(crate) fn end_dispatch(&mut self) -> u32 {
        if self.watchful {
            self.is_cut();
        }
        let budget = if self.limit.callbacks == 0 { u32::MAX } else { self.limit.callbacks };
        let called = budget - self.left;
        self.stats.callbacks += u64::from(called);
        if self.fetched_in_vain(called) {
            self.stats.spurious_wakeups += 1;
        }
        if self.exposed {
            self.expose();
        }
        called
    }

    fn fetched_in_vain(&mut self, called: u32) -> bool {
        let vain = self.woken && called == 0 && self.phase == Phase::Done;
        self.woken = false;
        vain
    }

    /// Goes through the phases until one has something. Leaves `phase` where that was.
    fn next_phase(&mut self) -> Option<Fired> {
        loop {
            let fired = match self.phase {
                Phase::Timers => self.next_timer(),
                Phase::Raised => self.next_raised(),
                Phase::Events if !self.fetched => None,
                Phase::Events if self.marked => self.next_marked(),
                Phase::Events => self.next_event(),
                Phase::Attention => self.next_attention(),
                Phase::Tasks => self.tasks.pop().map(|target| Fired::Task { target }),
                Phase::Remote => self.shared.pop(self.remote_end).map(|target| Fired::Task { target }),
                Phase::Done => return None,
            };
            if fired.is_some() {
                return fired;
            }
            self.phase = match self.phase {
                Phase::Timers => Phase::Raised,
                Phase::Raised => Phase::Events,
                Phase::Events => {
                    self.watchers.begin_visit();
                    Phase::Attention
                }
                Phase::Attention if self.prioritised && self.level + 1 < LEVELS => {
                    self.level += 1;
                    self.backend.rewind();
                    Phase::Raised
                }
                Phase::Attention => {
                    self.fetched = false;
                    Phase::Tasks
                }
                Phase::Tasks => Phase::Remote,
                Phase::Remote | Phase::Done => Phase::Done,
            };
        }
    }

    fn next_timer(&mut self) -> Option<Fired> {
        let fired = self.timers.pop_due(self.now)?;
        Some(Fired::Timer { target: fired.target, timer: fired.token, missed: fired.missed })
    }

    fn next_raised(&mut self) -> Option<Fired> {
        let mut bits = self.raised & self.handled;
        while bits != 0 {
            let bit = bits.trailing_zeros() as i32;
            bits &= bits - 1;
            let index = self.watchers.find(-1 - bit)?;
            if self.is_turn_of(index) {
                self.raised &= !(1 << bit);
                let io = self.watchers.slab.token(index);
                let target = self.watchers.slab.get(index)?.target;
                return Some(Fired::Io { target, io, fd: bit, ready: Ready::READ.bits() });
            }
        }
        None
    }

    /// The fast path: no shared fds, no priorities.
    #[inline]
    fn next_event(&mut self) -> Option<Fired> {
        while let Some((key, found)) = self.backend.next() {
            let index = match key {
                Key::Token(token) => match self.watchers.slab.get(token.slot) {
                    Some(watcher) if watcher.is_generation(token.generation) => token.slot,
                    _ => {
                        self.stale(token);
                        continue;
                    }
                },
                Key::Fd(fd) => match self.watchers.find(fd) {
                    Some(index) => index,
                    None => continue,
                },
            };
            if let Some(fired) = self.hand_over(index, found) {
                return Some(fired);
            }
        }
        None
    }

    /// The general path: every watcher concerned was given its `pending` when the wait ended.
    fn next_marked(&mut self) -> Option<Fired> {
        loop {
            let mut next = self.current.and_then(|fd| self.watchers.find(fd));
            while let Some(index) = next {
                if self.is_turn_of(index) {
                    let found = self.take_marked(index);
                    if found != 0
                        && let Some(fired) = self.hand_over(index, found)
                    {
                        return Some(fired);
                    }
                }
                next = self.watchers.sibling(index);
            }
            self.current = Some(self.backend.next_marked()?);
        }
    }

    /// What the wait found for a watcher. What was fed to a resting one stays for the attention phase.
    fn take_marked(&mut self, index: u32) -> u32 {
        let Some(watcher) = self.watchers.slab.get_mut(index) else { return 0 };
        if watcher.mask == 0 && watcher.flags & FED != 0 {
            return 0;
        }
        u32::from(core::mem::take(&mut watcher.pending))
    }

    /// Readiness made in user space: files that are always ready, fed events, fds that are gone.
    fn next_attention(&mut self) -> Option<Fired> {
        while let Some(index) = self.watchers.visit() {
            if !self.is_turn_of(index) {
                continue;
            }
            let Some(watcher) = self.watchers.slab.get_mut(index) else { continue };
            let fed = u32::from(core::mem::take(&mut watcher.pending));
            let always = if watcher.flags & ALWAYS != 0 { Interest::READ.bits() | Interest::WRITE.bits() } else { 0 };
            let (target, fd) = (watcher.target, watcher.fd);
            self.watchers.unlist(index, FED);
            if fed & Ready::INVALID.bits() != 0 {
                let io = self.watchers.slab.token(index);
                return Some(Fired::Io { target, io, fd, ready: Ready::INVALID.bits() });
            }
            if let Some(fired) = self.hand_over(index, fed | always) {
                return Some(fired);
            }
        }
        None
    }

    fn is_turn_of(&self, index: u32) -> bool {
        !self.prioritised || self.watchers.slab.get(index).is_some_and(|watcher| watcher.level() == self.level)
    }

    /// The item for a watcher, if what was found concerns it.
    #[inline]
    fn hand_over(&mut self, index: u32, found: u32) -> Option<Fired> {
        let watcher = self.watchers.slab.get_mut(index)?;
        let ready = report(found, watcher.mask);
        let fd = watcher.fd;
        let target = watcher.target;
        let once = watcher.flags & ONESHOT != 0;
        if found & Ready::INVALID.bits() != 0 {
            self.invalidate(fd);
            return None;
        }
        if ready == 0 {
            return None;
        }
        if once {
            self.disarm(index);
        }
        Some(Fired::Io { target, io: self.watchers.slab.token(index), fd, ready })
    }

    /// A oneshot watcher rests until it is modified. If that happens before the turn ends the kernel never learns of it.
    #[cold]
    fn disarm(&mut self, index: u32) {
        let Some(watcher) = self.watchers.slab.get_mut(index) else { return };
        watcher.mask = 0;
        let (fd, flags) = (watcher.fd, watcher.flags);
        let head = if flags & HEAD != 0 { Some(index) } else { self.watchers.find(fd) };
        if let Some(head) = head {
            self.watchers.list(head, DIRTY);
        }
    }

    /// An event whose watcher is gone. If none was removed since the wait, the kernel watches an open file that no fd of ours
    /// names any more (it was duplicated or inherited, then closed here).
    #[cold]
    fn stale(&mut self, token: Token) {
        // Generation 0 marks the loop's own objects: their news is that the wait ended.
        if token.generation != 0 {
            self.stats.stale_events += 1;
            self.haunted |= !self.removed;
        }
    }

    /// After a wait: gives every watcher of every ready fd what was found, so that who joins later is not served by it.
    pub(super) fn mark(&mut self) {
        let Reactor { backend, watchers, stats, removed, haunted, .. } = self;
        backend.mark(|key, found| {
            let fd = match key {
                Key::Fd(fd) => fd,
                Key::Token(token) => match watchers.slab.check(token) {
                    Ok(watcher) => watcher.fd,
                    Err(_) if token.generation == 0 => return None,
                    Err(_) => {
                        stats.stale_events += 1;
                        *haunted |= !*removed;
                        return None;
                    }
                },
            };
            let mut next = watchers.find(fd);
            while let Some(index) = next {
                if let Some(watcher) = watchers.slab.get_mut(index) {
                    let heard = found & (u32::from(watcher.mask) | Ready::INVALID.bits());
                    watcher.pending |= if watcher.mask == 0 { 0 } else { heard as u16 };
                }
                next = watchers.sibling(index);
            }
            Some(fd)
        });
        self.current = None;
    }

    /// Looks at the clock around callbacks: for the longest one, and whether the turn's time is used up.
    #[cold]
    fn is_cut(&mut self) -> bool {
        let now = self.backend.now();
        if let Some(handed_at) = self.handed_at.replace(now) {
            let took: Nanos = now.saturating_sub(handed_at);
            self.stats.longest_callback_ns = self.stats.longest_callback_ns.max(took);
        }
        self.limit.time > 0 && self.cut_at != FOREVER && now >= self.cut_at
    }

    fn note_lag(&mut self, now: Nanos) {
        if let Some(deadline) = self.timers.first_due_deadline() {
            let lag = now.saturating_sub(deadline);
            self.stats.longest_lag_ns = self.stats.longest_lag_ns.max(lag);
        }
    }
}
