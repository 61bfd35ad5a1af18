//! The epoll backend.

mod pwait;
mod record;
mod wait;

use core::mem::MaybeUninit;
use rustix::event::epoll::{self, CreateFlags, EventFlags};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::{self, Errno};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

use self::record::{Record, records_of, user_data};
use self::wait::FetchWithin;
use super::clock::{find_vdso, monotonic};
use super::fd::{borrow, lend};
use super::wake::{self, FdWaker};
use super::{error, timespec};
use crate::backend::{
    ALWAYS_READY, Backend, Capabilities, Clock, DISARMED, Entry, MoveTo, NOT_IN_SET, Source,
};
use crate::error::{Error, Result};
use crate::ready::{Interest, Ready};
use crate::slab::NONE;
use crate::time::{Duration, Instant};

/// The entry of each of the loop's own fds.
const OWN: Entry = Entry {
    slot: NONE,
    backend_id: NOT_IN_SET,
};
/// After how many reports in a row an entry is suspect for the first time. Then after twice as
/// many, up to the most.
const FIRST_SUSPICION: u32 = 4;
const MOST_REPEATS: u32 = 1024;

pub(crate) struct Epoll<'a> {
    set: OwnedFd,
    /// Holds the set, and is what the application has; only once it asked for the fd. A foreign
    /// epoll watches this file: it would lose the set when that is rebuilt.
    outer: Option<OwnedFd>,
    wake: OwnedFd,
    /// Makes the set readable when a timer is due; only once the application asked for the fd.
    alarm: Option<OwnedFd>,
    /// The id of the entry added last. Each entry has another one, so that an event of an
    /// entry that could not be deleted is told from those of the next one of the same watcher.
    last: u32,
    records: &'a mut [Record],
    /// How to wait with a timeout that is neither zero nor for ever. `None` until there is such a
    /// wait.
    fetch_within: Option<FetchWithin>,
    /// What the first record of the last wait was of, and how many waits in a row that was.
    front: Entry,
    repeats: u32,
}

impl<'a> Epoll<'a> {
    /// Opens the set. `area` holds the records of one wait; it has room for at least one.
    #[inline(never)]
    pub(crate) fn new(area: &'a mut [MaybeUninit<u64>]) -> Result<Self> {
        let records = records_of(area);
        find_vdso();
        let set = create()?;
        let mut epoll = Epoll {
            set,
            outer: None,
            wake: wake::open()?,
            alarm: None,
            last: NOT_IN_SET,
            records,
            fetch_within: None,
            front: OWN,
            repeats: 0,
        };
        add_own(&epoll.set, &epoll.wake)?;
        // Tried, not assumed: a container may let the set be made and not be waited for.
        epoll.fetch(Duration::ZERO)?;
        Ok(epoll)
    }

    pub(crate) fn waker(&self, asks: bool) -> FdWaker {
        FdWaker::new(&self.wake, asks)
    }

    #[inline]
    fn flags(source: &Source) -> EventFlags {
        let mut flags = EventFlags::from_bits_retain(source.interest());
        if source.asked.contains(Interest::READ) {
            flags |= EventFlags::RDHUP;
        }
        if source
            .asked
            .intersects(Interest::EDGE | Interest::EXCLUSIVE)
        {
            flags.set(EventFlags::ET, source.asked.contains(Interest::EDGE));
            if source.asked.contains(Interest::EXCLUSIVE) {
                // With it the kernel refuses all but in and out.
                flags = flags
                    .difference(EventFlags::RDHUP)
                    .union(EventFlags::EXCLUSIVE);
            }
        }
        flags
    }

    /// A new entry.
    #[inline]
    fn put(&self, source: &Source, backend_id: u32) -> io::Result<()> {
        epoll::add(
            lend(&self.set),
            borrow(source.fd),
            user_data(Entry {
                slot: source.slot,
                backend_id,
            }),
            Self::flags(source),
        )
    }

    /// Changes what an entry is watched for.
    #[inline]
    fn change(&self, source: &Source, flags: EventFlags) -> io::Result<()> {
        let is_disarmed = flags.contains(EventFlags::ONESHOT);
        let data = user_data(Entry {
            slot: source.slot,
            backend_id: source.backend_id | if is_disarmed { DISARMED } else { 0 },
        });
        epoll::modify(lend(&self.set), borrow(source.fd), data, flags)
    }

    /// A new entry in the place of one that cannot be modified because it is exclusive; or of one
    /// of the same open file under the same number, left behind by a close that a dup outlived,
    /// which may be exclusive too.
    #[cold]
    #[inline(never)]
    fn replace(&self, source: &Source, backend_id: u32) -> io::Result<()> {
        self.delete(source)?;
        self.put(source, backend_id)
    }

    #[inline(never)]
    fn delete(&self, source: &Source) -> io::Result<()> {
        epoll::delete(lend(&self.set), borrow(source.fd))
    }

