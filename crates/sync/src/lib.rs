//! A layer above the core of pirn: objects that programs wait for.
//!
//! | module | object | what ends a wait |
//! |---|---|---|
//! | `event` | `pirn_event` | it is set |
//! | `mutex` | `pirn_mutex` | the lock is handed over |
//! | `semaphore` | `pirn_semaphore` | the units are handed over |
//! | `condition` | `pirn_condition` | a notification, and then the lock |
//! | `barrier` | `pirn_barrier` | the last party arrives |
//! | `queue` | `pirn_queue` | there is an item, or room for one, or everything is done |
//!
//! `storage` keeps the items of a queue, in one of three orders or linked through themselves.
//! `arrivals` has the items that other threads have put.
//!
//! `safe` has the same objects for Rust programs, without `unsafe`, with the feature of that name:
//! [`Event`], [`Mutex`], [`Semaphore`], [`Condition`], [`Barrier`], [`Queue`]. Begin there.
//!
//! All objects work alike. A function whose name ends in `_start` first tries. If it has to wait,
//! it adds the waiter to a list of the object. Every function that changes the object calls its
//! `serve`, the only function that grants. `serve` gives the waiters at the front of the list what
//! there is, in order, before they run. So no waiter overtakes another, and no waiter is woken in
//! vain.
//!
//! The rules of every wait are in the crate `pirn-wait`. This layer calls its C functions. All
//! memory is the caller's. It is only ever borrowed shared: the fields are `Cell`s.

#![no_std]
#![allow(non_camel_case_types)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what C asks of pointers holds for all"
)]

#[cfg(all(test, loom))]
extern crate std;

#[cfg(feature = "artifact")]
use pirn_artifact as _;
use pirn_wait::functions::pirn_waiter_grant;
use pirn_wait::pirn_waiters;

mod arrivals;
mod barrier;
mod condition;
mod event;
mod mutex;
mod queue;
#[cfg(feature = "safe")]
mod safe;
mod semaphore;
mod storage;

pub use arrivals::*;
pub use barrier::*;
pub use condition::*;
pub use event::*;
pub use mutex::*;
pub use queue::*;
#[cfg(feature = "safe")]
pub use safe::*;
pub use semaphore::*;
pub use storage::*;

/// Ends the waits of all in a list with one result.
#[inline(never)]
#[allow(unsafe_code, reason = "a C function is called")]
pub(crate) fn end_all(waiters: &pirn_waiters, result: core::ffi::c_int) {
    while let Some(waiter) = waiters.first() {
        // SAFETY: it is in the list, so it waits.
        unsafe { pirn_waiter_grant(waiter, result) };
    }
}
