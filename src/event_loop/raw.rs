#![expect(
    unsafe_code,
    reason = "callbacks are kept as addresses and called as the functions they were"
)]
//! The loop without a type for the application's context: callbacks are function pointers with a
//! word.

mod timers;

use core::mem::{replace, transmute};
use core::ptr::NonNull;

use super::callback::{IoEvent, NoHost, TimerEvent};
use super::remote::RawRemote;
use crate::any::{AnyBackend, AnyWaker};
use crate::backend::{Backend, BackendKind, Capabilities};
use crate::callback::Callback;
use crate::error::Result;
use crate::host::Host;
use crate::reactor::turn::{self, Caller};
use crate::reactor::{FiredIo, Limit, Reactor};
use crate::ready::{Interest, Ready};
use crate::remote::Shared;
use crate::stats::Stats;
use crate::storage::Parts;
use crate::time::Instant;
use crate::timers::Fired;
use crate::token::{Io, Timer};
use crate::watchers::Hook;

/// The untyped callback of a watcher, called when its fd is ready or its bit was raised.
pub type OnIo<H = NoHost> = for<'l> fn(&mut RawCore<'l, H>, IoEvent<*mut ()>);
/// The untyped callback of a timer, called when the timer is due.
pub type OnTimer<H = NoHost> = for<'l> fn(&mut RawCore<'l, H>, TimerEvent<*mut ()>);
/// The untyped callback of a task or a post.
pub type OnTask<H = NoHost> = for<'l> fn(&mut RawCore<'l, H>, *mut ());

/// The loop for a library that does not know the application's context: with all methods except
/// those that run it.
///
/// Callbacks are functions that get the loop and a word. Library and application use the same loop,
/// and all callbacks are called in one order. A [`Loop`](crate::Loop) and a [`Core`](crate::Core)
/// dereference to it, so the application can pass either of them to the library. A library that
/// should work with every host is generic over `H`.
///
/// It has no size, so it cannot be swapped or replaced.
///
/// ```
/// use pirn::{Config, Core, Duration, Loop, RawCore, Repeat, Result, Storage, TimerEvent, When};
/// use pirn::Word;
/// use std::cell::Cell;
///
/// // A library that counts beats:
///
/// #[derive(Default)]
/// pub struct Metronome {
///     beats: Cell<u32>,
/// }
///
/// impl Metronome {
///     pub fn start(&'static self, core: &mut RawCore<'_>, period: Duration) -> Result<()> {
///         let (when, repeat) = (When::After(period), Repeat::FixedRate(period));
///         core.timer_start(when, repeat, on_beat, self.into_word()).map(drop)
///     }
/// }
///
/// fn on_beat(core: &mut RawCore<'_>, event: TimerEvent<*mut ()>) {
///     // SAFETY: the word is what `start` made of such a reference.
///     let metronome = unsafe { <&'static Metronome>::from_word(event.user) };
///     metronome.beats.set(metronome.beats.get() + 1);
///     if metronome.beats.get() == 4 {
///         core.timer_stop(event.timer).expect("a callback's handle is live");
///     }
/// }
///
/// // An application that uses it:
///
/// fn on_start(_: &mut Core<'_, String>, text: &mut String, _: usize) {
///     text.push_str("one, two");
/// }
///
/// let metronome: &Metronome = Box::leak(Box::default());
/// let mut storage = Storage::<1, 1, 1>::new();
/// let mut event_loop = Loop::new(&mut storage, Config::default())?;
/// metronome.start(&mut event_loop, Duration::from_micros(1))?;
/// event_loop.task_post(on_start, 0)?;
/// let mut text = String::new();
/// event_loop.run(&mut text)?;
/// assert_eq!((metronome.beats.get(), text.as_str()), (4, "one, two"));
/// # Ok::<(), pirn::Error>(())
/// ```
pub struct RawCore<'l, H: Host = NoHost, T: ?Sized = [()]> {
    pub(super) reactor: Reactor<'l, AnyBackend<'l, H>>,
    pub(super) shared: &'l Shared<'l, AnyWaker<H::Waker>>,
    /// The application's context, for typed callbacks; null while no callback can run.
    context: *mut (),
    /// Holds no data. `T` is `[(); 0]` inside a `Loop`, and `[()]`, which has no size, in a
    /// reference.
    _tail: T,
}

