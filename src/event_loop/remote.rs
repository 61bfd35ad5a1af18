//! The half of a loop that other threads and signal handlers may touch.

use core::marker::PhantomData;

use super::callback::target;
use super::{Loop, NoHost, OnTask};
use crate::error::Result;
use crate::host::Host;
use crate::platform::PlatformWaker;
use crate::remote::Shared;

// One thread's, and everybody's: the rule of DESIGN.md, held by the compiler.
static_assertions::assert_not_impl_any!(Loop<'static, ()>: Send, Sync);
static_assertions::assert_impl_all!(Remote<'static, *mut ()>: Send, Sync, Copy);

/// What other threads and signal handlers may do with a loop.
///
/// Small, free to copy and to send. Every call is async-signal-safe, takes no lock, and costs one system call at most, none while
/// the loop is awake.
pub struct Remote<'s, C, H: Host = NoHost> {
    pub(super) shared: &'s Shared<'s, PlatformWaker<H::Waker>>,
    pub(super) context: PhantomData<fn(&mut C)>,
}

impl<C, H: Host> Clone for Remote<'_, C, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, H: Host> Copy for Remote<'_, C, H> {}

impl<C, H: Host> Remote<'_, C, H> {
    /// Queues a callback. It runs once, on the loop's thread, after those accepted before it.
    ///
    /// # Errors
    ///
    /// [`Error::EAGAIN`](crate::Error::EAGAIN): there is no room. [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn post(&self, callback: OnTask<C, H>, user: usize) -> Result<()> {
        self.shared.post(target(callback as *mut (), user))
    }

    /// Raises a bit from 0 to 63. Raising a raised bit is one call.
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`](crate::Error::EINVAL): no such bit. [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn raise(&self, bit: u32) -> Result<()> {
        self.shared.raise(bit)
    }

    /// Makes the loop's current or next wait return.
    ///
    /// # Errors
    ///
    /// [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn wake(&self) -> Result<()> {
        self.shared.wake()
    }

    /// Ends the run after the turn under way.
    ///
    /// # Errors
    ///
    /// [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn stop(&self) -> Result<()> {
        self.shared.stop()
    }
}
