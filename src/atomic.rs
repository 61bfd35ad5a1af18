//! Atomics: the one door through which every atomic of the crate comes in.
//!
//! An interleaving that loses a wake-up shows once in a billion runs of a stress test and never
//! under a debugger. So what ships is also run under loom, which executes a test once for every
//! order of its atomic operations that the memory model allows. For that loom's atomics have to
//! stand where the processor's stood: with `--cfg loom` this module hands out those, and no other
//! file names `core::sync::atomic` or loom.
//!
//! Nothing wider than a pointer is in the list, since 32-bit callbacks have no 64-bit atomics. Loom
//! treats `SeqCst` on a single access as `AcqRel`, and knows sequential consistency only as
//! `fence(SeqCst)`: code that needs it says so with a fence.

#[cfg(not(loom))]
use core::sync::atomic;
#[cfg(loom)]
use loom::sync::atomic;

#[allow(
    unused_imports,
    reason = "one list for the whole crate; no single build needs to use all of it"
)]
pub(crate) use atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};
