#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and a C function is called"
)]
//! Deadlines on clocks other than the monotonic one.

use core::ffi::{c_int, c_void};
use core::ptr::null_mut;

use pirn_abi::{PIRN_INVALID, pirn_io, pirn_loop};
use static_assertions::const_assert;

use super::{NO_IO, check, is_lost, rest, status, unwatch, watch};
use crate::clock::{ClockKind, TimerFd};
use crate::schedule::{Event, NEVER, Schedule};
use crate::sys::{self, AsRawFd, Errno, IntoRawFd, Result};

/// A clock: the time of day, in nanoseconds since 1970 (UTC). It can be set.
pub const PIRN_CLOCK_REALTIME: u32 = 0u32;
/// A clock: the time since the machine was started, in nanoseconds, including the time in suspend.
/// It cannot be set.
pub const PIRN_CLOCK_BOOTTIME: u32 = 7u32;
/// A clock: as `PIRN_CLOCK_REALTIME`; a deadline also wakes a suspended machine.
pub const PIRN_CLOCK_REALTIME_ALARM: u32 = 8u32;
/// A clock: as `PIRN_CLOCK_BOOTTIME`; a deadline also wakes a suspended machine.
pub const PIRN_CLOCK_BOOTTIME_ALARM: u32 = 9u32;

/// Option of `pirn_clock_add`: also report when the clock is set.
pub const PIRN_CLOCK_TELL_SET: u32 = 1u32 << 0;

/// The `what` of a call: the deadline has been reached.
pub const PIRN_CLOCK_DUE: u32 = 1u32;
/// The `what` of a call: the clock was set, forwards or backwards, once or several times.
pub const PIRN_CLOCK_SET: u32 = 2u32;

/// A bit in `options`: the clock was set. That must still be reported, and the timerfd no longer
/// reports it.
const IS_SET_NOTED: u32 = 0x8000_0000;

/// The callback of a clock source. `what` is `PIRN_CLOCK_DUE` when the deadline is reached,
/// `PIRN_CLOCK_SET` when the clock was set, or `PIRN_INVALID` when the source has lost its fd.
/// `missed` is the number of deadlines of a periodic source that have passed besides this one. You
/// may remove `clock` in the callback. Called on the loop's thread. It must not be left by an
/// exception or longjmp.
pub type pirn_clock_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        clock: *mut pirn_clock,
        what: u32,
        missed: u64,
        user: *mut c_void,
    ),
>;

/// A source for a deadline on a clock. Zero it before you add it for the first time, and do not
/// move it until it is removed. You may read the fields; only pirn may write them.
#[repr(C)]
pub struct pirn_clock {
    /// The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
    /// `pirn_io_unref`.
    pub io: pirn_io,
    /// The next deadline; `PIRN_FOREVER` if there is none.
    pub at_ns: u64,
    /// The time from one deadline to the next; 0 if there is only one.
    pub period_ns: u64,
    /// The loop; NULL if it is not added.
    pub r#loop: *mut pirn_loop,
    /// The callback.
    pub callback: pirn_clock_fn,
    /// The user data, passed to the callback.
    pub user: *mut c_void,
    /// The source's timerfd, which belongs to pirn; -1 if it is lost.
    pub fd: c_int,
    /// `PIRN_CLOCK_REALTIME` and so on.
    pub clock: u32,
    /// The options, and internal flags.
    pub options: u32,
    /// The process that has added the source.
    pub process: c_int,
}

const UNUSED: pirn_clock = pirn_clock {
    io: NO_IO,
    at_ns: 0,
    period_ns: 0,
    r#loop: null_mut(),
    callback: None,
    user: null_mut(),
    fd: 0,
    clock: 0,
    options: 0,
    process: 0,
};

const_assert!(NEVER == pirn_abi::PIRN_FOREVER);

impl pirn_clock {
    /// Returns the schedule of the source, and its timerfd.
    fn schedule(&self) -> (Schedule, TimerFd) {
        let schedule = Schedule {
            at: self.at_ns,
            period: self.period_ns,
            tells_set: self.options & PIRN_CLOCK_TELL_SET != 0,
            is_set_noted: self.options & IS_SET_NOTED != 0,
        };
        let timer = TimerFd {
            fd: self.fd,
            kind: clock_of(self.clock).unwrap_or(ClockKind::Realtime),
        };
        (schedule, timer)
    }

