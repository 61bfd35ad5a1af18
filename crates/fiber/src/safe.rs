#![expect(
    unsafe_code,
    reason = "closures run on stacks of their own, by the C functions below"
)]
//! Fibers for Rust, without `unsafe`: closures that wait, in scopes that outlive them.
//!
//! ```text
//! let mut block = [0; 4096];
//! let mut stacks = [[0; 16384]; 2];
//! let [first, second] = &mut stacks;
//! pirn_fiber::run(&mut block, Capacity { io: 8, timers: 4, tasks: 4 }, |hub| {
//!     hub.scope(|scope| {
//!         scope.spawn(first, || hub.sleep(Duration::from_millis(5)).unwrap())?;
//!         scope.spawn(second, || println!("meanwhile"))?;
//!         Ok(())
//!     })                                        // waits until both have ended
//! })
//! ```
//!
//! What a closure borrows outlives it, because the scope does not end before its fibers have, as in
//! `std::thread::scope`. All fibers run on the thread that called [`run`], one at a time, so
//! they share what is in `Cell`s and `RefCell`s. A closure that panics aborts the program. So does
//! a stack that overflows, as soon as that is seen.

use core::ffi::{c_int, c_void};
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ops::Deref;
use core::ptr::NonNull;
use core::time::Duration;

use pirn::Error;
use pirn_abi::PIRN_FOREVER;
use pirn_wait::functions::{pirn_port_close, pirn_port_open};
pub use pirn_wait::{Capacity, Result};
use pirn_wait::{EDEADLK, EINVAL, Wait, pirn_hub, pirn_port, result};

use crate::caller::{let_others_run, sleep, wait_for, waiter_of_caller};
use crate::fiber::{Start, pirn_fiber};
use crate::group::pirn_group;
use crate::io;
use crate::scope::pirn_scope;

fn done(status: c_int) -> Result<()> {
    result(status as isize).map(|_| ())
}

fn nanoseconds(limit: Option<Duration>) -> u64 {
    pirn_wait::Hub::nanoseconds(limit)
}

/// Runs a program with a loop of its own, in the memory that is given, and returns what it returns.
///
/// The program itself can wait: the loop runs meanwhile.
///
/// # Errors
///
/// Those of `pirn_init`: [`Error::ENOBUFS`] if the block is too small.
pub fn run<R>(block: &mut [u64], capacity: Capacity, program: impl FnOnce(&Hub) -> R) -> Result<R> {
    pirn_wait::run(block, capacity, |hub| {
        // SAFETY: a hub of fibers is nothing but a hub.
        program(unsafe { &*(&raw const *hub).cast::<Hub>() })
    })
}

/// What fibers wait with: one for each loop. Made by [`run`].
///
/// It is a [`pirn_wait::Hub`] too, for which objects and tasks are made.
#[repr(transparent)]
pub struct Hub {
    hub: pirn_wait::Hub,
}

impl Deref for Hub {
    type Target = pirn_wait::Hub;

    fn deref(&self) -> &pirn_wait::Hub {
        &self.hub
    }
}

impl Hub {
    /// Waits until some time has passed, never less. No time at all lets the loop have a whole
    /// turn.
    ///
    /// # Errors
    ///
    /// [`Error::ECANCELED`]: the fiber was cancelled, or the limit around it is over.
    pub fn sleep(&self, delay: Duration) -> Result<()> {
        done(sleep(self.raw(), nanoseconds(Some(delay))))
    }

    /// Lets all others run that are ready, and goes on behind them.
    ///
    /// # Errors
    ///
    /// [`Error::EDEADLK`]: the program itself calls, and no fiber.
    pub fn yield_now(&self) -> Result<()> {
        done(let_others_run(self.raw()))
    }

    /// Waits for an object, as a task does by `await`. None is for ever, or the limit of the wait
    /// itself; no time at all only tries.
    ///
    /// Returns what the wait returns; among its errors are [`Error::ECANCELED`]: the fiber was
    /// cancelled, or the limit around it is over; [`Error::EINVAL`]: the object is another loop's.
    pub fn wait<S: pirn_wait::Start>(
        &self,
        wait: Wait<'_, S>,
        limit: Option<Duration>,
    ) -> S::Output {
        if !wait.is_in(&self.hub) {
            return wait.what().finish(-EINVAL);
        }
        let timeout_ns = nanoseconds(limit).min(wait.timeout_ns());
        // SAFETY: the wait stays where it is until this returns, which is not before it is over.
        let begun = unsafe { wait.what().start(waiter_of_caller(self.raw()), timeout_ns) };
        // SAFETY: begun with that waiter.
        let result = unsafe { wait_for(self.raw(), begun) };
        wait.what().finish(result)
    }