    /// What the core is to know of a file that the kernel does not take into a set (EPERM): it is
    /// always ready.
    #[cold]
    fn always_ready(source: &Source) -> Result<u32> {
        if source
            .asked
            .intersects(Interest::EDGE | Interest::EXCLUSIVE)
        {
            Err(Error::EPERM)
        } else {
            Ok(ALWAYS_READY)
        }
    }
}

/// Why an entry could not be modified.
#[cold]
fn modify_error(errno: Errno) -> Error {
    match errno {
        // A file that cannot be waited for is not the one that could.
        Errno::PERM => Error::ENOENT,
        errno => error(errno),
    }
}

/// An empty set.
fn create() -> Result<OwnedFd> {
    epoll::create(CreateFlags::CLOEXEC).map_err(error)
}

/// Edge triggered and never read: every write to the eventfd is a new edge, and so is every time
/// the timerfd rings.
fn add_own(set: &OwnedFd, fd: &OwnedFd) -> Result<()> {
    epoll::add(
        lend(set),
        lend(fd),
        user_data(OWN),
        EventFlags::IN | EventFlags::ET,
    )
    .map_err(error)
}

/// Puts a set into the outer one, which is readable while the set is.
#[inline(always)]
fn enclose(outer: &OwnedFd, set: &OwnedFd) -> Result<()> {
    epoll::add(lend(outer), lend(set), user_data(OWN), EventFlags::IN).map_err(error)
}

impl<'a> MoveTo<'a> for Epoll<'a> {
    fn fits(&self, _words: usize) -> bool {
        true
    }

    fn move_to(&mut self, area: &'a mut [MaybeUninit<u64>]) {
        self.records = records_of(area);
    }
}

impl Clock for Epoll<'_> {
    #[inline]
    fn now(&mut self) -> Instant {
        monotonic()
    }

    fn nap(&self, time: Duration) {
        super::nap(time);
    }
}

impl Backend for Epoll<'_> {
    type Waker = FdWaker;

    fn capabilities(&self) -> Capabilities {
        Capabilities::all()
    }

    fn owns(&self, fd: i32) -> bool {
        let alarm = self.alarm.as_ref().map(AsRawFd::as_raw_fd);
        let outer = self.outer.as_ref().map(AsRawFd::as_raw_fd);
        fd == self.set.as_raw_fd()
            || fd == self.wake.as_raw_fd()
            || Some(fd) == alarm
            || Some(fd) == outer
    }

    #[inline]
    fn add(&mut self, source: &Source) -> Result<u32> {
        // After 2^31 entries an id is used again: an event of its first entry would have had to
        // wait all that time.
        self.last += 1;
        if self.last == DISARMED {
            self.last = NOT_IN_SET + 1;
        }
        let backend_id = self.last;
        match self.put(source, backend_id) {
            Ok(()) => Ok(backend_id),
            Err(Errno::EXIST | Errno::LOOP) if self.owns(source.fd) => Err(Error::EINVAL),
            Err(Errno::EXIST) => match self.replace(source, backend_id) {
                Ok(()) => Ok(backend_id),
                Err(errno) => Err(error(errno)),
            },
            Err(Errno::PERM) => Self::always_ready(source),
            Err(errno) => Err(error(errno)),
        }
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        let result = if source.asked.contains(Interest::EXCLUSIVE) {
            self.replace(source, source.backend_id)
        } else {
            let mut flags = Self::flags(source);
            flags.set(EventFlags::ONESHOT, source.disarms);
            self.change(source, flags)
        };
        result.map_err(modify_error)
    }

    fn disarm(&mut self, source: &Source) -> Result<()> {
        if source.asked.contains(Interest::EXCLUSIVE) {
            return Err(Error::EOPNOTSUPP);
        }
        self.change(source, EventFlags::ONESHOT).map_err(error)
    }

    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>> {
        self.delete(source).map(|()| None).map_err(error)
    }

    /// Deletes an entry that is not there: the kernel looks at the file first. (If an earlier file
    /// of this number left an entry behind and is back under its number, that entry goes.)
    fn probe(&self, source: &Source) -> Result<u32> {
        match self.delete(source) {
            Ok(()) | Err(Errno::NOENT) => Ok(0),
            Err(Errno::PERM) => Self::always_ready(source),
            Err(errno) => Err(error(errno)),
        }
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Duration, _report: impl FnMut(i32, u32) -> u32) -> Result<u32> {
        self.fetch(timeout)
    }

    #[inline]
    fn expect_timeouts(&mut self) {
        if self.fetch_within.is_none() {
            self.fetch_within = Some(wait::FIRST_CHOICE);
        }
    }

    #[inline]
    fn event(&self, at: u32) -> Option<(Entry, u32)> {
        let record = self.records.get(at as usize)?;
        Some((record.entry(), record.found))
    }

    /// The kernel puts a file that stays ready at the front of what the next wait finds.
    #[inline]
    fn has_suspect(&mut self) -> bool {
        let Some(front) = self.records.first().map(Record::entry) else {
            return false;
        };
        if front != self.front {
            (self.front, self.repeats) = (front, 1);
            return false;
        }
        self.repeats += 1;
        if self.repeats < FIRST_SUSPICION || !self.repeats.is_power_of_two() {
            return false;
        }
        if self.repeats >= MOST_REPEATS {
            self.repeats /= 2;
        }
        true
    }

    fn rebuild(&mut self) -> Result<()> {
        // Whatever fails, the old set stays.
        let set = create()?;
        add_own(&set, &self.wake)?;
        if let Some(alarm) = &self.alarm {
            add_own(&set, alarm)?;
        }
        if let Some(outer) = &self.outer {
            enclose(outer, &set)?;
        }
        self.set = set;
        Ok(())
    }

    fn take_over(&mut self) -> Result<()> {
        wake::renew(&mut self.wake)?;
        (self.alarm, self.outer) = (None, None);
        Ok(())
    }

    fn pollable_fd(&mut self) -> Result<i32> {
        if let Some(outer) = &self.outer {
            return Ok(outer.as_raw_fd());
        }
        let outer = create()?;
        enclose(&outer, &self.set)?;
        let alarm = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )
        .map_err(error)?;
        add_own(&self.set, &alarm)?;
        let fd = outer.as_raw_fd();
        (self.outer, self.alarm) = (Some(outer), Some(alarm));
        Ok(fd)
    }

    fn set_alarm(&mut self, deadline: Instant) -> Result<()> {
        let alarm = self.alarm.as_ref().ok_or(Error::EINVAL)?;
        let zero = timespec(Duration::ZERO).ok_or(Error::EINVAL)?;
        // Zero would disarm; "for ever" is meant to.
        let value = timespec(Duration(deadline.0.max(1))).unwrap_or(zero);
        timerfd_settime(
            alarm,
            TimerfdTimerFlags::ABSTIME,
            &Itimerspec {
                it_interval: zero,
                it_value: value,
            },
        )
        .map(drop)
        .map_err(error)
    }
}

