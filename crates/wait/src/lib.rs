//! A layer above the core of pirn: what all programs that wait have in common, whoever they are and
//! whatever they wait for.
//!
//! ```text
//! fibers          stackless coroutines          callbacks          who continues
//!    \                     |                        /
//!     +-------------- pirn_waiter -----------------+               one node, in the memory of who waits
//!                          |
//!     ports, parking, and the objects of pirn/sync.h               what can be waited for
//!                          |
//!                      pirn_hub                                    the ready list and the deadlines of a loop
//! ```
//!
//! - `list`: waiters in a row, linked through themselves.
//! - `deadlines`: the waiters that have a time limit, ordered by it, linked through themselves.
//! - `waiter`: one who waits: how a wait begins, and the three ways in which it ends.
//! - `hub`: calls the waiters whose wait is over, from the loop.
//! - `port`: an fd, and who waits for it.
//!
//! The layer knows the core only by its C interface, through the crate `pirn-abi`. All memory is the
//! caller's, and what stands in it is only ever borrowed shared: the fields are `Cell`s.

#![no_std]
#![allow(non_camel_case_types)]

mod deadlines;
mod errno;
pub mod functions;
mod hub;
mod list;
mod port;
mod waiter;

pub use errno::*;
pub use hub::*;
pub use list::pirn_waiters;
pub use port::*;
pub use waiter::*;
