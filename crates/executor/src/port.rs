#![expect(unsafe_code, reason = "C functions are called for a pinned struct")]
//! An fd that tasks wait for.

use core::cell::{Cell, UnsafeCell};
use core::ffi::c_int;
use core::marker::PhantomPinned;
use core::mem::MaybeUninit;
use core::pin::Pin;

use pirn_abi::{PIRN_READ, PIRN_WRITE};
use pirn_wait::ffi::{pirn_port_close, pirn_port_open, pirn_port_wait_start};
use pirn_wait::{Hub, PIRN_PORT_BLOCKING, Result, Start, Wait, pirn_port, pirn_waiter, result};

/// An fd that tasks wait for. Any number of them may wait, for reading and for writing at once.
///
/// ```text
/// let port = pin!(Port::new(hub, stream.as_raw_fd()));
/// port.as_ref().readable().await?;
/// ```
///
/// It takes an I/O slot of the loop from the first wait until it is dropped. The fd stays yours and
/// is left as it is: make it non-blocking, or read or write only once after each wait. Close it
/// after the port is dropped.
pub struct Port<'h> {
    hub: &'h Hub,
    fd: c_int,
    is_open: Cell<bool>,
    port: UnsafeCell<MaybeUninit<pirn_port>>,
    // The loop knows the address of the port.
    _pinned: PhantomPinned,
}

impl<'h> Port<'h> {
    /// Makes a port for an fd. Pin it: `pin!(Port::new(hub, fd))`.
    pub fn new(hub: &'h Hub, fd: c_int) -> Port<'h> {
        Port {
            hub,
            fd,
            is_open: Cell::new(false),
            port: UnsafeCell::new(MaybeUninit::uninit()),
            _pinned: PhantomPinned,
        }
    }

    /// Waits until there is something to read, the end, or an error. That is a hint: read, and wait
    /// again if that would block.
    ///
    /// # Errors
    ///
    /// [`Error::ETIMEDOUT`](pirn::Error::ETIMEDOUT): after the limit of the wait, if it has one;
    /// [`Error::EBADF`](pirn::Error::EBADF): the fd was closed; and those of `pirn_port_open`.
    pub fn readable<'p>(self: Pin<&'p Self>) -> Wait<'p, PortReady<'p, 'h>> {
        self.ready(PIRN_READ)
    }

    /// Waits until there is room to write, or an error. As [`Port::readable`].
    pub fn writable<'p>(self: Pin<&'p Self>) -> Wait<'p, PortReady<'p, 'h>> {
        self.ready(PIRN_WRITE)
    }

    fn ready<'p>(self: Pin<&'p Self>, interest: u32) -> Wait<'p, PortReady<'p, 'h>> {
        let port = self;
        Wait::new(self.get_ref().hub, PortReady { port, interest })
    }

    fn address(&self) -> *mut pirn_port {
        self.port.get().cast()
    }

    fn open(self: Pin<&Self>) -> c_int {
        if self.is_open.get() {
            return 0;
        }
        // The fd is left as it is: nothing is read or written here.
        let (hub, options) = (self.hub.address(), PIRN_PORT_BLOCKING);
        // SAFETY: pinned, so it stays where it is until it is dropped, which closes it.
        let status = unsafe { pirn_port_open(hub, self.address(), self.fd, options) };
        self.is_open.set(status == 0);
        status
    }
}

impl Drop for Port<'_> {
    fn drop(&mut self) {
        if self.is_open.get() {
            // SAFETY: opened, and not closed since.
            unsafe { pirn_port_close(self.address()) };
        }
    }
}

/// An fd that is ready: what [`Port::readable`] waits for.
pub struct PortReady<'p, 'h> {
    port: Pin<&'p Port<'h>>,
    interest: u32,
}

// SAFETY: the port is pinned; when it is dropped it ends the waits that are left.
unsafe impl Start for PortReady<'_, '_> {
    type Output = Result<()>;

    unsafe fn start(&self, waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int {
        match self.port.open() {
            // SAFETY: open; the waiter is passed on.
            0 => unsafe {
                pirn_port_wait_start(self.port.address(), waiter, self.interest, timeout_ns)
            },
            status => status,
        }
    }

    fn finish(&self, status: c_int) -> Result<()> {
        result(status as isize).map(|_| ())
    }
}
