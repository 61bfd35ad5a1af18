//! Waiting in Rust programs, without `unsafe`.
//!
//! - `hub`: a loop, and what programs need to wait in it: [`run`] makes both.
//! - `wait`: a wait as a future. Fibers use the same futures, and block.
//! - `turn`: a task that lets the others run: [`yield_now`].
//! - `wakers`: what the wakers of futures point to.

mod hub;
mod turn;
mod wait;
mod wakers;

pub use hub::{Capacity, Hold, Hub, Result, result, run};
pub use turn::{Yield, yield_now};
pub use wait::{Start, Wait};
pub use wakers::{Call, Cell, Claim, Wakers};
