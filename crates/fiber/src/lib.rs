//! A layer above the core of pirn: fibers. A fiber is a function that has a stack of its own, so
//! that it can wait anywhere, also inside functions that it calls.
//!
//! - `switch`: the switch from one stack to another, for each machine.
//! - `stack`: the memory of a stack, its canary, filling and guard page.
//! - `fiber`: the life of a fiber: start, run, cancel, join, end.
//! - `caller`: the waiter of the caller, and how a fiber or the main program waits.
//! - `info`: what is known of a fiber.
//! - `scope`: time limits for a part of a fiber.
//! - `group`, `pool`: many fibers.
//! - `io`: read, write, accept and connect, which seem to block.
//! - `sys`: every system call of the layer.
//! - `hooks`: functions that tell sanitizers and valgrind about stacks.
//! - `safe`: fibers for Rust programs, without `unsafe`. Begin there: [`run`].
//! - `ffi`: the C functions, with the feature `export`. Their contracts are written there.
//!
//! A fiber runs inside a callback of its loop: it is resumed on the loop's stack, and when it waits
//! it switches back there, or to the next fiber that is ready in the same callback. So what
//! docs/TURN.md says about callbacks holds for fibers, and no other fiber runs between two waits.

#![no_std]
#![allow(non_camel_case_types)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what C asks of pointers holds for all"
)]
// What only the C functions use is left over without them.
#![cfg_attr(not(feature = "export"), allow(dead_code, unused_imports))]

#[cfg(any(test, miri))]
extern crate std;

#[cfg(feature = "artifact")]
use pirn_artifact as _;

mod caller;
#[cfg(feature = "export")]
pub mod ffi;
mod fiber;
mod group;
mod hooks;
mod info;
#[cfg(target_os = "linux")]
mod io;
mod pool;
#[cfg(all(feature = "safe", target_os = "linux"))]
mod safe;
mod scope;
mod stack;
pub mod switch;
mod sys;

pub use fiber::*;
pub use group::*;
pub use hooks::*;
pub use info::*;
pub use pool::*;
#[cfg(all(feature = "safe", target_os = "linux"))]
pub use safe::*;
pub use scope::*;
