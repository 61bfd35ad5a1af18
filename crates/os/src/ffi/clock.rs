#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and a C function is called"
)]
//! Clocks other than the monotonic one.

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
/// A clock: the time since the machine was started, in nanoseconds. It goes on while the machine is
/// suspended, and cannot be set.
pub const PIRN_CLOCK_BOOTTIME: u32 = 7u32;
/// A clock: as `PIRN_CLOCK_REALTIME`, and wakes the machine if it is suspended.
pub const PIRN_CLOCK_REALTIME_ALARM: u32 = 8u32;
/// A clock: as `PIRN_CLOCK_BOOTTIME`, and wakes the machine if it is suspended.
pub const PIRN_CLOCK_BOOTTIME_ALARM: u32 = 9u32;

/// Option of `pirn_clock_add`: report also that somebody has set the clock.
pub const PIRN_CLOCK_TELL_SET: u32 = 1u32 << 0;

/// What is reported: the deadline has been reached.
pub const PIRN_CLOCK_DUE: u32 = 1u32;
/// What is reported: the clock was set, forwards or backwards, once or several times.
pub const PIRN_CLOCK_SET: u32 = 2u32;

/// In `options`: the clock was set, which is still to be reported and which the timerfd does not
/// report any more.
const IS_SET_NOTED: u32 = 0x8000_0000;

/// Called when the deadline is reached (`PIRN_CLOCK_DUE`), when the clock was set
/// (`PIRN_CLOCK_SET`), or when the source has lost its fd (`PIRN_INVALID`). `missed`: how many
/// deadlines of a periodic source are over besides this one. `clock` may be removed. Runs on the
/// loop's thread. Must not unwind or longjmp out.
pub type pirn_clock_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        clock: *mut pirn_clock,
        what: u32,
        missed: u64,
        user: *mut c_void,
    ),
>;

/// A deadline on a clock. Zero it before it is added for the first time, and leave it where it is
/// until it is removed. The fields may be read; pirn alone writes them.
#[repr(C)]
pub struct pirn_clock {
    /// The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
    /// `pirn_io_unref`.
    pub io: pirn_io,
    /// The next deadline; `PIRN_FOREVER` if there is none.
    pub at_ns: u64,
    /// From one deadline to the next; 0 if there is but one.
    pub period_ns: u64,
    /// The loop; NULL if it is not added.
    pub r#loop: *mut pirn_loop,
    /// What is called.
    pub callback: pirn_clock_fn,
    /// What the callback is called with.
    pub user: *mut c_void,
    /// The timerfd, which is pirn's; -1 if it is lost.
    pub fd: c_int,
    /// `PIRN_CLOCK_REALTIME` and so on.
    pub clock: u32,
    /// The options, and what pirn notes beside them.
    pub options: u32,
    /// The process that has added it.
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
    /// What is to be done next, and the timer that does it.
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

    /// Keeps what has become of a schedule.
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

/// Start a deadline on a clock.
///
/// For points in time as people name them, such as three in the morning: the kernel follows the
/// clock when it is set. For delays, and for anything else, the loop's own timers are better:
/// they cost no fd each, and nobody can set their clock.
///
/// The callback never runs while the clock shows a time before the deadline. If the clock is set
/// to the deadline or beyond, it runs at once. If it is set back, it runs later. A periodic
/// source keeps its grid: each deadline is one period after the one before, and those that the
/// clock has jumped over are reported together. With `PIRN_CLOCK_TELL_SET` a step of the clock is
/// reported first, and a deadline that it has reached in the turn after.
///
/// A source stays until it is removed, even when its only deadline is over: it keeps `pirn_run`
/// going, and `pirn_clock_again` gives it another one.
///
/// @param clock      where what pirn knows of it is kept: zero, or removed before
/// @param which      `PIRN_CLOCK_REALTIME`, `PIRN_CLOCK_BOOTTIME`, or their `_ALARM` forms
/// @param at_ns      a point on that clock; in the past: in the next turn. `PIRN_FOREVER`: no
///                   deadline, for those who only want to know that the clock is set
/// @param period_ns  nanoseconds between deadlines; 0: there is but one
/// @param options    `PIRN_CLOCK_TELL_SET`, which is for the clocks that can be set; `PIRN_HIGH`,
///                   `PIRN_LOW`, `PIRN_UNREF`; or 0
/// @param callback   called when the deadline is reached, or the clock was set
/// @param user       passed to the callback, never looked at
///
/// Returns 0, or
/// - -EINVAL: no live loop; `clock` or callback NULL; not such a clock; other options;
///   `PIRN_CLOCK_TELL_SET` for a clock that cannot be set
/// - -EEXIST: `clock` is added already, or was never zeroed
/// - -EPERM: an `_ALARM` clock without the capability CAP_WAKE_ALARM
/// - -EOPNOTSUPP: backend host
/// - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
/// - -EMFILE, -ENFILE, -ENOMEM: what the kernel said
///
/// Takes an I/O slot and an fd. Cost: as `pirn_io_add`, and three system calls; for each report
/// three. Loop thread, any callback. Since 0.1.
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
        // Not readable before it is armed.
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

/// Give a clock source another deadline, in place of the one it had.
///
/// A periodic source goes on with its period from there. That the clock was set before is still
/// reported.
///
/// @param at_ns  a point on its clock; in the past: in the next turn; `PIRN_FOREVER`: none
///
/// Returns 0, or
/// - -EINVAL: `clock` is NULL
/// - -ENOENT: it is not added
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
        // The timerfd is the parent's too: to arm it would take the parent's deadline away.
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

/// Stop a clock source.
///
/// When this returns the callback will not run again; the struct is zero and can be added again.
/// Works after `pirn_deinit` too, as long as the block is readable: the fd is then closed.
///
/// Returns 0, or
/// - -EINVAL: `clock` is NULL
/// - -ENOENT: it is not added
/// - -ECHILD: a copy made by fork
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
/// @param ns     where the nanoseconds are written; unchanged on error
///
/// Returns 0, or -EINVAL: not such a clock, or `ns` NULL. Cost: a system call. Any thread. Since
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

/// The watcher's callback: reports one thing, if there is any.
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
        // The timerfd is the parent's too: to read it would take the parent's expiry away.
        // SAFETY: a live loop, which runs this callback.
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
