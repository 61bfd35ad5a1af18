#![cfg_attr(panic = "abort", no_std)]
//! The artifact: `libpirn.a` and `libpirn.so` for C programs.
//!
//! A crate of its own, for a no_std library needs a panic handler, and that cannot share a crate
//! with tests that link std. It adds nothing to what the main crate's `ffi` exports.
//!
//! It is made with the release profile, where panics abort. The other profiles unwind, for the
//! tests' sake, which takes std: there this crate is only looked at by the tools.

pub use pirn_core::ffi::*;

// For cargo-c. Else capi/archive.sh adds the layers, each as an object of its own.
#[cfg(feature = "capi")]
pub use {
    pirn_fiber as fiber, pirn_os as os, pirn_sync as sync, pirn_wait as wait, pirn_work as work,
};

// Names nothing of it, but has it linked.
use pirn_artifact as _;