    /// Stores the changed schedule.
    fn keep(&mut self, schedule: Schedule) {
        self.at_ns = schedule.at;
        self.options &= !IS_SET_NOTED;
        if schedule.is_set_noted {
            self.options |= IS_SET_NOTED;
        }
    }
}

fn clock_of(which: u32) -> Result<ClockKind> {
    match which {
        PIRN_CLOCK_REALTIME => Ok(ClockKind::Realtime),
        PIRN_CLOCK_BOOTTIME => Ok(ClockKind::Boottime),
        PIRN_CLOCK_REALTIME_ALARM => Ok(ClockKind::RealtimeAlarm),
        PIRN_CLOCK_BOOTTIME_ALARM => Ok(ClockKind::BoottimeAlarm),
        _ => Err(Errno::INVAL),
    }
}

/// Add a deadline on a clock.
///
/// Use it for the time of day, such as three in the morning: if the clock is set, the deadline
/// follows it. For delays use the loop's timers instead: they need no fd, and their clock cannot be
/// set.
///
/// The callback is never called while the clock shows a time before the deadline. If the clock is
/// set to the deadline or beyond, the callback is called immediately. If the clock is set back, the
/// callback is called later. A periodic source keeps its grid: each deadline is one period after
/// the previous one, and if the clock was set forward over several deadlines, they are reported in
/// one call. With `PIRN_CLOCK_TELL_SET` the change of the clock is reported first, and a deadline
/// that it has reached is reported in the next turn.
///
/// A source exists until you remove it, even after its only deadline: it still keeps `pirn_run`
/// going, and `pirn_clock_again` sets another deadline.
///
/// @param clock      the struct of the source: zero, or its source was removed before
/// @param which      `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`, or their `_ALARM` forms
/// @param at_ns      a time on that clock; in the past: the next turn. `PIRN_FOREVER`: no deadline,
///                   for programs that only want to know when the clock is set
/// @param period_ns  nanoseconds between deadlines; 0: only one deadline
/// @param options    `PIRN_CLOCK_TELL_SET`, only for the clocks that can be set; `PIRN_HIGH`,
///                   `PIRN_LOW`, `PIRN_UNREF`; or 0
/// @param callback   called when the deadline is reached, or the clock was set
/// @param user       passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; `clock` or callback NULL; unknown clock; other options;
///   `PIRN_CLOCK_TELL_SET` for a clock that cannot be set
/// - -EEXIST: `clock` is already added, or was never zeroed
/// - -EPERM: an `_ALARM` clock without the capability CAP_WAKE_ALARM
/// - -EOPNOTSUPP: backend host
/// - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
/// - -EMFILE, -ENFILE, -ENOMEM: the kernel's error
///
/// Uses an I/O slot and an fd. Cost: as `pirn_io_add`, and three system calls; three for each
/// report. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_clock_add(
    r#loop: *mut pirn_loop,
    clock: *mut pirn_clock,
    which: u32,
    at_ns: u64,
    period_ns: u64,
    options: u32,
    callback: pirn_clock_fn,
    user: *mut c_void,
) -> c_int {
    let add = || {
        // SAFETY: passed on.
        unsafe { check(r#loop, options, PIRN_CLOCK_TELL_SET) }?;
        let kind = clock_of(which)?;
        let tells_set = options & PIRN_CLOCK_TELL_SET != 0;
        if callback.is_none() || tells_set && !kind.can_be_set() {
            return Err(Errno::INVAL);
        }
        // SAFETY: NULL or writable; no callback runs before this function returns.
        let place = unsafe { clock.as_mut() }.ok_or(Errno::INVAL)?;
        if !place.r#loop.is_null() {
            return Err(Errno::EXIST);
        }
        let fd = sys::open_clock(kind)?;
        // The fd is not readable before it is armed.
        let source = clock.cast();
        // SAFETY: the loop is passed on; `on_ready` takes what it is given for a clock that was
        // added, which is what follows.
        let io = unsafe { watch(r#loop, fd.as_raw_fd(), options, Some(on_ready), source) }?;
        *place = pirn_clock {
            io,
            at_ns,
            period_ns,
            r#loop,
            callback,
            user,
            fd: fd.into_raw_fd(),
            clock: which,
            options,
            process: sys::this_process(),
        };
        let (mut schedule, mut timer) = place.schedule();
        schedule.arm(&mut timer);
        place.keep(schedule);
        Ok(())
    };
    status(add())
}

/// Replace the deadline of a clock source.
///
/// A periodic source continues with its period from the new deadline. If the clock was set before
/// this call, that is still reported.
///
/// @param at_ns  a time on the source's clock; in the past: the next turn; `PIRN_FOREVER`: no
///               deadline
///
/// Returns 0, or
/// - -EINVAL: `clock` is NULL
/// - -ENOENT: `clock` is not added
/// - -ECHILD: a parent process has added it
///
/// Cost: O(1), two system calls. Loop thread, any callback, its own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_clock_again(clock: *mut pirn_clock, at_ns: u64) -> c_int {
    let again = || {
        // SAFETY: NULL or writable; no callback runs before this function returns.
        let place = unsafe { clock.as_mut() }.ok_or(Errno::INVAL)?;
        if place.r#loop.is_null() {
            return Err(Errno::NOENT);
        }
        // The parent process uses the same timerfd: arming it here would change the parent's
        // deadline.
        if place.process != sys::this_process() {
            return Err(Errno::CHILD);
        }
        place.at_ns = at_ns;
        if place.fd >= 0 {
            let (mut schedule, mut timer) = place.schedule();
            schedule.arm(&mut timer);
            place.keep(schedule);
        }
        Ok(())
    };
    status(again())
}

/// Remove a clock source.
///
/// Once this has returned, the callback is never called again; the struct is zero and can be added
/// again. Also works after `pirn_deinit`, as long as the block is readable: the fd is then closed.
///
/// Returns 0, or
/// - -EINVAL: `clock` is NULL
/// - -ENOENT: `clock` is not added
/// - -ECHILD: in a forked child, before `pirn_after_fork`
///
/// Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback, its own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_clock_remove(clock: *mut pirn_clock) -> c_int {
    let remove = || {
        // SAFETY: NULL or writable; no callback runs before this function returns.
        let place = unsafe { clock.as_mut() }.ok_or(Errno::INVAL)?;
        if place.r#loop.is_null() {
            return Err(Errno::NOENT);
        }
        // SAFETY: it was added, hence the loop came from `pirn_init` and the fd is the source's
        // own.
        unsafe { unwatch(place.r#loop, place.io, place.fd) }?;
        *place = UNUSED;
        Ok(())
    };
    status(remove())
}

/// Read a clock.
///
/// @param which  `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`; their `_ALARM` forms show the same
///               time
/// @param ns     receives the nanoseconds; unchanged on error
///
/// Returns 0, or -EINVAL: unknown clock, or `ns` is NULL. Cost: a system call. Any thread. Since
/// 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_clock_now(which: u32, ns: *mut u64) -> c_int {
    let read = || {
        let kind = clock_of(which)?;
        // SAFETY: NULL or writable, as asked of the caller.
        *unsafe { ns.as_mut() }.ok_or(Errno::INVAL)? = sys::clock_now(kind);
        Ok(())
    };
    status(read())
}

