#![expect(
    unsafe_code,
    reason = "the core's C functions are called, and waiters' own"
)]
//! A port: an fd that is watched while the port is open, and the waiters for it.

use core::cell::Cell;
use core::ffi::{c_int, c_void};
use core::ptr::{NonNull, null_mut};

use pirn_abi::{
    PIRN_BACKEND_HOST, PIRN_ERROR, PIRN_HANGUP, PIRN_HIGH, PIRN_INVALID, PIRN_LOW, PIRN_READ,
    PIRN_UNREF, PIRN_WRITE, pirn_backend, pirn_io, pirn_io_add, pirn_io_modify, pirn_io_remove,
    pirn_loop,
};

use crate::errno::{EAGAIN, EBADF, ECANCELED, EINVAL, ENOENT};
use crate::hub::pirn_hub;
use crate::kind::{PIRN_WAIT_LATE, pirn_wait_kind};
use crate::list::pirn_waiters;
use crate::state::LIMITED;
use crate::sys::set_nonblocking;
use crate::waiter::pirn_waiter;

/// Option of `pirn_port_open`: the fd stays in blocking mode. Each read and write then waits until
/// the fd is ready before it tries, because an attempt could block the loop. For fds that other
/// processes use too, such as a terminal.
pub const PIRN_PORT_BLOCKING: u32 = 1u32 << 24;

/// What a waiter waits for: an fd.
pub const PIRN_FOR_PORT: u32 = 2u32;

/// An fd, and the waiters for it. Open it with `pirn_port_open`. The memory is yours, and must stay
/// where it is while the port is open. Only `fd` may be read.
#[repr(C)]
pub struct pirn_port {
    hub: Cell<Option<NonNull<pirn_hub>>>,
    waiters: pirn_waiters,
    io: Cell<pirn_io>,
    /// The fd, which stays yours.
    pub fd: Cell<c_int>,
    // The interest that the core watches the fd for: `PIRN_READ`, `PIRN_WRITE`.
    watched: Cell<u32>,
    // The readiness that was last reported.
    last: Cell<u32>,
    flags: Cell<u32>,
}

const EITHER: u32 = PIRN_READ | PIRN_WRITE;

/// There is nothing to read until the port is reported as readable again.
const DRAINED: u32 = 0x1;
/// The fd is in blocking mode.
const BLOCKING: u32 = 0x2;
/// The fd is no socket.
const PLAIN: u32 = 0x4;
/// The fd became ready while nobody waited for that. It will probably do so again: from now on the
/// core watches it only while somebody waits. Before, it went on watching, which costs no call.
const UNAWAITED: u32 = 0x8;

static PORT: pirn_wait_kind = pirn_wait_kind {
    flags: PIRN_WAIT_LATE,
    ..pirn_wait_kind::plain(PIRN_FOR_PORT)
};

impl pirn_port {
    /// Opens a port for an fd: see `pirn_port_open`.
    ///
    /// # Safety
    ///
    /// `port` is writable, and stays where it is while it is open.
    pub(crate) unsafe fn open(
        hub: &pirn_hub,
        port: *mut pirn_port,
        fd: c_int,
        options: u32,
    ) -> c_int {
        if options & !(PIRN_HIGH | PIRN_LOW | PIRN_UNREF | PIRN_PORT_BLOCKING) != 0 {
            return -EINVAL;
        }
        let is_blocking = options & PIRN_PORT_BLOCKING != 0;
        let event_loop = hub.event_loop();
        // SAFETY: the loop is live as long as its hub.
        let is_host = unsafe { pirn_backend(event_loop) } == PIRN_BACKEND_HOST as c_int;
        let mut io = pirn_io {
            slot: 0,
            generation: 0,
        };
        let (interest, handle) = (options & !PIRN_PORT_BLOCKING, &raw mut io);
        // SAFETY: the loop is live as long as its hub; the port stays where it is while it is open.
        let rc =
            unsafe { pirn_io_add(event_loop, fd, interest, Some(on_port), port.cast(), handle) };
        if rc < 0 {
            return rc;
        }
        if !is_host && !is_blocking {
            let rc = set_nonblocking(fd);
            if rc < 0 {
                // SAFETY: as above; it was just added.
                unsafe { pirn_io_remove(event_loop, io) };
                return rc;
            }
        }
        let fresh = pirn_port {
            hub: Cell::new(Some(NonNull::from(hub))),
            waiters: pirn_waiters::default(),
            io: Cell::new(io),
            fd: Cell::new(fd),
            watched: Cell::new(0),
            last: Cell::new(0),
            flags: Cell::new(if is_blocking { BLOCKING } else { 0 }),
        };
        // SAFETY: writable, as the caller promises.
        unsafe { port.write(fresh) };
        hub.ports.set(hub.ports.get() + 1);
        0
    }

