//! The functions that an object has for its waiters.

use core::ffi::c_int;

use crate::waiter::pirn_waiter;

/// Flag of a kind: a time limit ends the wait only after the loop has asked the kernel once more,
/// so that what has arrived wins over the clock.
pub const PIRN_WAIT_LATE: u32 = 1u32 << 0;
/// Flag of a kind: neither cancellation nor time ends the wait.
pub const PIRN_WAIT_FIRM: u32 = 1u32 << 1;

/// The functions that an object has for its waiters. For objects of your own: see "Building
/// objects".
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_wait_kind {
    /// The number of the kind, as `pirn_fiber_info` reports it: `PIRN_FOR_PORT` and so on.
    pub number: u32,
    /// `PIRN_WAIT_LATE`, `PIRN_WAIT_FIRM`, or 0.
    pub flags: u32,
    /// Called when time or cancellation is about to end a wait. Return 0 to let the wait end with
    /// `result`. Return 1 to keep the waiter waiting: the function has then moved it to another
    /// list (`pirn_waiter_move`). May be NULL.
    pub quit: Option<unsafe extern "C" fn(waiter: *mut pirn_waiter, result: c_int) -> c_int>,
    /// Called when a waiter has left the object's list without a grant. Serve the waiters behind
    /// it. May be NULL.
    pub leave: Option<unsafe extern "C" fn(waiter: *mut pirn_waiter)>,
    /// Called directly before `wake` of a waiter to which `pirn_waiter_grant` has given `result`.
    /// Hand over now what was only reserved until then. Returns the result that `wake` is called
    /// with. May be NULL.
    pub take: Option<unsafe extern "C" fn(waiter: *mut pirn_waiter, result: c_int) -> c_int>,
    /// Called when a waiter to which `pirn_waiter_grant` has given `result` is dropped before its
    /// `wake` was called. Take back what was granted. May be NULL.
    pub undo: Option<unsafe extern "C" fn(waiter: *mut pirn_waiter, result: c_int)>,
}

impl pirn_wait_kind {
    /// A kind without functions.
    pub const fn plain(number: u32) -> pirn_wait_kind {
        pirn_wait_kind {
            number,
            flags: 0,
            quit: None,
            leave: None,
            take: None,
            undo: None,
        }
    }
}
