//! Ordered I/O: raised bits, fds that several watchers share, priorities, readiness made in user
//! space.
//!
//! What was found for a watcher is noted in the watcher, which stands on the pending list, before
//! any of them is called; then the list is visited, for each priority in turn.

use core::num::NonZero;

use super::Reactor;
use super::state::{ORDERED, READY, Stage, ToCall};
use crate::backend::{ALWAYS_READY, Backend, Entry};
use crate::ready::{Interest, Ready, readiness_for, unfold};
use crate::slab::NONE;
use crate::watchers::{
    ALWAYS, Concerns, DIRTY, FED, FOUND, HEAD, HIGH, LOST, LOW, NORMAL, ONESHOT, Watcher,
};

impl<B: Backend> Reactor<'_, B> {
    /// Hands the I/O of this turn over in order.
    #[inline(never)]
    pub(super) fn begin_ordered(&mut self) {
        self.turn.has_priorities = self.watchers.prioritised_count > 0;
        self.order_events();
        self.watchers.begin_turn();
    }

    /// Hands over in order what is left of the events.
    pub(super) fn order_events(&mut self) {
        if self.turn.due & READY != 0 {
            self.mark_events(false);
        }
        (self.turn.stage, self.turn.priority) = (Stage::Raised, HIGH);
        self.turn.due |= ORDERED;
    }

    /// The watcher that is to be called next, and with what: raised bits, then what the wait found,
    /// then readiness made in user space; for each priority.
    #[inline(never)]
    pub(super) fn next_ordered(&mut self) -> Option<ToCall> {
        loop {
            if self.turn.stage == Stage::Raised {
                let next = self.raised.next.and_then(|next| next(self));
                if next.is_some() {
                    return next;
                }
                self.watchers.begin_visit();
                self.turn.stage = Stage::Pending;
            }
            let next = self.next_pending();
            if next.is_some() {
                return next;
            }
            self.turn.stage = Stage::Raised;
            self.turn.priority = match self.turn.priority {
                HIGH if self.turn.has_priorities => NORMAL,
                NORMAL => LOW,
                _ => {
                    self.turn.has_priorities = false;
                    self.watchers.end_marked();
                    return None;
                }
            };
        }
    }

    /// The handler of the lowest raised bit whose turn it is.
    pub(super) fn next_raised(&mut self) -> Option<ToCall> {
        let mut bits = self.raised.due();
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let index = self.watchers.find(-1 - bit as i32)?;
            if self.is_turn_of(self.watchers.slab.get(index)?) {
                self.raised.raised_bits &= !(1 << bit);
                return Some((index, NonZero::new(Ready::READ.bits())?));
            }
        }
        None
    }

    /// What the wait found, then readiness made in user space: files that are always ready, fed
    /// events, fds that are gone.
    fn next_pending(&mut self) -> Option<ToCall> {
        while let Some(index) = self.watchers.visit() {
            let watcher = self.watchers.slab.get(index)?;
            if !self.is_turn_of(watcher) {
                continue;
            }
            let is_told = watcher.found & watcher.interest != 0;
            let is_always = watcher.flags & ALWAYS != 0;
            // What was fed since the turn began waits for the next one.
            let fed = if watcher.fed == 0 { FED } else { 0 };
            self.watchers.dequeue(index, FOUND | fed);
            if is_always && is_told {
                self.ask_again(index);
            }
            if let Some(ready) = self.take_found(index) {
                return Some((index, ready));
            }
        }
        None
    }

    /// True if a watcher has the priority of the current pass.
    fn is_turn_of(&self, watcher: &Watcher) -> bool {
        !self.turn.has_priorities || watcher.priority() == self.turn.priority
    }

    /// No kernel tells when a file that is always ready is closed: it is asked before the watcher
    /// is told that the file is ready.
    fn ask_again(&mut self, index: u32) {
        let Some(watcher) = self.watchers.slab.get(index) else {
            return;
        };
        let fd = watcher.fd;
        if self
            .backend
            .probe(&watcher.source(index, Interest::empty()))
            == Ok(ALWAYS_READY)
        {
            return;
        }
        // Fed with the others, but told in this turn.
        self.invalidate(fd, None);
        if let Some(watcher) = self.watchers.slab.get_mut(index) {
            watcher.found = core::mem::take(&mut watcher.fed);
        }
        self.watchers.dequeue(index, FED);
    }

    /// What a watcher is told of what was found for it: `None` if that does not concern it.
    fn take_found(&mut self, index: u32) -> Option<NonZero<u32>> {
        let watcher = self.watchers.slab.get_mut(index)?;
        let found = core::mem::take(&mut watcher.found);
        self.take_readiness(index, unfold(found))
    }

    /// The readiness to report to a watcher when `found` was found: `None` if none of it is for the
    /// watcher.
    ///
    /// A oneshot watcher rests from now on, until it is modified; if that happens before the turn
    /// ends the kernel never learns of it. One whose fd is lost rests too.
    #[inline(never)]
    pub(super) fn take_readiness(&mut self, index: u32, found: u32) -> Option<NonZero<u32>> {
        let watcher = self.watchers.slab.get_mut(index)?;
        let (fd, flags) = (watcher.fd, watcher.flags);
        if found & Ready::INVALID.bits() != 0 {
            watcher.pause();
            watcher.flags |= LOST;
            // If it was fed that the fd is lost, all that follows is done.
            if flags & LOST == 0 {
                self.lost(fd, index);
            }
            return NonZero::new(Ready::INVALID.bits());
        }
        let ready = NonZero::new(readiness_for(found, watcher.mask()))?;
        if flags & ONESHOT != 0 {
            watcher.pause();
            let head = if flags & HEAD != 0 {
                Some(index)
            } else {
                self.watchers.find(fd)
            };
            if let Some(head) = head {
                self.watchers.queue(head, DIRTY);
            }
        }
        Some(ready)
    }

    /// An event of an entry that is not in use. If none went out of use since the wait, the kernel
    /// watches an open file that no fd of ours names any more (it was duplicated or inherited, then
    /// closed here).
    pub(super) fn stale(&mut self, entry: Entry) {
        if entry.slot == NONE {
            self.own(1);
        } else {
            self.stats.stale_events += 1;
            self.set.needs_rebuild |= !self.set.has_removed;
        }
    }

    /// Events of the loop's own fds: their news is that the wait ended. They count as nothing that
    /// was found, as on the other backends.
    fn own(&mut self, count: u32) {
        self.stats.events -= u64::from(count);
        self.turn.found_count -= count;
        if self.turn.found_count == 0 {
            self.turn.has_found = false;
        }
    }

    /// Record at every watcher of every event's fd what the wait has found, so that a watcher that
    /// is added later is not called for it.
    ///
    /// `with_siblings` is false if the dispatch does this: no two watchers shared an fd when the
    /// wait ended, so a second one was added since, and gets nothing.
    #[inline(never)]
    pub(super) fn mark_events(&mut self, with_siblings: bool) {
        for at in core::mem::replace(&mut self.turn.events, 0..0) {
            let Some((entry, found)) = self.backend.event(at) else {
                continue;
            };
            match self.watchers.accept(entry, found) {
                Concerns::Watchers => {
                    self.watchers.mark(entry.slot, found, with_siblings);
                }
                Concerns::Nobody => {}
                Concerns::NoEntry => self.stale(entry),
            }
        }
        self.turn.due = self.turn.due & !READY | ORDERED;
    }
}
