//! The error type: an errno of the kernel, or the errno that a C programmer expects.
//!
//! The numbers are those of Linux on every architecture that pirn supports (they agree below 134).
//! A target without an operating system uses the same numbers, so that programs are the same on
//! both.

use core::ffi::CStr;
use core::fmt;
use core::num::NonZeroI32;

/// The reason why a call failed: an errno. When a function returns one, nothing has changed.
///
/// The number is stored negative, as C functions return it, so that no conversion is needed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(NonZeroI32);

/// The result of the fallible functions of this crate.
pub type Result<T> = core::result::Result<T, Error>;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Error = Error(NonZeroI32::new(-$number).unwrap());)*

            const fn name(self) -> &'static str {
                match self.errno() {
                    $($number => stringify!($name),)*
                    _ => "errno",
                }
            }
        }

        /// For each error: its number in decimal, its text and a NUL. At the end the text for all
        /// other errors. Searching one string takes half the space of a table with pointers to
        /// many.
        const TEXTS: &str = concat!(
            $($number, $text, "\0",)*
            "error of the kernel (see errno(3))\0"
        );
    };
}

errors! {
    /// Not permitted: the file cannot be watched with this option, or another thread uses the loop.
    EPERM = 1, "operation not permitted on this fd, or in this thread";
    /// The handle is stale, or was never returned by this loop.
    ENOENT = 2, "no such watcher, timer or task (stale handle)";
    /// There is no such process, or it is not a child.
    ESRCH = 3, "no such process";
    /// A signal arrived. Callers never see it: an interrupted wait counts as one that found
    /// nothing.
    EINTR = 4, "interrupted";
    /// The fd is not open.
    EBADF = 9, "bad file descriptor";
    /// The process is a forked child, and `after_fork` was not called.
    ECHILD = 10, "the loop belongs to the parent process";
    /// The queue is full; try again when the loop has run.
    EAGAIN = 11, "queue full, try again after a turn";
    /// The kernel is out of memory.
    ENOMEM = 12, "the kernel is out of memory";
    /// The file may not be opened, or the directory may not be searched.
    EACCES = 13, "permission denied";
    /// The block is not aligned as a `u64`, or the kernel refused a pointer.
    EFAULT = 14, "misaligned block, or bad address";
    /// Not allowed inside a callback; or the block already holds a live loop.
    EBUSY = 16, "the loop is running, or the block is in use";
    /// It already exists.
    EEXIST = 17, "already registered";
    /// A component of a path is not a directory.
    ENOTDIR = 20, "not a directory";
    /// An argument is out of its range.
    EINVAL = 22, "invalid argument";
    /// The system's table of open files is full.
    ENFILE = 23, "too many open files in the system";
    /// The process has too many open files.
    EMFILE = 24, "too many open files";
    /// All slots of the loop are in use.
    ENOSPC = 28, "capacity exhausted: all slots are in use";
    /// The other end has no reader, or a barrier is broken.
    EPIPE = 32, "nobody reads at the other end, or broken";
    /// The fd number is beyond the range of this backend.
    ERANGE = 34, "fd number beyond this backend's range";
    /// The wait would be for itself, directly or through others.
    EDEADLK = 35, "would wait for itself";
    /// A path is too long.
    ENAMETOOLONG = 36, "path too long";
    /// The kernel does not have this system call.
    ENOSYS = 38, "not implemented by this kernel";
    /// An epoll set is to watch one that watches it, or sets are nested too deeply.
    ELOOP = 40, "epoll sets watch each other, or are nested too deeply";
    /// Neither the block nor the configuration contains capacities.
    ENODATA = 61, "no capacities in block or configuration";
    /// The `size` field of a struct is not set.
    EBADMSG = 74, "the size field of a struct is not set";
    /// A count would exceed its maximum.
    EOVERFLOW = 75, "beyond the maximum";
    /// The block was declared for a library with another configuration.
    ELIBBAD = 80, "block declared with PIRN_HOST_ONLY, library built without it";
    /// A struct has fields that this library does not know and that are not zero.
    E2BIG = 7, "struct has fields this library does not know";
    /// This backend or this build does not support it.
    EOPNOTSUPP = 95, "not supported by this loop or its backend";
    /// The block is too small for its capacities.
    ENOBUFS = 105, "the block is too small for its capacities";
    /// The queues were closed by `task_reclaim`.
    ESHUTDOWN = 108, "the queues are closed";
    /// A time limit has passed.
    ETIMEDOUT = 110, "timed out";
    /// The wait is over already.
    EALREADY = 114, "over already";
    /// An internal invariant does not hold (memory was overwritten).
    EUCLEAN = 117, "the loop's memory is damaged";
    /// The user watches as many fds with epoll as the kernel allows (`fs.epoll.max_user_watches`):
    /// the kernel's `ENOSPC`.
    EDQUOT = 122, "the kernel's limit of watched fds is reached (fs.epoll.max_user_watches)";
    /// Cancelled by request.
    ECANCELED = 125, "cancelled";
    /// The owner of a lock ended without unlocking it.
    EOWNERDEAD = 130, "the owner of the lock has ended";
}

impl Error {
    /// Returns a string that begins with the text of the error and a NUL. More texts follow.
    pub(crate) fn text(self) -> &'static [u8] {
        let (mut number, mut is_inside) = (0, false);
        for (at, byte) in TEXTS.bytes().enumerate() {
            if is_inside {
                is_inside = byte != 0;
            } else if byte.is_ascii_digit() {
                number = number * 10 + i32::from(byte - b'0');
            } else if number == self.errno() || number == 0 {
                return TEXTS.as_bytes().get(at..).unwrap_or_default();
            } else {
                (number, is_inside) = (0, true);
            }
        }
        b"\0"
    }

    /// Return the errno as a positive number.
    #[must_use]
    pub const fn errno(self) -> i32 {
        -self.0.get()
    }

    /// Make an error from a positive errno. Any other number becomes [`Error::EINVAL`].
    #[must_use]
    pub const fn from_errno(errno: i32) -> Error {
        match NonZeroI32::new(errno.wrapping_neg()) {
            Some(negative) if errno > 0 && errno < 4096 => Error(negative),
            _ => Error::EINVAL,
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.errno())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = CStr::from_bytes_until_nul(self.text()).unwrap_or_default();
        f.write_str(text.to_str().unwrap_or_default())
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn each_error_has_its_own_sentence() {
        assert_eq!(
            Error::EPERM.to_string(),
            "operation not permitted on this fd, or in this thread"
        );
        assert_eq!(Error::EINVAL.to_string(), "invalid argument");
        assert_eq!(Error::EUCLEAN.to_string(), "the loop's memory is damaged");
        // Numbers that begin or end like a number in the table.
        for errno in [8, 15, 21, 111, 126, 1000, 4095] {
            assert_eq!(
                Error::from_errno(errno).to_string(),
                "error of the kernel (see errno(3))"
            );
        }
    }
}
