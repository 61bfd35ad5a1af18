#![expect(unsafe_code, reason = "buffers and fds are the caller's")]
//! Read, write, accept and connect: calls that seem to block.
//!
//! Each call tries first, and waits only if that would block. The time limit is for the whole call.

use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use pirn_abi::{PIRN_FOREVER, PIRN_READ, PIRN_WRITE};
use pirn_wait::functions::{pirn_park_start, pirn_port_wait_start};
use pirn_wait::{EAGAIN, ECANCELED, EINVAL, ENOENT, PIRN_WAITS, pirn_hub, pirn_port, pirn_waiter};

use crate::caller::{wait_for, waiter_of_caller};
use crate::fiber::pirn_fiber;
use crate::sys::{self, Errno};

/// How long a call may take.
#[derive(Clone, Copy)]
struct Limit {
    /// How much is left, when that was last computed.
    left_ns: u64,
    /// The end of the call, on the loop's clock. 0: it has no limit, or ends when its first wait
    /// would, which begins when the call does, because no time of the loop passes before it.
    deadline_ns: u64,
}

impl Limit {
    fn new(timeout_ns: u64) -> Limit {
        Limit {
            left_ns: timeout_ns,
            deadline_ns: 0,
        }
    }

    /// The limit of a call that may take time without a wait.
    fn from_now(hub: Option<&pirn_hub>, timeout_ns: u64) -> Limit {
        let mut limit = Limit::new(timeout_ns);
        if let Some(hub) = hub.filter(|_| timeout_ns != 0 && timeout_ns != PIRN_FOREVER) {
            limit.deadline_ns = hub.now().saturating_add(timeout_ns);
        }
        limit
    }

    /// Computes how much is left: at least 1, because 0 would not wait.
    #[cold]
    #[inline(never)]
    fn update(&mut self, hub: Option<&pirn_hub>) {
        let is_limited = self.left_ns != 0 && self.left_ns != PIRN_FOREVER;
        let Some(hub) = hub.filter(|_| is_limited) else {
            return;
        };
        if self.deadline_ns == 0 {
            let fiber = pirn_fiber::running(hub);
            self.deadline_ns = fiber.map_or(0, |fiber| fiber.waiter.kept_deadline_ns());
        }
        self.left_ns = self.deadline_ns.saturating_sub(hub.now()).max(1);
    }
}

/// What an attempt has returned, or a negative errno. None: it would block.
type Outcome = Option<isize>;

/// The port of a call that begins, if it is open and has an fd.
///
/// # Safety
///
/// `port` is NULL, zero, or was opened.
#[inline]
unsafe fn opened<'p>(port: *mut pirn_port) -> Option<&'p pirn_port> {
    // SAFETY: passed on.
    let port = unsafe { port.as_ref() };
    port.filter(|port| port.hub().is_some() && port.fd.get() >= 0)
}

/// The same, and where the caller's bytes are.
///
/// # Safety
///
/// As there.
#[inline]
unsafe fn opened_for<'p>(
    port: *mut pirn_port,
    buffer: *const c_void,
) -> Option<(&'p pirn_port, NonNull<u8>)> {
    let place = NonNull::new(buffer.cast_mut().cast())?;
    // SAFETY: passed on.
    unsafe { opened(port) }.map(|port| (port, place))
}

/// Why a call does not begin: a negative errno; 0: a NULL is good, because there are no bytes.
///
/// # Safety
///
/// As for `opened`.
#[cold]
#[inline(never)]
unsafe fn refuse(port: *mut pirn_port, size: usize) -> c_int {
    // SAFETY: passed on.
    match unsafe { port.as_ref() } {
        Some(port) if port.hub().is_none() => -ENOENT,
        Some(port) if port.fd.get() >= 0 && size == 0 => 0,
        _ => -EINVAL,
    }
}

/// Makes an attempt, and waits before and between attempts until one would not block or the time is
/// over. A call for each kind of attempt would be faster, and larger: this is for all but what most
/// messages need.
#[inline(never)]
fn run(
    port: &pirn_port,
    interest: u32,
    limit: Limit,
    attempt: &mut dyn FnMut(&pirn_port) -> Outcome,
) -> isize {
    if !port.must_wait(interest) {
        if let Some(result) = attempt(port) {
            return counted(port, result, limit);
        }
    }
    wait_and_run(port, interest, limit, attempt)
}

/// The same, beginning with a wait.
#[inline]
fn wait_and_run(
    port: &pirn_port,
    interest: u32,
    mut limit: Limit,
    mut attempt: impl FnMut(&pirn_port) -> Outcome,
) -> isize {
    loop {
        let result = match limit.left_ns {
            // To try is all that the caller wants.
            0 if port.must_wait(interest) => 0,
            0 => -EAGAIN,
            _ => wait_in_call(port, interest, &mut limit),
        };
        if result < 0 {
            return result as isize;
        }
        // If the port was closed meanwhile, the wait has ended with an error.
        match attempt(port) {
            Some(result) => return result,
            None if limit.left_ns == 0 => return -(EAGAIN as isize),
            None => limit.update(port.hub()),
        }
    }
}