    /// Closes the port: see `pirn_port_close`.
    pub(crate) fn close(&self) -> c_int {
        let Some(hub) = self.hub() else {
            return -ENOENT;
        };
        // SAFETY: the loop is live as long as its hub.
        let rc = unsafe { pirn_io_remove(hub.event_loop(), self.io.get()) };
        if rc < 0 {
            return rc;
        }
        let own = (&raw const *self).cast();
        for waiter in hub.ready.iter() {
            if waiter.concerns(own) && waiter.result() > 0 {
                waiter.replace_result(-ECANCELED);
            }
        }
        self.wake_all(hub, -ECANCELED);
        hub.ports.set(hub.ports.get() - 1);
        self.hub.set(None);
        0
    }

    /// Begins to wait until the fd is ready: see `pirn_port_wait_start`.
    pub(crate) fn wait(&self, waiter: &pirn_waiter, interest: u32, timeout_ns: u64) -> c_int {
        match self.hub() {
            Some(hub)
                if interest != 0
                    && self.watched.get() & interest == interest
                    && waiter.is_of(hub)
                    && waiter.may_begin(hub, None, timeout_ns) =>
            {
                self.wait_in(hub, waiter, interest, timeout_ns)
            }
            _ => self.watch_and_wait(waiter, interest, timeout_ns),
        }
    }

    /// The rest of `wait`, if the fd is not watched for this yet, or nothing may begin. It goes on
    /// to the end by itself, so that a wait for an fd that is watched saves no registers: with a
    /// return to `wait`, an echo takes 13 instructions more.
    #[inline(never)]
    fn watch_and_wait(&self, waiter: &pirn_waiter, interest: u32, timeout_ns: u64) -> c_int {
        let Some(hub) = self.hub() else {
            return -ENOENT;
        };
        if !waiter.is_of(hub) || interest == 0 || interest & !EITHER != 0 {
            return -EINVAL;
        }
        let refused = waiter.check(hub, timeout_ns);
        if refused != 0 {
            return refused;
        }
        if timeout_ns == 0 {
            return -EAGAIN;
        }
        let rc = self.watch(hub, self.watched.get() | interest);
        if rc < 0 {
            return rc;
        }
        self.wait_in(hub, waiter, interest, timeout_ns)
    }

    #[inline]
    fn wait_in(
        &self,
        hub: &pirn_hub,
        waiter: &pirn_waiter,
        interest: u32,
        timeout_ns: u64,
    ) -> c_int {
        let own = (&raw const *self).cast_mut().cast::<c_void>();
        let (list, kind) = (Some(&self.waiters), NonNull::from(&PORT));
        waiter.wait_in(hub, list, kind, own, interest as usize, timeout_ns)
    }

    // ---- for the layers above ----

    /// The hub; `None` if the port is not open.
    #[inline]
    pub fn hub(&self) -> Option<&pirn_hub> {
        // SAFETY: set by `pirn_port_open` to a live hub, which outlives its ports as documented.
        self.hub.get().map(|hub| unsafe { hub.as_ref() })
    }

    /// True if an attempt might block, or would find nothing to read.
    #[inline]
    pub fn must_wait(&self, interest: u32) -> bool {
        let reasons = if interest == PIRN_READ {
            DRAINED | BLOCKING
        } else {
            BLOCKING
        };
        self.flags.get() & reasons != 0
    }

    /// Notes that a read returned fewer bytes than there was room for, so that the next read waits
    /// first. Does nothing after a hang-up, when the end of the stream is still to be read.
    #[inline]
    pub fn set_drained(&self) {
        if self.last.get() & (PIRN_ERROR | PIRN_HANGUP) == 0 {
            self.flags.set(self.flags.get() | DRAINED);
        }
    }

