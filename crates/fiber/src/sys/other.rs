#![expect(unsafe_code, reason = "the same declarations as on Linux")]
//! Without an operating system there are no fds and no pages.

use core::ffi::{c_int, c_void};

use pirn_wait::EOPNOTSUPP;

/// There are no pages.
pub(crate) const PAGE_SIZES: &[usize] = &[];

/// Refuses: no page can be made inaccessible here.
///
/// # Safety
///
/// None.
pub(crate) unsafe fn protect(_page: *mut c_void, _size: usize) -> Result<(), c_int> {
    Err(EOPNOTSUPP)
}

/// Does nothing: no page was made inaccessible.
///
/// # Safety
///
/// None.
pub(crate) unsafe fn unprotect(_page: *mut c_void, _size: usize) {}