impl<'l, H: Host> RawCore<'l, H, [(); 0]> {
    pub(super) fn new(
        backend: AnyBackend<'l, H>,
        parts: Parts<'l, AnyWaker<H::Waker>>,
        measure: bool,
        seed: u32,
    ) -> Self {
        RawCore {
            shared: parts.shared,
            reactor: Reactor::new(backend, parts, measure, seed),
            context: core::ptr::null_mut(),
            _tail: [],
        }
    }
}

impl<'l, H: Host> RawCore<'l, H> {
    // ---- I/O ----

    /// Watch an fd. Before you close it, remove its watchers or call
    /// [`fd_closing`](Self::fd_closing).
    ///
    /// # Errors
    ///
    /// [`Error::EBADF`](crate::Error::EBADF): the fd is not open, or was opened with `O_PATH`.
    /// [`Error::ENOSPC`](crate::Error::ENOSPC): all I/O slots are in use.
    /// [`Error::EINVAL`](crate::Error::EINVAL): bits that exclude each other, the loop's own fd, or
    /// options that differ from those of another watcher of the fd.
    /// [`Error::EOPNOTSUPP`](crate::Error::EOPNOTSUPP): the backend lacks the option.
    /// [`Error::EPERM`](crate::Error::EPERM): edge triggered or exclusive on a file that is always
    /// ready. [`Error::ERANGE`](crate::Error::ERANGE): the fd is beyond select's range.
    /// [`Error::ECHILD`](crate::Error::ECHILD): in a forked child.
    pub fn io_add(
        &mut self,
        fd: i32,
        interest: Interest,
        callback: OnIo<H>,
        user: *mut (),
    ) -> Result<Io> {
        self.reactor
            .io_add(fd, interest, erase(callback as *mut (), user))
            .map(Io)
    }

    /// Change the interest of a watcher; an empty interest pauses it. The kernel is updated before
    /// the next wait, and only if its interest differs then.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    /// [`Error::EINVAL`](crate::Error::EINVAL): `interest` has options, or `io` is the handler of a
    /// raised bit or a hook.
    pub fn io_modify(&mut self, io: Io, interest: Interest) -> Result<()> {
        self.reactor.io_modify(io.0, interest.bits())
    }

