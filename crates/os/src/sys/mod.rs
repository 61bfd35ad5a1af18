#![expect(
    unsafe_code,
    reason = "the number of an fd that a source owns becomes an fd again"
)]
//! Every system call of the layer. Those that rustix has go through rustix, the others through
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

/// What the fallible functions of this crate return.
pub(crate) type Result<T> = core::result::Result<T, Errno>;

/// An errno, positive, as rustix has it.
pub(crate) fn error(errno: c_int) -> Errno {
    // rustix asserts that it is in this range, which is that of the kernel.
    Errno::from_raw_os_error(errno.clamp(1, 4095))
}

/// Lends the number of an fd, which is not negative, to one system call.
fn borrow<'fd>(fd: c_int) -> BorrowedFd<'fd> {
    debug_assert!(fd >= 0);
    // Says so to the compiler too, which then leaves out rustix's assertion.
    let fd = fd & c_int::MAX;
    // SAFETY: `borrow_raw` asks that the fd stays open for the life of the value. It is used for
    // the one system call that follows. If somebody else has closed the fd, the kernel answers
    // that call with EBADF, and no memory depends on it. The number is not -1.
    unsafe { BorrowedFd::borrow_raw(fd) }
}

/// Reads from an fd of a source, and returns how many bytes.
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
    // SAFETY: the caller owns the fd. It may have been closed by somebody who does not own it: then
    // the kernel answers close(2) with EBADF.
    drop(unsafe { OwnedFd::from_raw_fd(fd & c_int::MAX) });
}

/// A pidfd for a process: closed on exec.
pub(crate) fn open_process(pid: c_int) -> Result<OwnedFd> {
    pidfd_open(process(pid)?, PidfdFlags::empty())
}

/// True if there is such a process, a zombie included.
pub(crate) fn is_process(pid: c_int) -> bool {
    process(pid).is_ok_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn process(pid: c_int) -> Result<Pid> {
    match pid {
        1.. => Pid::from_raw(pid).ok_or(Errno::INVAL),
        _ => Err(Errno::INVAL),
    }
}

/// An eventfd that is not readable: non-blocking, closed on exec.
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
    // Nothing to read: it was not readable.
    let _ = read(fd, &mut [0; 8]);
}

/// This process, to tell a copy made by fork.
pub(crate) fn this_process() -> c_int {
    getpid().as_raw_nonzero().get()
}

const SECOND: u64 = 1_000_000_000;

/// A clock that a deadline can be on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// The time of day, in nanoseconds since 1970 (UTC). It can be set.
    Realtime,
    /// The time since the machine was started, in nanoseconds. It goes on while the machine is
    /// suspended, and cannot be set.
    Boottime,
    /// As `Realtime`, and wakes the machine if it is suspended.
    RealtimeAlarm,
    /// As `Boottime`, and wakes the machine if it is suspended.
    BoottimeAlarm,
}

/// A timerfd on a clock: non-blocking, closed on exec, not armed.
pub(crate) fn open_clock(clock: Clock) -> Result<OwnedFd> {
    let id = match clock {
        Clock::Realtime => TimerfdClockId::Realtime,
        Clock::Boottime => TimerfdClockId::Boottime,
        Clock::RealtimeAlarm => TimerfdClockId::RealtimeAlarm,
        Clock::BoottimeAlarm => TimerfdClockId::BoottimeAlarm,
    };
    timerfd_create(id, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
}

/// Arms a timerfd for a point on its clock, once. `ECANCELED`: it is armed, but the clock was set
/// and nobody has read that.
pub(crate) fn arm_clock(fd: c_int, at: u64, tells_set: bool) -> Result<()> {
    // 0 would disarm it. The kernel counts in a signed number, and takes what is beyond for never.
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

/// What a clock shows, in nanoseconds.
pub(crate) fn clock_now(clock: Clock) -> u64 {
    // The kernel lets the alarm clocks be read only if there is hardware for them. They show the
    // same.
    let id = match clock {
        Clock::Realtime | Clock::RealtimeAlarm => DynamicClockId::Known(ClockId::Realtime),
        Clock::Boottime | Clock::BoottimeAlarm => DynamicClockId::Boottime,
    };
    // Every kernel that has a timerfd for a clock can read it.
    clock_gettime_dynamic(id).map_or(0, |time| {
        (time.tv_sec as u64)
            .wrapping_mul(SECOND)
            .wrapping_add(time.tv_nsec as u64)
    })
}

/// An inotify instance: non-blocking, closed on exec.
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
