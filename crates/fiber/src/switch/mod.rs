//! The switch from one stack to another.
//!
//! Each machine has a file with the same three items:
//!
//! - `switch(save, to)` stores the registers that a function must preserve on the stack it leaves,
//!   stores that stack's pointer in `*save`, and continues on the stack that `to` points into.
//! - `prepare(top, main, argument)` lays out a new stack below `top`, so that a switch to the
//!   result calls `main(argument)`.
//! - `is_supported()` tells whether that works in this process.
//!
//! The control words of floating point (rounding mode, exception masks) are not switched: a fiber
//! that changes them changes them back before it waits.
//!
//! A switch ends with an indirect jump where that is cheaper than a return: the processor predicts
//! returns by the calls it has seen, and those were made on another stack. On x86-64 there and back
//! takes 10 ns with the jump and 32 ns with the return.
//!
//! Every file carries call frame information for its pushes and pops, because naked functions have
//! none of their own, and marks the first frame of a stack as the last of a backtrace.

#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
#[cfg_attr(target_arch = "arm", path = "arm.rs")]
#[cfg_attr(target_arch = "riscv64", path = "riscv64.rs")]
#[cfg_attr(target_arch = "s390x", path = "s390x.rs")]
#[cfg_attr(target_arch = "x86", path = "x86.rs")]
#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(
    not(any(
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "riscv64",
        target_arch = "s390x",
        target_arch = "x86",
        target_arch = "x86_64"
    )),
    path = "other.rs"
)]
mod machine;

pub use machine::{is_supported, prepare, switch};

/// What a new stack runs. Never returns.
pub type Main = unsafe extern "C" fn(argument: usize) -> !;

#[cfg(all(test, not(miri)))]
mod tests;
