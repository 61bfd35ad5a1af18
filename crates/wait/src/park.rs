//! Parking: a wait that only `pirn_waiter_wake`, time and cancellation end.

use core::ffi::c_int;
use core::ptr::{NonNull, null_mut};

use crate::errno::ENOENT;
use crate::hub::pirn_hub;
use crate::kind::pirn_wait_kind;
use crate::state::WAITING;
use crate::waiter::pirn_waiter;

/// What a waiter waits for: `pirn_waiter_wake`.
pub const PIRN_FOR_WAKE: u32 = 1u32;

static PARKED: pirn_wait_kind = pirn_wait_kind::plain(PIRN_FOR_WAKE);

impl pirn_waiter {
    /// Parks the waiter: only `wake_parked`, time and cancellation end the wait.
    pub(crate) fn park(&self, timeout_ns: u64) -> c_int {
        self.begin(None, NonNull::from(&PARKED), null_mut(), 0, timeout_ns)
    }

    /// Ends the wait of a parked waiter. -ENOENT: it is not parked.
    pub(crate) fn wake_parked(&self, hub: &pirn_hub, result: c_int) -> c_int {
        let is_parked = self.kind().is_some_and(|kind| kind.number == PIRN_FOR_WAKE);
        if !self.is(WAITING) || !is_parked {
            return -ENOENT;
        }
        self.end(hub, result);
        0
    }
}
