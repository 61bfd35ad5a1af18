#![expect(
    unsafe_code,
    reason = "the context and the callback of a type are found again by that type"
)]
//! The loop as the application's callbacks get it, with the type of their context.
//!
//! The loop stores only untyped callbacks. For each type of a typed callback there is one untyped
//! function, which restores the context, the typed callback and the word, and calls the callback.
//! The context is the one passed to the current run. The typed callback is a value without a size,
//! which its type determines completely.

use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use super::callback::{IoEvent, NoHost, Repeat, TimerEvent, When};
use super::due::Due;
use super::raw::RawCore;
use super::remote::Remote;
use super::word::Word;
use crate::error::Result;
use crate::host::Host;
use crate::ready::Interest;
use crate::token::{Io, Task, Timer};
use crate::watchers::Hook;

/// The loop as callbacks get it: with all methods except those that run it.
///
/// Callbacks get it together with the context of the run. A [`Loop`](crate::Loop) dereferences to
/// it, so a function that takes a `&mut Core` can be used before the run as well. It dereferences
/// to [`RawCore`], which has the methods that do not need the context's type.
///
/// A callback is a function, or a closure that captures nothing: its data is in the context or in
/// its word. A function pointer does not compile. To choose a function at run time, store the
/// pointer in the context, or add it to the [`RawCore`].
///
/// ```compile_fail,E0080
/// # use pirn::{Config, Core, Loop, Storage};
/// fn on_task(_: &mut Core<'_, ()>, _: &mut (), _: usize) {}
///
/// let pointer: fn(&mut Core<'_, ()>, &mut (), usize) = on_task;
/// let mut storage = Storage::<1, 1, 1>::new();
/// let mut event_loop = Loop::new(&mut storage, Config::default()).unwrap();
/// event_loop.task_post(pointer, 0).unwrap();
/// ```
///
/// It has no size, so a callback cannot swap or replace its loop:
///
/// ```compile_fail,E0277
/// fn on_task(core: &mut pirn::Core<'_, ()>, other: &mut pirn::Core<'_, ()>) {
///     core::mem::swap(core, other);
/// }
/// ```
///
/// A callback cannot run its loop either, while it is already running:
///
/// ```compile_fail,E0599
/// fn on_task(core: &mut pirn::Core<'_, ()>, context: &mut (), _: usize) {
///     core.turn(Duration::ZERO, context);
/// }
/// ```
#[repr(transparent)]
pub struct Core<'l, C, H: Host = NoHost, T: ?Sized = [()]> {
    context: PhantomData<fn(&mut C)>,
    pub(super) raw: RawCore<'l, H, T>,
}

impl<'l, C, H: Host> Core<'l, C, H, [(); 0]> {
    pub(super) fn new(raw: RawCore<'l, H, [(); 0]>) -> Self {
        Core {
            context: PhantomData,
            raw,
        }
    }
}

impl<'l, C, H: Host> Core<'l, C, H> {
    /// Watch an fd, with a callback that gets the context; otherwise as [`RawCore::io_add`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn io_add<F, U: Word>(
        &mut self,
        fd: i32,
        interest: Interest,
        callback: F,
        user: U,
    ) -> Result<Io>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, IoEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .io_add(fd, interest, call_io::<C, H, F, U>, user.into_word())
    }

    /// Replace the callback of a watcher, the handler of a raised bit, or a hook, by one that gets
    /// the context; otherwise as [`RawCore::io_set_callback`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn io_set_callback<F, U: Word>(&mut self, io: Io, callback: F, user: U) -> Result<()>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, IoEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .io_set_callback(io, call_io::<C, H, F, U>, user.into_word())
    }

    /// Add the handler of a bit, with a callback that gets the context; otherwise as
    /// [`RawCore::raise_add`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn raise_add<F, U: Word>(
        &mut self,
        bit: u32,
        options: Interest,
        callback: F,
        user: U,
    ) -> Result<Io>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, IoEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .raise_add(bit, options, call_io::<C, H, F, U>, user.into_word())
    }

    /// Add a hook, with a callback that gets the context; otherwise as [`RawCore::hook_add`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn hook_add<F, U: Word>(
        &mut self,
        when: Hook,
        options: Interest,
        callback: F,
        user: U,
    ) -> Result<Io>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, IoEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .hook_add(when, options, call_io::<C, H, F, U>, user.into_word())
    }

    /// Start a timer, with a callback that gets the context; otherwise as [`RawCore::timer_start`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn timer_start<F, U: Word>(
        &mut self,
        when: When,
        repeat: Repeat,
        callback: F,
        user: U,
    ) -> Result<Timer>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, TimerEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .timer_start(when, repeat, call_timer::<C, H, F, U>, user.into_word())
    }

    /// Start a timer that does not keep [`run`](crate::Loop::run) going, otherwise as
    /// [`timer_start`](Self::timer_start).
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn timer_start_unreferenced<F, U: Word>(
        &mut self,
        when: When,
        repeat: Repeat,
        callback: F,
        user: U,
    ) -> Result<Timer>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, TimerEvent<U>) + Copy + 'static,
    {
        let timer = self.timer_start(when, repeat, callback, user)?;
        self.timer_set_reference(timer, false)?;
        Ok(timer)
    }

    /// Start a timer, or change it if it is running, with a callback that gets the context;
    /// otherwise as [`RawCore::timer_set`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn timer_set<F, U: Word>(
        &mut self,
        timer: &mut Timer,
        when: When,
        repeat: Repeat,
        callback: F,
        user: U,
    ) -> Result<()>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, TimerEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        let call = call_timer::<C, H, F, U>;
        self.raw
            .timer_set(timer, when, repeat, call, user.into_word())
    }

    /// Replace the callback of a timer by one that gets the context; otherwise as
    /// [`RawCore::timer_set_callback`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn timer_set_callback<F, U: Word>(
        &mut self,
        timer: Timer,
        callback: F,
        user: U,
    ) -> Result<()>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, TimerEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .timer_set_callback(timer, call_timer::<C, H, F, U>, user.into_word())
    }

    /// Queue a callback for the next turn that gets the context; otherwise as
    /// [`RawCore::task_post`].
    ///
    /// # Errors
    ///
    /// As the untyped method.
    pub fn task_post<F, U: Word>(&mut self, callback: F, user: U) -> Result<Task>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, U) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .task_post(call_task::<C, H, F, U>, user.into_word())
    }

    /// Take one task or post that was not called yet out of the queues. Call this until it returns
    /// `None`. Closes the queues for [`Remote`]s.
    pub fn task_reclaim(&mut self) -> Option<Due<C, H>> {
        self.raw.reactor.task_reclaim().map(Due::post)
    }

    /// Return a handle for other threads and signal handlers whose posts get the context; otherwise
    /// as [`RawCore::remote`].
    #[must_use]
    pub fn remote(&self) -> Remote<'l, C, H> {
        Remote::new(self.raw.remote())
    }

    /// Return the loop without the type of the context: for a library, or to add a callback that
    /// does not need the context.
    pub fn raw(&mut self) -> &mut RawCore<'l, H> {
        &mut self.raw
    }
}

