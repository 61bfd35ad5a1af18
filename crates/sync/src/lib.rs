//! A layer above the core of pirn: objects that programs wait for, and by which they work together.
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
//! `arrivals` has the items that other threads put.
//!
//! All objects work alike. A function that ends in `_start` first tries. If it has to wait, it
//! adds the waiter to a list of the object. Whatever changes the object calls its `serve`, the
//! only function that grants: it gives to the waiters at the front of the list what there is, in
//! order, before they run. So nobody overtakes, and nobody is woken to find that somebody else was
//! faster.
//!
//! The rules of every wait are in the crate `pirn-wait`, through whose C functions this layer
//! waits. All memory is the caller's, and is only ever borrowed shared: the fields are `Cell`s.

#![no_std]
#![allow(non_camel_case_types)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what C asks of pointers holds for all"
)]

#[cfg(feature = "artifact")]
use pirn_artifact as _;

mod arrivals;
mod barrier;
mod condition;
mod event;
mod mutex;
mod queue;
mod semaphore;
mod storage;

pub use arrivals::*;
pub use barrier::*;
pub use condition::*;
pub use event::*;
pub use mutex::*;
pub use queue::*;
pub use semaphore::*;
pub use storage::*;
