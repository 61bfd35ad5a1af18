#![expect(
    unsafe_code,
    reason = "the core's C functions are called, and waiters' own"
)]
//! A port: an fd that is watched for as long as the port is open, and those who wait for it.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;

use pirn_abi::{
    PIRN_ERROR, PIRN_HANGUP, PIRN_HIGH, PIRN_INVALID, PIRN_LOW, PIRN_READ, PIRN_UNREF, PIRN_WRITE,
    pirn_io, pirn_io_add, pirn_io_modify, pirn_io_remove, pirn_loop,
};

use crate::errno::{EBADF, ECANCELED, EINVAL};
use crate::hub::pirn_hub;
use crate::list::pirn_waiters;
use crate::waiter::{check, pirn_wait_kind, pirn_waiter, pirn_waiter_begin};

/// An fd and who waits for it. Yours; stays where it is while it is open. Takes one I/O slot.
#[repr(C)]
pub struct pirn_port {
    hub: Cell<Option<NonNull<pirn_hub>>>,
    waiters: pirn_waiters,
    io: Cell<pirn_io>,
    /// The fd, which stays yours.
    pub fd: Cell<c_int>,
    /// What the core watches: `PIRN_READ`, `PIRN_WRITE`.
    watched: Cell<u32>,
    /// What was last reported.
    pub last: Cell<u32>,
    /// For the layer of fibers: nothing can be read before the port is reported as readable again.
    pub is_drained: Cell<u32>,
}

const EITHER: u32 = PIRN_READ | PIRN_WRITE;

static PORT: pirn_wait_kind = pirn_wait_kind {
    number: 2,
    reserved: 0,
    leave: None,
    undo: None,
};

/// Open a port for an fd.
///
/// The fd stays yours: make it non-blocking, and close it after `pirn_port_close`. Its watcher costs a
/// system call here and another when the port is closed; the waits in between cost none, as long as
/// somebody waits again before the fd is ready in vain.
///
/// @param options  `PIRN_HIGH` or `PIRN_LOW`, `PIRN_UNREF`, or 0
///
/// Returns 0, or what `pirn_io_add` returns. Loop thread. Since 0.1.
///
/// # Safety
///
/// `hub` is NULL or was initialised; `port` is NULL or writable.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_port_open(
    hub: *mut pirn_hub,
    port: *mut pirn_port,
    fd: c_int,
    options: u32,
) -> c_int {
    // SAFETY: NULL, or initialised, as documented.
    let Some(owner) = (unsafe { hub.as_ref() }) else {
        return -EINVAL;
    };
    if port.is_null() || options & !(PIRN_HIGH | PIRN_LOW | PIRN_UNREF) != 0 {
        return -EINVAL;
    }
    let mut io = pirn_io {
        slot: 0,
        generation: 0,
    };
    // SAFETY: the loop is live as long as its hub; the port stays where it is while it is open.
    let rc = unsafe {
        pirn_io_add(
            owner.event_loop(),
            fd,
            options,
            Some(on_port),
            port.cast(),
            &raw mut io,
        )
    };
    if rc < 0 {
        return rc;
    }
    let fresh = pirn_port {
        hub: Cell::new(NonNull::new(hub)),
        waiters: pirn_waiters::default(),
        io: Cell::new(io),
        fd: Cell::new(fd),
        watched: Cell::new(0),
        last: Cell::new(0),
        is_drained: Cell::new(0),
    };
    // SAFETY: not NULL, hence writable as documented.
    unsafe { port.write(fresh) };
    0
}

/// Close a port: everybody who waits for it gets -ECANCELED, and so does a waiter that was told that the fd
/// is ready and has not run yet. The fd is still yours to close.
///
/// Returns 0, or -EINVAL: NULL; -ENOENT: it is closed. Cost: O(waiters of the port and ready ones), one
/// system call. Loop thread. Since 0.1.
///
/// # Safety
///
/// `port` is NULL or was opened.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_port_close(port: *mut pirn_port) -> c_int {
    // SAFETY: NULL, or opened, as documented.
    let Some(port) = (unsafe { port.as_ref() }) else {
        return -EINVAL;
    };
    let Some(hub) = port.hub() else {
        return -EINVAL;
    };
    // SAFETY: the loop is live as long as its hub.
    let rc = unsafe { pirn_io_remove(hub.event_loop(), port.io.get()) };
    if rc < 0 {
        return rc;
    }
    for waiter in hub.ready.iter() {
        if waiter.concerns((&raw const *port).cast()) && waiter.result() > 0 {
            waiter.replace_result(-ECANCELED);
        }
    }
    port.wake_all(hub, -ECANCELED);
    0
}

