#![expect(unsafe_code, reason = "the C face")]
//! Error texts, and the version.

use core::ffi::{c_char, c_int};

use crate::error::Error;

/// The version of this header: major, minor and patch in a byte each. Within one major version what
/// was released is frozen.
pub const PIRN_VERSION: u32 = 1u32 << 8;

/// Explain an error that a function of this library returned.
///
/// @param error  negative or positive
///
/// Returns a static text, never NULL. Every error that a header of pirn names has one of its
/// own; any other errno is "error of the kernel". Any thread, async-signal-safe. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_strerror(error: c_int) -> *const c_char {
    let text = match error.unsigned_abs() {
        0 => b"success\0",
        1..4096 => Error::from_errno(error.wrapping_abs()).text(),
        _ => b"not an error number\0",
    };
    text.as_ptr().cast()
}

/// Tell the version of the library that is linked: `PIRN_VERSION` of its own header. Any thread.
/// Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_version() -> u32 {
    PIRN_VERSION
}
