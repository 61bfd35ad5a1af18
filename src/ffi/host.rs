#![expect(unsafe_code, reason = "the C face")]
//! The host backend: clock, wait and readiness come from functions of the application.

use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
#[cfg(feature = "host")]
use core::mem::offset_of;

use crate::any::AnyBackend;
use crate::backend::{BackendKind, Capabilities};
use crate::error::{Error, Result};
use crate::host::{Host, Readiness};
use crate::ready::Interest;
use crate::time::{Duration, Instant};
use crate::wake::Wake;

#[cfg(feature = "host")]
use super::config::read_sized;

/// A source that a host reports as ready.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_ready {
    /// The number with which the source was added to the loop.
    pub fd: i32,
    /// `PIRN_READ` and so on.
    pub ready: u32,
}

/// The functions of the application for `PIRN_BACKEND_HOST`. `pirn_init` copies the struct.
///
/// The functions may not call pirn, with four exceptions: `pirn_remote_post`, `pirn_raise`,
/// `pirn_wake` and `pirn_stop`, which an interrupt may call too. If `wait` calls one of them, pirn
/// may call `wake` inside `wait`, and the post or bit is handled in the same turn.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_host {
    /// `sizeof(struct pirn_host)`.
    pub size: u32,
    /// The optional features of `watch`: `PIRN_CAN_EDGE`, `PIRN_CAN_EXCLUSIVE`, or 0. `pirn_io_add`
    /// refuses a watcher whose option is not among them.
    pub capabilities: u32,
    /// Passed to each of the functions.
    pub user: *mut c_void,
    /// Return the monotonic time in nanoseconds. Required. The time must never go back; it may
    /// stand still.
    pub now: Option<unsafe extern "C" fn(user: *mut c_void) -> u64>,
    /// Wait until a source is ready, at most `timeout_ns` (0: do not wait; `PIRN_FOREVER`: without
    /// limit). Write at most `capacity` ready sources to `ready`, each once. Return how many, or a
    /// negative errno: -EINTR counts as a wait that found nothing, any other errno ends the run.
    /// Required.
    pub wait: Option<
        unsafe extern "C" fn(
            timeout_ns: u64,
            ready: *mut pirn_ready,
            capacity: usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    /// Watch `fd` for `interest` from now on; 0: stop watching it. `interest` has the bits
    /// `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` that any watcher of the fd waits for. It also
    /// has the options of all these watchers, such as `PIRN_EDGE` and `PIRN_HIGH`, so test single
    /// bits. A call with an unchanged interest means that an edge is to be armed again, or that the
    /// fd got another watcher. If only options change, there is no call. Return 0, or a negative
    /// errno to refuse. May be NULL.
    pub watch: Option<unsafe extern "C" fn(fd: c_int, interest: u32, user: *mut c_void) -> c_int>,
    /// End the current wait, or the next one. Called by each thread, signal handler or interrupt
    /// that posts, raises, wakes or stops. May be NULL if nothing does.
    pub wake: Option<unsafe extern "C" fn(user: *mut c_void)>,
}

/// A host's functions, checked.
pub struct CHost {
    capabilities: Capabilities,
    user: *mut c_void,
    now: unsafe extern "C" fn(*mut c_void) -> u64,
    wait: unsafe extern "C" fn(u64, *mut pirn_ready, usize, *mut c_void) -> c_int,
    watch: Option<unsafe extern "C" fn(c_int, u32, *mut c_void) -> c_int>,
    wake: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// The only function of a host that other threads may call.
#[derive(Clone, Copy)]
pub struct CHostWaker {
    user: *mut c_void,
    wake: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the documentation of `pirn_host.wake` asks for a function that may be called from any
// thread with its user pointer.
unsafe impl Sync for CHostWaker {}

// SAFETY: as above.
unsafe impl Send for CHostWaker {}

impl Wake for CHostWaker {
    fn wake(&self) -> Result<()> {
        if let Some(wake) = self.wake {
            // SAFETY: called as `pirn_host.wake` documents.
            unsafe { wake(self.user) };
        }
        Ok(())
    }
}

fn host_result(result: c_int) -> Result<usize> {
    usize::try_from(result).map_err(|_| Error::from_errno(result.wrapping_neg()))
}

impl Host for CHost {
    type Waker = CHostWaker;

    fn now(&mut self) -> Instant {
        // SAFETY: called as `pirn_host.now` documents.
        Instant(unsafe { (self.now)(self.user) })
    }

    fn wait(&mut self, timeout: Duration, ready: &mut [Readiness]) -> Result<usize> {
        // SAFETY: called as `pirn_host.wait` documents; `Readiness` has the layout of `pirn_ready`,
        // asserted below.
        let found =
            unsafe { (self.wait)(timeout.0, ready.as_mut_ptr().cast(), ready.len(), self.user) };
        host_result(found)
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn watch(&mut self, fd: i32, interest: Interest) -> Result<()> {
        let Some(watch) = self.watch else {
            return Ok(());
        };
        // SAFETY: called as `pirn_host.watch` documents.
        let result = unsafe { watch(fd, interest.bits(), self.user) };
        host_result(result).map(drop)
    }

    fn waker(&self) -> CHostWaker {
        CHostWaker {
            user: self.user,
            wake: self.wake,
        }
    }
}

static_assertions::assert_eq_size!(pirn_ready, Readiness);
static_assertions::assert_eq_align!(pirn_ready, Readiness);

#[cfg(feature = "host")]
pub(super) unsafe fn open(
    kind: BackendKind,
    host: *const pirn_host,
    area: &'static mut [MaybeUninit<u64>],
) -> Result<AnyBackend<'static, CHost>> {
    if kind != BackendKind::Host {
        return AnyBackend::open(kind, area);
    }
    // SAFETY: passed on.
    let host = unsafe { read_sized::<pirn_host>(host, offset_of!(pirn_host, user))? };
    let (Some(now), Some(wait)) = (host.now, host.wait) else {
        return Err(Error::EINVAL);
    };
    let capabilities = Capabilities::from_bits(host.capabilities).ok_or(Error::EINVAL)?;
    if !(Capabilities::EDGE | Capabilities::EXCLUSIVE).contains(capabilities) {
        return Err(Error::EINVAL);
    }
    let host = CHost {
        capabilities: capabilities | Capabilities::NANOSECONDS,
        user: host.user,
        now,
        wait,
        watch: host.watch,
        wake: host.wake,
    };
    AnyBackend::host(host, area)
}

/// A build without the host backend ignores `host`.
#[cfg(not(feature = "host"))]
pub(super) unsafe fn open(
    kind: BackendKind,
    _host: *const pirn_host,
    area: &'static mut [MaybeUninit<u64>],
) -> Result<AnyBackend<'static, CHost>> {
    AnyBackend::open(kind, area)
}