// # Quirks
//
// - An fd that is closed while a duplicate of it lives (dup, fork) stays in the set and goes on
//   reporting, and can no longer be taken out (epoll(7), question 6). The id in the user data
//   tells; the core then has the set rebuilt. Pinned by `ghost_of_a_closed_fd_is_silent`. Where
//   there is no fd for the new set the old one goes on. Pinned by
//   `a_ghost_at_the_fd_limit_stops_nobody`.
// - An epoll watches open files and not numbers: one that holds this set would not notice that
//   another set takes its number (dup3). Pinned by `pollable_fd_outlives_a_rebuild`.
// - Sets can be nested five deep (`EP_MAX_NESTS`, ELOOP): the outer set and this one are two of
//   them.
// - An fd closed behind our back leaves the set silently when no duplicate lives: nothing is
//   reported until the next call names it. poll and select report `INVALID` at once. Pinned by
//   `closed_behind_the_back`.
// - Regular files and directories are refused with EPERM, whatever is to be done (fs/eventpoll.c,
//   `do_epoll_ctl`): the core serves them as always ready.
// - EPOLLERR and EPOLLHUP cannot be switched off by the mask. EPOLLONESHOT switches all off, but
//   only with the next event: an entry with EPOLLONESHOT and an empty mask reports an error or a
//   hang-up once. Pinned by `hangup_of_a_paused_fd_ends_one_wait`.
// - EPOLLEXCLUSIVE entries cannot be modified (EINVAL, since 4.5), so that they are taken out and
//   added again; and they refuse EPOLLPRI and EPOLLRDHUP (`EPOLLEXCLUSIVE_OK_BITS`), so that urgent
//   data cannot be asked for and the peer's close is not told.
// - SIGSTOP and SIGCONT end epoll_wait with EINTR without any handler (signal(7)); poll and
//   select go on.
// - epoll_pwait counts milliseconds. epoll_pwait2 (5.11) counts nanoseconds, but some containers
//   refuse it: then the part below a millisecond is waited for with ppoll on the set, which every
//   kernel with epoll has (2.6.16). Pinned by `auto_takes_the_best_that_works`.
// - The kernel may end a wait late by a thousandth of its timeout, by 0.1 s at most, and by five
//   times that if the process is niced (fs/select.c, `select_estimate_accuracy`): see `on_time`.

const _: () = {
    assert!(
        EventFlags::IN.bits() == Ready::READ.bits()
            && EventFlags::OUT.bits() == Ready::WRITE.bits()
    );
    assert!(
        EventFlags::PRI.bits() == Ready::URGENT.bits()
            && EventFlags::ERR.bits() == Ready::ERROR.bits()
    );
    assert!(
        EventFlags::HUP.bits() == Ready::HANGUP.bits()
            && EventFlags::RDHUP.bits() == Ready::PEER_CLOSED.bits()
    );
};
