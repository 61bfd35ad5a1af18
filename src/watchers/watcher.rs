//! One watcher: a slot of the table, and its flags.

use static_assertions::const_assert_eq;

use crate::backend::{NOT_IN_SET, Source};
use crate::callback::Callback;
use crate::ready::{Interest, Ready, fold, mask_of};
use crate::slab::Slot;
use crate::token::Token;

/// One watcher. 48 bytes where pointers have eight.
pub(crate) struct Watcher {
    pub(crate) callback: Callback,
    pub(super) generation: u32,
    pub(crate) fd: i32,
    /// The next one in the bucket, or of the free chain.
    pub(super) chain: u32,
    /// Of a head: the id by which the backend knows its entry. `NOT_IN_SET` for all other
    /// watchers: where events carry the id, it tells those of an entry that is no longer in use.
    pub(crate) backend_id: u32,
    pub(crate) next: u32,
    pub(super) previous: u32,
    /// What it asked for, the bits of `ASKABLE`; 0 while it is paused.
    pub(crate) interest: u8,
    /// The bits that need a closer look if they are found: those it did not ask for, or all if it
    /// is oneshot. The sign stands for all higher bits.
    pub(super) special: i8,
    /// What was found for it in this turn and not yet handed over, folded into a byte.
    pub(crate) found: u8,
    /// What is to be reported in the next turn as if it had been found.
    pub(crate) fed: u8,
    /// Of a head: what the backend was asked for, [`RESTS`], or 0 if the fd is not in the backend's
    /// set; with [`KERNEL_UNKNOWN`], [`HUNG_UP`] and [`ARMED_AGAIN`]. Of a hook, when it is called.
    pub(crate) kernel: u16,
    pub(crate) flags: u16,
}

#[cfg(target_pointer_width = "64")]
const_assert_eq!(size_of::<Watcher>(), 48);
#[cfg(target_pointer_width = "32")]
const_assert_eq!(size_of::<Watcher>(), 40);

/// The options of [`Interest`], as they were given.
pub(super) const fn option(interest: Interest) -> u16 {
    (interest.bits() >> 16) as u16
}
pub(crate) const EDGE: u16 = option(Interest::EDGE);
pub(crate) const ONESHOT: u16 = option(Interest::ONESHOT);
pub(crate) const EXCLUSIVE: u16 = option(Interest::EXCLUSIVE);
pub(crate) const HIGH: u16 = option(Interest::HIGH);
pub(crate) const LOW: u16 = option(Interest::LOW);
/// The priority of a watcher that is neither `HIGH` nor `LOW`.
pub(crate) const NORMAL: u16 = 0;
pub(crate) const UNREF: u16 = option(Interest::UNREF);
/// Of a head whose fd is in the backend's set: the next event disarms the entry, or has disarmed it
/// since the last wait.
pub(crate) const DISARMS: u16 = 0x0080;
/// First of its fd.
pub(crate) const HEAD: u16 = 0x0100;
/// On the pending list, for one or more of the next four reasons.
pub(super) const QUEUED: u16 = 0x0200;
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
pub(super) const REASONS: u16 = DIRTY | FED | ALWAYS | FOUND;
/// In `kernel`: differs from every interest, so that the next change reaches the kernel.
pub(crate) const KERNEL_UNKNOWN: u16 = 0x8000;
/// In `kernel`: the fd is in the backend's set, but its entry is disarmed, or is paused and will be
/// disarmed by its next event.
pub(crate) const RESTS: u16 = 0x4000;
/// In `kernel`: an error or a hang-up was reported since the entry was last changed. Disarming the
/// entry would report it once more.
pub(crate) const HUNG_UP: u16 = 0x2000;
/// In `kernel`: after the last event that disarmed the entry, it was armed again before the next
/// wait.
pub(crate) const ARMED_AGAIN: u16 = 0x1000;

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

    /// True if the watcher can be called with `found` as it is: no error, no hang-up, nothing that
    /// it did not ask for, and it is not oneshot.
    #[inline]
    pub(crate) fn is_direct(&self, found: u32) -> bool {
        found & self.special as u32 == 0
    }

    /// Changes what it waits for: the bits of `ASKABLE`. Not for a oneshot watcher, nor for one
    /// that is lost.
    #[inline]
    pub(crate) fn set_interest(&mut self, interest: u32) {
        (self.interest, self.special) = (interest as u8, !interest as i8);
    }

    /// The same for any watcher.
    pub(crate) fn set_any_interest(&mut self, interest: u32) {
        self.set_interest(interest);
        if self.flags & ONESHOT != 0 {
            self.mark_special();
        }
        if self.flags & LOST != 0 {
            // Armed again: that it was lost is old news.
            self.flags &= !LOST;
            self.found &= !fold(Ready::INVALID.bits());
            self.fed &= !fold(Ready::INVALID.bits());
        }
    }

    /// Each event of it needs more than a look at its interest.
    #[cold]
    pub(super) fn mark_special(&mut self) {
        self.special = -1;
    }

    /// Of a head: sets or clears `DISARMS`.
    #[inline]
    pub(crate) fn set_disarms(&mut self, disarms: bool) {
        self.flags = self.flags & !DISARMS | if disarms { DISARMS } else { 0 };
    }

    /// Of a head: notes that the fd has left the backend's set.
    pub(crate) fn leave_set(&mut self) {
        (self.kernel, self.backend_id) = (0, NOT_IN_SET);
        self.set_disarms(false);
    }

    /// It listens to nothing until it is modified.
    pub(crate) fn pause(&mut self) {
        self.set_interest(0);
    }

    /// What it asks for, with its options.
    #[inline]
    pub(crate) fn asked(&self) -> Interest {
        Interest::from_bits_truncate(u32::from(self.interest) | u32::from(self.flags) << 16)
    }

    /// What it listens to: 0 while it is paused.
    #[inline(always)]
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
            backend_id: self.backend_id,
            disarms: false,
        }
    }

    /// Unlinks the watcher from the drained list. Returns the next of that list, and the flags
    /// before. `DIRTY` is cleared: the caller handles it now. For other reasons the caller queues
    /// the watcher again.
    #[inline]
    pub(crate) fn leave_pending(&mut self) -> (u32, u16) {
        let flags = self.flags;
        self.flags = flags & !(QUEUED | DIRTY);
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

    /// `HIGH`, `NORMAL` or `LOW`.
    pub(crate) fn priority(&self) -> u16 {
        self.flags & (HIGH | LOW)
    }
}
