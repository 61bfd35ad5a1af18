#![cfg_attr(panic = "abort", no_std)]
//! The artifact: `libpirn.a` and `libpirn.so` for C programs.
//!
//! This is a separate crate, because a no_std library needs a panic handler, which cannot be in the
//! same crate as tests that link std. It exports the functions of the main crate's `ffi` and no
//! others.
//!
//! Build it with the release profile, in which panics abort. The other profiles unwind, which the
//! tests need and which needs std: with them this crate is only checked by tools.

pub use pirn_core::ffi::*;

// For cargo-c. Otherwise capi/archive.sh adds the layers, each as a separate object.
#[cfg(feature = "capi")]
pub use {
    pirn_fiber as fiber, pirn_os as os, pirn_sync as sync, pirn_wait as wait, pirn_work as work,
};

// Names nothing of it, but has it linked.
use pirn_artifact as _;
