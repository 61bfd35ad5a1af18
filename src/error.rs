//! The error: a positive errno, as the kernel gave it or as a C programmer expects it.
//!
//! The numbers are those of Linux on every architecture that pirn supports (they agree below 134). On a target without an
//! operating system the same numbers are used, so that a program reads alike on both.

use core::fmt;
use core::num::NonZeroU32;

/// Why a call was refused: an errno. Nothing has changed when a function returns one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Error(NonZeroU32);

/// What the fallible functions of this crate return.
pub type Result<T> = core::result::Result<T, Error>;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Error = Error(NonZeroU32::new($number).unwrap());)*

            /// The sentence `pirn_strerror` gives: static, NUL-terminated.
            pub(crate) const fn text(self) -> &'static core::ffi::CStr {
                match self.0.get() {
                    $($number => $text,)*
                    _ => c"error of the kernel (see errno(3))",
                }
            }

            const fn name(self) -> &'static str {
                match self.0.get() {
                    $($number => stringify!($name),)*
                    _ => "errno",
                }
            }
        }
    };
}

errors! {
    /// Not permitted: a file that epoll refuses was asked for with an option only epoll has.
    EPERM = 1, c"operation not permitted on this fd";
    /// The handle is stale or was never given out.
    ENOENT = 2, c"no such watcher, timer or task (stale handle)";
    /// A signal arrived. Never seen by callers: an interrupted wait is an empty wait.
    EINTR = 4, c"interrupted";
    /// The fd is not open.
    EBADF = 9, c"bad file descriptor";
    /// The loop was copied by fork and not re-initialised.
    ECHILD = 10, c"the loop belongs to the parent process";
    /// The queue is full; try again when the loop has run.
    EAGAIN = 11, c"queue full, try again after a turn";
    /// The kernel is out of memory.
    ENOMEM = 12, c"the kernel is out of memory";
    /// A pointer was refused by the kernel.
    EFAULT = 14, c"bad address";
    /// Not from inside a callback, or the block already holds a live loop.
    EBUSY = 16, c"the loop is running, or the block is in use";
    /// Already there.
    EEXIST = 17, c"already registered";
    /// An argument is out of its range.
    EINVAL = 22, c"invalid argument";
    /// The system's table of open files is full.
    ENFILE = 23, c"too many open files in the system";
    /// The process has too many open files.
    EMFILE = 24, c"too many open files";
    /// The capacity given at init is used up.
    ENOSPC = 28, c"capacity exhausted";
    /// The number is beyond what this backend can hold.
    ERANGE = 34, c"fd number beyond this backend's range";
    /// The kernel lacks the call.
    ENOSYS = 38, c"not implemented by this kernel";
    /// A struct is longer than this library knows and its surplus is not zero.
    E2BIG = 7, c"struct has fields this library does not know";
    /// This backend or this build cannot do it.
    EOPNOTSUPP = 95, c"not supported by this backend";
    /// The queues were closed by `task_reclaim`.
    ESHUTDOWN = 108, c"the queues are closed";
    /// An internal invariant does not hold (memory was overwritten).
    EUCLEAN = 117, c"the loop's memory is damaged";
}

impl Error {
    /// The errno, positive.
    #[must_use]
    pub const fn errno(self) -> i32 {
        self.0.get() as i32
    }

    /// From an errno as the kernel gives it; numbers that are no errno become [`Error::EINVAL`].
    #[must_use]
    pub const fn from_errno(errno: i32) -> Error {
        match NonZeroU32::new(errno as u32) {
            Some(number) if number.get() < 4096 => Error(number),
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
        f.write_str(self.text().to_str().unwrap_or("error"))
    }
}

impl core::error::Error for Error {}
