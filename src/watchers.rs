//! The table of I/O watchers: which watcher waits for which fd.
//!
//! A watcher is a slot of a slab, found by its handle in one step. To find the watchers of an fd
//! the slots are chained in buckets by a hash of the fd; memory so follows the number of watchers,
//! not the highest fd. Watchers of the same fd stand in a chain in the order they were added; the
//! first is the *head* and keeps what is known about the fd as a whole: what the kernel was asked
//! for, and where the backend keeps its entry.
//!
//! Watchers that need attention before the next wait or in the next dispatch stand on the
//! [`pending`] list.
//!
//! A raise handler is a watcher whose "fd" is negative: bit `n` is `-1 - n`. Below these numbers
//! are those of the hooks, of which each has its own, so that none is found as another's sibling.

mod buckets;
mod pending;
mod watcher;

use crate::backend::{DISARMED, Entry, NOT_IN_SET};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::ready::{Interest, UNASKED};
use crate::room::Room;
use crate::slab::{NONE, Slab};
use crate::token::Token;

use buckets::FIRST_BUCKETS;
use pending::Pending;
pub use watcher::Hook;
pub(crate) use watcher::{
    ALWAYS, ARMED_AGAIN, DIRTY, DISARMS, EDGE, EXCLUSIVE, FED, FOUND, HEAD, HIGH, HOOKS, HUNG_UP,
    KERNEL_UNKNOWN, LOST, LOW, NORMAL, ONESHOT, RAISED, RESTS, Watcher,
};
use watcher::{QUEUED, REASONS, UNREF, option};

/// Which watchers an event of the backend concerns.
pub(crate) enum Concerns {
    /// The watchers of the fd.
    Watchers,
    /// None of them: they were all paused when the wait ended.
    Nobody,
    /// The entry is not in use any more.
    NoEntry,
}

pub(crate) struct Watchers<'a> {
    pub(crate) slab: Slab<'a, Watcher>,
    /// First of each chain. At least as many buckets as slots that were ever in use.
    buckets: Room<'a, u32>,
    pending: Pending,
    /// Watchers that are not the head of their fd.
    pub(crate) sibling_count: u32,
    /// Watchers with a priority other than the normal one.
    pub(crate) prioritised_count: u32,
    /// Watchers that keep the loop going.
    pub(crate) referenced_count: u32,
}

/// Where in the chain of its bucket a new watcher is to stand.
pub(crate) enum Position {
    /// First in this bucket: the head of its fd.
    Head(usize),
    /// Behind this watcher, the last of the same fd.
    Behind(u32),
}

impl<'a> Watchers<'a> {
    /// `buckets` has room for as many as `slots`.
    pub(crate) fn new(slots: Room<'a, Watcher>, mut buckets: Room<'a, u32>, seed: u32) -> Self {
        buckets.grow_to(FIRST_BUCKETS);
        Watchers {
            slab: Slab::new(slots, seed),
            buckets,
            pending: Pending::EMPTY,
            sibling_count: 0,
            prioritised_count: 0,
            referenced_count: 0,
        }
    }

    /// Moves all watchers into `slots`, where they fit, and chains them anew in `buckets`.
    pub(crate) fn move_to(&mut self, slots: Room<'a, Watcher>, mut buckets: Room<'a, u32>) {
        self.slab.move_to(slots);
        buckets.grow_to(self.buckets.len());
        let old = core::mem::replace(&mut self.buckets, buckets);
        for first in old.iter() {
            self.append_chain(*first);
        }
    }

    /// When the watcher in this slot is called, if it is a live hook, and has the number that a
    /// hook has there.
    pub(crate) fn hook(&self, index: u32) -> Option<Hook> {
        let watcher = self.slab.get(index).filter(|watcher| watcher.is_live())?;
        watcher
            .hook()
            .filter(|_| i64::from(watcher.fd) == i64::from(HOOKS) - i64::from(index))
    }

    /// Makes a slot and a bucket for one more watcher, if there is room for it. Before each
    /// [`insert`](Self::insert), and before the bucket of its fd is asked for.
    #[inline]
    pub(crate) fn make_room(&mut self) {
        if !self.slab.has_room() {
            self.add_room();
        }
    }

    #[cold]
    #[inline(never)]
    fn add_room(&mut self) {
        self.slab.make_room();
        if self.slab.slot_count() > self.buckets.len() {
            self.add_buckets();
        }
    }

    /// Take note of an event of the backend: it may have disarmed its entry. Returns which
    /// watchers the event concerns.
    #[inline]
    pub(crate) fn accept(&mut self, entry: Entry, found: u32) -> Concerns {
        let (id, is_disarmed) = (
            entry.backend_id & !DISARMED,
            entry.backend_id & DISARMED != 0,
        );
        let watcher = self.slab.get_mut(entry.slot);
        let Some(watcher) = watcher.filter(|watcher| watcher.backend_id == id) else {
            return Concerns::NoEntry;
        };
        // What the kernel has is what was asked for before the wait: a watcher that was paused then
        // and is resumed by a callback of this turn waits for the next one.
        let rests = watcher.kernel & RESTS != 0;
        if found & UNASKED != 0 {
            watcher.kernel |= HUNG_UP;
        }
        if is_disarmed {
            watcher.kernel = RESTS | watcher.kernel & ARMED_AGAIN;
            self.queue(entry.slot, DIRTY);
        }
        if rests {
            Concerns::Nobody
        } else {
            Concerns::Watchers
        }
    }

    /// Everything the watchers of an fd ask for, and the options of all of them.
    #[inline]
    pub(crate) fn merged_interest(&self, head: u32) -> Interest {
        let mut merged = Interest::empty();
        let mut next = Some(head);
        while let Some(index) = next {
            let watcher = self.slab.get(index);
            merged |= watcher.map_or(Interest::empty(), Watcher::asked);
            next = self.sibling(index);
        }
        merged
    }

