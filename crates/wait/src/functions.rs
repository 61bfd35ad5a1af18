#![expect(
    unsafe_code,
    reason = "C functions are declared here; to call one is unsafe"
)]
//! The functions of this layer as the layers above call them: by their C names, so that each layer is
//! an object of its own.

use core::ffi::{c_int, c_void};

use pirn_abi::pirn_loop;

use crate::{pirn_hub, pirn_port, pirn_wait_kind, pirn_waiter, pirn_waiters, pirn_wake_fn};

unsafe extern "C" {
    /// See the function of this name in this crate; so for all below.
    pub fn pirn_hub_loop(hub: *const pirn_hub) -> *mut pirn_loop;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_waiter_init(
        hub: *mut pirn_hub,
        waiter: *mut pirn_waiter,
        wake: pirn_wake_fn,
        user: *mut c_void,
    ) -> c_int;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_waiter_begin(
        waiter: *const pirn_waiter,
        list: *const pirn_waiters,
        kind: *const pirn_wait_kind,
        object: *mut c_void,
        word: usize,
        timeout_ns: u64,
    ) -> c_int;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_waiter_grant(waiter: *const pirn_waiter, result: c_int);
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_waiter_cancel(waiter: *mut pirn_waiter, result: c_int) -> c_int;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_waiter_drop(waiter: *mut pirn_waiter) -> c_int;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_park_start(waiter: *mut pirn_waiter, timeout_ns: u64) -> c_int;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_waiter_wake(waiter: *mut pirn_waiter, result: c_int) -> c_int;
    #[expect(missing_docs, reason = "as above")]
    pub fn pirn_port_wait_start(
        port: *mut pirn_port,
        waiter: *mut pirn_waiter,
        interest: u32,
        timeout_ns: u64,
    ) -> c_int;
}
