//! The error: a positive errno, as the kernel gave it or as a C programmer expects it.

use core::fmt;

use crate::sys::Errno;

/// Why a call was refused: an errno. Nothing has changed when a function returns one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(i32);

/// What the fallible functions of this crate return.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// The errno, positive: for `std::io::Error::from_raw_os_error`.
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
