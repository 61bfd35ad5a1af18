//! One timer's slot.

use static_assertions::const_assert_eq;

use crate::callback::Callback;
use crate::room::Room;
use crate::slab::Slot;
use crate::time::{Duration, Instant};

/// The part of a timer that is touched to push, sort and stop it. It has 32 bytes, so that two
/// share a line of the cache: what a timer is called with is kept apart, in [`TimerDetails`].
///
/// Most timers have no slack, so the effective deadline is not stored but computed where it is
/// needed.
#[repr(C)]
pub(crate) struct TimerSlot {
    /// The deadline as it was asked for; a periodic timer's grid is counted from it, so that slack
    /// adds up to no drift.
    pub(super) deadline: Instant,
    /// When the timer was last armed, counted in armings. It has 64 bits, so it never wraps around.
    pub(super) sequence: u64,
    generation: u32,
    /// The next timer in its list, `NONE` at the end; the slab's link while the slot is free.
    pub(super) next: u32,
    /// The timer before it in its list. Not meaningful for the first one.
    pub(super) prev: u32,
    /// The bucket in whose list the timer is, or `DUE`.
    pub(super) bucket: u16,
    /// The timer fires at a multiple of 2^slack nanoseconds.
    pub(super) slack: u8,
    pub(crate) flags: u8,
}

/// The part of a timer that is needed only when it is started and when it fires.
#[repr(C)]
pub(crate) struct TimerDetails {
    pub(crate) callback: Callback,
    /// 0 for a one-shot timer.
    pub(crate) period: Duration,
}

/// The memory of a timer queue: both parts of every timer, at the same index.
pub(crate) struct TimerTable<'a> {
    pub(crate) slots: Room<'a, TimerSlot>,
    pub(crate) details: Room<'a, TimerDetails>,
}

const_assert_eq!(size_of::<TimerSlot>(), 32);
#[cfg(target_pointer_width = "64")]
const_assert_eq!(size_of::<TimerDetails>(), 24);
#[cfg(target_pointer_width = "32")]
const_assert_eq!(size_of::<TimerDetails>(), 16);

impl TimerSlot {
    /// A slot no timer has used yet.
    #[cfg(test)]
    pub(crate) const fn vacant(seed: u32) -> TimerSlot {
        TimerSlot {
            deadline: Instant(0),
            sequence: 0,
            generation: seed,
            next: 0,
            prev: 0,
            bucket: 0,
            slack: 0,
            flags: 0,
        }
    }

    /// By how much the timer may be late: a power of two, or 0.
    pub(crate) fn slack(&self) -> Duration {
        Duration((1 << (self.slack & 63)) & !1)
    }

    /// The point in time from which the timer may fire.
    #[inline]
    pub(crate) fn effective(&self) -> Instant {
        if self.slack == 0 {
            self.deadline
        } else {
            round_up(self.deadline, self.slack)
        }
    }

    /// The order of firing: by effective deadline, then by arming. One number, so that one
    /// comparison decides.
    #[inline]
    pub(super) fn rank(&self) -> u128 {
        u128::from(self.effective().0) << 64 | u128::from(self.sequence)
    }
}

#[cfg(test)]
impl TimerDetails {
    /// The details of a slot that no timer has used yet.
    pub(crate) const fn vacant() -> TimerDetails {
        TimerDetails {
            callback: Callback {
                function: core::ptr::NonNull::dangling(),
                user: core::ptr::null_mut(),
            },
            period: Duration::ZERO,
        }
    }
}

impl Slot for TimerSlot {
    #[inline]
    fn generation(&self) -> u32 {
        self.generation
    }

    #[inline]
    fn set_generation(&mut self, generation: u32) {
        self.generation = generation;
    }

    #[inline]
    fn link(&self) -> u32 {
        self.next
    }

    #[inline]
    fn set_link(&mut self, link: u32) {
        self.next = link;
    }
}

/// The first multiple of 2^slack that is not before `deadline`; `NEVER` if there is none.
fn round_up(deadline: Instant, slack: u8) -> Instant {
    let below = (1 << (slack & 63)) - 1;
    let sum = deadline.0.checked_add(below);
    sum.map_or(Instant::NEVER, |sum| Instant(sum & !below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounded(deadline: u64, slack: u8) -> u64 {
        round_up(Instant(deadline), slack).0
    }

    #[test]
    fn slack_rounds_up_and_saturates() {
        assert_eq!(rounded(0, 63), 0);
        assert_eq!(rounded(1, 0), 1);
        assert_eq!(rounded(1, 10), 1024);
        assert_eq!(rounded(1024, 10), 1024);
        assert_eq!(rounded(1 << 63, 63), 1 << 63);
        assert_eq!(rounded((1 << 63) + 1, 63), u64::MAX);
        assert_eq!(rounded(u64::MAX - 1, 1), u64::MAX - 1);
        assert_eq!(rounded(u64::MAX, 1), u64::MAX);
    }
}
