//! The table of I/O watchers: who waits for which fd.
//!
//! A watcher is a slot of a slab, found by its handle in one step. To find the watchers of an fd the slots are chained in
//! buckets by a hash of the fd; memory so follows the number of watchers, not the highest fd. Watchers of the same fd stand in a
//! chain in the order they were added; the first is the *head* and keeps what is known about the fd as a whole: what the
//! kernel was asked for, and where the backend keeps its entry.
//!
//! Watchers that need attention before the next wait or in the next dispatch (a changed interest, readiness made in user
//! space) stand on one doubly linked list, each at most once.
//!
//! A raise handler is a watcher whose "fd" is negative: bit `n` is `-1 - n`. Below these numbers
//! are those of the hooks, of which each has its own, so that none is found as another's sibling.

use static_assertions::const_assert_eq;

use crate::backend::{Entry, NOWHERE, Source};
use crate::error::{Error, Result};
use crate::ready::{IMPLIED, Interest, Ready, fold, mask_of};
use crate::slab::{NONE, Slab, Slot};
use crate::target::Target;
use crate::token::Token;

/// One watcher. 48 bytes where pointers have eight.
pub(crate) struct Watcher {
    pub(crate) target: Target,
    generation: u32,
    pub(crate) fd: i32,
    /// The next one in the bucket, or of the free chain.
    chain: u32,
    /// Of a head: what the backend knows its entry by. `NOWHERE` for all others where a backend carries it in its events, so
    /// that those of an entry that is not in use any more are told by it.
    pub(crate) position: u32,
    pub(crate) next: u32,
    previous: u32,
    /// What it asked for, the bits of `ASKABLE`; 0 while it is paused.
    pub(crate) interest: u8,
    /// The bits that need a closer look if they are found: those it did not ask for, or all if it is oneshot. The
    /// sign stands for all higher bits.
    special: i8,
    /// What was found for it in this turn and not yet handed over, folded into a byte.
    pub(crate) found: u8,
    /// What is to be reported in the next turn as if it had been found.
    pub(crate) fed: u8,
    /// Of a head: what the backend was asked for; 0: the fd is not in the backend's set. Of a hook,
    /// when it is called.
    pub(crate) kernel: u16,
    pub(crate) flags: u16,
}

#[cfg(target_pointer_width = "64")]
const_assert_eq!(size_of::<Watcher>(), 48);
#[cfg(target_pointer_width = "32")]
const_assert_eq!(size_of::<Watcher>(), 40);

/// The options of [`Interest`], as they were given.
const fn option(interest: Interest) -> u16 {
    (interest.bits() >> 16) as u16
}
pub(crate) const EDGE: u16 = option(Interest::EDGE);
pub(crate) const ONESHOT: u16 = option(Interest::ONESHOT);
pub(crate) const EXCLUSIVE: u16 = option(Interest::EXCLUSIVE);
pub(crate) const HIGH: u16 = option(Interest::HIGH);
pub(crate) const LOW: u16 = option(Interest::LOW);
pub(crate) const UNREF: u16 = option(Interest::UNREF);
/// First of its fd.
pub(crate) const HEAD: u16 = 0x0100;
/// On the attention list, for one or more of the next four reasons.
const LISTED: u16 = 0x0200;
/// A head whose merged interest may differ from what the kernel has.
pub(crate) const DIRTY: u16 = 0x0400;
/// Has readiness that no backend will yield: `fed`, or what was fed before this turn, in `found`.
pub(crate) const FED: u16 = 0x0800;
/// Watches a file that epoll refuses because it is always ready.
pub(crate) const ALWAYS: u16 = 0x1000;
/// The wait has found something for it, which is in `found`.
pub(crate) const FOUND: u16 = 0x8000;
/// A raise handler or a hook: it has no fd.
pub(crate) const RAISED: u16 = 0x2000;
/// Was told that its fd is lost, or is fed it, and was not modified since.
pub(crate) const LOST: u16 = 0x4000;
/// The "fd" of the hook in slot 0; that in slot `n` has `HOOKS - n`.
pub(crate) const HOOKS: i32 = -65;
const REASONS: u16 = DIRTY | FED | ALWAYS | FOUND;
/// In `kernel`: differs from every interest, so that the next change reaches the kernel.
const STALE: u16 = 0x8000;

