//! What the core asks of whoever watches fds, tells the time and wakes it: the contract every
//! backend fulfils.
//!
//! A backend holds the set of watched fds, one entry per fd however many watchers share it, waits,
//! and then yields what was found. It knows nothing of callbacks. Every system call the loop makes
//! goes through these three traits, so that a simulated or a failing world can stand in for the
//! kernel.

use crate::error::{Error, Result};
use crate::ready::{ASKABLE, Interest};
use crate::time::{Duration, Instant};
use crate::wake::Owned;

/// A monotonic clock.
pub(crate) trait Clock {
    /// Return the time since some fixed point; it never goes back.
    fn now(&mut self) -> Instant;

    /// Sleeps that long or less, whatever is ready.
    fn nap(&self, time: Duration) {
        let _ = time;
    }
}

/// One fd as a backend sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) fd: i32,
    /// Of the watcher that stands for the fd. Comes back with the events of a backend that carries
    /// user data.
    pub(crate) slot: u32,
    /// What all watchers of the fd ask for, and their options. `READ`, `WRITE` and `URGENT` are all
    /// absent only in `remove` and `probe`: an fd at which nothing is watched is not in the set.
    /// The kernel knows `EDGE` and `EXCLUSIVE`.
    pub(crate) asked: Interest,
    /// The id by which the backend knows the entry: what `add` or `remove` returned.
    pub(crate) backend_id: u32,
}

impl Source {
    /// `READ`, `WRITE` and `URGENT`, as far as they are asked for.
    #[inline]
    pub(crate) fn interest(&self) -> u32 {
        self.asked.bits() & ASKABLE
    }
}

/// The id of what is not in the set.
pub(crate) const NOT_IN_SET: u32 = 0;
/// The id of a file that is always ready: it cannot be waited for, and is not in the set.
pub(crate) const ALWAYS_READY: u32 = u32::MAX;

/// An entry of the set of a backend that carries user data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// Of the watcher that stands for the fd; `NONE` for the loop's own fds.
    pub(crate) slot: u32,
    /// Never twice the same for one slot, as long as anything may be left of the former entry.
    pub(crate) backend_id: u32,
}

/// The set of watched fds and the wait for them.
///
/// Errors are the kernel's. On an error the set is as it was before.
///
/// A backend hands over what a wait has found in one of two ways. Where the kernel tells no more
/// than which fds are ready, `wait` reports each of them, and nothing is left in the backend. Where
/// it carries user data, `wait` returns how many events there are, and `event` looks at one: it may
/// be stale, for its fd may have left the set since.
pub(crate) trait Backend: Clock {
    /// Ends the wait from another thread, a signal handler or an interrupt.
    type Waker: Owned;

    /// What it can do beyond the common ground.
    fn capabilities(&self) -> Capabilities;

    /// True if `fd` is one of the loop's own.
    fn owns(&self, fd: i32) -> bool;

    /// Puts an fd into the set and returns the id of its entry, or [`ALWAYS_READY`] for a file that
    /// is not in the set because it cannot be waited for. An id that comes back with events is not
    /// [`NOT_IN_SET`]. `EPERM` if such a file is asked for with `EDGE` or `EXCLUSIVE`; `EINVAL` if
    /// the fd is one of the loop's own.
    fn add(&mut self, source: &Source) -> Result<u32>;

    /// Changes interest or slot of an fd in the set. Also the check that the fd is still the same
    /// open file, where the kernel knows: `ENOENT` if it is another one now, `EBADF` if it is
    /// closed.
    fn modify(&mut self, source: &Source) -> Result<()>;

    /// Takes an fd out of the set. Returns the fd whose entry has another id now, and that
    /// id, if there is one. An error says that the kernel may keep the entry: the fd was
    /// closed, and the file it named lives on under another number.
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>>;

    /// Returns what `add` would return for an fd that is not in the set, and leaves the fd out of
    /// the set.
    fn probe(&self, source: &Source) -> Result<u32>;

