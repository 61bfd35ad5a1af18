#![expect(unsafe_code, reason = "the C face")]
//! A backend that the application supplies.

use core::ffi::{c_int, c_void};
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
use super::config::extended;

/// A source that a host found ready.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_ready {
    /// The number the source was added with.
    pub fd: i32,
    /// `PIRN_READ` and so on.
    pub ready: u32,
}

/// What the application supplies for `PIRN_BACKEND_HOST`. It is copied by `pirn_init`.
///
/// None of the functions may call pirn, except for `pirn_remote_post`, `pirn_raise`, `pirn_wake`
/// and `pirn_stop`, as an interrupt would: what is posted or raised inside `wait` is called in the
/// turn that waits. `wake` may be called inside `wait` then.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_host {
    /// `sizeof(struct pirn_host)`.
    pub size: u32,
    /// What `watch` can do: `PIRN_CAN_EDGE`, `PIRN_CAN_EXCLUSIVE`, or 0. A watcher with an option
    /// that is not among them is refused.
    pub capabilities: u32,
    /// Passed to each function.
    pub user: *mut c_void,
    /// The monotonic clock in nanoseconds. Required. May stand still; must not go back.
    pub now: Option<unsafe extern "C" fn(user: *mut c_void) -> u64>,
    /// Waits at most `timeout_ns` (0: not at all, `PIRN_FOREVER`: for ever), writes up to
    /// `capacity` ready sources, each once, and returns how many, or a negative errno, which ends
    /// the run. -EINTR is an empty wait. Required.
    pub wait: Option<
        unsafe extern "C" fn(
            timeout_ns: u64,
            ready: *mut pirn_ready,
            capacity: usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    /// Watch `fd` for `interest` from now on: for `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` as
    /// far as any watcher of the fd asks for them. 0: watch it no longer. With these bits come the
    /// options of all watchers of the fd, such as `PIRN_EDGE` and `PIRN_HIGH`, so compare single
    /// bits. A call with the same interest arms an edge again, or tells that a watcher has joined.
    /// A change of options alone makes no call. Returns 0, or a negative errno to refuse. May be
    /// NULL.
    pub watch: Option<unsafe extern "C" fn(fd: c_int, interest: u32, user: *mut c_void) -> c_int>,
    /// Ends a wait. Called from any thread, signal handler or interrupt that posts, raises, wakes
    /// or stops. May be NULL.
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

/// The one function of a host that is called from elsewhere.
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
    area: &'static mut [u64],
) -> Result<AnyBackend<'static, CHost>> {
    if kind != BackendKind::Host {
        return AnyBackend::open(kind, area);
    }
    // SAFETY: passed on.
    let host = unsafe { extended::<pirn_host>(host, offset_of!(pirn_host, user))? };
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

/// A build without hosts does not look at one.
#[cfg(not(feature = "host"))]
pub(super) unsafe fn open(
    kind: BackendKind,
    _host: *const pirn_host,
    area: &'static mut [u64],
) -> Result<AnyBackend<'static, CHost>> {
    AnyBackend::open(kind, area)
}
