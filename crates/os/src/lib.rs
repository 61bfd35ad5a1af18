//! A layer above the core of pirn: what a program waits for besides fds, timers, tasks and threads.
//!
//! | module | what it watches | through |
//! |---|---|---|
//! | `signal` | signals | signalfd |
//! | `process` | the end of processes | pidfd, waitid |
//! | `clock` | deadlines on clocks that can be set, or do not stand still | timerfd |
//! | `files` | changes of files and directories | inotify |
//!
//! Each of them is a *source*: an fd that becomes readable when there is something to report, and
//! what the source knows beside it. `sys` has every system call.
//!
//! In Rust a source is a value that owns its fd, and knows no loop: watch its `fd()` for reading,
//! and ask it in the callback what there is (`take`, or `read`). Drop it when it is not watched
//! any more. In a child made by fork make new clocks and files: the fds of the old ones are the
//! parent's too.
//!
//! ```text
//! let terminate = Signal::open_and_block(15)?;
//! event_loop.io_add(terminate.fd(), Interest::READ, on_terminate, 0)?;
//! ```
//!
//! In C (`ffi`, the feature of the same name) a source is a struct that the caller provides,
//! because the core has no room for it and nothing here allocates, and pirn watches the fd and
//! calls back. The layer knows the core only by its C interface, through the crate `pirn-abi`.
//! What the functions promise is written at each of them, once; `include/pirn/os.h` is generated
//! from that.

#![no_std]
// What only the C functions use is left over without them.
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
