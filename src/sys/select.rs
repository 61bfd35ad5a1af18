#![expect(unsafe_code, reason = "select and its sets of bits")]
//! The select backend.

mod sets;

use core::mem::MaybeUninit;
use rustix::event::{FdSetElement, PollFd, PollFlags, poll, select};
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use static_assertions::{assert_eq_align, assert_eq_size};

use self::sets::{BITS, Sets};
use super::clock::{find_vdso, monotonic};
use super::fd::{borrow, probe};
use super::wake::{self, FdWaker};
use super::{LONGEST_WAIT, error, poll_bits, timespec};
use crate::backend::{Backend, Capabilities, Clock, MoveTo, Source};
use crate::error::{Error, Result};
use crate::ready::{Interest, Ready};
use crate::room::Room;
use crate::time::{Duration, Instant};

/// How many fds are looked at closely in one call.
const CHUNK: usize = 32;

assert_eq_size!(usize, FdSetElement);
assert_eq_align!(usize, FdSetElement);

pub(crate) struct Select<'a> {
    wake: OwnedFd,
    /// What the kernel is asked for. Every watched fd is in the set `read`, for only there a
    /// hang-up shows; but for those at which nobody reads and there is something to read.
    watched: Sets<'a>,
    /// What the kernel has found, or which fds are to be looked at closely.
    found: Sets<'a>,
    /// The kernel said that an fd is closed, and none was found that is.
    is_in_vain: bool,
    /// Some of the watched are not in the set `read`.
    has_noise: bool,
    /// Fds from here up are in no set, nor can they be.
    range: i32,
    /// One more than the highest watched fd.
    bound: i32,
}

impl<'a> Select<'a> {
    /// `area` is cut into six sets of equal length.
    pub(crate) fn new(area: &'a mut [MaybeUninit<u64>]) -> Result<Self> {
        find_vdso();
        let (watched, found, range) = sets_of(area);
        let mut select = Select {
            wake: wake::open()?,
            watched,
            found,
            is_in_vain: false,
            has_noise: false,
            range,
            bound: 0,
        };
        select.add_own()?;
        select.wait(Duration::ZERO, |_, _| 0)?;
        Ok(select)
    }

    pub(crate) fn waker(&self, asks: bool) -> FdWaker {
        FdWaker::new(&self.wake, asks)
    }

    fn add_own(&mut self) -> Result<()> {
        let fd = self.wake.as_raw_fd();
        if fd >= self.range {
            return Err(Error::ERANGE);
        }
        self.bound = 0;
        self.put(fd, Interest::READ.bits());
        Ok(())
    }

    /// Watches an fd below `range`.
    fn put(&mut self, fd: i32, interest: u32) {
        self.bound = self.bound.max(fd + 1);
        let words = self.words();
        self.watched.grow(words);
        self.found.grow(words);
        self.watched.put(fd, interest);
    }

    fn words(&self) -> usize {
        (self.bound as usize).div_ceil(BITS)
    }

    fn ask_kernel(&mut self, timeout: Duration) -> core::result::Result<u32, Errno> {
        let words = self.words();
        self.found.copy(&self.watched, words);
        // SAFETY: select asks that the sets hold at least `bound` bits: `add` keeps `bound` within
        // `range`, which is their length, and rustix asserts it again. That all fds are open it
        // asks for the sake of I/O safety; a closed one makes the call fail with EBADF, which is
        // handled.
        let found = unsafe {
            select(
                self.bound,
                Some(elements(&mut self.found.read)),
                Some(elements(&mut self.found.write)),
                Some(elements(&mut self.found.urgent)),
                timespec(timeout).as_ref(),
            )
        };
        found.map(|found| found as u32)
    }

    /// The first fd in `found` from `cursor` on; that moves behind it.
    fn advance(&self, cursor: &mut i32) -> Option<i32> {
        while *cursor < self.bound {
            let (word, shift) = (*cursor as usize / BITS, *cursor as usize % BITS);
            let bits = self.found.word(word) >> shift;
            if bits != 0 {
                let fd = *cursor + bits.trailing_zeros() as i32;
                *cursor = fd + 1;
                return Some(fd);
            }
            *cursor = ((word + 1) * BITS) as i32;
        }
        None
    }

    /// After EBADF all watched fds are suspects: a closer look finds out which one it was. `false`
    /// if it was the wake-up fd, or if the suspects of the last wait were all open.
    fn suspect_all(&mut self) -> bool {
        if self.is_in_vain || probe(self.wake.as_raw_fd()).is_err() {
            return false;
        }
        self.is_in_vain = true;
        let words = self.words();
        self.found.copy(&self.watched, words);
        true
    }

    /// What there is at an fd, if poll(2) does not tell.
    fn guess(&self, fd: i32, is_suspect: bool) -> u32 {
        if !is_suspect {
            self.found.interest(fd)
        } else if probe(fd).is_err() {
            Ready::INVALID.bits()
        } else {
            0
        }
    }

