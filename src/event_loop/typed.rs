#![expect(
    unsafe_code,
    reason = "the context and the callback of a type are found again by that type"
)]
//! The loop as the application's callbacks receive it: with the type of their context.
//!
//! The loop keeps untyped callbacks alone. For each callback of a type there is one function that
//! finds the context, the callback and the word again, and calls it: the context is the one that
//! the run under way was given, and the callback is a value without a size, of which the type says
//! everything.

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

/// What a callback can do with its loop: everything but running it.
///
/// Callbacks receive it with the context of the run. A [`Loop`](crate::Loop) dereferences to it, so
/// that a function that takes a `&mut Core` serves before the run as well; and it dereferences to
/// [`RawCore`], which has the rest of the methods, for those that do not need the context's type.
///
/// A callback is a function, or a closure that captures nothing: what it needs is in the context or
/// in its word. A function pointer is refused when the program is compiled; to choose a function at
/// run time, keep the pointer in the context, or add it to the [`RawCore`].
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
/// It has no size, so that a callback cannot swap or replace the loop that it received:
///
/// ```compile_fail,E0277
/// fn on_task(core: &mut pirn::Core<'_, ()>, other: &mut pirn::Core<'_, ()>) {
///     core::mem::swap(core, other);
/// }
/// ```
///
/// Nor can a callback run it, which would enter it a second time:
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
    /// Watch an fd: as [`RawCore::io_add`], for a callback that receives the context.
    ///
    /// # Errors
    ///
    /// As there.
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

    /// Give a watcher or a raise handler another callback: as [`RawCore::io_set_callback`], for one
    /// that receives the context.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn io_set_callback<F, U: Word>(&mut self, io: Io, callback: F, user: U) -> Result<()>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, IoEvent<U>) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .io_set_callback(io, call_io::<C, H, F, U>, user.into_word())
    }

    /// Add the handler of a bit: as [`RawCore::raise_add`], for a callback that receives the
    /// context.
    ///
    /// # Errors
    ///
    /// As there.
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

    /// Add a hook: as [`RawCore::hook_add`], for a callback that receives the context.
    ///
    /// # Errors
    ///
    /// As there.
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

    /// Start a timer: as [`RawCore::timer_start`], for a callback that receives the context.
    ///
    /// # Errors
    ///
    /// As there.
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
    /// As there.
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

    /// Set a timer, whatever state it is in: as [`RawCore::timer_set`], for a callback that
    /// receives the context.
    ///
    /// # Errors
    ///
    /// As there.
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

    /// Give a timer another callback: as [`RawCore::timer_set_callback`], for one that receives the
    /// context.
    ///
    /// # Errors
    ///
    /// As there.
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

    /// Queue a callback for the next turn: as [`RawCore::task_post`], for one that receives the
    /// context.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn task_post<F, U: Word>(&mut self, callback: F, user: U) -> Result<Task>
    where
        F: Fn(&mut Core<'_, C, H>, &mut C, U) + Copy + 'static,
    {
        let _ = callback;
        self.raw
            .task_post(call_task::<C, H, F, U>, user.into_word())
    }

    /// Hand back one accepted post that has not run, one of the loop's own tasks included; call it
    /// until there is none left. Closes the queues to [`Remote`]s.
    pub fn task_reclaim(&mut self) -> Option<Due<C, H>> {
        self.raw.reactor.task_reclaim().map(Due::post)
    }

    /// Return a handle for other threads and signal handlers: as [`RawCore::remote`], for posts
    /// that receive the context.
    #[must_use]
    pub fn remote(&self) -> Remote<'l, C, H> {
        Remote::new(self.raw.remote())
    }

    /// Return the loop without the context's type: for a library, or to add a callback that does
    /// not need the context.
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

// ---- the callbacks that the loop keeps for those that are typed ----

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
        // SAFETY: and with the word of a `U`.
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
    // SAFETY: as in `call_io`; of posts it is a `Remote<C, H>` that adds it.
    let (callback, core, context) = unsafe { find::<C, H, F>(raw) };
    // SAFETY: as in `call_io`.
    callback(core, context, unsafe { U::from_word(user) });
}

/// Finds what a callback of type `F` is called with, and the callback.
///
/// # Safety
///
/// The caller was added to this loop by a `Core<C, H>` or a `Remote<C, H>` that was given a value
/// of `F`.
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
    // SAFETY: a value without a size is read from any aligned place; there was one, as the caller
    // promises, and it is `Copy`.
    let callback = unsafe { NonNull::<F>::dangling().read() };
    let context = raw.context().cast::<C>();
    // SAFETY: callbacks run inside `with_context` alone, which `Loop<C, H>` and `Due<C, H>` call
    // with the address of a context that they have borrowed mutably until it returns. It is
    // borrowed again by one callback at a time: what a callback can reach enters no run of this
    // loop, and a `Due` is called with the context of its own caller.
    let context = unsafe { &mut *context };
    let core = (&raw mut *raw) as *mut Core<'l, C, H>;
    // SAFETY: `Core` is transparent, and the loop is one of `C` and `H`, as the caller promises.
    let core = unsafe { &mut *core };
    (callback, core, context)
}
