#![expect(
    unsafe_code,
    reason = "the lent words become the kernel's pollfd records"
)]
//! The poll backend.

use core::mem::MaybeUninit;
use core::mem::offset_of;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;
use static_assertions::{assert_eq_align, assert_eq_size, const_assert};

use super::clock::{find_vdso, monotonic};
use super::fd::probe;
use super::wake::{self, FdWaker};
use super::{LONGEST_WAIT, error, poll_bits, timespec};
use crate::backend::{Backend, Capabilities, Clock, MoveTo, Source};
use crate::error::{Error, Result};
use crate::ready::{Interest, Ready};
use crate::room::{FilledWithOnes, Room};
use crate::time::{Duration, Instant};

/// The kernel's `struct pollfd`. rustix's own type does not let the found bits be kept when the
/// asked ones change.
#[repr(C)]
struct Record {
    fd: i32,
    asked: u16,
    found: u16,
}

// As the kernel has it on every machine (include/uapi/asm-generic/poll.h). rustix hands its own to
// the kernel as they are.
const_assert!(
    offset_of!(Record, fd) == 0 && offset_of!(Record, asked) == 4 && offset_of!(Record, found) == 6
);
assert_eq_size!(Record, PollFd<'static>);
assert_eq_align!(Record, PollFd<'static>);

pub(crate) struct Poll<'a> {
    wake: OwnedFd,
    /// The wake-up fd first, then the watched ones without a gap: the kernel refuses more records
    /// than there may be fds.
    records: Room<'a, Record>,
    used: usize,
}

impl<'a> Poll<'a> {
    /// `area` holds one record more than there are watchers.
    pub(crate) fn new(area: &'a mut [MaybeUninit<u64>]) -> Result<Self> {
        let records = records_of(area);
        find_vdso();
        let mut poll = Poll {
            wake: wake::open()?,
            records,
            used: 0,
        };
        poll.put(poll.wake.as_raw_fd(), poll_bits(PollFlags::IN))?;
        poll.wait(Duration::ZERO, |_, _| 0)?;
        Ok(poll)
    }

    pub(crate) fn waker(&self, asks: bool) -> FdWaker {
        FdWaker::new(&self.wake, asks)
    }

    fn put(&mut self, fd: i32, asked: u16) -> Result<()> {
        self.records.grow_to(self.used + 1);
        *self.records.get_mut(self.used).ok_or(Error::ENOSPC)? = Record {
            fd,
            asked,
            found: 0,
        };
        self.used += 1;
        Ok(())
    }

    fn asked(source: &Source) -> u16 {
        let peer = if source.asked.contains(Interest::READ) {
            poll_bits(PollFlags::RDHUP)
        } else {
            0
        };
        source.interest() as u16 | peer
    }

    fn ask_kernel(&mut self, timeout: Duration) -> core::result::Result<usize, Errno> {
        let used: *mut [Record] = self.records.get_mut(..self.used).unwrap_or(&mut []);
        // SAFETY: `Record` and `PollFd` are both the kernel's `struct pollfd`, sizes and alignments
        // asserted above. The fd in a `PollFd` must not be -1: `add` refuses what is not open. The
        // borrow is that of `self.records`, for this call.
        let fds = unsafe { &mut *(used as *mut [PollFd<'_>]) };
        poll(fds, timespec(timeout).as_ref())
    }

    /// The record of a source in the set.
    fn record(&mut self, source: &Source) -> Result<&mut Record> {
        let backend_id = source.backend_id as usize;
        let used = self.records.get_mut(1..self.used).unwrap_or(&mut []);
        match backend_id
            .checked_sub(1)
            .and_then(|index| used.get_mut(index))
        {
            Some(record) if record.fd == source.fd => Ok(record),
            _ => Err(Error::ENOENT),
        }
    }
}

// SAFETY: three integers.
unsafe impl FilledWithOnes for Record {}

/// The backend's area as room for the records of the kernel's call.
fn records_of(area: &mut [MaybeUninit<u64>]) -> Room<'_, Record> {
    // SAFETY: memory that need not be valid before nor after.
    let (_, records, _) = unsafe { area.align_to_mut::<MaybeUninit<Record>>() };
    Room::new(records)
}

impl<'a> MoveTo<'a> for Poll<'a> {
    fn fits(&self, words: usize) -> bool {
        self.used * size_of::<Record>() <= words * size_of::<u64>()
    }

    fn move_to(&mut self, area: &'a mut [MaybeUninit<u64>]) {
        let mut records = records_of(area);
        records.grow_to(self.used);
        for (new, old) in records.iter_mut().zip(self.records.iter_mut()) {
            core::mem::swap(new, old);
        }
        self.records = records;
    }
}

impl Clock for Poll<'_> {
    #[inline]
    fn now(&mut self) -> Instant {
        monotonic()
    }

    fn nap(&self, time: Duration) {
        super::nap(time);
    }
}

impl Backend for Poll<'_> {
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
        probe(source.fd)?;
        let backend_id = self.used as u32;
        self.put(source.fd, Self::asked(source))?;
        Ok(backend_id)
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        probe(source.fd)?;
        self.record(source)?.asked = Self::asked(source);
        Ok(())
    }

    #[inline(never)]
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>> {
        self.record(source)?;
        // The last record fills the gap.
        self.used -= 1;
        let moved = match self.records.get_mut(source.backend_id as usize..=self.used) {
            Some([gap, .., last]) => {
                core::mem::swap(gap, last);
                Some((gap.fd, source.backend_id))
            }
            _ => None,
        };
        Ok(moved)
    }

    fn probe(&self, source: &Source) -> Result<u32> {
        probe(source.fd).map(|()| 0)
    }

    /// One pass over the records, up to the last one that is ready.
    #[inline(never)]
    fn wait(&mut self, timeout: Duration, mut report: impl FnMut(i32, u32) -> u32) -> Result<u32> {
        let timeout = if timeout == Duration::FOREVER {
            Duration::FOREVER
        } else {
            timeout.min(LONGEST_WAIT)
        };
        let mut left = match self.ask_kernel(timeout) {
            Ok(found) => found,
            Err(Errno::INTR) => 0,
            Err(errno) => return Err(error(errno)),
        };
        for (at, record) in self.records.iter().take(self.used).enumerate() {
            if left == 0 {
                break;
            }
            if record.found == 0 {
                continue;
            }
            left -= 1;
            if at > 0 {
                report(record.fd, u32::from(record.found));
            } else if record.found & poll_bits(PollFlags::NVAL) != 0 {
                return Err(Error::EBADF);
            } else {
                wake::drain(&self.wake);
            }
        }
        Ok(0)
    }

    fn rebuild(&mut self) -> Result<()> {
        self.used = 1;
        Ok(())
    }

    fn take_over(&mut self) -> Result<()> {
        wake::renew(&mut self.wake)
    }
}

