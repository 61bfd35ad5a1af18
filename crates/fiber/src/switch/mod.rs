//! The switch from one stack to another.
//!
//! Each machine has a file with the same four items:
//!
//! - `switch(save, to)` stores the registers that a function must preserve on the stack it leaves,
//!   stores that stack's pointer in `*save`, and continues on the stack that `to` points into.
//! - `prepare(top, main, argument)` lays out a new stack below `top`, so that a switch to the
//!   result calls `main(argument)`.
//! - `here()` is the pointer of the stack that it is called on.
//! - `is_supported()` tells whether that works in this process.
//!
//! The control words of floating point (rounding mode, exception masks) are not switched: a fiber
//! that changes them changes them back before it waits.
//!
//! A switch ends with an indirect jump where that is cheaper than a return: the processor predicts
//! returns by the calls it has seen, and those were made on another stack. On x86-64 there and back
//! takes 10 ns with the jump and 32 ns with the return.
//!
//! Under Miri each stack is a thread, so that all but the switch can be checked: see `miri.rs`.
//!
//! Every file carries call frame information for its pushes and pops, as assembly has none of its
//! own, and marks the first frame of a stack as the last of a backtrace.

/// On Cortex-M all code is Thumb, which an address of a function has to say.
#[cfg(all(target_arch = "arm", target_os = "none"))]
#[allow(unused_macros, reason = "not on machines without a switch")]
macro_rules! mode {
    () => {
        ".thumb_func"
    };
}
#[cfg(not(all(target_arch = "arm", target_os = "none")))]
#[allow(unused_macros, reason = "not on machines without a switch")]
macro_rules! mode {
    () => {
        ""
    };
}

/// A function in assembly, which no other object sees.
#[allow(unused_macros, reason = "not on machines without a switch")]
macro_rules! function {
    ($name:literal, $($line:expr),* $(,)?) => {
        core::arch::global_asm!(
            concat!(".pushsection .text.", $name, ",\"ax\",%progbits"),
            ".balign 4",
            concat!(".globl ", $name),
            concat!(".hidden ", $name),
            concat!(".type ", $name, ",%function"),
            mode!(),
            concat!($name, ":"),
            $($line,)*
            concat!(".size ", $name, ", . - ", $name),
            ".popsection",
        );
    };
}
#[cfg_attr(all(not(miri), target_arch = "aarch64"), path = "aarch64.rs")]
#[cfg_attr(all(not(miri), target_arch = "arm"), path = "arm.rs")]
#[cfg_attr(all(not(miri), target_arch = "riscv64"), path = "riscv64.rs")]
#[cfg_attr(all(not(miri), target_arch = "s390x"), path = "s390x.rs")]
#[cfg_attr(all(not(miri), target_arch = "x86"), path = "x86.rs")]
#[cfg_attr(all(not(miri), target_arch = "x86_64"), path = "x86_64.rs")]
#[cfg_attr(
    all(
        not(miri),
        not(any(
            target_arch = "aarch64",
            target_arch = "arm",
            target_arch = "riscv64",
            target_arch = "s390x",
            target_arch = "x86",
            target_arch = "x86_64"
        ))
    ),
    path = "other.rs"
)]
#[cfg_attr(miri, path = "miri.rs")]
mod machine;

pub use machine::{here, is_supported, prepare, switch};

/// What a new stack runs. Never returns.
pub type Main = unsafe extern "C" fn(argument: usize) -> !;

#[cfg(all(test, not(miri)))]
mod tests;
