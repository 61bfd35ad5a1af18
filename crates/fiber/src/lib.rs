//! A layer above the core of pirn: fibers, functions with a stack of their own that wait wherever they
//! like.
//!
//! - `switch`: from one stack to another, for each machine.
//! - `fiber`: the life of a fiber: start, wait, join, cancel, end.
//! - `io`: reading, writing, accepting and connecting as if these blocked.
//!
//! A fiber runs inside a callback of its loop: whoever resumes it is on the loop's stack, and it comes
//! back there when it waits. So all that docs/TURN.md says of callbacks holds for it, and no other fiber
//! runs between two waits.

#![no_std]
#![allow(non_camel_case_types)]

#[cfg(test)]
extern crate std;

mod fiber;
#[cfg(target_os = "linux")]
mod io;
pub mod switch;

pub use fiber::*;
#[cfg(target_os = "linux")]
pub use io::*;
