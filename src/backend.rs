//! The contract that every backend implements: watching fds, reading the clock, and ending a wait.
//!
//! A backend contains the set of watched fds, with one entry for each fd, even if several watchers
//! share it. It waits, and then returns what was found. It knows nothing of callbacks. Every system
//! call of the loop goes through these three traits, so tests can replace the kernel by a
//! simulation or by one that fails.

use crate::error::{Error, Result};
use crate::ready::{ASKABLE, Interest};
use crate::time::{Duration, Instant};
use crate::wake::Owned;
use core::mem::MaybeUninit;

/// A monotonic clock.
pub(crate) trait Clock {
    /// Return the time since some fixed point; it never goes back.
    fn now(&mut self) -> Instant;

    /// Sleeps for `time` or less, even if a source is ready.
    fn nap(&self, time: Duration) {
        let _ = time;
    }
}

/// One fd as a backend sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Source {
    pub(crate) fd: i32,
    /// The slot of the fd's head watcher. A backend that carries user data returns it with each
    /// event.
    pub(crate) slot: u32,
    /// The combined interest and options of all watchers of the fd. At least one of `READ`, `WRITE`
    /// and `URGENT` is set, except in `remove` and `probe`: an fd with an empty interest is not in
    /// the set. Of the options the kernel knows only `EDGE` and `EXCLUSIVE`.
    pub(crate) asked: Interest,
    /// The id by which the backend knows the entry: what `add` or `remove` returned.
    pub(crate) backend_id: u32,
    /// True if the next event is to disarm the entry, as [`disarm`](Backend::disarm) does. Only in
    /// `modify`, and only after `disarm` has succeeded for this entry.
    pub(crate) disarms: bool,
}

impl Source {
    /// Those of `READ`, `WRITE` and `URGENT` that are set in `asked`.
    #[inline]
    pub(crate) fn interest(&self) -> u32 {
        self.asked.bits() & ASKABLE
    }
}

/// The id of an fd that is not in the set.
pub(crate) const NOT_IN_SET: u32 = 0;
/// The id of a file that is always ready: it cannot be waited for, and is not in the set.
pub(crate) const ALWAYS_READY: u32 = u32::MAX;

/// Set in the id that comes with an event if the event has disarmed its entry. An id itself is
/// smaller.
pub(crate) const DISARMED: u32 = 1 << 31;

/// An entry of the set of a backend that carries user data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// The slot of the fd's head watcher; `NONE` for the loop's own fds.
    pub(crate) slot: u32,
    /// The entry's id. An id is not used again for the same slot while the kernel may still report
    /// the former entry.
    pub(crate) backend_id: u32,
}

/// The set of watched fds and the wait for them.
///
/// Errors are the kernel's. On an error the set is as it was before.
///
/// A backend returns the result of a wait in one of two ways. If the kernel returns only fd
/// numbers, `wait` calls `report` for each ready fd, and nothing remains in the backend. If the
/// kernel returns user data, `wait` returns the number of events, and `event` returns one of them.
/// Such an event may be stale, because its fd may have left the set since.
pub(crate) trait Backend: Clock {
    /// Ends the wait from another thread, a signal handler or an interrupt.
    type Waker: Owned;

    /// Returns the optional features that this backend has.
    fn capabilities(&self) -> Capabilities;

    /// True if `fd` belongs to the loop itself.
    fn owns(&self, fd: i32) -> bool;

    /// Adds an fd to the set and returns the id of its entry. Returns [`ALWAYS_READY`] for a file
    /// that cannot be waited for; it is then not in the set. An id that is returned with events is
    /// never [`NOT_IN_SET`]. Errors: `EPERM` for `EDGE` or `EXCLUSIVE` and a file that is always
    /// ready; `EINVAL` if the fd belongs to the loop itself.
    fn add(&mut self, source: &Source) -> Result<u32>;

    /// Changes the interest or the slot of an fd in the set. If the kernel can tell, this also
    /// checks that the fd is still the same open file: `ENOENT` if it names another file now,
    /// `EBADF` if it is closed.
    fn modify(&mut self, source: &Source) -> Result<()>;

