//! A layer above the core of pirn: what all programs that wait have in common, whoever they are and
//! whatever they wait for.
//!
//! ```text
//! fibers          stackless coroutines          callbacks       who continues when a wait is over
//!    \                     |                        /
//!     +-------------- pirn_waiter -----------------+            one node, in the memory of who
//!     waits
//!                          |
//!     ports, parking, and the objects of pirn/sync.h            what can be waited for
//!                          |
//!                      pirn_hub                                 ready list and deadlines of a loop
//! ```
//!
//! - `list`: waiters in a row, linked through themselves.
//! - `deadlines`: the waiters that have a time limit, ordered by it, linked through themselves.
//! - `held`: what a waiter owns and passes on when it ends.
//! - `kind`: what an object does about its waiters.
//! - `waiter`: how a wait begins, and the ways in which it ends.
//! - `park`: a wait for nothing but a call.
//! - `remote`: what other threads push.
//! - `hub`: calls the waiters whose wait is over, from the loop.
//! - `port`: an fd, and those who wait for it.
//! - `ffi`: the C functions, with the feature `export`. What they promise is written there.
//! - `functions`: the same functions, declared: the layers above call them by these.
//! - `safe`: for Rust programs, with the feature `safe`: hubs, waits as futures, and wakers.
//!
//! The layer knows the core only by its C interface, through the crate `pirn-abi`. All memory is
//! the caller's, and what stands in it is only ever borrowed shared: the fields are `Cell`s.

#![no_std]
#![allow(non_camel_case_types)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what C asks of pointers holds for all"
)]
// What only the C functions use is left over without them.
#![cfg_attr(not(feature = "export"), allow(dead_code))]
// Loom's atomics are no plain words, and no C program sees them.
#![cfg_attr(loom, allow(improper_ctypes, improper_ctypes_definitions))]

#[cfg(test)]
extern crate std;

#[cfg(feature = "artifact")]
use pirn_artifact as _;

mod deadlines;
mod errno;
#[cfg(feature = "export")]
pub mod ffi;
#[rustfmt::skip]
pub mod functions;
mod held;
mod hub;
mod kind;
mod list;
mod park;
mod port;
mod remote;
#[cfg(feature = "safe")]
mod safe;
mod waiter;

pub use errno::*;
pub use held::*;
pub use hub::*;
pub use kind::*;
pub use list::pirn_waiters;
pub use park::*;
pub use port::*;
pub use remote::{pirn_remote, pirn_remote_fn, pirn_remotes};
#[cfg(feature = "safe")]
pub use safe::*;
pub use waiter::*;