impl<'l, C, H: Host> Deref for Core<'l, C, H> {
    type Target = RawCore<'l, H>;

    fn deref(&self) -> &RawCore<'l, H> {
        &self.raw
    }
}

impl<C, H: Host> DerefMut for Core<'_, C, H> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.raw
    }
}

// ---- the untyped functions that call typed callbacks ----

fn call_io<C, H, F, U>(raw: &mut RawCore<'_, H>, event: IoEvent<*mut ()>)
where
    H: Host,
    F: Fn(&mut Core<'_, C, H>, &mut C, IoEvent<U>) + Copy + 'static,
    U: Word,
{
    // SAFETY: only a `Core<C, H>` adds this function, when it is given a callback of this type.
    let (callback, core, context) = unsafe { find::<C, H, F>(raw) };
    let event = IoEvent {
        io: event.io,
        fd: event.fd,
        ready: event.ready,
        // SAFETY: it was added together with the word of a `U`.
        user: unsafe { U::from_word(event.user) },
    };
    callback(core, context, event);
}

fn call_timer<C, H, F, U>(raw: &mut RawCore<'_, H>, event: TimerEvent<*mut ()>)
where
    H: Host,
    F: Fn(&mut Core<'_, C, H>, &mut C, TimerEvent<U>) + Copy + 'static,
    U: Word,
{
    // SAFETY: as in `call_io`.
    let (callback, core, context) = unsafe { find::<C, H, F>(raw) };
    let event = TimerEvent {
        timer: event.timer,
        missed: event.missed,
        // SAFETY: as in `call_io`.
        user: unsafe { U::from_word(event.user) },
    };
    callback(core, context, event);
}

pub(super) fn call_task<C, H, F, U>(raw: &mut RawCore<'_, H>, user: *mut ())
where
    H: Host,
    F: Fn(&mut Core<'_, C, H>, &mut C, U) + Copy + 'static,
    U: Word,
{
    // SAFETY: as in `call_io`; posts are added by a `Remote<C, H>`.
    let (callback, core, context) = unsafe { find::<C, H, F>(raw) };
    // SAFETY: as in `call_io`.
    callback(core, context, unsafe { U::from_word(user) });
}

/// Restores the typed loop, the context and the callback of type `F`.
///
/// # Safety
///
/// The calling function was added to this loop by a `Core<C, H>` or a `Remote<C, H>` that got a
/// value of type `F`.
#[inline(always)]
unsafe fn find<'r, 'l, C, H: Host, F: Copy + 'static>(
    raw: &'r mut RawCore<'l, H>,
) -> (F, &'r mut Core<'l, C, H>, &'r mut C) {
    const {
        assert!(
            size_of::<F>() == 0,
            "a callback is a function, or a closure that captures nothing"
        );
    }
    // SAFETY: a value without a size can be read from any aligned address; such a value existed, as
    // the caller promises, and it is `Copy`.
    let callback = unsafe { NonNull::<F>::dangling().read() };
    let context = raw.context().cast::<C>();
    // SAFETY: callbacks are called only inside `with_context`, which `Loop<C, H>` and `Due<C, H>`
    // call with the address of a context that they have borrowed mutably until it returns. Only one
    // callback borrows it at a time: a callback cannot run this loop, and a `Due` is called with
    // the context of its own caller.
    let context = unsafe { &mut *context };
    let core = (&raw mut *raw) as *mut Core<'l, C, H>;
    // SAFETY: `Core` is transparent, and the loop is one of `C` and `H`, as the caller promises.
    let core = unsafe { &mut *core };
    (callback, core, context)
}
