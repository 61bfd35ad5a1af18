#![no_std]
//! pirn is an event loop in memory that its caller provides: no heap, no libc, no global state.
//!
//! A loop waits for file descriptors, timers, tasks and other threads, and calls callbacks. It is
//! made to be embedded: in a C program through `include/pirn.h`, in another runtime through its
//! pollable fd or through `prepare`, `wait` and `dispatch`, in a static binary without a C library,
//! on a microcontroller through a [`Host`].
//!
//! ```
//! use pirn::{Config, Core, Interest, IoEvent, Loop, Storage};
//! use std::io::{Read, Write};
//! use std::os::fd::AsRawFd;
//! use std::os::unix::net::UnixStream;
//!
//! struct Conversation {
//!     stream: UnixStream,
//!     heard: Vec<u8>,
//! }
//!
//! fn on_readable(core: &mut Core<'_, Conversation>, talk: &mut Conversation, event: IoEvent) {
//!     let mut buffer = [0; 64];
//!     match talk.stream.read(&mut buffer) {
//!         Ok(0) | Err(_) => core.io_remove(event.io).unwrap(), // nothing is left: run returns
//!         Ok(length) => talk.heard.extend(&buffer[..length]),
//!     }
//! }
//!
//! let (stream, mut peer) = UnixStream::pair().unwrap();
//! stream.set_nonblocking(true).unwrap();
//! peer.write_all(b"hello").unwrap();
//! drop(peer);
//!
//! // I/O watchers, timers, tasks: all the memory that the loop ever uses
//! let mut storage = Storage::<16, 4, 4>::new();
//! let mut event_loop = Loop::new(&mut storage, Config::default())?;
//! let mut conversation = Conversation { stream, heard: Vec::new() };
//! event_loop.io_add(conversation.stream.as_raw_fd(), Interest::READ, on_readable, 0)?;
//! event_loop.run(&mut conversation)?;
//! assert_eq!(conversation.heard, b"hello");
//! # Ok::<(), pirn::Error>(())
//! ```
//!
//! # Modules, from the bottom up
//!
//! - `error`, `time`, `token`, `ready`, `callback`: the basic types that all other modules use.
//! - `room`: lent memory that is made valid piece by piece. `slab`: slots with generations. Two
//!   modules are built on it: `watchers`, the table of I/O watchers, and `timers`, the queue of
//!   deadlines. `tasks` is the loop's own queue, `remote` the part that other threads may use;
//!   `atomic` exports the atomic types.
//! - `backend` is the contract for the part that watches fds, reads the clock and ends waits. `sys`
//!   implements it with Linux's select, poll and epoll, `host` with functions of the application;
//!   `any` is the backend that was chosen at run time.
//! - `reactor` makes the turns of a loop (begin to read with `reactor/turn.rs`). It returns what is
//!   due, one item at a time, by value, and never calls a callback.
//! - `storage` divides one block of memory into the parts.
//! - [`Loop`] in `event_loop` calls the callbacks of Rust programs, `ffi` those of C programs.
//!   `include/pirn.h` is generated from `ffi`. Callbacks in Rust get a [`Core`]; a library that
//!   does not know the application's context uses the [`RawCore`] below it.
//!
//! `docs/TURN.md` defines what happens in a turn, and in which order. `docs/DESIGN.md` explains
//! why.
//!
//! # Features
//!
//! `select`, `poll`, `epoll`, `host`: the backends, each of which can be left out. `ffi`: the C
//! functions. `header`: rewrites `include/pirn.h` while building. All but the last are on by
//! default. `own-auxv` and `vdso` select how the clock is found; they are for final artifacts.

#[cfg(test)]
extern crate std;

#[cfg(not(any(linux_backend, feature = "host")))]
compile_error!("pirn: choose a backend: select, poll or epoll on Linux, or host");

mod any;
mod atomic;
mod backend;
mod callback;
mod error;
mod event_loop;
#[cfg(feature = "ffi")]
#[doc(hidden)]
pub mod ffi;
mod host;
mod reactor;
mod ready;
mod remote;
mod room;
mod slab;
mod stats;
mod storage;
#[cfg(linux_backend)]
mod sys;
mod tasks;
mod time;
mod timers;
mod token;
mod wake;
mod watchers;

pub use backend::{BackendKind, Capabilities};
pub use error::{Error, Result};
pub use event_loop::{
    Config, Core, Due, Event, Info, IoEvent, IoInfo, Loop, NoHost, OnIo, OnTask, OnTimer, RawCore,
    RawRemote, Remote, Repeat, TaskInfo, TimerEvent, TimerInfo, When, Word,
};
pub use host::{Host, Readiness};
pub use reactor::{Ended, Limit};
pub use ready::{Interest, Ready};
pub use stats::Stats;
pub use storage::{Capacity, Memory, Storage};
pub use time::{Duration, Instant};
pub use token::{Io, Task, Timer};
pub use wake::Wake;
pub use watchers::Hook;

/// The first program of the manual is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../docs/MANUAL.md")]
struct Readme;
