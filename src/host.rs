//! The host backend: clock, wait and readiness are the application's.
//!
//! This is how a microcontroller, a foreign loop that owns the wait, and a simulation with virtual time are served by one
//! mechanism. An "fd" is here whatever number the host chooses to name a source by, from 0 up.
//!
//! # Quirks
//!
//! - Files that are always ready, hang-up and errors are what the host says they are.
//! - There is no pollable fd. Edge triggering and exclusive waits are there if the host has them.

use crate::backend::Capabilities;
#[cfg(feature = "host")]
use crate::backend::{Backend, BackendKind, Clock, Key, Marked, MoveTo, Owned, Source};
#[cfg(feature = "host")]
use crate::error::Error;
use crate::error::Result;
use crate::ready::Interest;
use crate::remote::Wake;
#[cfg(feature = "host")]
use crate::storage::host_area;
use crate::time::Nanos;

/// One source that a host found ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Readiness {
    /// The number the source was added with.
    pub fd: i32,
    /// [`Ready`](crate::Ready) bits.
    pub ready: u32,
}

/// What a host supplies.
///
/// None of these may call the loop they serve, except by its [`Remote`](crate::Remote), as an interrupt
/// would: what is posted or raised inside [`wait`](Self::wait) is called in the turn that waits. The host's
/// own [`Waker`](Self::Waker) may be called meanwhile.
pub trait Host {
    /// Ends a wait from other threads, signal handlers and interrupts. It is `Copy`, because a
    /// [`Remote`](crate::Remote) may outlive the loop: a waker that owned something could never be
    /// dropped. Use a reference to what the threads share.
    type Waker: Wake + Copy;

    /// Nanoseconds on a monotonic clock. May stand still, must not go back.
    fn now(&mut self) -> Nanos;

    /// Waits at most `timeout` nanoseconds (0: not at all, [`FOREVER`](crate::FOREVER): for ever), writes what is ready into
    /// `ready`, each source once, and returns how many there are. May return early with 0. What does not fit comes with the
    /// next wait, or not, as the host likes.
    ///
    /// # Errors
    ///
    /// Whatever the host likes; it ends `run`.
    fn wait(&mut self, timeout: Nanos, ready: &mut [Readiness]) -> Result<usize>;

    /// Return what the host can do beyond the common ground.
    ///
    /// [`watch`](Self::watch) is passed [`Interest::EDGE`] and [`Interest::EXCLUSIVE`] only if the
    /// capability is among them; otherwise a watcher with that option is refused.
    /// [`Capabilities::FD`] is ignored: a host has no pollable fd.
    fn capabilities(&self) -> Capabilities {
        Capabilities::NANOSECONDS
    }

    /// Watch `fd` for `interest` from now on.
    ///
    /// The interest is `READ`, `WRITE` and `URGENT` as far as any watcher of the fd asks for them;
    /// empty: watch the fd no longer. With these bits come the options of all watchers of the fd,
    /// such as `EDGE` and `HIGH`. A call with the same interest arms an edge again, or tells that a
    /// watcher has joined. A change of options alone makes no call. A host that finds out by itself
    /// what is ready ignores all this.
    ///
    /// # Errors
    ///
    /// Return an error if there is no such source. The watcher is then not added or, if it was
    /// added before, is called with [`Ready::INVALID`](crate::Ready::INVALID).
    fn watch(&mut self, fd: i32, interest: Interest) -> Result<()> {
        let _ = (fd, interest);
        Ok(())
    }

    /// A handle for other threads and interrupts that ends a wait.
    fn waker(&self) -> Self::Waker;
}

/// What ends a wait of a host, which knows of no processes.
#[cfg(feature = "host")]
pub(crate) struct HostWaker<W>(pub(crate) W);

#[cfg(feature = "host")]
impl<W: Wake> Wake for HostWaker<W> {
    fn wake(&self) -> Result<()> {
        self.0.wake()
    }
}

