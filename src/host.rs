//! The host backend: the application provides clock, wait and readiness.
//!
//! It is used on microcontrollers, under a foreign loop that does the waiting, and for simulations
//! with virtual time. An "fd" is here any number from 0 up that the host has chosen for one of its
//! sources.

#[cfg(feature = "host")]
pub(crate) mod backend;

use crate::backend::Capabilities;
use crate::error::Result;
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::wake::Wake;

/// A source that a host reports as ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Readiness {
    /// The number with which the source was added to the loop.
    pub fd: i32,
    /// [`Ready`](crate::Ready) bits.
    pub ready: u32,
}

/// The functions that a host provides.
///
/// None of these functions may call its loop, except through the loop's [`Remote`](crate::Remote),
/// as an interrupt may. A post or a raise inside [`wait`](Self::wait) is handled in the same turn.
/// During such a call the loop may call the host's own [`Waker`](Self::Waker).
pub trait Host {
    /// Ends a wait from other threads, signal handlers and interrupts. It is `Copy` because it is
    /// never dropped: a [`Remote`](crate::Remote) may outlive the loop. Use a reference to the
    /// state that the threads share.
    type Waker: Wake + Copy;

    /// Return the time on a monotonic clock, which may stand still and must not go back.
    fn now(&mut self) -> Instant;

    /// Wait at most `timeout`, write each ready source once into `ready`, and return how many there
    /// are. [`Duration::ZERO`] does not block, [`Duration::FOREVER`] has no limit. May return early
    /// with 0. Sources that do not fit may be left for the next wait, or dropped.
    ///
    /// # Errors
    ///
    /// Any error of the host; it ends `run`.
    fn wait(&mut self, timeout: Duration, ready: &mut [Readiness]) -> Result<usize>;

    /// Return the optional features of the host.
    ///
    /// [`watch`](Self::watch) is passed [`Interest::EDGE`] and [`Interest::EXCLUSIVE`] only if the
    /// capability is among them; otherwise a watcher with that option is refused.
    /// [`Capabilities::FD`] is ignored: a host has no pollable fd.
    fn capabilities(&self) -> Capabilities {
        Capabilities::NANOSECONDS
    }

    /// Watch `fd` for `interest` from now on.
    ///
    /// `interest` has those of `READ`, `WRITE` and `URGENT` that any watcher of the fd waits for;
    /// if it has none of them, stop watching the fd. It also has the options of all watchers of the
    /// fd, such as `EDGE` and `HIGH`. A call with an unchanged interest means that an edge is to be
    /// armed again, or that the fd got another watcher. If only options change, there is no call. A
    /// host that does not need this may ignore the call.
    ///
    /// # Errors
    ///
    /// Return an error if there is no such source. The watcher is then not added or, if it was
    /// added before, is called with [`Ready::INVALID`](crate::Ready::INVALID).
    fn watch(&mut self, fd: i32, interest: Interest) -> Result<()> {
        let _ = (fd, interest);
        Ok(())
    }

    /// Return a handle with which other threads and interrupts end a wait.
    fn waker(&self) -> Self::Waker;
}