/// Wait until an fd is ready.
///
/// Several may wait, for reading and for writing at once; one event wakes the first who waits for each.
/// Readiness is a hint: read or write, and wait again if that says -EAGAIN.
///
/// @param interest    `PIRN_READ`, `PIRN_WRITE` or both
/// @param timeout_ns  from the turn's time; `PIRN_FOREVER`: no limit; 0: -EAGAIN
///
/// Returns `PIRN_WAITS`, or -EINVAL: a NULL, other bits; -EBUSY: the waiter waits already; -EDEADLK:
/// `waiter` is NULL; -ENOENT: the port is closed. The wait ends with what is ready; or -EBADF: the fd was
/// closed while it was watched; -ETIMEDOUT; -ECANCELED. Cost: O(1). Loop thread. Since 0.1.
///
/// # Safety
///
/// `port` is NULL or was opened; `waiter` is NULL or was initialised.
#[cfg_attr(feature = "export", unsafe(no_mangle))]
pub unsafe extern "C" fn pirn_port_wait_start(
    port: *mut pirn_port,
    waiter: *mut pirn_waiter,
    interest: u32,
    timeout_ns: u64,
) -> c_int {
    let object = port.cast::<c_void>();
    // SAFETY: NULL, or opened, as documented.
    let Some(port) = (unsafe { port.as_ref() }) else {
        return -EINVAL;
    };
    let Some(hub) = port.hub() else {
        return -EINVAL;
    };
    if interest == 0 || interest & !EITHER != 0 {
        return -EINVAL;
    }
    // SAFETY: passed on.
    let refused = unsafe { check(waiter, timeout_ns) };
    if refused != 0 {
        return refused;
    }
    let rc = port.watch(hub, port.watched.get() | interest);
    if rc < 0 {
        return rc;
    }
    let (list, word) = (&raw const port.waiters, interest as usize);
    // SAFETY: passed on; the list and the kind are as `pirn_waiter_begin` asks.
    unsafe { pirn_waiter_begin(waiter, list, &raw const PORT, object, word, timeout_ns) }
}

impl pirn_port {
    /// Its hub, if it was opened.
    #[inline]
    pub fn hub(&self) -> Option<&pirn_hub> {
        // SAFETY: set by `pirn_port_open` to a live hub, which outlives its ports as documented.
        self.hub.get().map(|hub| unsafe { hub.as_ref() })
    }

    /// Has the core watch this much. No call if it does already.
    #[inline]
    fn watch(&self, hub: &pirn_hub, interest: u32) -> c_int {
        if self.watched.get() == interest {
            return 0;
        }
        // SAFETY: the loop is live as long as its hub.
        let rc = unsafe { pirn_io_modify(hub.event_loop(), self.io.get(), interest) };
        if rc == 0 {
            self.watched.set(interest);
        }
        rc
    }

    fn first_for(&self, interest: u32) -> Option<&pirn_waiter> {
        self.waiters
            .iter()
            .find(|waiter| waiter.word() as u32 & interest != 0)
    }

    fn wake_all(&self, hub: &pirn_hub, result: c_int) {
        while let Some(waiter) = self.waiters.first() {
            waiter.end(hub, result);
        }
    }

    fn on_ready(&self, hub: &pirn_hub, ready: u32) {
        self.last.set(ready);
        self.is_drained.set(0);
        if ready & PIRN_INVALID != 0 {
            self.watched.set(0);
            self.wake_all(hub, -EBADF);
            return;
        }
        let result = ready as c_int;
        let is_for_all = ready & (PIRN_ERROR | PIRN_HANGUP) != 0;
        let reader = self.first_for(ready & PIRN_READ);
        let writer = self.first_for(ready & PIRN_WRITE);
        // Nobody waits for it: the core need not watch for it until somebody does.
        let idle = if reader.is_none() {
            ready & PIRN_READ
        } else {
            0
        } | if writer.is_none() {
            ready & PIRN_WRITE
        } else {
            0
        };
        self.watch(hub, self.watched.get() & !idle);
        let first = if is_for_all {
            self.waiters.first()
        } else {
            reader.or(writer)
        };
        let Some(first) = first else { return };
        // All but the first take the ready list: once it has been called the port may be gone.
        if is_for_all {
            while let Some(other) = self.waiters.iter().nth(1) {
                other.end(hub, result);
            }
        } else if let Some(writer) = writer
            && !core::ptr::eq(first, writer)
        {
            writer.end(hub, result);
        }
        if let Some(wake) = first.finish_now(hub, result) {
            let (hub, waiter) = (NonNull::from(hub).as_ptr(), NonNull::from(first).as_ptr());
            // SAFETY: called as documented there: in a callback of the loop, the waiter idle, and
            // nothing of it or of the port borrowed afterwards.
            unsafe { wake(hub, waiter, result) };
        }
    }
}

unsafe extern "C" fn on_port(
    _loop: *mut pirn_loop,
    _io: pirn_io,
    _fd: c_int,
    ready: u32,
    user: *mut c_void,
) {
    // SAFETY: added with the port, which stays where it is while it is open.
    let port = unsafe { &*user.cast::<pirn_port>() };
    if let Some(hub) = port.hub() {
        port.on_ready(hub, ready);
    }
}
