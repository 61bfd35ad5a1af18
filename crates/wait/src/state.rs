//! The state of a waiter, and its flags.

use crate::waiter::pirn_waiter;

/// In no list: no wait is in progress.
pub(crate) const IDLE: u32 = 0;
/// In an object's list, or in none if it is parked.
pub(crate) const WAITING: u32 = 1;
/// In the hub's list: the wait is over, and `wake` was not called yet.
pub(crate) const WOKEN: u32 = 2;
/// `wake` was called, and the result is still to be taken. For deferred waiters only.
pub(crate) const TOLD: u32 = 3;
/// The bits of these four.
pub(crate) const STATE: u32 = 3;
/// Every wait with a time limit other than 0 ends at once with -ECANCELED.
pub(crate) const CANCELLED: u32 = 0x4;
/// The waiter was initialised: it has a hub.
pub(crate) const PREPARED: u32 = 0x8;
/// The bits that say whether a wait may begin: all of one byte, so that it takes one comparison.
pub(crate) const BEGINNING: u32 = 0xff;
/// The waiter keeps its deadline, and its place in the heap, between two waits.
pub(crate) const LAZY: u32 = 0x100;
/// The half of the ready list that the waiter is in: see `half` of [`pirn_hub`].
pub(crate) const LATER: u32 = 0x200;
/// The wait that is over was granted.
pub(crate) const GRANTED: u32 = 0x400;
/// The waiter's time limits do not keep the loop going.
pub(crate) const UNREF: u32 = 0x800;
/// Its owner takes the result of a wait by `take`, and until then a grant can be undone.
pub(crate) const DEFERRED: u32 = 0x1000;
/// The wait has a deadline, which ends with it.
pub(crate) const LIMITED: u32 = 0x2000;
/// The waiter is lazy and has a deadline, which it keeps until it waits without one.
pub(crate) const KEPT: u32 = 0x4000;
/// The flags that outlast a wait.
const LASTING: u32 = CANCELLED | PREPARED | LAZY | UNREF | DEFERRED | LIMITED | KEPT;

impl pirn_waiter {
    /// True if the waiter is in this state.
    #[inline]
    pub(crate) fn is(&self, state: u32) -> bool {
        self.state.get() & STATE == state
    }

    /// Changes the state, and with it `GRANTED` and `LATER`. Returns it with all flags.
    #[inline]
    pub(crate) fn set(&self, state: u32) -> u32 {
        let state = self.state.get() & LASTING | state;
        self.state.set(state);
        state
    }

    /// Sets or clears a flag.
    pub(crate) fn flag(&self, flag: u32, is_set: bool) {
        let rest = self.state.get() & !flag;
        self.state.set(if is_set { rest | flag } else { rest });
    }

    /// True if a flag is set, or one of several.
    #[inline]
    pub(crate) fn has(&self, flag: u32) -> bool {
        self.state.get() & flag != 0
    }

    /// True if the waiter is in this half of the ready list.
    #[inline]
    pub(crate) fn is_in_half(&self, half: u32) -> bool {
        (self.state.get() ^ half) & LATER == 0
    }
}
