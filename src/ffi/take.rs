#![expect(
    unsafe_code,
    reason = "the C face: what is due is written into the caller's array"
)]
//! Taking events instead of being called.

use core::ffi::{c_int, c_void};
use core::mem::transmute;

use crate::error::Error;
use crate::reactor::take::{self, Item, Kind};
use crate::reactor::turn::Caller;
use crate::token::Token;

use super::run::inside;
use super::{
    count, failure, function, pirn_io, pirn_io_fn, pirn_loop, pirn_task, pirn_task_fn, pirn_timer,
    pirn_timer_fn, user_of,
};

/// Kind of a `pirn_due`: a timer is due.
pub const PIRN_DUE_TIMER: u32 = 1u32;

/// Kind of a `pirn_due`: an fd is ready.
pub const PIRN_DUE_IO: u32 = 2u32;

/// Kind of a `pirn_due`: a bit was raised.
pub const PIRN_DUE_RAISED: u32 = 3u32;

/// Kind of a `pirn_due`: a task of the loop's own queue.
pub const PIRN_DUE_TASK: u32 = 4u32;

/// Kind of a `pirn_due`: a post from elsewhere.
pub const PIRN_DUE_POST: u32 = 5u32;

/// Kind of a `pirn_info`: a hook. `pirn_take` hands over none.
pub const PIRN_DUE_HOOK: u32 = 6u32;

/// Whose event it is: the member that the kind names.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_handle {
    /// Of `PIRN_DUE_IO` and `PIRN_DUE_RAISED`.
    pub io: pirn_io,
    /// Of `PIRN_DUE_TIMER`. Stale already if the timer was a one-shot.
    pub timer: pirn_timer,
    /// Of `PIRN_DUE_TASK`, stale already; of `PIRN_DUE_POST` all zero.
    pub task: pirn_task,
}

/// The callback that was given: the member that the kind names. NULL if NULL was given.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_callback {
    /// Of `PIRN_DUE_IO` and `PIRN_DUE_RAISED`.
    pub io: pirn_io_fn,
    /// Of `PIRN_DUE_TIMER`.
    pub timer: pirn_timer_fn,
    /// Of `PIRN_DUE_TASK` and `PIRN_DUE_POST`.
    pub task: pirn_task_fn,
}

/// One event that `pirn_take` hands over: what a dispatch would have passed to the callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_due {
    /// `PIRN_DUE_TIMER` and so on. Later versions may add kinds, each for events of something that
    /// the program itself asks for.
    pub kind: u32,
    /// The fd of an I/O watcher; the bit that was raised; else -1.
    pub fd: i32,
    /// Whose event it is.
    pub handle: pirn_handle,
    /// What was found at an fd: `PIRN_READ` and so on. `PIRN_READ` for a raised bit, else 0.
    pub ready: u32,
    /// 0.
    pub reserved: u32,
    /// How many ticks of a periodic timer are overdue besides this one.
    pub missed: u64,
    /// The callback that was given.
    pub callback: pirn_callback,
    /// The user data that was given.
    pub user: *mut c_void,
    /// 0: room for what later kinds need.
    pub more: [u64; 2],
}

impl From<Item> for pirn_due {
    fn from(item: Item) -> Self {
        pirn_due {
            kind: match item.kind {
                Kind::Timer => PIRN_DUE_TIMER,
                Kind::Io => PIRN_DUE_IO,
                Kind::Raised => PIRN_DUE_RAISED,
                Kind::Task => PIRN_DUE_TASK,
                Kind::Post => PIRN_DUE_POST,
            },
            fd: item.fd,
            // The three are alike.
            handle: pirn_handle {
                io: item.token.into(),
            },
            ready: item.ready,
            reserved: 0,
            missed: item.missed,
            callback: pirn_callback {
                // SAFETY: every callback was made from a callback, or stands for NULL; one of
                // another kind is an address too, and is not called here.
                task: unsafe { transmute::<*mut (), pirn_task_fn>(function(&item.callback)) },
            },
            user: user_of(&item.callback),
            more: [0; 2],
        }
    }
}

// The handle of a post: all zero.
const _: () = assert!(size_of::<pirn_handle>() == size_of::<Token>());

/// Third part of a turn for programs that handle events themselves: write down what is due instead
/// of calling it.
///
/// For language bindings whose callbacks cannot raise, for servers that handle events inside a
/// handler, and for an order of your own. A turn is then
///
///   pirn_prepare(loop, PIRN_FOREVER, &timeout);
///   pirn_wait(loop, timeout);
///   while ((count = pirn_take(loop, due, capacity)) > 0)
///       for (i = 0; i < count; i++)
///           ... handle `due[i]` ...
///
/// What is due is written in the order and by the rules of `pirn_dispatch`. What does not fit is
/// left for the next call, and until it is taken a wait neither sleeps nor fetches. A turn is over
/// when 0 is returned: only the call after that begins another one, so what a handler posts or
/// starts cannot keep the loop above going.
///
/// Each event is checked when it is written: what was removed, stopped or cancelled before is left
/// out. With room for one event the rules of a dispatch hold exactly. With room for more, the
/// handler of one event may remove the watcher or stop the timer of another that was written
/// together with it. That one is stale then: pirn functions return -ENOENT for its handle, and what
/// `user` points to may be gone. Outside of this call no dispatch is in progress, so a handler may
/// make turns, end the loop, raise an exception or longjmp.
///
/// @param due       where the events are written
/// @param capacity  how many there is room for, at least 1
///
/// Returns how many events were written, 0 when the turn is over, or
/// - -EINVAL: no live loop; `due` is NULL; `capacity` is 0
/// - -EBUSY: inside a callback or a run
///
/// The callbacks of `pirn_limit` bound what one call returns; its time does not apply, nor does
/// `PIRN_MEASURE`. `pirn_stop` is seen by `pirn_ended`. Each event counts as a callback in
/// `pirn_stats`. Cost: as `pirn_dispatch`; once `pirn_fd` was called, two system calls. Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_take(
    r#loop: *mut pirn_loop,
    due: *mut pirn_due,
    capacity: u32,
) -> c_int {
    if due.is_null() || capacity == 0 {
        return failure(Error::EINVAL);
    }
    // What an int can count.
    let capacity = capacity.min(c_int::MAX as u32);
    let mut written = 0;
    let write = |item: Item| {
        if written < capacity {
            // SAFETY: inside the array, which has room for `capacity` events.
            let place = unsafe { due.add(written as usize) };
            // SAFETY: writable as documented.
            unsafe { place.write(item.into()) };
            written += 1;
        }
    };
    // SAFETY: passed on.
    let taken = unsafe {
        inside(r#loop, |face| {
            Ok(take::take(face.reactor(), capacity, write))
        })
    };
    count(taken)
}