    /// Keeps an fd in the set, but reports nothing of it until `modify`. An error or a hang-up may
    /// still be reported once. If this fails, the entry is unchanged, and the core removes it.
    /// `EOPNOTSUPP` on backends that have no such state.
    fn disarm(&mut self, source: &Source) -> Result<()> {
        let _ = source;
        Err(Error::EOPNOTSUPP)
    }

    /// Removes an fd from the set. If the entry of another fd gets a new id by this, returns that
    /// fd and the id. An error means that the kernel may keep the entry: the fd was closed, but its
    /// file is still open under another number.
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>>;

    /// Returns what `add` would return for an fd that is not in the set, and leaves the fd out of
    /// the set.
    fn probe(&self, source: &Source) -> Result<u32>;

    /// Waits at most `timeout` (`ZERO`: not at all, `FOREVER`: without limit) and returns the
    /// number of events that [`event`](Self::event) can return. Events that the kernel returns by
    /// fd number are not counted: for each of them `report` is called with the fd and the
    /// readiness, and returns the interest for which the fd is watched. May return early without
    /// events. `EINTR` is not an error but a wait that found nothing.
    fn wait(&mut self, timeout: Duration, report: impl FnMut(i32, u32) -> u32) -> Result<u32>;

    /// Called before the first wait with a timeout that is neither `ZERO` nor `FOREVER`. A backend
    /// may leave the code for such waits in itself here: then a program that never waits like that
    /// does not contain it.
    fn expect_timeouts(&mut self) {}

    /// Returns one event of the last wait, by its index from 0 on: the entry and its readiness.
    fn event(&self, at: u32) -> Option<(Entry, u32)> {
        let _ = at;
        None
    }

    /// Called after a wait that found something. True if many waits in a row have reported the
    /// entry of the first event, and it is time to ask the kernel whether its fd still names the
    /// same file. A backend that reports by fd number returns false, because each of its waits
    /// looks at the fd itself.
    fn has_suspect(&mut self) -> bool {
        false
    }

    /// Replaces the kernel's set by a new, empty one: after `take_over`, or if the kernel keeps
    /// reporting an fd that is no longer watched. The core then adds every source again.
    fn rebuild(&mut self) -> Result<()>;

    /// In a forked child: replaces the kernel object that ends a wait by a new one under the same
    /// fd number, and drops the pollable fd. `rebuild` follows.
    fn take_over(&mut self) -> Result<()>;

    /// Returns the fd that is readable whenever a wait would return immediately, also when the
    /// alarm is due. `EOPNOTSUPP` if the backend has none.
    fn pollable_fd(&mut self) -> Result<i32> {
        Err(Error::EOPNOTSUPP)
    }

    /// Makes the pollable fd readable at `deadline` (`NEVER`: switches the alarm off).
    fn set_alarm(&mut self, deadline: Instant) -> Result<()> {
        let _ = deadline;
        Err(Error::EOPNOTSUPP)
    }
}

/// A backend whose memory can be replaced.
pub(crate) trait MoveTo<'a> {
    /// True if everything that is watched fits into an area of this many words.
    fn fits(&self, words: usize) -> bool;

    /// Moves everything into `area`, into which it [fits](Self::fits). Called between two turns,
    /// when no event is left.
    fn move_to(&mut self, area: &'a mut [MaybeUninit<u64>]);
}

/// Defines [`BackendKind`] from the table of all backends: number and name.
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
    /// The best that works on this machine: epoll, poll and select are tried in this order.
    #[default]
    Auto = 0, "auto";
    /// `pselect6(2)`.
    Select = 1, "select";
    /// `ppoll(2)`.
    Poll = 2, "poll";
    /// `epoll(7)`.
    Epoll = 3, "epoll";
    /// The application provides clock, wait and readiness.
    Host = 4, "host";
}

bitflags::bitflags! {
    /// The optional features of a backend.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
    pub struct Capabilities: u32 {
        /// Watchers may use [`Interest::EDGE`](crate::Interest::EDGE).
        const EDGE = 0x1;
        /// Watchers may use [`Interest::EXCLUSIVE`](crate::Interest::EXCLUSIVE).
        const EXCLUSIVE = 0x2;
        /// The loop has a pollable fd.
        const FD = 0x4;
        /// A wait ends as exactly as the kernel's timers allow, and is not rounded to milliseconds.
        const NANOSECONDS = 0x8;
    }
}
