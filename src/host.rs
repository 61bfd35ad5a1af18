//! The host backend: clock, wait and readiness are the application's.
//!
//! This is how a microcontroller, a foreign loop that owns the wait, and a simulation with virtual time are served by one
//! mechanism. An "fd" is here whatever number the host chooses to name a source by, from 0 up.
//!
//! # Quirks
//!
//! - Files that are always ready, hang-up and errors are what the host says they are.
//! - There is no pollable fd, no edge triggering and no exclusive wait.

#[cfg(feature = "host")]
use crate::backend::{Backend, Capabilities, Clock, Key, Kind, Source};
#[cfg(feature = "host")]
use crate::error::Error;
use crate::error::Result;
use crate::ready::Interest;
use crate::remote::Wake;
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

/// What a host supplies. None of these may call the loop they serve.
pub trait Host {
    /// Ends a wait from elsewhere.
    type Waker: Wake;

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

    /// From now on `interest` (`READ`, `WRITE`, `URGENT`) is asked for at `fd`; empty: nothing more. A host that finds out by itself
    /// ignores this.
    ///
    /// # Errors
    ///
    /// If the host knows no such source; the watcher is then not added, or is told [`Ready::INVALID`](crate::Ready::INVALID).
    fn watch(&mut self, fd: i32, interest: Interest) -> Result<()> {
        let _ = (fd, interest);
        Ok(())
    }

    /// A handle for other threads and interrupts that ends a wait.
    fn waker(&self) -> Self::Waker;
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

    fn ask(&mut self, fd: i32, interest: u32) -> Result<()> {
        self.host.watch(fd, Interest::from_bits_truncate(interest))
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
    type Waker = H::Waker;

    fn kind(&self) -> Kind {
        Kind::Host
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::NANOSECONDS
    }

    fn must_mark(&self) -> bool {
        true
    }

    fn owns(&self, _fd: i32) -> bool {
        false
    }

    #[inline(never)]
    fn add(&mut self, source: &Source) -> Result<u32> {
        self.ask(source.fd, source.interest).map(|()| 0)
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        self.ask(source.fd, source.interest)
    }

    #[inline(never)]
    fn remove(&mut self, source: &Source, _moved: &mut dyn FnMut(i32, u32)) -> Result<()> {
        self.ask(source.fd, 0)
    }

    fn probe(&self, _fd: i32) -> Result<()> {
        Ok(())
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

    fn mark(&mut self, mark: &mut dyn FnMut(Key, u32) -> Option<i32>) {
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

    fn waker(&self) -> H::Waker {
        self.host.waker()
    }

    fn is_forked(&self) -> bool {
        false
    }

    fn pollable_fd(&mut self) -> Result<i32> {
        Err(Error::EOPNOTSUPP)
    }

    fn set_alarm(&mut self, _deadline: Nanos) -> Result<()> {
        Err(Error::EOPNOTSUPP)
    }
}
