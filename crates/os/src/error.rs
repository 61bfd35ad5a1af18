//! The error type: a positive errno of the kernel, or the errno that a C programmer expects.

use core::fmt;

use crate::sys::Errno;

/// The reason why a call failed: an errno. When a function returns one, nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(i32);

/// The result of the fallible functions of this crate.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// Return the errno as a positive number, for `std::io::Error::from_raw_os_error`.
    #[must_use]
    pub const fn errno(self) -> i32 {
        self.0
    }
}

impl From<Errno> for Error {
    fn from(errno: Errno) -> Error {
        Error(errno.raw_os_error())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({})", self.0)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {} (see errno(3))", self.0)
    }
}

impl core::error::Error for Error {}
