//! A layer above the core of pirn: work that threads of the application do for a loop.
//!
//! - `word`: a word that threads wait for, with futex(2).
//! - `lock`: a lock of one word, which is held only for a few instructions.
//! - `queue`: the queue of work that has not begun, and the threads that do it.
//! - `ffi`: the C functions.
//!
//! pirn starts no thread. The application's threads call `pirn_workers_run`, which takes work from
//! the queue until the queue is closed. Finished work returns to the loop as a remote event of
//! `crates/wait`, which cannot be refused.

#![cfg_attr(not(any(test, loom)), no_std)]
#![allow(non_camel_case_types)]
#![allow(
    clippy::missing_safety_doc,
    reason = "what the C functions ask is in their text"
)]

#[cfg(not(target_os = "linux"))]
compile_error!("pirn-work is for Linux: its threads wait by futex(2)");

#[cfg(feature = "artifact")]
use pirn_artifact as _;

pub mod ffi;
mod lock;
mod queue;
#[cfg(test)]
mod tests;
#[cfg(not(loom))]
mod word;
#[cfg(loom)]
#[path = "loom_word.rs"]
mod word;

pub use ffi::*;
pub use lock::pirn_lock;
pub use queue::{pirn_work, pirn_workers};
pub use word::pirn_word;