    /// Limits all waits inside `part` together: when the limit is over each of them ends with
    /// [`Error::ECANCELED`].
    ///
    /// # Errors
    ///
    /// [`Error::ETIMEDOUT`]: the limit was over before `part` returned; [`Error::EDEADLK`]: the
    /// program itself calls, and no fiber.
    pub fn limit<R>(&self, limit: Duration, part: impl FnOnce() -> R) -> Result<R> {
        let mut scope = MaybeUninit::<pirn_scope>::uninit();
        let place = scope.as_mut_ptr();
        // SAFETY: writable; left below, before this returns.
        done(unsafe { pirn_scope::enter(self.raw(), place, nanoseconds(Some(limit)), 0) })?;
        // A panic aborts in a fiber, so `part` returns.
        let value = part();
        // SAFETY: entered above. The address of a local is not NULL.
        let place = unsafe { NonNull::new_unchecked(place) };
        // SAFETY: entered above.
        done(unsafe { pirn_scope::leave(self.raw(), place) })?;
        Ok(value)
    }

    /// Opens a port for an fd, which becomes non-blocking, and closes it when `part` returns. The
    /// fd stays open.
    ///
    /// # Errors
    ///
    /// Those of `pirn_port_open`.
    pub fn port<R>(&self, fd: c_int, part: impl FnOnce(&Port) -> R) -> Result<R> {
        struct Closing(*mut pirn_port);
        impl Drop for Closing {
            fn drop(&mut self) {
                // SAFETY: opened below.
                unsafe { pirn_port_close(self.0) };
            }
        }
        let mut port = MaybeUninit::<Port>::uninit();
        let place = port.as_mut_ptr().cast::<pirn_port>();
        // SAFETY: a live hub; the port stays where it is until it is closed.
        done(unsafe { pirn_port_open(self.address(), place, fd, 0) })?;
        let closing = Closing(place);
        // SAFETY: opened above.
        let value = part(unsafe { port.assume_init_ref() });
        drop(closing);
        Ok(value)
    }

    /// Makes a scope for fibers, and waits until all have ended that were started in it.
    ///
    /// If the fiber that calls is cancelled, or if nothing can end them any more, the fibers of the
    /// scope are cancelled.
    pub fn scope<'env, R>(
        &'env self,
        part: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    ) -> R {
        struct Joining<'a, 'scope, 'env>(&'a Scope<'scope, 'env>);
        impl Drop for Joining<'_, '_, '_> {
            fn drop(&mut self) {
                self.0.join();
            }
        }
        let scope = Scope {
            hub: self,
            // SAFETY: all zero is an empty group.
            group: unsafe { MaybeUninit::zeroed().assume_init() },
            scope: PhantomData,
            env: PhantomData,
        };
        let _joining = Joining(&scope);
        part(&scope)
    }
}

/// Where fibers are started: see [`Hub::scope`].
pub struct Scope<'scope, 'env: 'scope> {
    hub: &'env Hub,
    group: pirn_group,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// What stands at the top of the stack of a fiber.
struct Top<F> {
    fiber: pirn_fiber,
    body: MaybeUninit<F>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a closure on a stack. It first runs when the caller waits.
    ///
    /// # Errors
    ///
    /// [`Error::EINVAL`]: the stack is too small; [`Error::EOPNOTSUPP`]: the machine has no switch.
    /// The closure is dropped.
    pub fn spawn<F: FnOnce() + 'scope>(
        &'scope self,
        stack: &'scope mut [u8],
        body: F,
    ) -> Result<Handle<'scope>> {
        let layout = size_of::<Top<F>>() + align_of::<Top<F>>();
        let size = stack.len().checked_sub(layout).ok_or(Error::EINVAL)?;
        let bottom = stack.as_mut_ptr();
        let above = bottom.wrapping_add(size);
        let top = above.wrapping_add(above.align_offset(align_of::<Top<F>>()));
        let top = top.cast::<Top<F>>();
        // SAFETY: inside the stack, which is borrowed for the scope, and aligned.
        unsafe {
            top.cast::<MaybeUninit<Top<F>>>()
                .write(MaybeUninit::zeroed())
        };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*top).body }.cast::<F>();
        // SAFETY: as above.
        unsafe { place.write(body) };
        let start = Start {
            stack: bottom.cast::<c_void>(),
            size,
            options: 0,
            body: Some(run_body::<F>),
            user: top.cast::<c_void>(),
        };
        // SAFETY: as above; all zero is a fiber that was never started. Nothing but the fiber
        // itself uses what stands beside it.
        let fiber: &'scope pirn_fiber = unsafe { &(*top).fiber };
        // SAFETY: fiber and stack stay until the scope ends, which is not before the fiber does.
        let status = unsafe { fiber.start(self.hub.raw(), &start) };
        if status < 0 {
            // SAFETY: written above, and not read by anybody.
            unsafe { place.drop_in_place() };
        }
        done(status)?;
        self.group.add(fiber);
        Ok(Handle { fiber })
    }

    /// Waits until no fiber of the scope is left.
    fn join(&self) {
        while self.group.live.get() != 0 {
            let hub = self.hub.raw();
            // SAFETY: the waiter of the caller, or NULL.
            let waiter = unsafe { waiter_of_caller(hub).as_ref() };
            let begun = waiter.map_or(-EDEADLK, |waiter| self.group.join(waiter, PIRN_FOREVER));
            // SAFETY: begun with that waiter.
            let status = unsafe { wait_for(hub, begun) };
            if hub.is_broken() || waiter.is_none() {
                // The fibers borrow what is about to end, and cannot end themselves.
                abort();
            }
            if status < 0 {
                // Those that wait for what never comes are ready again, for their waits are over.
                self.group.cancel();
            }
        }
    }
}

