//! A layer above the core of pirn: waiting. Callbacks, coroutines and fibers wait by the same
//! waiters, whatever they wait for.
//!
//! ```text
//! fibers        stackless coroutines        callbacks     continue when a wait is over
//!    \                   |                      /
//!     +------------ pirn_waiter ---------------+          a struct of the program that waits
//!                        |
//!   ports, parking, and the objects of pirn/sync.h        can be waited for
//!                        |
//!                    pirn_hub                             has the loop's ready list and deadlines
//! ```
//!
//! - `list`: lists of waiters.
//! - `deadlines`: the heap of the waiters that have a time limit.
//! - `held`: the objects that a waiter owns and passes on when it ends.
//! - `kind`: the functions that an object has for its waiters.
//! - `state`: the state of a waiter, and its flags.
//! - `waiter`: how a wait begins, and the ways in which it ends.
//! - `park`: a wait that only `pirn_waiter_wake` ends.
//! - `remote`: notifications from other threads.
//! - `hub`: calls the waiters whose wait is over, from the loop.
//! - `port`: an fd, and the waiters for it.
//! - `sys`: what the layer asks of the system itself.
//! - `ffi`: the C functions, with the feature `export`. Their contracts are written there.
//! - `functions`: declarations of the same functions, for the layers above.
//! - `safe`: for Rust programs, with the feature `safe`: hubs, waits as futures, and wakers.
//!
//! The layer calls the core only by its C interface, through the crate `pirn-abi`. All memory is
//! the caller's. It is only ever borrowed shared: the fields are `Cell`s.

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
mod state;
mod sys;
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
