//! An executor for futures without a heap, on the event loop pirn.
//!
//! ```text
//! static MAIN: Wakers<1> = Wakers::new();
//! static CLIENTS: Wakers<64> = Wakers::new();
//!
//! let mut block = [0; 4096];
//! run(&mut block, Capacity { io: 72, timers: 2, tasks: 4 }, |hub| {
//!     scope(hub, &CLIENTS, &mut Slots::new(), |clients| {
//!         block_on(hub, &MAIN, async {
//!             let task = clients.spawn(serve(hub, client)).unwrap_or_else(|_| panic!("full"));
//!             timeout(hub, Duration::from_secs(5), task).await
//!         })
//!     })
//! })
//! ```
//!
//! - `tasks`: futures that run side by side: [`scope`], [`Tasks`], [`Task`].
//! - `main_task`: the future of the program itself, for which the loop runs: [`block_on`].
//! - `time`: [`sleep`], [`timeout`].
//! - `port`: an fd that tasks wait for: [`Port`].
//!
//! A task may borrow whatever outlives its scope, because the scope drops the futures that are left
//! in it before it returns. All tasks of a loop run on its thread, one at a time, so they share
//! what is in `Cell`s and `RefCell`s. A task that panics aborts the program.
//!
//! The memory of a task is a slot of yours, and its wakers point to a static of yours
//! ([`Wakers`]). So wakers may be kept and used by any thread, signal handler or interrupt, for
//! ever: one whose task has ended wakes nothing.
//!
//! Futures that wait for objects are in the crate `pirn-sync`. Channels, `select!` and `join!` of
//! other crates need nothing but the waker, and work too.

#![no_std]

mod main_task;
mod port;
mod tasks;
mod time;

pub use main_task::block_on;
pub use pirn_wait::{Capacity, Hold, Hub, Result, Wait, Wakers, Yield, run, yield_now};
pub use port::{Port, PortReady};
pub use tasks::{Slots, Task, Tasks, scope};
pub use time::{Pause, Timeout, sleep, timeout};
