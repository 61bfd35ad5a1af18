//! The objects for Rust programs, without `unsafe`, for tasks and for fibers.
//!
//! A function that waits returns a [`Wait`](pirn_wait::Wait). A task awaits it, a fiber passes it
//! to `pirn_fiber::Hub::wait`, and with `try_now` nobody waits. It can be given a time limit
//! (`within`), and one that is dropped leaves all others as if it had never come.
//!
//! ```text
//! let rooms = pin!(Semaphore::new(hub, 4));
//! let rooms = rooms.as_ref();
//!
//! let room = rooms.acquire(1).await?;                         // in a task
//! let room = hub.wait(rooms.acquire(1), None)?;               // in a fiber
//! let room = rooms.acquire(1).try_now()?;                     // anywhere
//! ```
//!
//! Objects are pinned: their waiters are in lists of the object, which therefore must not move.

mod barrier;
mod condition;
mod event;
mod mutex;
mod queue;
mod semaphore;

pub use barrier::{Barrier, BarrierWait};
pub use condition::{Condition, Notified};
pub use event::{Event, EventWait};
pub use mutex::{Guard, Lock, Mutex};
pub use queue::{Get, Join, Order, Put, Queue, Rejected};
pub use semaphore::{Acquire, Permit, Semaphore};

use core::ffi::c_int;

use pirn_wait::{Result, result};

fn done(status: c_int) -> Result<()> {
    result(status as isize).map(|_| ())
}