    /// An fd at which nobody reads stays in the set `read`, for the sake of hang-ups, unless there
    /// is something to read: select would return for it again and again.
    fn watch_for_hangup(&mut self, fd: i32, is_read: bool, found: u32) {
        let is_told = found & (Ready::HANGUP | Ready::ERROR | Ready::INVALID).bits() != 0;
        let is_noise = !is_read && !is_told && found & Ready::READ.bits() != 0;
        self.has_noise |= is_noise;
        let read = if is_noise { 0 } else { Interest::READ.bits() };
        let others = self.watched.interest(fd) & !Interest::READ.bits();
        self.watched.put(fd, others | read);
    }

    /// Looks again at the fds that are not in the set `read`: what there was to read may be gone,
    /// or there is a hang-up by now.
    #[cold]
    fn reconsider(&mut self) {
        for word in 0..self.words() {
            let of = |set: &[usize]| set.get(word).copied().unwrap_or(0);
            let quiet = self.watched.word(word) & !of(&self.watched.read);
            for (set, bits) in [
                (&mut self.found.read, quiet),
                (&mut self.found.write, 0),
                (&mut self.found.urgent, 0),
            ] {
                if let Some(element) = set.get_mut(word) {
                    *element = bits;
                }
            }
        }
        self.has_noise = false;
        let mut cursor = 0;
        while let Some(mut chunk) = self.chunk(&mut cursor) {
            if look(&mut chunk) {
                for record in &chunk {
                    self.watch_for_hangup(fd_of(record), false, found_at(record));
                }
            }
        }
    }

