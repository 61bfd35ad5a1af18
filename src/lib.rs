#![no_std]
//! pirn is an event loop that lives in memory its caller gives it: no heap, no libc, no global
//! state.
//!
//! A loop waits for file descriptors, timers, tasks and other threads, and calls back. It is made
//! for being embedded: in a C program through `include/pirn.h`, in another runtime through its
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
//! // I/O watchers, timers, tasks: all the memory there will ever be
//! let mut storage = Storage::<16, 4, 4>::new();
//! let mut event_loop = Loop::new(&mut storage, Config::default())?;
//! let mut conversation = Conversation { stream, heard: Vec::new() };
//! event_loop.io_add(conversation.stream.as_raw_fd(), Interest::READ, on_readable, 0)?;
//! event_loop.run(&mut conversation)?;
//! assert_eq!(conversation.heard, b"hello");
//! # Ok::<(), pirn::Error>(())
//! ```
//!
//! # The rooms, from the bottom up
//!
//! - `error`, `time`, `token`, `ready`, `callback`: the words everything else is said in.
//! - `slab`: slots with generations. On it `watchers`, the table of I/O watchers, and `timers`,
//!   the queue of deadlines. `tasks` is the loop's own queue, `remote` the half that other threads
//!   may touch; `atomic` is where the atomics come from.
//! - `backend` is the contract of whatever watches fds, tells the time and wakes. `sys` fulfils
//!   it with Linux's select, poll and epoll, `host` with functions of the application's; `platform`
//!   is whichever was chosen at run time.
//! - `reactor` moves all of these through a turn (`reactor/turn.rs` is the page to begin with),
//!   and hands over what fires, one item at a time, by value. It never calls out.
//! - `storage` cuts one block of memory into the parts.
//! - [`Loop`] in `event_loop` makes the calls for Rust programs, `ffi` for C programs.
//!   `include/pirn.h` is generated from the latter. Callbacks in Rust receive a [`Core`]; a library
//!   that does not know the application's context uses the [`RawCore`] below it.
//!
//! What happens in a turn, and in which order, is told in `docs/TURN.md`; why it is so, in
//! `docs/DESIGN.md`.
//!
//! # Features
//!
//! `select`, `poll`, `epoll`, `host`: the backends, each of which can be left out. `ffi`: the C
//! functions. `header`: rewrites `include/pirn.h` while building. All but the last are on by
//! default. `own-auxv` and `vdso` say how the clock is found; they are for final artifacts.

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
