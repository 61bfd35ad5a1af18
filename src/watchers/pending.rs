//! The pending list: watchers that need attention before the next wait, or in the next dispatch.
//!
//! It holds each watcher once, whatever the reasons: a changed interest, readiness that the wait
//! has found or that was made in user space. What the wait has found stands in front, so that a
//! dispatch hands it over first.

use super::Watchers;
use super::watcher::{ALWAYS, FED, FOUND, LOST, QUEUED, REASONS};
use crate::ready::{IMPLIED, Ready, fold};
use crate::slab::NONE;

/// A doubly linked list through the watchers.
pub(super) struct Pending {
    first: u32,
    last: u32,
    /// The last one that [`mark`](Watchers::mark) has put at the front.
    marked: u32,
    /// The part that this dispatch still has to look at: from `cursor` to `end`.
    cursor: u32,
    end: u32,
}

impl Pending {
    pub(super) const EMPTY: Pending = Pending {
        first: NONE,
        last: NONE,
        marked: NONE,
        cursor: NONE,
        end: NONE,
    };
}

impl Watchers<'_> {
    /// Puts a watcher on the pending list, if it is not there, and adds `reason`.
    #[inline]
    pub(crate) fn queue(&mut self, index: u32, reason: u16) {
        let last = self.pending.last;
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        let flags = watcher.flags;
        watcher.flags = flags | QUEUED | reason;
        if flags & QUEUED != 0 {
            return;
        }
        watcher.next = NONE;
        watcher.previous = last;
        self.pending.last = index;
        match self.slab.get_mut(last) {
            Some(previous) => previous.next = index,
            None => self.pending.first = index,
        }
    }

    /// Drops `reasons`; a watcher without any left leaves the list.
    pub(crate) fn dequeue(&mut self, index: u32, reasons: u16) {
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        let was_listed = watcher.flags & QUEUED != 0;
        watcher.flags &= !reasons;
        if !was_listed || watcher.flags & REASONS != 0 {
            return;
        }
        watcher.flags &= !QUEUED;
        let (next, previous) = (watcher.next, watcher.previous);
        match self.slab.get_mut(previous) {
            Some(watcher) => watcher.next = next,
            None => self.pending.first = next,
        }
        match self.slab.get_mut(next) {
            Some(watcher) => watcher.previous = previous,
            None => self.pending.last = previous,
        }
        // What the dispatch has still to visit shrinks with it, at whichever end it stood.
        if self.pending.cursor == index {
            self.pending.cursor = if self.pending.end == index {
                NONE
            } else {
                next
            };
        }
        if self.pending.end == index {
            self.pending.end = previous;
        }
        if self.pending.marked == index {
            self.pending.marked = previous;
        }
    }

    /// Puts a head and the other watchers of its fd on the pending list.
    pub(crate) fn queue_all(&mut self, head: u32, reason: u16) {
        let mut next = Some(head);
        while let Some(index) = next {
            self.queue(index, reason);
            next = self.sibling(index);
        }
    }

    /// A watcher is to be told that its fd is lost, and rests until it is modified. Nothing more if
    /// it was told already.
    pub(crate) fn feed_lost(&mut self, index: u32) {
        self.dequeue(index, ALWAYS);
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        watcher.pause();
        if watcher.flags & LOST == 0 {
            watcher.flags |= LOST;
            (watcher.found, watcher.fed) = (0, fold(Ready::INVALID.bits()));
            self.queue(index, FED);
        }
    }

    /// The first of the pending list, or `NONE`.
    pub(crate) fn first_pending(&self) -> u32 {
        self.pending.first
    }

    /// Empties the pending list and hands it over as a chain, each of which is to
    /// [`leave_pending`](Watcher::leave_pending). Not during a turn: nothing is to be visited then.
    pub(crate) fn drain_pending(&mut self) -> u32 {
        (self.pending.last, self.pending.marked) = (NONE, NONE);
        (self.pending.cursor, self.pending.end) = (NONE, NONE);
        core::mem::replace(&mut self.pending.first, NONE)
    }

    #[inline]
    pub(crate) fn has_pending(&self) -> bool {
        self.pending.first != NONE
    }

    /// Limit the visits of this turn to the watchers that are on the list now. A watcher that joins
    /// later waits for the next turn. What they were fed becomes what was found for them, and so
    /// does what is always ready at their file.
    pub(crate) fn begin_turn(&mut self) {
        self.pending.end = self.pending.last;
        self.pending.cursor = NONE;
        let mut index = self.pending.first;
        while let Some(watcher) = self.slab.get_mut(index) {
            watcher.found |= core::mem::take(&mut watcher.fed);
            if watcher.flags & ALWAYS != 0 {
                watcher.found |= watcher.interest & IMPLIED as u8;
            }
            index = watcher.next;
        }
    }

    /// Starts a visit of those that were on the list when the turn began.
    pub(crate) fn begin_visit(&mut self) {
        self.pending.cursor = if self.pending.end == NONE {
            NONE
        } else {
            self.pending.first
        };
    }

    /// The next one of the visit. It may be removed, and others may be, before the next call.
    pub(crate) fn visit(&mut self) -> Option<u32> {
        let index = self.pending.cursor;
        let watcher = self.slab.get(index)?;
        self.pending.cursor = if index == self.pending.end {
            NONE
        } else {
            watcher.next
        };
        Some(index)
    }

    /// Notes what the wait has found for an fd in all its watchers that ask for it, and puts these
    /// at the front of the pending list, in the order in which they are marked. Without siblings,
    /// in the head alone. Returns the interest that the fd is watched for.
    pub(crate) fn mark(&mut self, head: u32, found: u32, with_siblings: bool) -> u32 {
        let watcher = self.slab.get(head);
        let watched = watcher.map_or(0, |watcher| u32::from(watcher.kernel));
        let mut next = Some(head);
        while let Some(index) = next {
            if let Some(watcher) = self.slab.get_mut(index) {
                let mask = u32::from(watcher.mask()) | Ready::INVALID.bits();
                if watcher.interest != 0 && found & mask != 0 {
                    watcher.found |= fold(found & mask);
                    self.queue_marked(index);
                }
            }
            next = if with_siblings {
                self.sibling(index)
            } else {
                None
            };
        }
        watched
    }

    /// Puts a watcher behind those that are marked.
    fn queue_marked(&mut self, index: u32) {
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        let reasons = watcher.flags & REASONS | FOUND;
        if reasons & watcher.flags & FOUND != 0 {
            return;
        }
        self.dequeue(index, REASONS);
        let previous = self.pending.marked;
        let next = match self.slab.get_mut(previous) {
            Some(watcher) => core::mem::replace(&mut watcher.next, index),
            None => core::mem::replace(&mut self.pending.first, index),
        };
        match self.slab.get_mut(next) {
            Some(watcher) => watcher.previous = index,
            None => self.pending.last = index,
        }
        if let Some(watcher) = self.slab.get_mut(index) {
            watcher.flags |= QUEUED | reasons;
            (watcher.next, watcher.previous) = (next, previous);
        }
        (self.pending.marked, self.pending.end) = (index, index);
    }

    /// The marked ones have been visited.
    pub(crate) fn end_marked(&mut self) {
        self.pending.marked = NONE;
    }

    /// True if the list is whole, and holds each watcher that is said to be on it. For `verify`.
    pub(super) fn is_pending_sound(&self, queued_count: u32) -> bool {
        let Pending {
            first,
            last,
            cursor,
            end,
            ..
        } = self.pending;
        let (mut count, mut index, mut previous) = (0, first, NONE);
        let (mut has_cursor, mut has_end) = (cursor == NONE, end == NONE);
        while let Some(watcher) = self.slab.get(index) {
            count += 1;
            has_cursor |= cursor == index;
            has_end |= end == index;
            if watcher.previous != previous || watcher.flags & QUEUED == 0 || count > queued_count {
                return false;
            }
            previous = index;
            index = watcher.next;
        }
        (index, previous) == (NONE, last) && has_cursor && has_end && count == queued_count
    }
}
