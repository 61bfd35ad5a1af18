//! A slab: slots of one kind in memory lent by the caller, handed out and taken back in O(1).
//!
//! A slot's generation is odd while it is in use and even while it is free, so one comparison tells
//! a live handle from a stale one, and a made-up handle cannot name a free slot. Free slots are
//! chained, the last one freed first out: it is the one still in the cache. A slot is written for
//! the first time when all in front of it are in use.

use crate::error::{Error, Result};
use crate::room::{FilledWithOnes, Room};
use crate::token::Token;

/// No slot: the end of a chain.
pub(crate) const NONE: u32 = u32::MAX;

/// What a slab needs of its slots. The link is the slab's while the slot is free and the owner's
/// while it is in use.
pub(crate) trait Slot {
    fn generation(&self) -> u32;
    fn set_generation(&mut self, generation: u32);
    fn link(&self) -> u32;
    fn set_link(&mut self, link: u32);
}

pub(crate) struct Slab<'a, T> {
    /// The slots that are in use or on the free chain. Others follow when there is no free one.
    slots: Room<'a, T>,
    free: u32,
    used: u32,
    peak: u32,
    /// Where the generations of new slots start: no slot that went with a smaller block was
    /// further.
    fresh: u32,
}

impl<'a, T: Slot + FilledWithOnes> Slab<'a, T> {
    /// Takes over `slots`, all free: none is written before [`make_room`](Self::make_room) needs
    /// it. Their generations are counted from `seed`, which is even.
    pub(crate) fn new(slots: impl Into<Room<'a, T>>, seed: u32) -> Self {
        Slab {
            slots: slots.into(),
            free: NONE,
            used: 0,
            peak: 0,
            fresh: seed,
        }
    }

    /// True if every slot in use is one of the first `count`. O(slots beyond those).
    pub(crate) fn fits(&self, count: usize) -> bool {
        let is_free = |slot: &T| slot.generation() & 1 == 0;
        self.slots.iter().skip(count).all(is_free)
    }

    /// Moves all slots into `slots`, where they [fit](Self::fits): every handle stays what it is, a
    /// stale one too, should its slot go now and come back later. O(slots ever used).
    pub(crate) fn move_to(&mut self, slots: impl Into<Room<'a, T>>) {
        let mut slots = slots.into();
        let kept = self.slots.len().min(slots.capacity());
        // A generation only moves forward, so what it is beyond `fresh` says which is the furthest.
        // The slots that go are free: their generations are even, as `fresh` is.
        let beyond = |slot: &T| slot.generation().wrapping_sub(self.fresh);
        let furthest = self.slots.iter().skip(kept).map(beyond).max();
        self.fresh = self.fresh.wrapping_add(furthest.unwrap_or(0));
        // The free chain as it was, without the slots that go.
        let mut free = core::mem::replace(&mut self.free, NONE);
        let mut last = NONE;
        while let Some(slot) = self.slots.get(free as usize) {
            let (index, next) = (free, slot.link());
            if (index as usize) < kept {
                match self.slots.get_mut(last as usize) {
                    Some(slot) => slot.set_link(index),
                    None => self.free = index,
                }
                last = index;
            }
            free = next;
        }
        if let Some(slot) = self.slots.get_mut(last as usize) {
            slot.set_link(NONE);
        }
        for old in self.slots.iter_mut().take(kept) {
            if let Some(new) = slots.grow() {
                core::mem::swap(new, old);
            }
        }
        self.peak = self.peak.min(slots.capacity() as u32);
        self.slots = slots;
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.slots.capacity() as u32
    }

    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// The most slots that were ever in use at once.
    pub(crate) fn peak(&self) -> u32 {
        self.peak
    }

    /// True if a slot is on the free chain.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.free != NONE
    }

    /// Puts a slot that was never in use on the free chain, if that is empty and there is one.
    #[inline]
    pub(crate) fn make_room(&mut self) {
        if !self.has_room() {
            self.add_slot();
        }
    }

    #[cold]
    #[inline(never)]
    fn add_slot(&mut self) {
        let (index, generation) = (self.slots.len() as u32, self.fresh);
        if let Some(slot) = self.slots.grow() {
            slot.set_generation(generation);
            slot.set_link(NONE);
            self.free = index;
        }
    }

    /// How many slots are in use or on the free chain.
    #[inline]
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// The index of a slot now in use, its fields as they were left, or `ENOSPC` if none is on the
    /// free chain.
    #[inline]
    pub(crate) fn insert(&mut self) -> Result<u32> {
        let index = self.free;
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return Err(Error::ENOSPC);
        };
        self.free = slot.link();
        slot.set_generation(slot.generation().wrapping_add(1));
        self.used += 1;
        // A slot is used for the first time only while all in front of it are in use.
        if index == self.peak {
            self.peak += 1;
        }
        Ok(index)
    }

    /// The slot that the next [`insert`](Self::insert) will take, or `ENOSPC`.
    #[inline]
    pub(crate) fn vacancy(&self) -> Result<u32> {
        if self.free == NONE {
            Err(Error::ENOSPC)
        } else {
            Ok(self.free)
        }
    }

    /// Frees a slot in use: its handles are stale from now on.
    #[inline]
    pub(crate) fn remove(&mut self, index: u32) {
        let free = self.free;
        let Some(slot) = self.slots.get_mut(index as usize) else {
            return;
        };
        debug_assert!(slot.generation() & 1 == 1);
        slot.set_generation(slot.generation().wrapping_add(1));
        slot.set_link(free);
        self.free = index;
        self.used -= 1;
    }

    /// The handle of a slot in use.
    #[inline]
    pub(crate) fn token(&self, index: u32) -> Token {
        Token {
            slot: index,
            generation: self.get(index).map_or(0, Slot::generation),
        }
    }

    /// The slot a handle names, or `ENOENT` if it is stale or made up.
    #[inline]
    pub(crate) fn check(&self, token: Token) -> Result<&T> {
        match self.slots.get(token.slot as usize) {
            Some(slot) if slot.generation() == token.generation && token.generation & 1 == 1 => {
                Ok(slot)
            }
            _ => Err(Error::ENOENT),
        }
    }

    /// As [`check`](Self::check), to change it.
    #[inline]
    pub(crate) fn check_mut(&mut self, token: Token) -> Result<&mut T> {
        match self.slots.get_mut(token.slot as usize) {
            Some(slot) if slot.generation() == token.generation && token.generation & 1 == 1 => {
                Ok(slot)
            }
            _ => Err(Error::ENOENT),
        }
    }

    /// The first slot in use from `index` on.
    pub(crate) fn in_use_from(&self, index: u32) -> Option<Token> {
        (index..self.slots.len() as u32)
            .map(|index| self.token(index))
            .find(|token| token.generation & 1 == 1)
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        self.slots.get(index as usize)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slots.get_mut(index as usize)
    }

    /// Where the slots are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [T] {
        self.slots.place()
    }

    /// Whether every free slot is on the free chain exactly once, and every other one is in use.
    /// For `verify`: O(n).
    pub(crate) fn is_sound(&self) -> bool {
        let mut free = 0;
        let mut index = self.free;
        while let Some(slot) = self.get(index) {
            if slot.generation() & 1 == 1 || free > self.slots.len() {
                return false;
            }
            free += 1;
            index = slot.link();
        }
        index == NONE
            && free.checked_add(self.used as usize) == Some(self.slots.len())
            && self.used <= self.peak
            && self.peak as usize <= self.slots.len()
    }
}
