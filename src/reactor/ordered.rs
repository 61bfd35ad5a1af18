//! Ordered I/O: raised bits, fds that several watchers share, priorities, readiness made in user
//! space.
//!
//! What was found for a watcher is noted in the watcher, which stands on the pending list, before
//! any of them is called; then the list is visited, for each priority in turn.

use super::Reactor;
use super::items::FiredIo;
use super::state::{ORDERED, READY, Stage};
use crate::backend::{ALWAYS_READY, Backend, Entry};
use crate::ready::{Interest, Ready, report, unfold};
use crate::slab::NONE;
use crate::watchers::{ALWAYS, DIRTY, FED, FOUND, HEAD, LOST, ONESHOT};

const PRIORITY_COUNT: u8 = 3;

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
        (self.turn.stage, self.turn.priority) = (Stage::Raised, 0);
        self.turn.due |= ORDERED;
    }

    /// Raised bits, then what the wait found, then readiness made in user space; for each priority.
    #[inline(never)]
    pub(super) fn next_ordered(&mut self) -> Option<FiredIo> {
        loop {
            if self.turn.stage == Stage::Raised {
                let fired = self.next_raised();
                if fired.is_some() {
                    return fired;
                }
                self.watchers.begin_visit();
                self.turn.stage = Stage::Pending;
            }
            let fired = self.next_pending();
            if fired.is_some() {
                return fired;
            }
            self.turn.stage = Stage::Raised;
            if !self.turn.has_priorities || self.turn.priority + 1 >= PRIORITY_COUNT {
                self.turn.priority = 0;
                self.turn.has_priorities = false;
                self.watchers.end_marked();
                return None;
            }
            self.turn.priority += 1;
        }
    }

    fn next_raised(&mut self) -> Option<FiredIo> {
        let mut bits = self.raised.due();
        while bits != 0 {
            let bit = bits.trailing_zeros();
            bits &= bits - 1;
            let index = self.watchers.find(-1 - bit as i32)?;
            if self.is_turn_of(index) {
                self.raised.found &= !(1 << bit);
                let io = self.watchers.slab.token(index);
                let callback = self.watchers.slab.get(index)?.callback;
                return Some(FiredIo {
                    callback,
                    io,
                    fd: bit as i32,
                    ready: Ready::READ.bits(),
                });
            }
        }
        None
    }

    /// What the wait found, then readiness made in user space: files that are always ready, fed
    /// events, fds that are gone.
    fn next_pending(&mut self) -> Option<FiredIo> {
        while let Some(index) = self.watchers.visit() {
            if !self.is_turn_of(index) {
                continue;
            }
            let Some(watcher) = self.watchers.slab.get(index) else {
                continue;
            };
            let is_always = watcher.flags & ALWAYS != 0;
            let is_told = report(unfold(watcher.found), watcher.mask()) != 0;
            // What was fed since the turn began waits for the next one.
            let fed = if watcher.fed == 0 { FED } else { 0 };
            self.watchers.dequeue(index, FOUND | fed);
            if is_always && is_told {
                self.ask_again(index);
            }
            if let Some(fired) = self.take_found(index) {
                return Some(fired);
            }
        }
        None
    }

    fn is_turn_of(&self, index: u32) -> bool {
        !self.turn.has_priorities
            || self
                .watchers
                .slab
                .get(index)
                .is_some_and(|watcher| watcher.priority() == self.turn.priority)
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

    /// The item for a watcher, if what was found for it concerns it.
    fn take_found(&mut self, index: u32) -> Option<FiredIo> {
        let watcher = self.watchers.slab.get_mut(index)?;
        let found = unfold(core::mem::take(&mut watcher.found));
        if found == 0 {
            None
        } else {
            self.item_for(index, found)
        }
    }

    /// The item for a watcher, if `found` concerns it.
    fn item_for(&mut self, index: u32, found: u32) -> Option<FiredIo> {
        let ready = self.report(index, found);
        if ready == 0 {
            return None;
        }
        let watcher = self.watchers.slab.get(index)?;
        Some(FiredIo {
            callback: watcher.callback,
            io: self.watchers.slab.token(index),
            fd: watcher.fd,
            ready,
        })
    }

    /// What a watcher is told when `found` was found: 0 if that does not concern it.
    ///
    /// A oneshot watcher rests from now on, until it is modified; if that happens before the turn
    /// ends the kernel never learns of it. One whose fd is lost rests too.
    #[inline(never)]
    pub(super) fn report(&mut self, index: u32, found: u32) -> u32 {
        let Some(watcher) = self.watchers.slab.get_mut(index) else {
            return 0;
        };
        let (fd, flags) = (watcher.fd, watcher.flags);
        if found & Ready::INVALID.bits() != 0 {
            watcher.pause();
            watcher.flags |= LOST;
            // If it was fed that the fd is lost, all that follows is done.
            if flags & LOST == 0 {
                self.lost(fd, index);
            }
            return Ready::INVALID.bits();
        }
        let ready = report(found, watcher.mask());
        if ready != 0 && flags & ONESHOT != 0 {
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
        ready
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

    /// After a wait: gives every watcher of every event's fd what was found, so that who joins
    /// later is not served by it. Where that is made up for later there were none that shared an fd
    /// when the wait ended: who does now has joined since, and gets nothing.
    #[inline(never)]
    pub(super) fn mark_events(&mut self, with_siblings: bool) {
        for at in core::mem::replace(&mut self.turn.events, 0..0) {
            let Some((entry, found)) = self.backend.event(at) else {
                continue;
            };
            if self.watchers.has(entry) {
                self.watchers.mark(entry.slot, found, with_siblings);
            } else {
                self.stale(entry);
            }
        }
        self.turn.due = self.turn.due & !READY | ORDERED;
    }
}
