#![expect(unsafe_code, reason = "functions of the program are called")]
//! Functions that tell sanitizers and valgrind about stacks.

use core::ffi::c_int;
use core::ptr::null_mut;

use crate::fiber::pirn_fiber;

/// Functions that are called around each switch, to tell tools about stacks. A fiber that is NULL
/// stands for the loop's own stack. `include/pirn/fiber_debug.h` has such functions for
/// AddressSanitizer, ThreadSanitizer and valgrind. Each may be NULL.
#[repr(C)]
pub struct pirn_fiber_hooks {
    /// Called when a fiber is started: `fiber->tool` may be set.
    pub start: Option<unsafe extern "C" fn(fiber: *mut pirn_fiber)>,
    /// Called before a switch, on the stack that is left. `ends` is 1 if `from` never runs again.
    pub leave:
        Option<unsafe extern "C" fn(from: *mut pirn_fiber, to: *mut pirn_fiber, ends: c_int)>,
    /// Called after a switch, on the stack that was entered.
    pub enter: Option<unsafe extern "C" fn(now: *mut pirn_fiber)>,
}

fn address(fiber: Option<&pirn_fiber>) -> *mut pirn_fiber {
    fiber.map_or(null_mut(), |fiber| (&raw const *fiber).cast_mut())
}

impl pirn_fiber_hooks {
    pub(crate) fn start(&self, fiber: &pirn_fiber) {
        if let Some(start) = self.start {
            // SAFETY: called as documented there.
            unsafe { start(address(Some(fiber))) };
        }
    }

    pub(crate) fn leave(&self, from: Option<&pirn_fiber>, to: Option<&pirn_fiber>, ends: bool) {
        if let Some(leave) = self.leave {
            // SAFETY: called as documented there.
            unsafe { leave(address(from), address(to), c_int::from(ends)) };
        }
    }

    pub(crate) fn enter(&self, now: Option<&pirn_fiber>) {
        if let Some(enter) = self.enter {
            // SAFETY: called as documented there.
            unsafe { enter(address(now)) };
        }
    }
}
