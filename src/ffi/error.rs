#![expect(unsafe_code, reason = "the C face")]
//! Error texts, and the version.

use core::ffi::{c_char, c_int};

use crate::error::Error;

/// The version of this header, one byte each: `major << 16 | minor << 8 | patch`. Within one major
/// version, released functions, types and constants do not change.
pub const PIRN_VERSION: u32 = 1u32 << 8;

/// Return a text that explains an error returned by a function of this library.
///
/// @param error  the errno, negative or positive
///
/// Returns a static text, never NULL. Each error named in a header of pirn has a text of its own;
/// any other errno gives "error of the kernel". Any thread, async-signal-safe. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_strerror(error: c_int) -> *const c_char {
    let text = match error.unsigned_abs() {
        0 => b"success\0",
        1..4096 => Error::from_errno(error.wrapping_abs()).text(),
        _ => b"not an error number\0",
    };
    text.as_ptr().cast()
}

/// Return the version of the linked library: `PIRN_VERSION` of the header it was built with. Any
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_version() -> u32 {
    PIRN_VERSION
}
