#![expect(
    unsafe_code,
    reason = "the number of an fd that a source owns becomes an fd again"
)]
//! All system calls of the layer. Those that rustix has go through rustix, the others through
//! `raw`.

mod call;
mod raw;

pub use raw::Exit;
pub(crate) use raw::{WaitFor, block_signal, is_signal_blocked, open_signal, unblock_signal, wait};
pub(crate) use rustix::fd::{AsRawFd, IntoRawFd, OwnedFd};
pub(crate) use rustix::io::Errno;

use core::ffi::{CStr, c_int};

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{BorrowedFd, FromRawFd};
use rustix::fs::inotify;
use rustix::io;
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open, test_kill_process};
use rustix::time::{
    ClockId, DynamicClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec,
    clock_gettime_dynamic, timerfd_create, timerfd_settime,
};

/// The result of the fallible functions of this crate.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// Converts an error of rustix.
pub(crate) fn error(errno: c_int) -> Errno {
    // rustix asserts that it is in this range, which is that of the kernel.
    Errno::from_raw_os_error(errno.clamp(1, 4095))
}

/// Lends the number of an fd, which is not negative, to one system call.
fn borrow<'fd>(fd: c_int) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // The compiler knows it from here on, and leaves out rustix's assertion.
    let fd = fd & c_int::MAX;
    // SAFETY: `borrow_raw` asks that the fd stays open for the life of the value. It is used for
    // the one system call that follows. If another part of the program has closed the fd, that call
    // returns EBADF, and no memory depends on it. The number is not -1.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads from an fd of a source, and returns the number of bytes.
pub(crate) fn read(fd: c_int, buffer: &mut [u8]) -> Result<usize> {
    io::read(borrow(fd), buffer)
}

/// True if the fd is open.
pub(crate) fn is_open(fd: c_int) -> bool {
    io::fcntl_getfd(borrow(fd)).is_ok()
}

/// Closes an fd of a source.
///
/// # Safety
///
/// `fd` is not negative, and the source's own: it came from `OwnedFd::into_raw_fd` and nothing
/// uses it afterwards.
pub(crate) unsafe fn close(fd: c_int) {
    // SAFETY: the caller owns the fd. If another part of the program has closed it, close(2)
    // returns EBADF.
    drop(unsafe { OwnedFd::from_raw_fd(fd & c_int::MAX) });
}

/// Opens a pidfd for a process: closed on exec.
pub(crate) fn open_process(pid: c_int) -> Result<OwnedFd> {
    pidfd_open(process(pid)?, PidfdFlags::empty())
}

/// True if the process exists, also as a zombie.
pub(crate) fn is_process(pid: c_int) -> bool {
    process(pid).is_ok_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn process(pid: c_int) -> Result<Pid> {
    match pid {
        1.. => Pid::from_raw(pid).ok_or(Errno::INVAL),
        _ => Err(Errno::INVAL),
    }
}

/// Opens an eventfd that is not readable: non-blocking, closed on exec.
pub(crate) fn open_flag() -> Result<OwnedFd> {
    eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)
}

/// Makes an eventfd readable.
pub(crate) fn raise_flag(fd: c_int) {
    // EAGAIN: its count is at the maximum, so it is readable.
    let _ = io::write(borrow(fd), &1u64.to_ne_bytes());
}

/// Makes an eventfd not readable.
pub(crate) fn lower_flag(fd: c_int) {
    // An error means that it was not readable.
    let _ = read(fd, &mut [0; 8]);
}

/// Returns the number of this process, to recognise a forked child.
pub(crate) fn this_process() -> c_int {
    getpid().as_raw_nonzero().get()
}

const SECOND: u64 = 1_000_000_000;

/// A clock that can have deadlines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The time of day, in nanoseconds since 1970 (UTC). It can be set.
    Realtime,
    /// The time since the machine was started, in nanoseconds, including the time in suspend. It
    /// cannot be set.
    Boottime,
    /// As `Realtime`; a deadline also wakes a suspended machine.
    RealtimeAlarm,
    /// As `Boottime`; a deadline also wakes a suspended machine.
    BoottimeAlarm,
}

/// Opens a timerfd on a clock: non-blocking, closed on exec, not armed.
pub(crate) fn open_clock(clock: Clock) -> Result<OwnedFd> {
    let id = match clock {
        Clock::Realtime => TimerfdClockId::Realtime,
        Clock::Boottime => TimerfdClockId::Boottime,
        Clock::RealtimeAlarm => TimerfdClockId::RealtimeAlarm,
        Clock::BoottimeAlarm => TimerfdClockId::BoottimeAlarm,
    };
    timerfd_create(id, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
}

/// Arms a timerfd once, for a time on its clock. `ECANCELED`: it is armed, but the clock was set
/// and that was not read yet.
pub(crate) fn arm_clock(fd: c_int, at: u64, tells_set: bool) -> Result<()> {
    // 0 would disarm the timer. The kernel uses a signed number, and times beyond its range mean
    // never.
    let at = at.clamp(1, i64::MAX as u64);
    let it_value = Timespec {
        tv_sec: (at / SECOND) as i64,
        tv_nsec: (at % SECOND) as _,
    };
    let it_interval = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut flags = TimerfdTimerFlags::ABSTIME;
    if tells_set {
        flags |= TimerfdTimerFlags::CANCEL_ON_SET;
    }
    let spec = Itimerspec {
        it_interval,
        it_value,
    };
    timerfd_settime(borrow(fd), flags, &spec).map(drop)
}

/// Returns the time of a clock in nanoseconds.
pub(crate) fn clock_now(clock: Clock) -> u64 {
    // The alarm clocks can be read only if there is hardware for them. They show the same time as
    // the others.
    let id = match clock {
        Clock::Realtime | Clock::RealtimeAlarm => DynamicClockId::Known(ClockId::Realtime),
        Clock::Boottime | Clock::BoottimeAlarm => DynamicClockId::Boottime,
    };
    // Every kernel that has a timerfd for a clock can also read that clock.
    clock_gettime_dynamic(id).map_or(0, |time| {
        (time.tv_sec as u64)
            .wrapping_mul(SECOND)
            .wrapping_add(time.tv_nsec as u64)
    })
}

/// Opens an inotify instance: non-blocking, closed on exec.
pub(crate) fn open_files() -> Result<OwnedFd> {
    inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)
}

/// Adds a watch to an inotify instance, and returns its number.
pub(crate) fn watch_file(fd: c_int, path: &CStr, mask: u32) -> Result<c_int> {
    let mask = inotify::WatchFlags::from_bits_retain(mask);
    inotify::add_watch(borrow(fd), path, mask)
}

/// Removes a watch from an inotify instance.
pub(crate) fn unwatch_file(fd: c_int, watch: c_int) -> Result<()> {
    inotify::remove_watch(borrow(fd), watch)
}