/// When in a turn a hook is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(i32)]
pub enum Hook {
    /// First thing in every dispatch.
    First = 1,
    /// Last thing in every dispatch, whatever a limit has left over.
    Last = 2,
    /// At the end of a dispatch in which nothing but hooks was called. While there is one, the loop
    /// does not sleep.
    Idle = 3,
}

impl Slot for Watcher {
    fn generation(&self) -> u32 {
        self.generation
    }
    fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }
    fn link(&self) -> u32 {
        self.chain
    }
    fn set_link(&mut self, link: u32) {
        self.chain = link;
    }
}

impl Watcher {
    /// The handle of the watcher in this slot.
    #[inline]
    pub(crate) fn token(&self, slot: u32) -> Token {
        Token {
            slot,
            generation: self.generation,
        }
    }

    /// Whether `found` can be told as it is: no error, no hang-up, nothing that was not asked for, and the watcher goes on.
    #[inline]
    pub(crate) fn is_plain(&self, found: u32) -> bool {
        found & self.special as u32 == 0
    }

    /// Changes what it waits for: the bits of `ASKABLE`. Not for a oneshot watcher, nor for one that is lost.
    #[inline]
    pub(crate) fn set_interest(&mut self, interest: u32) {
        (self.interest, self.special) = (interest as u8, !interest as i8);
    }

    /// The same for any watcher.
    pub(crate) fn set_any_interest(&mut self, interest: u32) {
        self.set_interest(interest);
        if self.flags & ONESHOT != 0 {
            self.special = -1;
        }
        if self.flags & LOST != 0 {
            // Armed again: that it was lost is old news.
            self.flags &= !LOST;
            self.found &= !fold(Ready::INVALID.bits());
            self.fed &= !fold(Ready::INVALID.bits());
        }
    }

    /// It listens to nothing until it is modified.
    pub(crate) fn rest(&mut self) {
        self.set_interest(0);
    }

    /// What it asks for, with its options.
    #[inline]
    pub(crate) fn asked(&self) -> Interest {
        Interest::from_bits_truncate(u32::from(self.interest) | u32::from(self.flags) << 16)
    }

    /// What it listens to: 0 while it is paused.
    pub(crate) fn mask(&self) -> u16 {
        mask_of(u32::from(self.interest))
    }

    /// Of a head: the fd as the backend is to see it, whose watchers together ask for `merged`.
    #[inline]
    pub(crate) fn source(&self, slot: u32, merged: Interest) -> Source {
        Source {
            fd: self.fd,
            slot,
            asked: merged,
            position: self.position,
        }
    }

    /// Takes it from a chain that is the attention list no more: the next of the chain, and its flags as they were. Its changed interest is
    /// seen to; other reasons for attention put it back on the list.
    #[inline]
    pub(crate) fn leave_list(&mut self) -> (u32, u16) {
        let flags = self.flags;
        self.flags = flags & !(LISTED | DIRTY);
        (self.next, flags)
    }

    /// The next one of the list it is on.
    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    /// When it is called, if it is a hook.
    #[inline]
    pub(crate) fn hook(&self) -> Option<Hook> {
        [Hook::First, Hook::Last, Hook::Idle]
            .into_iter()
            .find(|&when| self.fd <= HOOKS && self.kernel == when as u16)
    }

    pub(crate) fn is_live(&self) -> bool {
        self.generation & 1 == 1
    }

    /// Its place in the order of a turn: 0 high, 1 normal, 2 low.
    pub(crate) fn level(&self) -> u8 {
        if self.flags & HIGH != 0 {
            0
        } else if self.flags & LOW != 0 {
            2
        } else {
            1
        }
    }
}

pub(crate) struct Watchers<'a> {
    pub(crate) slab: Slab<'a, Watcher>,
    /// First of each chain. As many buckets as slots.
    buckets: &'a mut [u32],
    first: u32,
    last: u32,
    /// The last one that [`mark`](Self::mark) has put at the front of the attention list.
    marked: u32,
    /// The part of the attention list that this dispatch still has to look at: from `cursor` to `end`.
    cursor: u32,
    end: u32,
    /// Watchers that are not the head of their fd.
    pub(crate) shared: u32,
    /// Watchers with a priority other than the normal one.
    pub(crate) prioritised: u32,
    /// Watchers that keep the loop going.
    pub(crate) referenced: u32,
}