    /// Of a head: whatever its watchers ask for next differs from what the kernel has, if the fd is
    /// in its set.
    pub(crate) fn forget_kernel(&mut self, head: u32) {
        if let Some(watcher) = self.slab.get_mut(head) {
            if watcher.kernel != 0 {
                watcher.kernel |= KERNEL_UNKNOWN;
            }
        }
    }

    /// Make the kernel report again what it reports only once: every edge, and every event that
    /// disarmed its entry.
    #[cfg(feature = "ffi")]
    pub(crate) fn forget_reported(&mut self) {
        for index in 0..self.slab.capacity() {
            let is_once = |watcher: &&Watcher| {
                let is_head = watcher.is_live() && watcher.flags & HEAD != 0;
                is_head && watcher.flags & (EDGE | DISARMS) != 0
            };
            if self.slab.get(index).filter(is_once).is_some() {
                self.forget_kernel(index);
                self.queue(index, DIRTY);
            }
        }
    }

    /// Adds a watcher at a position in its bucket. `ENOSPC` when all slots are in use. Without a
    /// call, for there are many.
    #[inline]
    pub(crate) fn insert(
        &mut self,
        position: Position,
        fd: i32,
        interest: Interest,
        callback: Callback,
    ) -> Result<(Token, &mut Watcher)> {
        let index = self.slab.insert()?;
        let mut flags = option(interest) | if fd < 0 { RAISED } else { 0 };
        let link = match position {
            Position::Head(bucket) => {
                flags |= HEAD;
                self.buckets.get_mut(bucket)
            }
            Position::Behind(last) => {
                self.sibling_count += 1;
                self.slab.get_mut(last).map(|last| &mut last.chain)
            }
        };
        let chain = link.map_or(NONE, |link| core::mem::replace(link, index));
        self.count(flags, 1);
        let watcher = self.slab.get_mut(index).ok_or(Error::EUCLEAN)?;
        watcher.callback = callback;
        watcher.fd = fd;
        watcher.chain = chain;
        watcher.backend_id = NOT_IN_SET;
        watcher.found = 0;
        watcher.fed = 0;
        watcher.kernel = 0;
        watcher.flags = flags;
        watcher.set_interest(interest.bits());
        if flags & ONESHOT != 0 {
            watcher.mark_special();
        }
        Ok((watcher.token(index), watcher))
    }

    /// Takes a watcher out of every list and frees its slot. If it was the head and has siblings,
    /// the next of them becomes head, takes over what is known of the fd, and is returned.
    pub(crate) fn remove(&mut self, index: u32) -> Option<u32> {
        self.dequeue(index, REASONS);
        let watcher = self.slab.get_mut(index)?;
        let (fd, chain, flags) = (watcher.fd, watcher.chain, watcher.flags);
        let kernel = watcher.kernel;
        let backend_id = core::mem::replace(&mut watcher.backend_id, NOT_IN_SET);
        self.unchain(fd, index, chain);
        self.slab.remove(index);
        self.count(flags, u32::MAX);
        if flags & HEAD != 0 && self.sibling_count == 0 {
            return None;
        }
        let new_head = if flags & HEAD != 0 {
            Some(self.same_fd_from(chain, fd)?)
        } else {
            None
        };
        self.sibling_count -= 1;
        let watcher = self.slab.get_mut(new_head?)?;
        watcher.flags |= HEAD;
        watcher.kernel = kernel;
        watcher.backend_id = backend_id;
        new_head
    }

    /// Adds `one` to each count that a watcher with these options is part of: 1, or `u32::MAX`,
    /// which takes 1 away.
    #[inline(always)]
    fn count(&mut self, options: u16, one: u32) {
        if options & UNREF == 0 {
            self.referenced_count = self.referenced_count.wrapping_add(one);
        }
        if options & (HIGH | LOW) != 0 {
            self.prioritised_count = self.prioritised_count.wrapping_add(one);
        }
    }

    /// Sets or clears the keep-alive of a watcher.
    pub(crate) fn set_reference(&mut self, token: Token, holds: bool) -> Result<()> {
        let watcher = self.slab.check_mut(token)?;
        if (watcher.flags & UNREF == 0) != holds {
            watcher.flags ^= UNREF;
            self.referenced_count = if holds {
                self.referenced_count + 1
            } else {
                self.referenced_count - 1
            };
        }
        Ok(())
    }

    /// True if chains, list and counts agree with each other. For `verify`: O(n), and whatever
    /// stands in the slots.
    pub(crate) fn is_sound(&self) -> bool {
        if self.chained() != Some(self.slab.used()) {
            return false;
        }
        let (mut shared, mut prioritised, mut referenced, mut flagged) = (0u32, 0u32, 0u32, 0u32);
        for index in 0..self.slab.capacity() {
            let Some(watcher) = self.slab.get(index).filter(|watcher| watcher.is_live()) else {
                continue;
            };
            let is_head = self.find(watcher.fd) == Some(index);
            if is_head != (watcher.flags & HEAD != 0) {
                return false;
            }
            shared += u32::from(!is_head);
            prioritised += u32::from(watcher.priority() != NORMAL);
            referenced += u32::from(watcher.flags & UNREF == 0);
            flagged += u32::from(watcher.flags & QUEUED != 0);
        }
        self.slab.is_sound()
            && self.is_pending_sound(flagged)
            && (shared, prioritised, referenced)
                == (
                    self.sibling_count,
                    self.prioritised_count,
                    self.referenced_count,
                )
    }
}