/// Ends the program: a panic cannot leave this function.
extern "C" fn abort() -> ! {
    panic!("fibers are left that can never end");
}

/// Runs the closure at the top of a stack.
unsafe extern "C" fn run_body<F: FnOnce()>(_hub: *mut pirn_hub, user: *mut c_void) -> c_int {
    let top = user.cast::<Top<F>>();
    // SAFETY: what `spawn` has made.
    let place = unsafe { &raw const (*top).body }.cast::<F>();
    // SAFETY: written by `spawn`, and read here once.
    let body = unsafe { place.read() };
    body();
    0
}

/// A fiber of a scope.
#[derive(Clone, Copy)]
pub struct Handle<'scope> {
    fiber: &'scope pirn_fiber,
}

impl Handle<'_> {
    /// Cancels the fiber: its wait in progress and every later one end with [`Error::ECANCELED`].
    pub fn cancel(&self) {
        self.fiber.cancel();
    }

    /// Waits until the fiber has ended.
    ///
    /// # Errors
    ///
    /// [`Error::EDEADLK`]: it would wait for itself; [`Error::ETIMEDOUT`], [`Error::ECANCELED`].
    pub fn join(&self, limit: Option<Duration>) -> Result<()> {
        // SAFETY: the hub with which it was started, which outlives it.
        let Some(hub) = (unsafe { self.fiber.hub_address().as_ref() }) else {
            return Err(Error::from_errno(EINVAL));
        };
        // SAFETY: the waiter of the caller, or NULL.
        let begun = match unsafe { waiter_of_caller(hub).as_ref() } {
            Some(waiter) => self.fiber.join(waiter, nanoseconds(limit)),
            None => -EDEADLK,
        };
        // SAFETY: begun with that waiter.
        done(unsafe { wait_for(hub, begun) })
    }
}

/// An fd that fibers wait for: see [`Hub::port`]. Time limits are for a whole call; none is for
/// ever, and no time at all only tries.
#[repr(transparent)]
pub struct Port {
    inner: pirn_port,
}

impl Port {
    fn address(&self) -> *mut pirn_port {
        (&raw const self.inner).cast_mut()
    }

    /// Reads, and waits if there is nothing to read yet. 0 is the end.
    ///
    /// # Errors
    ///
    /// [`Error::ETIMEDOUT`], [`Error::ECANCELED`], [`Error::EAGAIN`], or what the kernel says.
    pub fn read(&self, buffer: &mut [u8], limit: Option<Duration>) -> Result<usize> {
        let (bytes, size) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: an open port, and as many bytes as said.
        result(unsafe { io::read(self.address(), bytes, size, nanoseconds(limit)) })
    }

    /// Writes all of a buffer, and waits whenever there is no room.
    ///
    /// # Errors
    ///
    /// As [`Port::read`]. Some of the buffer may have been written.
    pub fn write_all(&self, buffer: &[u8], limit: Option<Duration>) -> Result<()> {
        let (bytes, size) = (buffer.as_ptr().cast(), buffer.len());
        // SAFETY: an open port, and as many bytes as said.
        done(unsafe { io::write_all(self.address(), bytes, size, nanoseconds(limit)) })
    }

    /// Accepts a connection, and waits if there is none yet. The fd is yours.
    ///
    /// # Errors
    ///
    /// As [`Port::read`].
    pub fn accept(&self, limit: Option<Duration>) -> Result<c_int> {
        // SAFETY: an open port.
        let fd = unsafe { io::accept(self.address(), nanoseconds(limit)) };
        result(fd as isize).map(|_| fd)
    }
}
