#![expect(
    unsafe_code,
    reason = "callbacks are kept as addresses and handed over as the functions they were"
)]
//! What is due, as data: for programs that take events instead of being called.

use core::mem::{MaybeUninit, transmute};

use super::Loop;
use super::callback::{IoEvent, NoHost, OnIo, OnTask, OnTimer, TimerEvent};
use crate::drive::{self, Item, Kind};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::ready::Ready;
use crate::token::{Io, Task, Timer};

/// One event that [`Loop::take`] handed over, with the callback that a dispatch would have called.
#[non_exhaustive]
pub enum Due<C, H: Host = NoHost> {
    /// A timer is due.
    Timer(TimerEvent, OnTimer<C, H>),
    /// An fd is ready.
    Io(IoEvent, OnIo<C, H>),
    /// A bit was raised: `fd` is the bit.
    Raised(IoEvent, OnIo<C, H>),
    /// A task of the loop's own queue, its handle stale already, and the word given with it.
    Task(Task, usize, OnTask<C, H>),
    /// A post from elsewhere, and the word given with it.
    Post(usize, OnTask<C, H>),
}

impl<C, H: Host> Clone for Due<C, H> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, H: Host> Copy for Due<C, H> {}

impl<C, H: Host> Due<C, H> {
    /// Calls the callback, as a dispatch would. Does not look whether the watcher or the periodic
    /// timer still lives.
    pub fn call(self, event_loop: &mut Loop<'_, C, H>, context: &mut C) {
        match self {
            Due::Timer(event, callback) => callback(event_loop, context, event),
            Due::Io(event, callback) | Due::Raised(event, callback) => {
                callback(event_loop, context, event);
            }
            Due::Task(_, user, callback) | Due::Post(user, callback) => {
                callback(event_loop, context, user);
            }
        }
    }

    /// # Safety
    ///
    /// The item comes from the reactor of a `Loop<C, H>`.
    unsafe fn new(item: &Item) -> Self {
        let callback = item.target.callback.as_ptr();
        let user = item.target.user.addr();
        let io = || IoEvent {
            io: Io(item.token),
            fd: item.fd,
            ready: Ready::from_bits_truncate(item.ready),
            user,
        };
        // SAFETY: every target of a watcher was made from an `OnIo<C, H>`, in `io_add` or
        // `raise_add`.
        let on_io = || unsafe { transmute::<*mut (), OnIo<C, H>>(callback) };
        // SAFETY: every target of a task was made from an `OnTask<C, H>`, in `task_post` or
        // `Remote::post`.
        let on_task = || unsafe { transmute::<*mut (), OnTask<C, H>>(callback) };
        match item.kind {
            Kind::Timer => {
                // SAFETY: every target of a timer was made from an `OnTimer<C, H>`, in
                // `timer_start`.
                let on_timer = unsafe { transmute::<*mut (), OnTimer<C, H>>(callback) };
                let event = TimerEvent {
                    timer: Timer(item.token),
                    missed: item.missed,
                    user,
                };
                Due::Timer(event, on_timer)
            }
            Kind::Io => Due::Io(io(), on_io()),
            Kind::Raised => Due::Raised(io(), on_io()),
            Kind::Task => Due::Task(Task(item.token), user, on_task()),
            Kind::Post => Due::Post(user, on_task()),
        }
    }
}

impl<C, H: Host> Loop<'_, C, H> {
    /// Third part of a turn for programs that handle events themselves: writes what is due into
    /// `due`, in the order in which [`dispatch`](Self::dispatch) would call, and returns what was
    /// written. Empty when the turn is over.
    ///
    /// Call it again until it returns nothing: only the take after that begins another turn. What
    /// does not fit is left for the next call. Each event is checked when it is written, so what is
    /// removed before that is left out. With room for one event the rules of a dispatch hold
    /// exactly; with room for more an event may be stale when its turn comes, because the handler
    /// of one before it removed its watcher or stopped its timer. Between two takes no dispatch is
    /// in progress: the handler of an event may make turns, and may end the loop.
    ///
    /// A [limit](Self::set_limit) of callbacks bounds what one call returns. One of time does not
    /// apply, and callbacks are not measured.
    ///
    /// ```
    /// use core::mem::MaybeUninit;
    /// use pirn::{Config, Due, Loop, Repeat, Storage, When};
    ///
    /// fn never(_: &mut Loop<'_, ()>, _: &mut (), _: pirn::TimerEvent) {}
    ///
    /// let mut storage = Storage::<8, 4, 4>::new();
    /// let mut event_loop = Loop::new(&mut storage, Config::default())?;
    /// event_loop.timer_start(When::After(1_000_000), Repeat::FixedRate(1_000_000), never, 0)?;
    ///
    /// let (mut ticks, mut room) = (0, [MaybeUninit::uninit()]);
    /// while event_loop.ended()?.is_none() {
    ///     let timeout = event_loop.prepare(pirn::FOREVER)?;
    ///     event_loop.wait(timeout)?;
    ///     while let [due] = event_loop.take(&mut room)? {
    ///         if let Due::Timer(event, _) = due {
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
    /// [`Error::EBUSY`]: inside a callback. [`Error::EINVAL`]: `due` has no room.
    pub fn take<'d>(
        &mut self,
        due: &'d mut [MaybeUninit<Due<C, H>>],
    ) -> Result<&'d mut [Due<C, H>]> {
        let capacity = u32::try_from(due.len()).unwrap_or(u32::MAX);
        if capacity == 0 {
            return Err(Error::EINVAL);
        }
        let mut written = 0;
        self.enter(|this| {
            drive::take(&mut this.reactor, capacity, |item| {
                if let Some(place) = due.get_mut(written) {
                    // SAFETY: the reactor is that of this loop.
                    place.write(unsafe { Due::new(&item) });
                    written += 1;
                }
            });
            Ok(())
        })?;
        let due = due.get_mut(..written).unwrap_or_default();
        let due: *mut [MaybeUninit<Due<C, H>>] = due;
        // SAFETY: the first `written` places were written above, one after the other; `MaybeUninit`
        // has the layout of what it may hold. The borrow is that of `due`.
        Ok(unsafe { &mut *(due as *mut [Due<C, H>]) })
    }
}
