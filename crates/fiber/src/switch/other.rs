#![expect(unsafe_code, reason = "the same functions as on other machines")]
//! Machines without a switch: no fiber can be started there.

use super::Main;

/// Never called.
///
/// # Safety
///
/// As on x86-64.
pub unsafe extern "C" fn switch(_save: *mut usize, _to: usize) {}

/// Never called.
///
/// # Safety
///
/// As on x86-64.
pub unsafe fn prepare(top: usize, _main: Main, _argument: usize) -> usize {
    top
}

/// There is no such stack.
pub fn here() -> usize {
    0
}

/// True if stacks can be switched in this process.
pub fn is_supported() -> bool {
    false
}