/// Waits as a part of a call until the port is ready.
#[inline]
fn wait_in_call(port: &pirn_port, interest: u32, limit: &mut Limit) -> c_int {
    let Some(hub) = port.hub() else {
        return -ENOENT;
    };
    let Some(fiber) = pirn_fiber::running(hub) else {
        return wait_outside(hub, port, interest, limit);
    };
    match begin(fiber.waiter(), port, interest, *limit) {
        PIRN_WAITS => fiber.wait_until_over(hub),
        refused => refused,
    }
}

/// `wait_in_call` outside of fibers.
#[cold]
#[inline(never)]
fn wait_outside(hub: &pirn_hub, port: &pirn_port, interest: u32, limit: &mut Limit) -> c_int {
    let waiter = waiter_of_caller(hub);
    let begun = begin(waiter, port, interest, *limit);
    if begun == PIRN_WAITS {
        // SAFETY: it waits.
        limit.deadline_ns = unsafe { &*waiter }.deadline_ns();
    }
    // SAFETY: begun with that waiter.
    let result = unsafe { wait_for(hub, begun) };
    // The main program continues at the end of the turn. Until then others could close the port.
    if result >= 0 && port.hub().is_none() {
        return -ECANCELED;
    }
    result
}

/// Begins the wait of a call with the waiter of the caller, which may be NULL.
#[inline]
fn begin(waiter: *mut pirn_waiter, port: &pirn_port, interest: u32, limit: Limit) -> c_int {
    let port = (&raw const *port).cast_mut();
    // SAFETY: an open port; the waiter is the caller's own, or NULL.
    unsafe { pirn_port_wait_start(port, waiter, interest, limit.left_ns) }
}

/// How many calls in a row may go without a wait before the other fibers run.
const MOST_CALLS: u16 = 32;

/// Counts a call of a fiber that did not have to wait, if it could have waited. Returns its result.
#[inline]
fn counted(port: &pirn_port, result: isize, limit: Limit) -> isize {
    let running = port.hub().and_then(pirn_fiber::running);
    let Some(fiber) = running.filter(|_| limit.left_ns != 0) else {
        return result;
    };
    fiber.calls.set(fiber.calls.get() + 1);
    if fiber.calls.get() < MOST_CALLS {
        return result;
    }
    step_back(fiber, result)
}

/// Waits until the next turn, which asks the kernel first, before the result of a call is returned.
#[cold]
#[inline(never)]
fn step_back(fiber: &pirn_fiber, result: isize) -> isize {
    // The result of this wait does not matter.
    // SAFETY: the fiber that runs, hence its waiter is idle.
    let begun = unsafe { pirn_park_start(fiber.waiter(), 1) };
    // SAFETY: begun with that waiter.
    unsafe { wait_for(fiber.hub(), begun) };
    result
}

/// Makes a system call, again if a signal has interrupted it.
#[inline]
fn outcome(mut call: impl FnMut() -> sys::Result<usize>) -> Outcome {
    loop {
        match call() {
            Ok(value) => return Some(value as isize),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return None,
            Err(errno) => return Some(-(errno.raw_os_error() as isize)),
        }
    }
}

/// Reads: see `pirn_port_read`.
///
/// # Safety
///
/// `port` is NULL, zero, or was opened; `buffer` has `size` bytes.
pub(crate) unsafe fn read(
    port: *mut pirn_port,
    buffer: *mut c_void,
    size: usize,
    timeout_ns: u64,
) -> isize {
    // SAFETY: passed on.
    let Some((port, place)) = (unsafe { opened_for(port, buffer) }) else {
        // SAFETY: passed on.
        return unsafe { refuse(port, size) } as isize;
    };
    // SAFETY: as many bytes as the caller says. Written by the kernel only, which is not undone by
    // what stood there before.
    let bytes = unsafe { core::slice::from_raw_parts_mut(place.as_ptr(), size) };
    let limit = Limit::new(timeout_ns);
    if port.must_wait(PIRN_READ) {
        wait_and_read(port, bytes, limit)
    } else {
        run(port, PIRN_READ, limit, &mut |port| receive(port, bytes))
    }
}

/// `run` for a read that begins with a wait, as most do.
#[inline(never)]
fn wait_and_read(port: &pirn_port, bytes: &mut [u8], limit: Limit) -> isize {
    wait_and_run(port, PIRN_READ, limit, |port| receive(port, bytes))
}

/// Reads once.
#[inline]
fn receive(port: &pirn_port, bytes: &mut [u8]) -> Outcome {
    let result = outcome(|| sys::read(port.fd.get(), bytes));
    // There is nothing more to read now, so the next read waits before it tries.
    if result.is_some_and(|count| count > 0 && count < bytes.len() as isize) {
        port.set_drained();
    }
    result
}

