#![expect(unsafe_code, reason = "buffers and fds are the caller's")]
//! Read, write, accept and connect: calls that seem to block.
//!
//! Each call tries first, and waits only if that would block. The time limit is for the whole call.

use core::cell::Cell;
use core::ffi::{c_int, c_void};

use pirn_abi::{PIRN_FOREVER, PIRN_READ, PIRN_WRITE};
use pirn_wait::functions::pirn_port_wait_start;
use pirn_wait::{EAGAIN, EINVAL, ENOENT, pirn_hub, pirn_port};

use crate::caller::{wait_for, waiter_of_caller};
use crate::fiber::pirn_fiber;
use crate::sys::{self, Errno};

/// Waits until a port is ready.
///
/// # Safety
///
/// The port is open.
pub(crate) unsafe fn wait(port: *mut pirn_port, interest: u32, timeout_ns: u64) -> c_int {
    // SAFETY: passed on.
    let Some(hub) = (unsafe { &*port }).hub() else {
        return -ENOENT;
    };
    let waiter = waiter_of_caller(hub);
    // SAFETY: an open port; the waiter is the caller's own, or NULL.
    let begun = unsafe { pirn_port_wait_start(port, waiter, interest, timeout_ns) };
    // SAFETY: begun with that waiter.
    unsafe { wait_for(hub, begun) }
}

/// One call: its port, and how long it may take.
struct Call {
    port: *mut pirn_port,
    fd: c_int,
    interest: u32,
    timeout_ns: u64,
    /// The end of the call, on the loop's clock. 0: it has no limit, or has not waited yet. The
    /// first wait begins when the call does, because no time of the loop passes before it.
    deadline_ns: Cell<u64>,
}

/// What an attempt has returned, or a negative errno. None: it would block.
type Outcome = Option<isize>;

impl Call {
    /// A call that begins now; a negative errno if the port is not open.
    ///
    /// # Safety
    ///
    /// `port` is NULL, zero, or was opened.
    #[inline]
    unsafe fn new(port: *mut pirn_port, interest: u32, timeout_ns: u64) -> Result<Call, c_int> {
        // SAFETY: passed on.
        let Some(open) = (unsafe { port.as_ref() }) else {
            return Err(-EINVAL);
        };
        if open.hub().is_none() {
            return Err(-ENOENT);
        }
        let fd = open.fd.get();
        if fd < 0 {
            return Err(-EINVAL);
        }
        Ok(Call {
            port,
            fd,
            interest,
            timeout_ns,
            deadline_ns: Cell::new(0),
        })
    }

    #[inline]
    fn port(&self) -> &pirn_port {
        // SAFETY: it was open in `new`. If it is closed during a wait, the wait ends with an error,
        // and this is not called again.
        unsafe { &*self.port }
    }

    /// True if the caller wants to wait, and the attempt would find nothing or block.
    #[inline]
    fn must_wait_first(&self) -> bool {
        self.timeout_ns != 0
            && if self.interest == PIRN_READ {
                self.port().must_wait_to_read()
            } else {
                self.port().must_wait_to_write()
            }
    }

    /// Makes an attempt, and waits before and between attempts until one would not block or the
    /// time is over.
    #[inline]
    fn run(&self, attempt: &mut dyn FnMut(c_int) -> Outcome) -> isize {
        if !self.must_wait_first() {
            if let Some(result) = attempt(self.fd) {
                self.count();
                return result;
            }
        }
        self.wait_and_run(attempt)
    }

    /// `run` in a function of its own, for calls that are not made for every message.
    #[inline(never)]
    fn run_apart(&self, attempt: &mut dyn FnMut(c_int) -> Outcome) -> isize {
        self.run(attempt)
    }

    /// The rest of `run`, which begins with a wait.
    #[inline(never)]
    fn wait_and_run(&self, attempt: &mut dyn FnMut(c_int) -> Outcome) -> isize {
        if self.timeout_ns == 0 {
            return -EAGAIN as isize;
        }
        while let Some(hub) = self.port().hub() {
            let (waiter, left) = (waiter_of_caller(hub), self.left(hub));
            // SAFETY: an open port; the waiter is the caller's own, or NULL.
            let begun = unsafe { pirn_port_wait_start(self.port, waiter, self.interest, left) };
            // SAFETY: as above.
            if let Some(waiter) = unsafe { waiter.as_ref() } {
                self.deadline_ns.set(waiter.deadline_ns());
            }
            // SAFETY: begun with that waiter.
            let result = unsafe { wait_for(hub, begun) };
            if result < 0 {
                return result as isize;
            }
            if let Some(result) = attempt(self.fd) {
                return result;
            }
        }
        -ENOENT as isize
    }

    /// Sets the end of a call that may take time without a wait.
    fn set_deadline(&self) {
        let hub = self.port().hub();
        if let Some(hub) = hub.filter(|_| self.timeout_ns != PIRN_FOREVER) {
            self.deadline_ns
                .set(hub.now().saturating_add(self.timeout_ns));
        }
    }