/// The watcher's callback: makes one report, if there is one.
unsafe extern "C" fn on_ready(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    _fd: c_int,
    ready: u32,
    user: *mut c_void,
) {
    let clock = user.cast::<pirn_clock>();
    // SAFETY: the watcher lives as long as the clock is added, and the struct stays where it is
    // for as long, as the documentation of `pirn_clock` asks. The reference ends before the
    // callback runs.
    let place = unsafe { &mut *clock };
    let (callback, user) = (place.callback, place.user);
    let (what, missed) = if is_lost(ready, &mut place.fd) {
        (PIRN_INVALID, 0)
    } else if place.process != sys::this_process() {
        // The parent process uses the same timerfd: reading it here would take the parent's event
        // away. SAFETY: a live loop, which runs this callback.
        unsafe { rest(r#loop, io) };
        return;
    } else {
        let (mut schedule, mut timer) = place.schedule();
        let event = schedule.next(&mut timer);
        place.keep(schedule);
        match event {
            Some(Event::Due { missed }) => (PIRN_CLOCK_DUE, missed),
            Some(Event::Set) => (PIRN_CLOCK_SET, 0),
            None => return,
        }
    };
    if let Some(callback) = callback {
        // SAFETY: a function of the application's, to be called with these arguments.
        unsafe { callback(r#loop, clock, what, missed, user) };
    }
}