/// Writes some: see `pirn_port_write`.
///
/// # Safety
///
/// `port` is NULL, zero, or was opened; `buffer` has `size` bytes.
pub(crate) unsafe fn write(
    port: *mut pirn_port,
    buffer: *const c_void,
    size: usize,
    timeout_ns: u64,
) -> isize {
    // SAFETY: passed on.
    let Some((port, place)) = (unsafe { opened_for(port, buffer) }) else {
        // SAFETY: passed on.
        return unsafe { refuse(port, size) } as isize;
    };
    // SAFETY: as many bytes as the caller says.
    let bytes = unsafe { core::slice::from_raw_parts(place.as_ptr(), size) };
    send(port, bytes, Limit::new(timeout_ns))
}

/// Writes all: see `pirn_port_write_all`.
///
/// # Safety
///
/// `port` is NULL, zero, or was opened; `buffer` has `size` bytes.
pub(crate) unsafe fn write_all(
    port: *mut pirn_port,
    buffer: *const c_void,
    size: usize,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: passed on.
    let Some((port, place)) = (unsafe { opened_for(port, buffer) }) else {
        // SAFETY: passed on.
        return unsafe { refuse(port, size) };
    };
    // SAFETY: as many bytes as the caller says.
    let mut rest = unsafe { core::slice::from_raw_parts(place.as_ptr().cast_const(), size) };
    // Between two parts other fibers may run, and time pass.
    let mut limit = Limit::from_now(port.hub(), timeout_ns);
    while !rest.is_empty() {
        let count = send(port, rest, limit);
        if count < 0 {
            return count as c_int;
        }
        // After some calls the others run, and could close the port.
        if port.hub().is_none() {
            return -ECANCELED;
        }
        rest = rest.get(count as usize..).unwrap_or_default();
        limit.update(port.hub());
    }
    0
}

/// Writes some, and waits if there is no room yet. A socket whose peer is gone raises no SIGPIPE.
#[inline]
fn send(port: &pirn_port, bytes: &[u8], limit: Limit) -> isize {
    let failed = if port.is_plain() || port.must_wait(PIRN_WRITE) {
        None
    } else {
        match sys::send(port.fd.get(), bytes) {
            Ok(count) => return counted(port, count as isize, limit),
            Err(errno) => Some(errno),
        }
    };
    send_apart(port, bytes, limit, failed)
}

/// The rest of `send`, for all but a socket that takes some at once. The first attempt may have
/// failed already.
#[inline(never)]
fn send_apart(port: &pirn_port, bytes: &[u8], limit: Limit, mut failed: Option<Errno>) -> isize {
    let fd = port.fd.get();
    run(port, PIRN_WRITE, limit, &mut |port| {
        // A pipe or a terminal that is writable takes this much without blocking.
        let part = if port.must_wait(PIRN_WRITE) {
            bytes.get(..PART).unwrap_or(bytes)
        } else {
            bytes
        };
        outcome(|| {
            if !port.is_plain() {
                match failed.take().map_or_else(|| sys::send(fd, part), Err) {
                    Err(Errno::NOTSOCK) => port.set_plain(),
                    result => return result,
                }
            }
            sys::write(fd, part)
        })
    })
}

/// The kernel's `PIPE_BUF`.
const PART: usize = 4096;

/// Accepts a connection: see `pirn_port_accept`.
///
/// # Safety
///
/// `port` is NULL, zero, or was opened.
pub(crate) unsafe fn accept(port: *mut pirn_port, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    let Some(port) = (unsafe { opened(port) }) else {
        // SAFETY: passed on.
        return unsafe { refuse(port, 1) };
    };
    let limit = Limit::new(timeout_ns);
    run(port, PIRN_READ, limit, &mut |port| {
        outcome(|| match sys::accept(port.fd.get()) {
            // The client has gone before it was accepted: try the next one.
            Err(Errno::CONNABORTED) => Err(Errno::INTR),
            result => result.map(|fd| fd as usize),
        })
    }) as c_int
}

/// Connects: see `pirn_port_connect`.
///
/// # Safety
///
/// `port` is NULL, zero, or was opened; `address` has `length` bytes.
pub(crate) unsafe fn connect(
    port: *mut pirn_port,
    address: *const c_void,
    length: u32,
    timeout_ns: u64,
) -> c_int {
    // SAFETY: passed on.
    let Some((port, _)) = (unsafe { opened_for(port, address) }) else {
        // SAFETY: passed on.
        return unsafe { refuse(port, 1) };
    };
    let limit = Limit::new(timeout_ns);
    let mut has_begun = false;
    run(port, PIRN_WRITE, limit, &mut |port| {
        let fd = port.fd.get();
        let result = if core::mem::replace(&mut has_begun, true) {
            // Readiness is only a hint.
            sys::connected(fd)
        } else {
            // SAFETY: passed on.
            unsafe { sys::connect(fd, address, length) }
        };
        match result {
            Ok(()) => Some(0),
            // Interrupted or begun: both go on by themselves. Not connected: it still does.
            Err(Errno::INPROGRESS | Errno::INTR | Errno::NOTCONN) => None,
            // Also -EAGAIN, of a local socket whose peer accepts nobody at the moment.
            Err(errno) => Some(-(errno.raw_os_error() as isize)),
        }
    }) as c_int
}