    /// How much of the time is left: at least 1, because 0 would not wait.
    fn left(&self, hub: &pirn_hub) -> u64 {
        match self.deadline_ns.get() {
            0 => self.timeout_ns,
            deadline_ns => deadline_ns.saturating_sub(hub.now()).max(1),
        }
    }

    /// Counts a call of a fiber that did not have to wait.
    #[inline]
    fn count(&self) {
        let may_wait = self.timeout_ns != 0;
        let hub = self.port().hub().filter(|_| may_wait);
        if let Some(fiber) = hub.and_then(pirn_fiber::running) {
            fiber.count_call();
        }
    }
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
    if buffer.is_null() && size > 0 {
        return -(EINVAL as isize);
    }
    // SAFETY: passed on.
    let call = match unsafe { Call::new(port, PIRN_READ, timeout_ns) } {
        Ok(call) => call,
        Err(errno) => return errno as isize,
    };
    let buffer =
        core::ptr::NonNull::new(buffer.cast::<u8>()).unwrap_or(core::ptr::NonNull::dangling());
    // SAFETY: as many bytes as the caller says. Written by the kernel only, which is not undone by
    // what stood there before.
    let bytes = unsafe { core::slice::from_raw_parts_mut(buffer.as_ptr(), size) };
    call.run(&mut |fd| {
        let result = outcome(|| sys::read(fd, bytes));
        // There is nothing more to read now, so the next read waits before it tries.
        if result.is_some_and(|count| count > 0 && count < size as isize) {
            call.port().set_drained();
        }
        result
    })
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
    let call = match unsafe { Call::new(port, PIRN_WRITE, timeout_ns) } {
        Ok(call) => call,
        Err(errno) => return errno as isize,
    };
    // SAFETY: passed on.
    match unsafe { bytes_of(buffer, size) } {
        Some(bytes) => call.run(&mut |fd| send(call.port(), fd, bytes)),
        None => -(EINVAL as isize),
    }
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
    let call = match unsafe { Call::new(port, PIRN_WRITE, timeout_ns) } {
        Ok(call) => call,
        Err(errno) => return errno,
    };
    // SAFETY: passed on.
    let Some(mut rest) = (unsafe { bytes_of(buffer, size) }) else {
        return -EINVAL;
    };
    // Between two parts other fibers may run, and time pass.
    call.set_deadline();
    while !rest.is_empty() {
        let count = call.run_apart(&mut |fd| send(call.port(), fd, rest));
        if count < 0 {
            return count as c_int;
        }
        rest = rest.get(count as usize..).unwrap_or_default();
    }
    0
}

/// The caller's bytes; None if there should be some and are none.
///
/// # Safety
///
/// `buffer` is NULL or has `size` bytes.
unsafe fn bytes_of<'a>(buffer: *const c_void, size: usize) -> Option<&'a [u8]> {
    if size == 0 {
        return Some(&[]);
    }
    // SAFETY: not NULL, hence as many bytes as the caller says.
    (!buffer.is_null()).then(|| unsafe { core::slice::from_raw_parts(buffer.cast::<u8>(), size) })
}

/// Writes some. A socket whose peer is gone raises no SIGPIPE.
#[inline]
fn send(port: &pirn_port, fd: c_int, bytes: &[u8]) -> Outcome {
    // A pipe or a terminal that is writable takes this much without blocking.
    let part = if port.must_wait_to_write() {
        bytes.get(..PART).unwrap_or(bytes)
    } else {
        bytes
    };
    outcome(|| {
        if !port.is_plain() {
            match sys::send(fd, part) {
                Err(Errno::NOTSOCK) => port.set_plain(),
                result => return result,
            }
        }
        sys::write(fd, part)
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
    let call = match unsafe { Call::new(port, PIRN_READ, timeout_ns) } {
        Ok(call) => call,
        Err(errno) => return errno,
    };
    call.run_apart(&mut |fd| {
        outcome(|| match sys::accept(fd) {
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
    let call = match unsafe { Call::new(port, PIRN_WRITE, timeout_ns) } {
        Ok(call) => call,
        Err(errno) => return errno,
    };
    if address.is_null() {
        return -EINVAL;
    }
    let mut has_begun = false;
    call.run_apart(&mut |fd| {
        let result = if has_begun {
            // The socket is writable: the attempt is over, and its pending error is the result.
            sys::socket_error(fd).and_then(|error| error)
        } else {
            // SAFETY: passed on.
            unsafe { sys::connect(fd, address, length) }
        };
        has_begun = true;
        match result {
            Ok(()) => Some(0),
            // Interrupted or begun: both go on by themselves.
            Err(Errno::INPROGRESS | Errno::INTR) => None,
            // Also -EAGAIN, of a local socket whose peer accepts nobody at the moment.
            Err(errno) => Some(-(errno.raw_os_error() as isize)),
        }
    }) as c_int
}
