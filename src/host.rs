//! The host backend: clock, wait and readiness are the application's.
//!
//! This is how a microcontroller, a foreign loop that owns the wait, and a simulation with virtual
//! time are served by one mechanism. An "fd" is here whatever number the host chooses to name a
//! source by, from 0 up.

#[cfg(feature = "host")]
pub(crate) mod backend;

use crate::backend::Capabilities;
use crate::error::Result;
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::wake::Wake;

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
/// None of these may call the loop they serve, except by its [`Remote`](crate::Remote), as an
/// interrupt would: what is posted or raised inside [`wait`](Self::wait) is called in the turn that
/// waits. The host's own [`Waker`](Self::Waker) may be called meanwhile.
pub trait Host {
    /// Ends a wait from other threads, signal handlers and interrupts. It is `Copy`, because a
    /// [`Remote`](crate::Remote) may outlive the loop: a waker that owned something could never be
    /// dropped. Use a reference to what the threads share.
    type Waker: Wake + Copy;

    /// Return the time on a monotonic clock, which may stand still and must not go back.
    fn now(&mut self) -> Instant;

    /// Wait at most `timeout`, write what is ready into `ready`, each source once, and return how
    /// many there are. [`Duration::ZERO`] does not block, [`Duration::FOREVER`] has no limit. May
    /// return early with 0. A host may leave what does not fit for the next wait, or drop it.
    ///
    /// # Errors
    ///
    /// Whatever the host likes; it ends `run`.
    fn wait(&mut self, timeout: Duration, ready: &mut [Readiness]) -> Result<usize>;

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
