#![expect(unsafe_code, reason = "the lent words become the records of a host")]
//! The backend that uses a host.
//!
//! # Quirks
//!
//! - Files that are always ready, hang-ups and errors are as the host reports them.
//! - There is no pollable fd. Edge triggering and exclusive waits work if the host supports them.

use super::{Host, Readiness};
use crate::backend::{Backend, Capabilities, Clock, MoveTo, Source};
use crate::error::{Error, Result};
use crate::ready::Interest;
use crate::room::{FilledWithOnes, Room};
use crate::time::{Duration, Instant};
use crate::wake::{Owned, Wake};
use core::mem::MaybeUninit;

/// How many sources a host may report at least, if the area has room for them.
const FEWEST_READY: usize = 16;

/// Ends a wait of a host.
pub(crate) struct HostWaker<W>(W);

impl<W: Wake> Wake for HostWaker<W> {
    fn wake(&self) -> Result<()> {
        self.0.wake()
    }
}

impl<W: Wake> Owned for HostWaker<W> {
    fn owner(&self) -> u32 {
        0
    }

    fn adopt(&self) {}

    fn process() -> u32 {
        0
    }
}

// SAFETY: two integers.
unsafe impl FilledWithOnes for Readiness {}

/// Converts the backend's area into room for the sources that a host reports.
fn records_of(area: &mut [MaybeUninit<u64>]) -> Room<'_, Readiness> {
    // SAFETY: memory that need not be valid before nor after.
    let (_, ready, _) = unsafe { area.align_to_mut::<MaybeUninit<Readiness>>() };
    Room::new(ready)
}

pub(crate) struct HostBackend<'a, H> {
    host: H,
    /// At least as many as there are watched fds.
    ready: Room<'a, Readiness>,
}

impl<'a, H: Host> HostBackend<'a, H> {
    /// `area` has room for as many ready fds as there are watchers.
    pub(crate) fn new(host: H, area: &'a mut [MaybeUninit<u64>]) -> Self {
        let mut ready = records_of(area);
        ready.grow_to(FEWEST_READY);
        HostBackend { host, ready }
    }

    pub(crate) fn waker(&self, _asks: bool) -> HostWaker<H::Waker> {
        HostWaker(self.host.waker())
    }
}

impl<'a, H: Host> MoveTo<'a> for HostBackend<'a, H> {
    fn fits(&self, _words: usize) -> bool {
        true
    }

    fn move_to(&mut self, area: &'a mut [MaybeUninit<u64>]) {
        let count = self.ready.len();
        self.ready = records_of(area);
        self.ready.grow_to(count);
    }
}

impl<H: Host> Clock for HostBackend<'_, H> {
    fn now(&mut self) -> Instant {
        self.host.now()
    }
}

impl<H: Host> Backend for HostBackend<'_, H> {
    type Waker = HostWaker<H::Waker>;

    fn capabilities(&self) -> Capabilities {
        self.host.capabilities().difference(Capabilities::FD)
    }

    fn owns(&self, _fd: i32) -> bool {
        false
    }

    #[inline(never)]
    fn add(&mut self, source: &Source) -> Result<u32> {
        self.modify(source)?;
        // More are made than there are fds if some are removed: what counts is that none is
        // missing.
        let _ = self.ready.grow();
        Ok(0)
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        self.host.watch(source.fd, source.asked)
    }

    #[inline(never)]
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>> {
        // An error is ignored: if the host goes on reporting the fd, the events are dropped,
        // because it has no watcher.
        let _ = self.host.watch(source.fd, Interest::empty());
        Ok(None)
    }

    fn probe(&self, _source: &Source) -> Result<u32> {
        Ok(0)
    }

    #[inline(never)]
    fn wait(&mut self, timeout: Duration, mut report: impl FnMut(i32, u32) -> u32) -> Result<u32> {
        let found = match self.host.wait(timeout, &mut self.ready) {
            Ok(found) => found,
            Err(Error::EINTR) => 0,
            Err(error) => return Err(error),
        };
        for item in self.ready.iter().take(found).filter(|item| item.fd >= 0) {
            report(item.fd, item.ready);
        }
        Ok(0)
    }

    fn rebuild(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_over(&mut self) -> Result<()> {
        Ok(())
    }
}
