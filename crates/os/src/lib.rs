//! A layer above the core of pirn: signals, processes, clocks and files.
//!
//! | module | what it watches | through |
//! |---|---|---|
//! | `signal` | signals | signalfd |
//! | `process` | the end of processes | pidfd, waitid |
//! | `clock` | deadlines on clocks that can be set, or run during suspend | timerfd |
//! | `files` | changes of files and directories | inotify |
//!
//! Each of them is a *source*: an fd that becomes readable when there is something to report, with
//! some state. `sys` has all system calls.
//!
//! In Rust a source is a value that owns its fd and does not know the loop. Watch its `fd()` for
//! reading, and call `take` or `read` in the callback. Drop the source after you have removed its
//! watcher. In a forked child make new clocks and files, because the old ones share their fds with
//! the parent.
//!
//! ```text
//! let terminate = Signal::open_and_block(15)?;
//! event_loop.io_add(terminate.fd(), Interest::READ, on_terminate, 0)?;
//! ```
//!
//! In C (`ffi`, with the feature of the same name) a source is a struct that the caller provides,
//! because the core has no room for it and the layer does not allocate. pirn watches the fd and
//! calls the callback. The layer knows the core only by its C interface, through the crate
//! `pirn-abi`. `include/pirn/os.h` is generated from the comments of the functions.

#![no_std]
// Without the feature `ffi`, the parts that only the C functions use are unused.
#![cfg_attr(not(feature = "ffi"), allow(dead_code, unused_imports))]

#[cfg(not(target_os = "linux"))]
compile_error!("pirn-os is for Linux: what it watches is Linux's");

#[cfg(feature = "artifact")]
use pirn_artifact as _;

mod clock;
mod error;
#[cfg(feature = "ffi")]
pub mod ffi;
mod files;
mod process;
mod schedule;
mod signal;
mod sys;

pub use clock::{Clock, ClockEvent, ClockKind, NEVER};
pub use error::{Error, Result};
pub use files::{Change, Changes, Files, LONGEST_CHANGE};
pub use process::{Exit, Process};
pub use signal::{Signal, SignalInfo};
