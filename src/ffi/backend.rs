#![expect(unsafe_code, reason = "the C face")]
//! The backends, and what they can do.

use core::ffi::{c_char, c_int};

use crate::backend::{Backend, BackendKind, Capabilities};

use super::{live_reactor, pirn_loop, reactor};

/// The library chooses: it tries epoll, then poll, then select.
pub const PIRN_BACKEND_AUTO: u32 = 0u32;

/// `pselect6(2)`. Watches fds below 1024, and 16 more for each I/O watcher of the capacity.
pub const PIRN_BACKEND_SELECT: u32 = 1u32;

/// `ppoll(2)`.
pub const PIRN_BACKEND_POLL: u32 = 2u32;

/// `epoll(7)`.
pub const PIRN_BACKEND_EPOLL: u32 = 3u32;

/// The application's own functions in `pirn_config.host` provide the clock, the wait and the
/// readiness.
pub const PIRN_BACKEND_HOST: u32 = 4u32;

/// Capability: watchers may have the option `PIRN_EDGE`.
pub const PIRN_CAN_EDGE: u32 = 1u32 << 0;

/// Capability: watchers may have the option `PIRN_EXCLUSIVE`.
pub const PIRN_CAN_EXCLUSIVE: u32 = 1u32 << 1;

/// Capability: the loop has an fd for another loop to watch, see `pirn_fd`.
pub const PIRN_CAN_FD: u32 = 1u32 << 2;

/// Capability: a wait ends as exactly as the kernel's timers allow, and is not rounded to
/// milliseconds.
pub const PIRN_CAN_NANOSECONDS: u32 = 1u32 << 3;

const _: () = {
    assert!(
        PIRN_BACKEND_AUTO == BackendKind::Auto as u32
            && PIRN_BACKEND_SELECT == BackendKind::Select as u32
            && PIRN_BACKEND_POLL == BackendKind::Poll as u32
            && PIRN_BACKEND_EPOLL == BackendKind::Epoll as u32
            && PIRN_BACKEND_HOST == BackendKind::Host as u32
    );
    assert!(
        PIRN_CAN_EDGE == Capabilities::EDGE.bits()
            && PIRN_CAN_EXCLUSIVE == Capabilities::EXCLUSIVE.bits()
    );
    assert!(
        PIRN_CAN_FD == Capabilities::FD.bits()
            && PIRN_CAN_NANOSECONDS == Capabilities::NANOSECONDS.bits()
    );
};

/// Return which backend the loop uses.
///
/// Returns `PIRN_BACKEND_SELECT`, `_POLL`, `_EPOLL` or `_HOST`, or -EINVAL: no live loop. Cost:
/// O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_backend(r#loop: *mut pirn_loop) -> c_int {
    live_reactor!(r#loop).backend.kind() as c_int
}

/// Return the name of a backend, such as "epoll".
///
/// Returns a static text; "unknown" for a number that is no backend. Any thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_backend_name(backend: c_int) -> *const c_char {
    let kind = u32::try_from(backend)
        .ok()
        .and_then(BackendKind::from_number);
    let name = kind.map_or(c"unknown".to_bytes_with_nul(), BackendKind::c_name);
    name.as_ptr().cast()
}

/// Return which optional features the loop's backend has.
///
/// Returns `PIRN_CAN_*` or-ed together; 0 if there are none, or no live loop. Cost: O(1). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_capabilities(r#loop: *mut pirn_loop) -> u32 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(0, |reactor| reactor.backend.capabilities().bits())
}