#[cfg(feature = "host")]
impl<W: Wake> Owned for HostWaker<W> {
    fn owner(&self) -> u32 {
        0
    }

    fn adopt(&self) {}

    fn process() -> u32 {
        0
    }
}

#[cfg(feature = "host")]
pub(crate) struct HostBackend<'a, H> {
    host: H,
    ready: &'a mut [Readiness],
    found: usize,
    cursor: usize,
}

#[cfg(feature = "host")]
impl<'a, H: Host> HostBackend<'a, H> {
    /// `ready` has room for as many as there are watchers.
    pub(crate) fn new(host: H, ready: &'a mut [Readiness]) -> Self {
        HostBackend {
            host,
            ready,
            found: 0,
            cursor: 0,
        }
    }

    fn ask(&mut self, source: &Source) -> Result<()> {
        self.host.watch(source.fd, source.asked)
    }
}

#[cfg(feature = "host")]
impl<'a, H: Host> MoveTo<'a> for HostBackend<'a, H> {
    fn fits(&self, _words: usize) -> bool {
        true
    }

    fn move_to(&mut self, area: &'a mut [u64]) {
        (self.ready, self.found, self.cursor) = (host_area(area), 0, 0);
    }
}

#[cfg(feature = "host")]
impl<H: Host> Clock for HostBackend<'_, H> {
    fn now(&mut self) -> Nanos {
        self.host.now()
    }
}

#[cfg(feature = "host")]
impl<H: Host> Backend for HostBackend<'_, H> {
    type Waker = HostWaker<H::Waker>;

    fn kind(&self) -> BackendKind {
        BackendKind::Host
    }

    fn capabilities(&self) -> Capabilities {
        self.host.capabilities().difference(Capabilities::FD)
    }

    fn must_mark(&self) -> bool {
        true
    }

    fn owns(&self, _fd: i32) -> bool {
        false
    }

    #[inline(never)]
    fn add(&mut self, source: &Source) -> Result<u32> {
        self.ask(source).map(|()| 0)
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        self.ask(source)
    }

    #[inline(never)]
    fn remove(&mut self, source: &Source, _moved: &mut dyn FnMut(i32, u32)) -> Result<()> {
        // There is nothing to be done about a refusal: what the host reports for an fd without a watcher is dropped.
        let _ = self.host.watch(source.fd, Interest::empty());
        Ok(())
    }

    fn probe(&self, _source: &Source) -> Result<u32> {
        Ok(0)
    }

    #[inline(never)]
    fn wait(&mut self, timeout: Nanos) -> Result<u32> {
        (self.found, self.cursor) = (0, 0);
        match self.host.wait(timeout, self.ready) {
            Ok(found) => self.found = found.min(self.ready.len()),
            Err(Error::EINTR) => {}
            Err(error) => return Err(error),
        }
        Ok(self.found as u32)
    }

    fn mark(&mut self, mark: &mut dyn FnMut(Key, u32) -> Option<Marked>) {
        for item in self.ready.iter().take(self.found) {
            if item.fd >= 0 {
                mark(Key::Fd(item.fd), item.ready);
            }
        }
    }

    fn next_marked(&mut self) -> Option<i32> {
        let item = self.ready.get(..self.found)?.get(self.cursor)?;
        self.cursor += 1;
        Some(item.fd)
    }

    fn rewind(&mut self) {
        self.cursor = 0;
    }

    fn rebuild(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_over(&mut self) -> Result<()> {
        Ok(())
    }

    fn waker(&self, _asks: bool) -> HostWaker<H::Waker> {
        HostWaker(self.host.waker())
    }

    fn pollable_fd(&mut self) -> Result<i32> {
        Err(Error::EOPNOTSUPP)
    }

    fn set_alarm(&mut self, _deadline: Nanos) -> Result<()> {
        Err(Error::EOPNOTSUPP)
    }
}
