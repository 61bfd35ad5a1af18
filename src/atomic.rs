//! Atomics: the only module from which the crate takes atomic types.
//!
//! An interleaving that loses a wake-up appears once in a billion runs of a stress test and never
//! under a debugger. So the code is also tested under loom, which executes a test once for every
//! order of its atomic operations that the memory model allows. For this the code must use loom's
//! atomics in place of the processor's: with `--cfg loom` this module exports those. No other file
//! names `core::sync::atomic` or loom.
//!
//! No type is wider than a pointer, because 32-bit machines have no 64-bit atomics. Loom treats
//! `SeqCst` on a single access as `AcqRel`, and supports sequential consistency only by
//! `fence(SeqCst)`: code that needs it must use a fence.

#[cfg(not(loom))]
use core::sync::atomic;
#[cfg(loom)]
use loom::sync::atomic;

#[allow(
    unused_imports,
    reason = "one list for the whole crate; no single build needs to use all of it"
)]
pub(crate) use atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Ordering, fence};
