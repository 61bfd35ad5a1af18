//! A layer above the core of pirn: fibers, functions with a stack of their own that wait wherever
//! they like.
//!
//! - `switch`: from one stack to another, for each machine.
//! - `stack`: the memory of a stack, its canary, filling and guard page.
//! - `fiber`: the life of a fiber: start, run, cancel, join, end.
//! - `caller`: the one who calls and waits, a fiber or the program itself.
//! - `info`: what is known of a fiber.
//! - `scope`: time limits for a part of a fiber.
//! - `group`, `pool`: many fibers.
//! - `io`: reading, writing, accepting and connecting as if these blocked.
//! - `sys`: every system call of the layer.
//! - `hooks`: what sanitizers and valgrind must be told.
//! - `safe`: the same for Rust programs, without `unsafe`. Begin there: [`run`].
//! - `ffi`: the C functions, with the feature `export`. What they promise is written there.
//!
//! A fiber runs inside a callback of its loop: whoever resumes it is on the loop's stack, and it
//! comes back there when it waits. So all that docs/TURN.md says of callbacks holds for it, and no
//! other fiber runs between two waits.

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