    /// The next fds of `found`, to be looked at closely.
    fn chunk(&self, cursor: &mut i32) -> Option<heapless::Vec<PollFd<'static>, CHUNK>> {
        let wake = self.wake.as_raw_fd();
        let mut chunk = heapless::Vec::new();
        while !chunk.is_full() {
            let Some(fd) = self.advance(cursor) else {
                break;
            };
            // Reading in any case: see `watch_for_hangup`. What nobody asked for nobody is told.
            let asked = PollFlags::from_bits_retain(self.watched.interest(fd) as _);
            let asked = asked | PollFlags::IN | PollFlags::RDHUP;
            if fd != wake {
                let _ = chunk.push(PollFd::from_borrowed_fd(borrow(fd), asked));
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

fn fd_of(record: &PollFd<'_>) -> i32 {
    record.as_fd().as_raw_fd()
}

fn found_at(record: &PollFd<'_>) -> u32 {
    u32::from(poll_bits(record.revents()))
}

/// Asks poll(2) about all records, without waiting; one by one if it refuses so many, as it does if
/// there may be fewer fds. Whether it has answered.
fn look(records: &mut [PollFd<'_>]) -> bool {
    let at_once = timespec(Duration::ZERO);
    poll(records, at_once.as_ref()).is_ok()
        || records
            .iter_mut()
            .all(|record| poll(core::slice::from_mut(record), at_once.as_ref()).is_ok())
}

/// A set of bits as rustix wants it.
fn elements(set: &mut [usize]) -> &mut [FdSetElement] {
    // SAFETY: `FdSetElement` is a transparent wrapper of a word (its size and alignment are
    // asserted above) that only the type of rustix keeps from being made; the borrow is passed on.
    unsafe { &mut *(set as *mut [usize] as *mut [FdSetElement]) }
}

/// The backend's area as room for six sets of equal length: what is watched, what was found, and
/// the range of fds.
fn sets_of(area: &mut [MaybeUninit<u64>]) -> (Sets<'_>, Sets<'_>, i32) {
    // SAFETY: memory that need not be valid before nor after.
    let (_, words, _) = unsafe { area.align_to_mut::<MaybeUninit<usize>>() };
    let length = words.len() / 6;
    let mut sets = words.chunks_exact_mut(length.max(1));
    let mut set = || Room::new(sets.next().unwrap_or(&mut []));
    let watched = Sets {
        read: set(),
        write: set(),
        urgent: set(),
    };
    let found = Sets {
        read: set(),
        write: set(),
        urgent: set(),
    };
    (watched, found, range_of(length))
}

/// Fds from here up have no room in sets of so many words.
fn range_of(words: usize) -> i32 {
    words.saturating_mul(BITS).min(i32::MAX as usize) as i32
}

impl<'a> MoveTo<'a> for Select<'a> {
    fn fits(&self, words: usize) -> bool {
        self.bound <= range_of(words * size_of::<u64>() / size_of::<usize>() / 6)
    }

    fn move_to(&mut self, area: &'a mut [MaybeUninit<u64>]) {
        let (mut watched, mut found, range) = sets_of(area);
        watched.grow(self.words());
        found.grow(self.words());
        watched.copy(&self.watched, self.words());
        (self.watched, self.found, self.range) = (watched, found, range);
    }
}

impl Clock for Select<'_> {
    #[inline]
    fn now(&mut self) -> Instant {
        monotonic()
    }

    fn nap(&self, time: Duration) {
        super::nap(time);
    }
}

impl Backend for Select<'_> {
    type Waker = FdWaker;

    fn capabilities(&self) -> Capabilities {
        Capabilities::NANOSECONDS
    }

    fn owns(&self, fd: i32) -> bool {
        fd == self.wake.as_raw_fd()
    }

    #[inline(never)]
    fn add(&mut self, source: &Source) -> Result<u32> {
        if self.owns(source.fd) {
            return Err(Error::EINVAL);
        }
        let backend_id = self.probe(source)?;
        self.put(source.fd, source.interest() | Interest::READ.bits());
        Ok(backend_id)
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        probe(source.fd)?;
        self.watched
            .put(source.fd, source.interest() | Interest::READ.bits());
        Ok(())
    }

    #[inline(never)]
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>> {
        self.watched.put(source.fd, 0);
        while self.bound > 0 && self.watched.interest(self.bound - 1) == 0 {
            let below = (self.bound - 1) as usize / BITS * BITS;
            self.bound = if self.watched.word(below / BITS) == 0 {
                below as i32
            } else {
                self.bound - 1
            };
        }
        Ok(None)
    }

    fn probe(&self, source: &Source) -> Result<u32> {
        probe(source.fd)?;
        if source.fd >= self.range {
            return Err(Error::ERANGE);
        }
        Ok(0)
    }

    /// select tells no more than "read", "write" and "urgent": poll is asked about those that are
    /// ready, so that hang-up, error and closed fds are reported as the other backends report them.
    #[inline(never)]
    fn wait(&mut self, timeout: Duration, mut report: impl FnMut(i32, u32) -> u32) -> Result<u32> {
        let timeout = if timeout == Duration::FOREVER {
            Duration::FOREVER
        } else {
            timeout.min(LONGEST_WAIT)
        };
        if self.has_noise {
            self.reconsider();
        }
        match self.ask_kernel(timeout) {
            Ok(found) => {
                self.is_in_vain = false;
                if found == 0 {
                    return Ok(0);
                }
                let wake = self.wake.as_raw_fd();
                if self.found.interest(wake) != 0 {
                    wake::drain(&self.wake);
                }
            }
            Err(Errno::INTR) => return Ok(0),
            Err(Errno::BADF) if self.suspect_all() => {}
            Err(errno) => return Err(error(errno)),
        }
        let are_suspects = self.is_in_vain;
        let mut cursor = 0;
        while let Some(mut chunk) = self.chunk(&mut cursor) {
            let is_known = look(&mut chunk);
            for record in &chunk {
                let fd = fd_of(record);
                let found = if is_known {
                    found_at(record)
                } else {
                    self.guess(fd, are_suspects)
                };
                self.is_in_vain &= found & Ready::INVALID.bits() == 0;
                if found != 0 {
                    let is_read = report(fd, found) & Interest::READ.bits() != 0;
                    self.watch_for_hangup(fd, is_read, found);
                }
            }
        }
        Ok(0)
    }

    fn rebuild(&mut self) -> Result<()> {
        for sets in [&mut self.watched, &mut self.found] {
            for set in [&mut sets.read, &mut sets.write, &mut sets.urgent] {
                set.fill(0);
            }
        }
        self.add_own()
    }

    fn take_over(&mut self) -> Result<()> {
        wake::renew(&mut self.wake)
    }
}

// # Quirks
//
// - The kernel's select has no limit of 1024 fds, only the C library's type has: the sets here
//   are as long as the block allows (at least 1024, 16 more for each watcher, 1.3 more for every
//   byte the block is larger than it must be). An fd beyond is refused with ERANGE. Pinned by
//   `fds_beyond_1024_are_watched`.
// - An fd closed behind our back makes the whole call fail with EBADF; a second look with poll
//   finds it. Closed during the wait it counts as ready at the end of that wait. Pinned by
//   `closed_behind_the_back`. If it is the wake-up fd, or if no fd is found twice in a row, the
//   wait fails. Pinned by `closed_own_fd_ends_the_run` and `a_failing_wait_ends_the_run`.
// - select cannot tell hang-up and error from data: the same second look does, at the price of
//   one system call for each 32 ready fds. Pinned by the traces of the conformance suite.
// - A hang-up shows only among the readable fds, an error among those and the writable ones
//   (fs/select.c, `POLLIN_SET`, `POLLOUT_SET`). An fd at which nobody reads is therefore asked for
//   reading as well. What there is to read then ends one wait; from then on poll is asked about
//   this fd before each wait, until all is read. So a hang-up that comes during a wait does not end
//   it if there is something to read that nobody reads, and nobody can write. Pinned by
//   `hangup_and_error_reach_watchers_that_do_not_read` and
//   `unread_data_does_not_wake_who_only_writes`.
// - poll refuses more records than RLIMIT_NOFILE: the second look then asks about one after the
//   other.

const _: () = {
    assert!(PollFlags::NVAL.bits() as u32 == Ready::INVALID.bits());
};
