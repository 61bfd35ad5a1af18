#![expect(
    unsafe_code,
    reason = "the C face: what is due is written into the caller's array"
)]
//! Taking events as data instead of callbacks.

use core::ffi::{c_int, c_void};
use core::mem::transmute;

use crate::error::Error;
use crate::reactor::take::{self, Item, Kind};
use crate::reactor::turn::Caller;
use crate::token::Token;

use super::running::inside;
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

/// Kind of a `pirn_due`: a post from another thread, see `pirn_remote_post`.
pub const PIRN_DUE_POST: u32 = 5u32;

/// Kind of a `pirn_info`: a hook. `pirn_take` never returns this kind.
pub const PIRN_DUE_HOOK: u32 = 6u32;

/// A handle of any kind: read the member that belongs to the `kind`.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_handle {
    /// For `PIRN_DUE_IO`, `PIRN_DUE_RAISED` and `PIRN_DUE_HOOK`.
    pub io: pirn_io,
    /// For `PIRN_DUE_TIMER`. Already stale in a `pirn_due` of a one-shot timer.
    pub timer: pirn_timer,
    /// For `PIRN_DUE_TASK`: already stale in a `pirn_due`. For `PIRN_DUE_POST`: all zero.
    pub task: pirn_task,
}

/// A callback of any kind: read the member that belongs to the `kind`. NULL if the program passed
/// NULL.
#[repr(C)]
#[derive(Clone, Copy)]
pub union pirn_callback {
    /// For `PIRN_DUE_IO`, `PIRN_DUE_RAISED` and `PIRN_DUE_HOOK`.
    pub io: pirn_io_fn,
    /// For `PIRN_DUE_TIMER`.
    pub timer: pirn_timer_fn,
    /// For `PIRN_DUE_TASK` and `PIRN_DUE_POST`.
    pub task: pirn_task_fn,
}

/// One event returned by `pirn_take`: the arguments with which a dispatch would call the callback.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_due {
    /// `PIRN_DUE_TIMER`, `_IO`, `_RAISED`, `_TASK` or `_POST`. Later versions may add kinds, but
    /// only for features that a program has to request.
    pub kind: u32,
    /// The fd of an I/O watcher, or the bit that was raised; otherwise -1.
    pub fd: i32,
    /// The handle of the watcher, timer or task.
    pub handle: pirn_handle,
    /// The readiness of an fd: `PIRN_READ` and so on. `PIRN_READ` for a raised bit; otherwise 0.
    pub ready: u32,
    /// 0.
    pub reserved: u32,
    /// The number of ticks of a periodic timer that are overdue besides this one; otherwise 0.
    pub missed: u64,
    /// The callback that the program passed.
    pub callback: pirn_callback,
    /// The user data that the program passed.
    pub user: *mut c_void,
    /// 0. Reserved for later kinds.
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
            // All three members have the same layout.
            handle: pirn_handle {
                io: item.token.into(),
            },
            ready: item.ready,
            reserved: 0,
            missed: item.missed,
            callback: pirn_callback {
                // SAFETY: every callback was made from a function pointer or stands for NULL. A
                // function pointer of another kind has the same representation, and it is not
                // called here.
                task: unsafe { transmute::<*mut (), pirn_task_fn>(function(&item.callback)) },
            },
            user: user_of(&item.callback),
            more: [0; 2],
        }
    }
}

// The handle of a post is all zero.
const _: () = assert!(size_of::<pirn_handle>() == size_of::<Token>());

/// Do the third part of a turn, but write the due events into an array instead of calling
/// callbacks.
///
/// For language bindings whose callbacks cannot raise exceptions, for programs that make turns
/// inside the handling of an event, and for programs that need an order of their own. A turn is
/// then
///
///   pirn_prepare(loop, PIRN_FOREVER, &timeout);
///   pirn_wait(loop, timeout);
///   while ((count = pirn_take(loop, due, capacity)) > 0)
///       for (i = 0; i < count; i++)
///           ... handle `due[i]` ...
///
/// The events are written in the order and by the rules of `pirn_dispatch`. Events that do not fit
/// are left for the next call; until they are taken, a wait neither sleeps nor fetches new events.
/// The turn is over when 0 is returned. Tasks and timers that a handler starts belong to the next
/// turn, so they cannot keep the inner loop above going.
///
/// If `capacity` is above 1, check for stale events: the handler of one event may remove the
/// watcher or stop the timer of another event in the same array. The handle of that event is then
/// stale (pirn functions return -ENOENT for it), and the memory behind `user` may already be freed.
/// With a `capacity` of 1 the rules of a dispatch hold exactly, because an event is checked when it
/// is written: those of watchers, timers and tasks removed before are left out. No dispatch is in
/// progress between two calls, so a handler may make turns, end the loop, raise an exception or
/// longjmp.
///
/// @param due       receives the events
/// @param capacity  how many events fit into `due`, at least 1
///
/// Returns how many events were written, 0 when the turn is over, or
/// - -EINVAL: no live loop; `due` is NULL; `capacity` is 0
/// - -EBUSY: inside a callback or a run
///
/// The `callbacks` of `pirn_limit` are also a limit for one call; its `time_ns` and `PIRN_MEASURE`
/// have no effect. To notice `pirn_stop`, call `pirn_ended`. Each event counts as a callback in
/// `pirn_stats`. Cost: as `pirn_dispatch`; if `pirn_fd` was ever called, also two system calls.
/// Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_take(
    r#loop: *mut pirn_loop,
    due: *mut pirn_due,
    capacity: u32,
) -> c_int {
    if due.is_null() || capacity == 0 {
        return failure(Error::EINVAL);
    }
    // The result is an int.
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
