//! Parking: a wait for nothing but `pirn_waiter_wake`.

use core::ffi::c_int;
use core::ptr::{NonNull, null_mut};

use crate::errno::ENOENT;
use crate::hub::pirn_hub;
use crate::kind::pirn_wait_kind;
use crate::waiter::{WAITING, pirn_waiter};

/// What is waited for: nothing but `pirn_waiter_wake`.
pub const PIRN_FOR_WAKE: u32 = 1u32;

static PARKED: pirn_wait_kind = pirn_wait_kind::plain(PIRN_FOR_WAKE);

impl pirn_waiter {
    /// Parks the waiter: nothing but `wake_parked`, time and cancellation ends the wait.
    pub(crate) fn park(&self, timeout_ns: u64) -> c_int {
        self.begin(None, NonNull::from(&PARKED), null_mut(), 0, timeout_ns)
    }

    /// Ends the wait of a waiter that is parked.
    pub(crate) fn wake_parked(&self, hub: &pirn_hub, result: c_int) -> c_int {
        let is_parked = self.kind().is_some_and(|kind| kind.number == PIRN_FOR_WAKE);
        if !self.is(WAITING) || !is_parked {
            return -ENOENT;
        }
        self.end(hub, result);
        0
    }
}
