//! A layer above the core of pirn: what a program waits for besides fds, timers, tasks and threads.
//!
//! | module | what it watches | through |
//! |---|---|---|
//! | `signal` | signals | signalfd |
//! | `child` | the end of processes | pidfd, waitid |
//! | `clock` | deadlines on clocks that can be set, or do not stand still | timerfd |
//! | `files` | changes of files and directories | inotify |
//!
//! Each of them is a *source*: an fd that the layer opens and owns, and an I/O watcher for it in
//! the loop. What is known of a source stands in a struct that the caller provides, because the
//! core has no room for it and nothing here allocates. `source` has what all sources share, `sys`
//! every system call.
//!
//! The layer knows the core only by its C interface, through the crate `pirn-abi`. What the
//! functions promise is written at each of them, once; `include/pirn/os.h` is generated from
//! that.

#![no_std]
#![allow(non_camel_case_types)]

#[cfg(not(target_os = "linux"))]
compile_error!("pirn-os is for Linux: what it watches is Linux's");

#[cfg(feature = "artifact")]
use pirn_artifact as _;

mod child;
mod clock;
mod files;
mod schedule;
mod signal;
mod source;
mod sys;

pub use child::*;
pub use clock::*;
pub use files::*;
pub use signal::*;