    /// Waits at most `timeout` (`ZERO`: not at all, `FOREVER`: for ever) and returns how many events
    /// there are. Those that are known by their fd are not among them: each is given to `report`,
    /// with what was found, which returns the interest that the fd is watched for. May return early
    /// with nothing. `EINTR` is an empty wait, not an error.
    fn wait(&mut self, timeout: Duration, report: impl FnMut(i32, u32) -> u32) -> Result<u32>;

    /// The event at a place, from 0 on, of the last wait: of which entry, and what was found.
    fn event(&self, at: u32) -> Option<(Entry, u32)> {
        let _ = at;
        None
    }

    /// After a wait that found something: an entry that has been reported by one wait after the
    /// other, if it is time to ask the kernel whether its fd is still that file. Of a backend whose
    /// sources are found by their fds there is none, as each wait looks at the fd.
    fn suspect(&mut self) -> Option<Entry> {
        None
    }

    /// Replaces the kernel objects by fresh, empty ones: after `take_over`, or when the kernel goes
    /// on reporting an fd that is watched no more. The core then adds every source again.
    fn rebuild(&mut self) -> Result<()>;

    /// In a copy of the loop that fork made: replaces what ends a wait by an object of this
    /// process, under the same number, and forgets the pollable fd. `rebuild` follows.
    fn take_over(&mut self) -> Result<()>;

    /// A handle that ends the wait from other threads. `asks`: it is to find out whether the loop
    /// is a copy.
    fn waker(&self, asks: bool) -> Self::Waker;

    /// The fd that is readable whenever a wait would return at once, `alarm` included. `EOPNOTSUPP`
    /// where there is none.
    fn pollable_fd(&mut self) -> Result<i32> {
        Err(Error::EOPNOTSUPP)
    }

    /// With a pollable fd: makes it readable at `deadline` (`NEVER`: not at all).
    fn set_alarm(&mut self, deadline: Instant) -> Result<()> {
        let _ = deadline;
        Err(Error::EOPNOTSUPP)
    }
}

/// A backend whose area can be replaced while it lives.
pub(crate) trait MoveTo<'a> {
    /// True if all that is watched has room in an area of so many words.
    fn fits(&self, words: usize) -> bool;

    /// Moves everything into `area`, where it [fits](Self::fits). Between two turns: nothing that
    /// was found is left.
    fn move_to(&mut self, area: &'a mut [u64]);
}

/// Makes [`BackendKind`] of the table of all backends: number and name.
macro_rules! kinds {
    ($($(#[$attribute:meta])* $kind:ident = $number:literal, $name:literal;)*) => {
        /// The backends by name.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
        #[repr(u32)]
        pub enum BackendKind {
            $($(#[$attribute])* $kind = $number,)*
        }

        impl BackendKind {
            /// The name in lower case.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(BackendKind::$kind => $name,)*
                }
            }

            /// The backend with a number, as `PIRN_BACKEND_*` numbers them.
            #[cfg(feature = "ffi")]
            pub(crate) const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(BackendKind::$kind),)*
                    _ => None,
                }
            }

            /// The name with a NUL at its end.
            #[cfg(feature = "ffi")]
            pub(crate) const fn c_name(self) -> &'static [u8] {
                match self {
                    $(BackendKind::$kind => concat!($name, "\0").as_bytes(),)*
                }
            }
        }
    };
}

kinds! {
    /// The best that works here: epoll, then poll, then select, tried in this order.
    #[default]
    Auto = 0, "auto";
    /// `pselect6(2)`.
    Select = 1, "select";
    /// `ppoll(2)`.
    Poll = 2, "poll";
    /// `epoll(7)`.
    Epoll = 3, "epoll";
    /// The application supplies clock, wait and readiness.
    Host = 4, "host";
}

bitflags::bitflags! {
    /// What a backend can do beyond the common ground.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
    pub struct Capabilities: u32 {
        /// [`Interest::EDGE`](crate::Interest::EDGE).
        const EDGE = 0x1;
        /// [`Interest::EXCLUSIVE`](crate::Interest::EXCLUSIVE).
        const EXCLUSIVE = 0x2;
        /// A pollable fd for the whole loop.
        const FD = 0x4;
        /// Waits are exact to the nanosecond as far as the kernel's timers are, not rounded to
        /// milliseconds.
        const NANOSECONDS = 0x8;
    }
}