impl<'a> Watchers<'a> {
    /// `buckets` has as many entries as `slots`, all `NONE`.
    pub(crate) fn new(slots: &'a mut [Watcher], buckets: &'a mut [u32], seed: u32) -> Self {
        Watchers {
            slab: Slab::new(slots, seed),
            buckets,
            first: NONE,
            last: NONE,
            marked: NONE,
            cursor: NONE,
            end: NONE,
            shared: 0,
            prioritised: 0,
            referenced: 0,
        }
    }

    /// Moves all watchers into `slots`, where they fit, and chains them anew in `buckets`, which are all `NONE`.
    pub(crate) fn move_to(&mut self, slots: &'a mut [Watcher], buckets: &'a mut [u32]) {
        self.slab.move_to(slots);
        let old = core::mem::replace(&mut self.buckets, buckets);
        for first in old {
            let mut index = *first;
            // In the order of the chain, and behind what the new bucket has: the watchers of an fd keep theirs.
            while let Some(watcher) = self.slab.get_mut(index) {
                let fd = watcher.fd;
                let next = core::mem::replace(&mut watcher.chain, NONE);
                self.append(fd, index);
                index = next;
            }
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

    /// Adds a watcher at the end of the chain of its bucket.
    fn append(&mut self, fd: i32, index: u32) {
        let bucket = self.bucket(fd);
        let Some(first) = self.buckets.get_mut(bucket) else {
            return;
        };
        let mut last = *first;
        if last == NONE {
            *first = index;
            return;
        }
        while let Some(watcher) = self.slab.get_mut(last) {
            if watcher.chain == NONE {
                watcher.chain = index;
                return;
            }
            last = watcher.chain;
        }
    }

    /// The bucket of an fd. Fds are small and close together: multiplying by 2^32 / phi spreads them, and the
    /// upper half of the product with the number of buckets takes the place of a division.
    pub(crate) fn bucket(&self, fd: i32) -> usize {
        let hash = (fd as u32).wrapping_mul(0x9E37_79B1);
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }

    /// The head of an fd's watchers.
    #[inline]
    pub(crate) fn find(&self, fd: i32) -> Option<u32> {
        self.find_in(self.bucket(fd), fd)
    }

    /// The same, in the bucket of the fd.
    #[inline]
    pub(crate) fn find_in(&self, bucket: usize, fd: i32) -> Option<u32> {
        let first = *self.buckets.get(bucket)?;
        if first == NONE {
            None
        } else {
            self.same_fd_from(first, fd)
        }
    }

    /// The next watcher of the same fd.
    #[inline]
    pub(crate) fn sibling(&self, index: u32) -> Option<u32> {
        let watcher = self.slab.get(index)?;
        self.same_fd_from(watcher.chain, watcher.fd)
    }

    #[inline(never)]
    fn same_fd_from(&self, mut index: u32, fd: i32) -> Option<u32> {
        while let Some(watcher) = self.slab.get(index) {
            if watcher.fd == fd {
                return Some(index);
            }
            index = watcher.chain;
        }
        None
    }

    /// Whether an entry of the backend's set is in use.
    #[inline]
    pub(crate) fn has(&self, entry: Entry) -> bool {
        self.slab
            .get(entry.slot)
            .is_some_and(|watcher| watcher.position == entry.position)
    }

    /// Everything the watchers of an fd ask for, and the options of all of them.
    #[inline]
    pub(crate) fn merged(&self, head: u32) -> Interest {
        let asked = self.asked(head);
        if self.shared == 0 {
            asked
        } else {
            asked | self.asked_by_siblings(head)
        }
    }

    #[inline(never)]
    fn asked_by_siblings(&self, head: u32) -> Interest {
        let mut merged = Interest::empty();
        let mut next = self.sibling(head);
        while let Some(index) = next {
            merged |= self.asked(index);
            next = self.sibling(index);
        }
        merged
    }

    #[inline]
    fn asked(&self, index: u32) -> Interest {
        self.slab
            .get(index)
            .map_or(Interest::empty(), Watcher::asked)
    }

    /// Of a head: whatever its watchers ask for next differs from what the kernel has, if the fd is in its set.
    pub(crate) fn spoil(&mut self, head: u32) {
        if let Some(watcher) = self.slab.get_mut(head) {
            if watcher.kernel != 0 {
                watcher.kernel |= STALE;
            }
        }
    }

    /// Has every edge that the kernel watches armed again.
    #[cfg(feature = "ffi")]
    pub(crate) fn spoil_edges(&mut self) {
        for index in 0..self.slab.capacity() {
            let is_armed = |watcher: &&Watcher| {
                watcher.is_live() && watcher.flags & (HEAD | EDGE) == HEAD | EDGE
            };
            if self.slab.get(index).filter(is_armed).is_some() {
                self.spoil(index);
                self.list(index, DIRTY);
            }
        }
    }

    /// Adds a watcher: the head of its fd, or the one after `last`, the last of the fd's watchers. `ENOSPC` when all slots are in use.
    pub(crate) fn insert(
        &mut self,
        fd: i32,
        interest: Interest,
        target: Target,
        last: Option<u32>,
    ) -> Result<Token> {
        let bucket = self.bucket(fd);
        let (io, watcher) = self.insert_in(bucket, fd, interest, target)?;
        let chain = watcher.chain;
        if let Some(last) = last {
            watcher.flags &= !HEAD;
            self.shared += 1;
            self.set_bucket(bucket, chain);
            if let Some(last) = self.slab.get_mut(last) {
                let chain = core::mem::replace(&mut last.chain, io.slot);
                if let Some(watcher) = self.slab.get_mut(io.slot) {
                    watcher.chain = chain;
                }
            }
        }
        Ok(io)
    }

    /// Adds a watcher: the head of its fd, in the bucket of that. Without a call, for there are many.
    #[inline]
    pub(crate) fn insert_in(
        &mut self,
        bucket: usize,
        fd: i32,
        interest: Interest,
        target: Target,
    ) -> Result<(Token, &mut Watcher)> {
        let index = self.slab.insert()?;
        let options = option(interest);
        let link = self.buckets.get_mut(bucket);
        let chain = link.map_or(NONE, |link| core::mem::replace(link, index));
        self.count(options, 1);
        let watcher = self.slab.get_mut(index).ok_or(Error::EUCLEAN)?;
        watcher.target = target;
        watcher.fd = fd;
        watcher.chain = chain;
        watcher.position = NOWHERE;
        watcher.found = 0;
        watcher.fed = 0;
        watcher.kernel = 0;
        watcher.flags = options | HEAD | if fd < 0 { RAISED } else { 0 };
        watcher.set_interest(interest.bits());
        if options & ONESHOT != 0 {
            watcher.special = -1;
        }
        Ok((watcher.token(index), watcher))
    }

    /// The last watcher of an fd, from any of them.
    pub(crate) fn last_of(&self, mut index: u32) -> u32 {
        while let Some(next) = self.sibling(index) {
            index = next;
        }
        index
    }

    /// Takes a watcher out of every list and frees its slot. If it was the head and has siblings, the next of them becomes
    /// head, takes over what is known of the fd, and is returned.
    pub(crate) fn remove(&mut self, index: u32) -> Option<u32> {
        self.unlist(index, REASONS);
        let watcher = self.slab.get_mut(index)?;
        let (fd, chain, flags) = (watcher.fd, watcher.chain, watcher.flags);
        let kernel = watcher.kernel;
        let position = core::mem::replace(&mut watcher.position, NOWHERE);
        self.unchain(fd, index, chain);
        self.slab.remove(index);
        self.count(flags, u32::MAX);
        if flags & HEAD != 0 && self.shared == 0 {
            return None;
        }
        let heir = if flags & HEAD != 0 {
            Some(self.same_fd_from(chain, fd)?)
        } else {
            None
        };
        self.shared -= 1;
        let watcher = self.slab.get_mut(heir?)?;
        watcher.flags |= HEAD;
        watcher.kernel = kernel;
        watcher.position = position;
        heir
    }

    /// Takes a watcher out of its bucket, where `chain` comes next.
    fn unchain(&mut self, fd: i32, index: u32, chain: u32) {
        let bucket = self.bucket(fd);
        let mut at = self.buckets.get(bucket).copied().unwrap_or(NONE);
        if at == index {
            self.set_bucket(bucket, chain);
            return;
        }
        while let Some(watcher) = self.slab.get_mut(at) {
            at = watcher.chain;
            if at == index {
                watcher.chain = chain;
                return;
            }
        }
    }

    /// Adds `one` to what a watcher with these options counts for: 1, or what takes 1 away.
    #[inline]
    fn count(&mut self, options: u16, one: u32) {
        if options & UNREF == 0 {
            self.referenced = self.referenced.wrapping_add(one);
        }
        if options & (HIGH | LOW) != 0 {
            self.prioritised = self.prioritised.wrapping_add(one);
        }
    }

    fn set_bucket(&mut self, bucket: usize, index: u32) {
        if let Some(first) = self.buckets.get_mut(bucket) {
            *first = index;
        }
    }

    /// Puts a watcher on the attention list, if it is not there, and adds `reason`.
    pub(crate) fn list(&mut self, index: u32, reason: u16) {
        self.list_here(index, reason);
    }

    /// As `list`, without a call: for changed interests, which are many.
    #[inline]
    pub(crate) fn list_here(&mut self, index: u32, reason: u16) {
        let last = self.last;
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        let flags = watcher.flags;
        watcher.flags = flags | LISTED | reason;
        if flags & LISTED != 0 {
            return;
        }
        watcher.next = NONE;
        watcher.previous = last;
        self.last = index;
        match self.slab.get_mut(last) {
            Some(previous) => previous.next = index,
            None => self.first = index,
        }
    }

    /// What the wait has found for an fd is of all its watchers that ask for it: these come to the front of the attention
    /// list, in the order in which they are marked. Without siblings it is of the head alone. Returns the interest that
    /// the fd is watched for.
    pub(crate) fn mark(&mut self, head: u32, found: u32, with_siblings: bool) -> u32 {
        let watcher = self.slab.get(head);
        let watched = watcher.map_or(0, |watcher| u32::from(watcher.kernel));
        let mut next = Some(head);
        while let Some(index) = next {
            if let Some(watcher) = self.slab.get_mut(index) {
                let mask = u32::from(watcher.mask()) | Ready::INVALID.bits();
                if watcher.interest != 0 && found & mask != 0 {
                    watcher.found |= fold(found & mask);
                    self.list_first(index);
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
    fn list_first(&mut self, index: u32) {
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        let reasons = watcher.flags & REASONS | FOUND;
        if reasons & watcher.flags & FOUND != 0 {
            return;
        }
        self.unlist(index, REASONS);
        let previous = self.marked;
        let next = match self.slab.get_mut(previous) {
            Some(watcher) => core::mem::replace(&mut watcher.next, index),
            None => core::mem::replace(&mut self.first, index),
        };
        match self.slab.get_mut(next) {
            Some(watcher) => watcher.previous = index,
            None => self.last = index,
        }
        if let Some(watcher) = self.slab.get_mut(index) {
            watcher.flags |= LISTED | reasons;
            (watcher.next, watcher.previous) = (next, previous);
        }
        (self.marked, self.end) = (index, index);
    }

    /// The marked ones have been visited.
    pub(crate) fn end_marked(&mut self) {
        self.marked = NONE;
    }

    /// Drops `reasons` for attention; without any left the watcher leaves the list.
    pub(crate) fn unlist(&mut self, index: u32, reasons: u16) {
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        let was_listed = watcher.flags & LISTED != 0;
        watcher.flags &= !reasons;
        if !was_listed || watcher.flags & REASONS != 0 {
            return;
        }
        watcher.flags &= !LISTED;
        let (next, previous) = (watcher.next, watcher.previous);
        match self.slab.get_mut(previous) {
            Some(watcher) => watcher.next = next,
            None => self.first = next,
        }
        match self.slab.get_mut(next) {
            Some(watcher) => watcher.previous = previous,
            None => self.last = previous,
        }
        // What the dispatch has still to visit shrinks with it, at whichever end it stood.
        if self.cursor == index {
            self.cursor = if self.end == index { NONE } else { next };
        }
        if self.end == index {
            self.end = previous;
        }
        if self.marked == index {
            self.marked = previous;
        }
    }

    /// Puts a head and the other watchers of its fd on the attention list.
    pub(crate) fn list_all(&mut self, head: u32, reason: u16) {
        let mut next = Some(head);
        while let Some(index) = next {
            self.list(index, reason);
            next = self.sibling(index);
        }
    }

    /// A watcher is to be told that its fd is lost, and rests until it is modified. Nothing more if it was told already.
    pub(crate) fn feed_lost(&mut self, index: u32) {
        self.unlist(index, ALWAYS);
        let Some(watcher) = self.slab.get_mut(index) else {
            return;
        };
        watcher.rest();
        if watcher.flags & LOST == 0 {
            watcher.flags |= LOST;
            (watcher.found, watcher.fed) = (0, fold(Ready::INVALID.bits()));
            self.list(index, FED);
        }
    }

    /// The first of the attention list, or `NONE`.
    pub(crate) fn listed(&self) -> u32 {
        self.first
    }

    /// Empties the attention list and hands it over as a chain, each of which is to [`leave_list`](Watcher::leave_list). Not during a
    /// turn: nothing is to be visited then.
    pub(crate) fn take_list(&mut self) -> u32 {
        (self.last, self.marked) = (NONE, NONE);
        (self.cursor, self.end) = (NONE, NONE);
        core::mem::replace(&mut self.first, NONE)
    }

    #[inline]
    pub(crate) fn has_listed(&self) -> bool {
        self.first != NONE
    }

    /// Says that visits go up to those that are on the list now; who joins later waits for the next turn. What they were fed becomes
    /// what was found for them, and so does what is always ready at their file.
    pub(crate) fn begin_turn(&mut self) {
        self.end = self.last;
        self.cursor = NONE;
        let mut index = self.first;
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
        self.cursor = if self.end == NONE { NONE } else { self.first };
    }

    /// The next one of the visit. It may be removed, and others may be, before the next call.
    pub(crate) fn visit(&mut self) -> Option<u32> {
        let index = self.cursor;
        let watcher = self.slab.get(index)?;
        self.cursor = if index == self.end {
            NONE
        } else {
            watcher.next
        };
        Some(index)
    }

    /// Sets or clears the keep-alive of a watcher.
    pub(crate) fn set_reference(&mut self, token: Token, holds: bool) -> Result<()> {
        let watcher = self.slab.check_mut(token)?;
        if (watcher.flags & UNREF == 0) != holds {
            watcher.flags ^= UNREF;
            self.referenced = if holds {
                self.referenced + 1
            } else {
                self.referenced - 1
            };
        }
        Ok(())
    }

    /// Where the buckets are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [u32] {
        core::ptr::from_ref(&*self.buckets)
    }

    /// Whether each bucket's chain ends, and holds live watchers of its own. How many watchers
    /// stand in all of them together.
    fn chained(&self) -> Option<u32> {
        let mut seen = 0;
        for (bucket, &first) in self.buckets.iter().enumerate() {
            let mut index = first;
            while let Some(watcher) = self.slab.get(index) {
                seen += 1;
                let is_raised = watcher.flags & RAISED != 0;
                if seen > self.slab.capacity()
                    || self.bucket(watcher.fd) != bucket
                    || !watcher.is_live()
                    || is_raised != (watcher.fd < 0)
                    || (watcher.fd <= HOOKS && self.hook(index).is_none())
                    || (watcher.flags & REASONS != 0) != (watcher.flags & LISTED != 0)
                {
                    return None;
                }
                index = watcher.chain;
            }
            if index != NONE {
                return None;
            }
        }
        Some(seen)
    }

    /// Whether chains, list and counts agree with each other. For `verify`: O(n), and whatever
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
            prioritised += u32::from(watcher.level() != 1);
            referenced += u32::from(watcher.flags & UNREF == 0);
            flagged += u32::from(watcher.flags & LISTED != 0);
        }
        let (mut listed, mut index, mut previous) = (0, self.first, NONE);
        let (mut has_cursor, mut has_end) = (self.cursor == NONE, self.end == NONE);
        while let Some(watcher) = self.slab.get(index) {
            listed += 1;
            has_cursor |= self.cursor == index;
            has_end |= self.end == index;
            if watcher.previous != previous || watcher.flags & LISTED == 0 || listed > flagged {
                return false;
            }
            previous = index;
            index = watcher.next;
        }
        self.slab.is_sound()
            && (index, previous) == (NONE, self.last)
            && has_cursor
            && has_end
            && listed == flagged
            && (shared, prioritised, referenced) == (self.shared, self.prioritised, self.referenced)
    }
}