    /// Replace the callback and the word of a watcher, the handler of a raised bit, or a hook. The
    /// next call already uses them, even for an event that was fetched before.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    pub fn io_set_callback(&mut self, io: Io, callback: OnIo<H>, user: *mut ()) -> Result<()> {
        self.reactor
            .io_set_callback(io.0, erase(callback as *mut (), user))
    }

    /// Remove a watcher, the handler of a raised bit, or a hook. Takes effect immediately: the
    /// callback is never called again, even for an event already fetched.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    /// [`Error::ECHILD`](crate::Error::ECHILD): in a forked child.
    pub fn io_remove(&mut self, io: Io) -> Result<()> {
        self.reactor.io_remove(io.0)
    }

    /// Set whether a watcher keeps [`run`](crate::Loop::run) going, which is the default.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    pub fn io_set_reference(&mut self, io: Io, holds: bool) -> Result<()> {
        self.reactor.io_reference(io.0, holds)
    }

    /// Report readiness to a watcher in the next dispatch, as if the kernel had found it.
    ///
    /// # Errors
    ///
    /// [`Error::ENOENT`](crate::Error::ENOENT): stale handle.
    /// [`Error::EINVAL`](crate::Error::EINVAL): `ready` is empty or has [`Ready::INVALID`], or `io`
    /// is the handler of a raised bit or a hook.
    pub fn io_feed(&mut self, io: Io, ready: Ready) -> Result<()> {
        self.reactor.io_feed(io.0, ready.bits())
    }

    /// Remove all watchers of an fd that you are about to close, and return how many there were.
    ///
    /// # Errors
    ///
    /// [`Error::EBADF`](crate::Error::EBADF): the fd is negative.
    /// [`Error::ECHILD`](crate::Error::ECHILD): in a forked child.
    pub fn fd_closing(&mut self, fd: i32) -> Result<u32> {
        self.reactor.fd_closing(fd)
    }

    /// Add the handler of a bit from 0 to 63, which is called when the bit is raised. `options` may
    /// have `HIGH`, `LOW` and `UNREF`. Uses an I/O slot.
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`](crate::Error::EINVAL): no such bit, other options.
    /// [`Error::EEXIST`](crate::Error::EEXIST): the bit already has a handler.
    /// [`Error::ENOSPC`](crate::Error::ENOSPC): all I/O slots are in use.
    pub fn raise_add(
        &mut self,
        bit: u32,
        options: Interest,
        callback: OnIo<H>,
        user: *mut (),
    ) -> Result<Io> {
        self.reactor
            .raise_add(bit, options, erase(callback as *mut (), user))
            .map(Io)
    }

    /// Add a hook: a callback that is called in every dispatch at the moment given by `when`,
    /// whatever is due. `options` may have `UNREF`. Uses an I/O slot.
    ///
    /// The hooks of one kind are called in the order in which they were added. A hook that is added
    /// during a dispatch is called from the next dispatch on. Hooks are neither counted nor
    /// limited. [`Loop::take`](crate::Loop::take) calls no hooks. [`io_remove`](Self::io_remove)
    /// removes a hook; a hook cannot be paused. The callback gets `when` as the `fd` of its event.
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`](crate::Error::EINVAL): other options.
    /// [`Error::ENOSPC`](crate::Error::ENOSPC): all I/O slots are in use.
    pub fn hook_add(
        &mut self,
        when: Hook,
        options: Interest,
        callback: OnIo<H>,
        user: *mut (),
    ) -> Result<Io> {
        self.reactor
            .hook_add(when, options, erase(callback as *mut (), user))
            .map(Io)
    }

    // ---- other threads ----

    /// Return a handle for other threads and signal handlers. It may outlive the loop; its calls
    /// then return an error.
    #[must_use]
    pub fn remote(&self) -> RawRemote<'l, H> {
        RawRemote {
            shared: self.shared,
        }
    }

    // ---- the run ----

    /// Limit how many callbacks one turn calls, or for how long, from the next turn on. The
    /// following turns call what is left over before they fetch anything new.
    pub fn set_limit(&mut self, limit: Limit) {
        self.reactor.set_limit(limit);
    }

    /// Keep [`run`](crate::Loop::run) going, even if nothing else does, until
    /// [`release`](Self::release). Holds are counted: the loop needs as many releases as holds.
    ///
    /// # Errors
    ///
    /// [`Error::ENOSPC`](crate::Error::ENOSPC): already held 2^32 - 1 times.
    pub fn hold(&mut self) -> Result<()> {
        self.reactor.hold()
    }

    /// Undo one [`hold`](Self::hold).
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`](crate::Error::EINVAL): the loop is not held.
    pub fn release(&mut self) -> Result<()> {
        self.reactor.release()
    }

    // ---- inspection ----

    /// Return the turn's time.
    pub fn now(&mut self) -> Instant {
        self.reactor.now()
    }

    /// Read the clock into the turn's time, and return it.
    pub fn update(&mut self) -> Instant {
        self.reactor.update()
    }

    /// Return the deadline of the timer that is due next, or [`Instant::NEVER`].
    #[must_use]
    pub fn next_deadline(&self) -> Instant {
        self.reactor.next_deadline()
    }

    /// Return the fd that is readable whenever the loop has something to do, due timers included.
    ///
    /// # Errors
    ///
    /// [`Error::EOPNOTSUPP`](crate::Error::EOPNOTSUPP): only the epoll backend has such an fd.
    /// Otherwise the kernel's error.
    pub fn pollable_fd(&mut self) -> Result<i32> {
        self.reactor.pollable_fd()
    }

    /// Return which backend the loop uses.
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.reactor.backend.kind()
    }

    /// Return the optional features of the backend.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.reactor.backend.capabilities()
    }

    /// Return the statistics of the loop.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.reactor.stats()
    }

    /// Check that the loop's internal structures are consistent.
    ///
    /// # Errors
    ///
    /// [`Error::EUCLEAN`](crate::Error::EUCLEAN): they are not.
    pub fn verify(&self) -> Result<()> {
        self.reactor.verify()
    }

    // ---- the context of typed callbacks ----

    /// Calls a function during which typed callbacks may be called with this context.
    pub(super) fn with_context<T>(
        &mut self,
        context: *mut (),
        act: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let outer = replace(&mut self.context, context);
        let within = WithContext { core: self, outer };
        act(&mut *within.core)
    }

    /// Returns the context for typed callbacks; null while none can be called.
    pub(super) fn context(&self) -> *mut () {
        self.context
    }
}

/// Restores the previous context of the loop when it is dropped, also if a callback panics.
struct WithContext<'r, 'l, H: Host> {
    core: &'r mut RawCore<'l, H>,
    outer: *mut (),
}

impl<H: Host> Drop for WithContext<'_, '_, H> {
    fn drop(&mut self) {
        self.core.context = self.outer;
    }
}

/// Returns a callback as the core stores it, without its type.
pub(super) fn erase(function: *mut (), user: *mut ()) -> Callback {
    // The address of a function is not null.
    let function = NonNull::new(function).unwrap_or(NonNull::dangling());
    Callback { function, user }
}

/// Calls the Rust callbacks of a loop. While a callback runs, the loop is borrowed only through the
/// reference that the callback got.
impl<'l, H: Host> Caller<'l> for RawCore<'l, H> {
    type Backend = AnyBackend<'l, H>;

    fn reactor(&mut self) -> &mut Reactor<'l, AnyBackend<'l, H>> {
        &mut self.reactor
    }

    fn dispatch_with_hooks(&mut self) -> Option<u32> {
        self.reactor
            .has_hooks()
            .then(|| turn::dispatch_with_hooks(self))
    }

    #[inline]
    fn call_timers(&mut self) {
        turn::call_timers(self);
    }

    #[inline]
    fn call_tasks(&mut self) {
        turn::call_tasks(self);
    }

    #[inline]
    fn call_posts(&mut self) {
        turn::call_posts(self);
    }

    fn call_timer(&mut self, fired: Fired) {
        // SAFETY: every callback of a timer was made from an `OnTimer<H>`, in `timer_start`.
        let function =
            unsafe { transmute::<*mut (), OnTimer<H>>(fired.callback.function.as_ptr()) };
        let event = TimerEvent {
            timer: Timer(fired.token),
            missed: fired.missed,
            user: fired.callback.user,
        };
        function(self, event);
    }

    fn call_io(&mut self, fired: FiredIo) {
        // SAFETY: every callback of a watcher was made from an `OnIo<H>`, in `io_add`, `raise_add`
        // or `hook_add`.
        let function = unsafe { transmute::<*mut (), OnIo<H>>(fired.callback.function.as_ptr()) };
        let event = IoEvent {
            io: Io(fired.io),
            fd: fired.fd,
            ready: Ready::from_bits_truncate(fired.ready),
            user: fired.callback.user,
        };
        function(self, event);
    }

    fn call_task(&mut self, callback: Callback) {
        // SAFETY: every callback of a task was made from an `OnTask<H>`, in `task_post` or
        // `RawRemote::post`.
        let function = unsafe { transmute::<*mut (), OnTask<H>>(callback.function.as_ptr()) };
        function(self, callback.user);
    }
}