// # Quirks
//
// - An fd closed behind our back is reported as POLLNVAL, by the wait that finds it closed or, if
//   it was closed during the wait, at the end of that wait. Pinned by `closed_behind_the_back`. If
//   it is the wake-up fd nothing could end a wait any more: the wait fails with EBADF, as with
//   epoll. Pinned by `closed_own_fd_ends_the_run`.
// - More records than RLIMIT_NOFILE are refused with EINVAL even if they are all empty
//   (fs/select.c, `do_sys_poll`): the array has no gaps.
// - POLLERR and POLLHUP are reported unasked: a watcher that asks for nothing is not in the array.
// - SIGSTOP and SIGCONT do not end the wait; every handled signal does, SA_RESTART or not
//   (signal(7)).

const _: () = {
    assert!(
        PollFlags::IN.bits() as u32 == Ready::READ.bits()
            && PollFlags::OUT.bits() as u32 == Ready::WRITE.bits()
    );
    assert!(
        PollFlags::PRI.bits() as u32 == Ready::URGENT.bits()
            && PollFlags::ERR.bits() as u32 == Ready::ERROR.bits()
    );
    assert!(
        PollFlags::HUP.bits() as u32 == Ready::HANGUP.bits()
            && PollFlags::NVAL.bits() as u32 == Ready::INVALID.bits()
    );
    assert!(PollFlags::RDHUP.bits() as u32 == Ready::PEER_CLOSED.bits());
};

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    /// rustix's record has private fields: whether they stand where the kernel's do is seen by what
    /// the kernel makes of them.
    #[test]
    fn a_record_is_the_kernels_pollfd() {
        let fd = wake::open().unwrap();
        rustix::io::write(&fd, &1u64.to_ne_bytes()).unwrap();
        let mut polled = [PollFd::new(&fd, PollFlags::IN)];
        assert_eq!(poll(&mut polled, timespec(Duration::ZERO).as_ref()), Ok(1));
        let record: *const PollFd<'_> = &raw const polled[0];
        // SAFETY: a record is three integers, as large and as aligned as what it is read from.
        let record = unsafe { record.cast::<Record>().read() };
        let read = poll_bits(PollFlags::IN);
        assert_eq!(
            (record.fd, record.asked, record.found),
            (fd.as_fd().as_raw_fd(), read, read)
        );
    }
}
