//! The part of a loop that other threads and signal handlers may use.

use core::marker::PhantomData;
use core::ops::Deref;

use super::raw::{OnTask, erase};
use super::typed::{Core, call_task};
use super::word::Word;
use super::{Loop, NoHost};
use crate::any::AnyWaker;
use crate::error::Result;
use crate::host::Host;
use crate::remote::Shared;

// The compiler checks the thread rules: a `Remote` may move to other threads, a `Loop` stays on
// one.
static_assertions::assert_not_impl_any!(Loop<'static, ()>: Send, Sync);
static_assertions::assert_impl_all!(Remote<'static, *mut ()>: Send, Sync, Copy);
static_assertions::assert_impl_all!(RawRemote<'static>: Send, Sync, Copy);

/// A handle with which other threads and signal handlers reach a loop whose context is a `C`.
///
/// It is small, and can be copied and sent. Every call is async-signal-safe and takes no lock.
/// While the loop is awake it makes no system call. It dereferences to [`RawRemote`], which has the
/// rest of the methods.
pub struct Remote<'l, C, H: Host = NoHost> {
    raw: RawRemote<'l, H>,
    context: PhantomData<fn(&mut C)>,
}

impl<'l, C, H: Host> Remote<'l, C, H> {
    pub(super) fn new(raw: RawRemote<'l, H>) -> Self {
        Remote {
            raw,
            context: PhantomData,
        }
    }

    /// Queue a callback that gets the context, otherwise as [`RawRemote::post`]. The callback and
    /// the word are sent to the loop's thread.
    ///
    /// # Errors
    ///
    /// As [`RawRemote::post`].
    pub fn post<F, U: Word + Send>(&self, callback: F, user: U) -> Result<()>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, U) + Copy + Send + 'static,
    {
        let _ = callback;
        self.raw.post(call_task::<C, H, F, U>, user.into_word())
    }
}

impl<'l, C, H: Host> Deref for Remote<'l, C, H> {
    type Target = RawRemote<'l, H>;

    fn deref(&self) -> &RawRemote<'l, H> {
        &self.raw
    }
}

impl<C, H: Host> Clone for Remote<'_, C, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, H: Host> Copy for Remote<'_, C, H> {}

/// A handle with which other threads and signal handlers reach a loop, for any type of context.
///
/// It is small, and can be copied and sent. Every call is async-signal-safe and takes no lock.
/// While the loop is awake it makes no system call.
pub struct RawRemote<'l, H: Host = NoHost> {
    pub(super) shared: &'l Shared<'l, AnyWaker<H::Waker>>,
}

impl<H: Host> Clone for RawRemote<'_, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<H: Host> Copy for RawRemote<'_, H> {}

impl<H: Host> RawRemote<'_, H> {
    /// Queue a callback. It is called once, on the loop's thread, after those accepted before it.
    ///
    /// # Errors
    ///
    /// [`Error::EAGAIN`](crate::Error::EAGAIN): the queue is full. The loop frees the places of
    /// posts in batches of at most an eighth of the queue, so a full queue may still be full in the
    /// callback of a post, but not after the turn. [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN):
    /// the queues are closed.
    pub fn post(&self, callback: OnTask<H>, user: *mut ()) -> Result<()> {
        self.shared.post(erase(callback as *mut (), user))
    }

    /// Raise a bit from 0 to 63. Its handler is called once for any number of raises since its last
    /// call.
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`](crate::Error::EINVAL): no such bit.
    /// [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn raise(&self, bit: u32) -> Result<()> {
        self.shared.raise(bit)
    }

    /// End the loop's current wait, or the next one if the loop is not waiting.
    ///
    /// # Errors
    ///
    /// [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn wake(&self) -> Result<()> {
        self.shared.wake()
    }

    /// Make the run return after the current turn.
    ///
    /// # Errors
    ///
    /// [`Error::ESHUTDOWN`](crate::Error::ESHUTDOWN): the queues are closed.
    pub fn stop(&self) -> Result<()> {
        self.shared.stop()
    }
}