    /// True if the fd is known to be no socket.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.flags.get() & PLAIN != 0
    }

    /// Notes that the fd is no socket.
    pub fn set_plain(&self) {
        self.flags.set(self.flags.get() | PLAIN);
    }

    // ---- inside ----

    /// Sets the interest that the core watches the fd for. Calls nothing if it is the same.
    #[inline(never)]
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

    /// The directions that have waiters.
    fn awaited(&self) -> u32 {
        let words = self.waiters.iter().map(|waiter| waiter.word() as u32);
        words.fold(0, |all, interest| all | interest)
    }

    fn wake_all(&self, hub: &pirn_hub, result: c_int) {
        while let Some(waiter) = self.waiters.first() {
            waiter.end(hub, result);
        }
    }

    #[inline]
    fn on_ready(&self, hub: &pirn_hub, ready: u32) {
        self.last.set(ready);
        self.flags.set(self.flags.get() & !DRAINED);
        match self.waiters.only() {
            // What most events are: the only waiter waits for all that is ready. Without this, an
            // echo takes 56 instructions more.
            Some(only) if ready & !only.word() as u32 == 0 && !self.is_unawaited() => {
                if only.has(LIMITED) {
                    return self.end_limit_and_wake(hub, only, ready);
                }
                self.waiters.remove_only(only);
                only.finish_now(hub, ready as c_int);
                call(hub, only, ready as c_int);
            }
            _ => self.wake_first(hub, ready),
        }
    }

    /// The rest of `on_ready`, if the time limit of the only waiter ends with its wait: handles the
    /// event once more without the limit.
    #[inline(never)]
    fn end_limit_and_wake(&self, hub: &pirn_hub, only: &pirn_waiter, ready: u32) {
        only.clear_limit(hub);
        let own = (&raw const *self).cast_mut().cast();
        // SAFETY: as the core calls it; the rest is not used.
        unsafe { on_port(null_mut(), self.io.get(), self.fd.get(), ready, own) };
    }

    /// Wakes the waiters for what is ready, and does without what nobody waits for.
    #[inline(never)]
    fn wake_first(&self, hub: &pirn_hub, ready: u32) {
        if ready & PIRN_INVALID != 0 {
            self.watched.set(0);
            self.wake_all(hub, -EBADF);
            return;
        }
        let result = ready as c_int;
        let is_for_all = ready & (PIRN_ERROR | PIRN_HANGUP) != 0;
        let reader = self.first_for(ready & PIRN_READ);
        let writer = self.first_for(ready & PIRN_WRITE);
        // A direction without waiters is not watched until a wait for it begins again.
        let mut unwanted = 0;
        if reader.is_none() {
            unwanted |= ready & PIRN_READ;
        }
        if writer.is_none() {
            unwanted |= ready & PIRN_WRITE;
        }
        if unwanted & self.watched.get() != 0 {
            self.flags.set(self.flags.get() | UNAWAITED);
        }
        self.watch(hub, self.watched.get() & !unwanted);
        let first = if is_for_all {
            self.waiters.first()
        } else {
            reader.or(writer)
        };
        let Some(first) = first else { return };
        // The others go to the ready list before the first is called, which may close the port.
        if is_for_all {
            while let Some(other) = self.waiters.iter().nth(1) {
                other.end(hub, result);
            }
        } else if let Some(writer) = writer.filter(|writer| !core::ptr::eq(first, *writer)) {
            writer.end(hub, result);
        }
        first.unlink();
        first.end_limit(hub);
        first.finish_now(hub, result);
        if self.is_unawaited() {
            self.watch(hub, self.awaited());
        }
        call(hub, first, result);
    }

    fn is_unawaited(&self) -> bool {
        self.flags.get() & UNAWAITED != 0
    }
}

/// Calls `wake` of a waiter whose wait has just ended.
#[inline]
fn call(hub: &pirn_hub, waiter: &pirn_waiter, result: c_int) {
    if let Some(wake) = waiter.wake.get() {
        let (hub, waiter) = (NonNull::from(hub).as_ptr(), NonNull::from(waiter).as_ptr());
        // SAFETY: called as documented there: in a callback of the loop, the waiter idle, and
        // nothing of it or of the port borrowed afterwards.
        unsafe { wake(hub, waiter, result) };
    }
}

pub(crate) unsafe extern "C" fn on_port(
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
