#![expect(
    unsafe_code,
    reason = "callbacks are kept as addresses and called as the functions they were"
)]
//! Due events as data, for programs that take events instead of using callbacks.

use core::marker::PhantomData;
use core::mem::{MaybeUninit, transmute};
use core::ptr::NonNull;

use super::Loop;
use super::callback::{IoEvent, NoHost, TimerEvent};
use super::raw::{OnIo, OnTask, OnTimer};
use super::typed::Core;
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::reactor::take::{self, Item, Kind};
use crate::ready::Ready;
use crate::token::{Io, Task, Timer};

/// The event of a [`Due`]. Words are as [`Word::into_word`](crate::Word::into_word) returned them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A timer is due.
    Timer(TimerEvent<*mut ()>),
    /// An fd is ready.
    Io(IoEvent<*mut ()>),
    /// A bit was raised: `fd` is the bit.
    Raised(IoEvent<*mut ()>),
    /// A task of the loop's own queue, whose handle is already stale, and its word.
    Task(Task, *mut ()),
    /// A post from another thread, and its word. [`Core::task_reclaim`] also returns tasks as
    /// posts.
    Post(*mut ()),
}

impl Event {
    /// Return the word that was passed with the callback.
    #[must_use]
    pub fn user(&self) -> *mut () {
        match *self {
            Event::Timer(event) => event.user,
            Event::Io(event) | Event::Raised(event) => event.user,
            Event::Task(_, user) | Event::Post(user) => user,
        }
    }
}

/// An event returned by [`Loop::take`] or [`Core::task_reclaim`], with the callback that a dispatch
/// would have called.
pub struct Due<C, H: Host = NoHost> {
    event: Event,
    /// The callback, of the type that belongs to the event; `None` after it was called.
    callback: Option<NonNull<()>>,
    of: PhantomData<fn(&mut Core<'_, C, H>)>,
}

impl<C, H: Host> Due<C, H> {
    /// Return the event.
    #[must_use]
    pub fn event(&self) -> Event {
        self.event
    }

    /// Call the callback, as a dispatch would. This does not check whether the watcher or the
    /// periodic timer still exists. A second call does nothing, so a callback is called once for
    /// each event.
    pub fn call(&mut self, core: &mut Core<'_, C, H>, context: &mut C) {
        let Some(callback) = self.callback.take() else {
            return;
        };
        let address = callback.as_ptr();
        let context = (&raw mut *context).cast();
        core.raw.with_context(context, |raw| match self.event {
            Event::Timer(event) => {
                // SAFETY: every callback of a timer was made from an `OnTimer<H>`.
                let function = unsafe { transmute::<*mut (), OnTimer<H>>(address) };
                function(raw, event);
            }
            Event::Io(event) | Event::Raised(event) => {
                // SAFETY: every callback of a watcher was made from an `OnIo<H>`.
                let function = unsafe { transmute::<*mut (), OnIo<H>>(address) };
                function(raw, event);
            }
            Event::Task(_, user) | Event::Post(user) => {
                // SAFETY: every callback of a task was made from an `OnTask<H>`.
                let function = unsafe { transmute::<*mut (), OnTask<H>>(address) };
                function(raw, user);
            }
        });
    }

    /// Makes a `Due` of an item of a loop with this context.
    fn new(item: &Item) -> Self {
        let io = IoEvent {
            io: Io(item.token),
            fd: item.fd,
            ready: Ready::from_bits_truncate(item.ready),
            user: item.callback.user,
        };
        let event = match item.kind {
            Kind::Timer => Event::Timer(TimerEvent {
                timer: Timer(item.token),
                missed: item.missed,
                user: item.callback.user,
            }),
            Kind::Io => Event::Io(io),
            Kind::Raised => Event::Raised(io),
            Kind::Task => Event::Task(Task(item.token), item.callback.user),
            Kind::Post => Event::Post(item.callback.user),
        };
        Due {
            event,
            callback: Some(item.callback.function),
            of: PhantomData,
        }
    }

    /// Makes a `Due` of a task or a post of a loop with this context.
    pub(super) fn post(callback: Callback) -> Self {
        Due {
            event: Event::Post(callback.user),
            callback: Some(callback.function),
            of: PhantomData,
        }
    }
}

impl<C, H: Host> Loop<'_, C, H> {
    /// Do the third part of a turn, but write the due events into `due` instead of calling
    /// callbacks, in the order of [`dispatch`](Self::dispatch). Return what was written; it is
    /// empty when the turn is over.
    ///
    /// Call it until it returns nothing; the turn ends only then. Events that do not fit are left
    /// for the next call. Each event is checked when it is written, so events of watchers and
    /// timers removed before are left out. With room for one event the rules of a dispatch hold
    /// exactly. With room for more, an event may be stale when the program handles it, because the
    /// handler of an earlier one has removed its watcher or stopped its timer. No dispatch is in
    /// progress between two takes: the handler of an event may make turns, and may end the loop.
    ///
    /// A [limit](crate::RawCore::set_limit) of callbacks also limits one call. A limit of time has
    /// no effect, and callbacks are not measured.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use pirn::{Config, Core, Duration, Event, Loop, Repeat, Storage, TimerEvent, When};
    ///
    /// fn never(_: &mut Core<'_, ()>, _: &mut (), _: TimerEvent) {}
    ///
    /// let mut storage = Storage::<8, 4, 4>::new();
    /// let mut event_loop = Loop::new(&mut storage, Config::default())?;
    /// let tick = Duration::from_millis(1);
    /// event_loop.timer_start(When::After(tick), Repeat::FixedRate(tick), never, 0)?;
    ///
    /// let (mut ticks, mut room) = (0, [MaybeUninit::uninit()]);
    /// while event_loop.ended().is_none() {
    ///     let timeout = event_loop.prepare(Duration::FOREVER)?;
    ///     event_loop.wait(timeout)?;
    ///     while let [due] = event_loop.take(&mut room)? {
    ///         if let Event::Timer(event) = due.event() {
    ///             ticks += 1;
    ///             if ticks == 3 {
    ///                 event_loop.timer_stop(event.timer)?;
    ///             }
    ///         }
    ///     }
    /// }
    /// assert_eq!(ticks, 3);
    /// # Ok::<(), pirn::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`]: `due` has no room.
    pub fn take<'d>(
        &mut self,
        due: &'d mut [MaybeUninit<Due<C, H>>],
    ) -> Result<&'d mut [Due<C, H>]> {
        let capacity = u32::try_from(due.len()).unwrap_or(u32::MAX);
        if capacity == 0 {
            return Err(Error::EINVAL);
        }
        let mut written = 0;
        take::take(&mut self.core.raw.reactor, capacity, |item| {
            if let Some(place) = due.get_mut(written) {
                place.write(Due::new(&item));
                written += 1;
            }
        });
        let due = due.get_mut(..written).unwrap_or_default();
        let due: *mut [MaybeUninit<Due<C, H>>] = due;
        // SAFETY: the first `written` places were written above, one after the other;
        // `MaybeUninit<T>` has the layout of `T`. The borrow is that of `due`.
        Ok(unsafe { &mut *(due as *mut [Due<C, H>]) })
    }
}
