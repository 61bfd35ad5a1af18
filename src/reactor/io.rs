//! Adding, changing and removing I/O watchers, and keeping the backend's set in step with them.
//!
//! `add` and `remove` reach the kernel at once, so that a bad fd is refused by the call that names it. A changed interest is
//! noted and reaches the kernel before the next wait, and only if what the watchers of the fd ask for together then
//! differs from what the kernel has.

use super::Reactor;
use crate::backend::{ALWAYS_READY, Backend, Capabilities, Entry, NOWHERE, Source};
use crate::error::{Error, Result};
use crate::ready::{ASKABLE, IMPLIED, Interest, Ready, fold};
use crate::target::Target;
use crate::token::Token;
use crate::watch::{ALWAYS, DIRTY, EDGE, EXCLUSIVE, FED, HEAD, HOOKS, LOST, ONESHOT, RAISED};

impl<B: Backend> Reactor<'_, B> {
    #[inline]
    pub(crate) fn io_add(&mut self, fd: i32, interest: Interest, target: Target) -> Result<Token> {
        self.check_fork()?;
        self.check_options(fd, interest)?;
        let bucket = self.watchers.bucket(fd);
        let result = match self.watchers.find_in(bucket, fd) {
            None => self.enter(bucket, fd, interest, target),
            Some(head) => self.join(fd, interest, target, head),
        };
        // After a refusal too: the fd's other watchers may have to be told that it is lost.
        self.changed();
        result
    }

    fn check_options(&self, fd: i32, interest: Interest) -> Result<()> {
        if fd < 0 {
            return Err(Error::EBADF);
        }
        // Most ask for nothing special.
        if interest.bits() & !ASKABLE == 0 {
            Ok(())
        } else {
            self.check_special(interest)
        }
    }

    #[inline(never)]
    fn check_special(&self, interest: Interest) -> Result<()> {
        let beside_exclusive = Interest::ONESHOT | Interest::URGENT;
        if Interest::from_bits(interest.bits()).is_none()
            || interest.contains(Interest::HIGH | Interest::LOW)
            || (interest.contains(Interest::EXCLUSIVE) && interest.intersects(beside_exclusive))
        {
            return Err(Error::EINVAL);
        }
        let can = self.backend.capabilities();
        if (interest.contains(Interest::EDGE) && !can.contains(Capabilities::EDGE))
            || (interest.contains(Interest::EXCLUSIVE) && !can.contains(Capabilities::EXCLUSIVE))
        {
            return Err(Error::EOPNOTSUPP);
        }
        Ok(())
    }

    /// The first watcher of an fd: the fd enters the backend's set, and then the watcher the table. An fd at which nothing is
    /// watched yet is refused all the same if it could not be watched.
    #[inline]
    fn enter(
        &mut self,
        bucket: usize,
        fd: i32,
        interest: Interest,
        target: Target,
    ) -> Result<Token> {
        let source = Source {
            fd,
            slot: self.watchers.slab.vacancy()?,
            asked: interest,
            position: NOWHERE,
        };
        let asked = source.interest();
        let position = if asked != 0 {
            self.backend.add(&source)?
        } else if self.backend.owns(fd) {
            return Err(Error::EINVAL);
        } else {
            self.backend.probe(&source)?
        };
        let (io, watcher) = self.watchers.insert_in(bucket, fd, interest, target)?;
        (watcher.position, watcher.kernel) = (position, asked as u16);
        if position == ALWAYS_READY {
            (watcher.position, watcher.kernel) = (NOWHERE, 0);
            self.watchers.list(io.slot, ALWAYS);
        }
        Ok(io)
    }

    /// A further watcher of an fd.
    #[cold]
    #[inline(never)]
    fn join(&mut self, fd: i32, interest: Interest, target: Target, head: u32) -> Result<Token> {
        let flags = self
            .watchers
            .slab
            .get(head)
            .map_or(0, |watcher| watcher.flags);
        let is_edge = interest.contains(Interest::EDGE);
        if (flags & EDGE != 0) != is_edge
            || flags & EXCLUSIVE != 0
            || interest.contains(Interest::EXCLUSIVE)
            || self.backend.owns(fd)
        {
            return Err(Error::EINVAL);
        }
        let last = self.watchers.last_of(head);
        let io = self.watchers.insert(fd, interest, target, Some(last))?;
        let mut result = self.tell_joined(head, io.slot);
        if matches!(result, Err(Error::ENOENT | Error::EBADF)) {
            // What the others watch is not this file: they are told, and the fd enters anew, if it is open.
            self.invalidate(fd, Some(io.slot));
            if result == Err(Error::ENOENT) {
                result = self.tell(head, false);
            }
        }
        if let Err(error) = result {
            self.watchers.remove(io.slot);
            return Err(error);
        }
        Ok(io)
    }

    /// Asks the kernel even if nothing new is watched: `ENOENT` if this fd is not the file that the others watch, `EBADF` if it
    /// is closed.
    fn tell_joined(&mut self, head: u32, index: u32) -> Result<()> {
        let merged = self.watchers.merged(head);
        let Some(watcher) = self.watchers.slab.get(head) else {
            return Err(Error::ENOENT);
        };
        let (is_always, kernel) = (watcher.flags & ALWAYS != 0, watcher.kernel);
        let asked = merged.bits() & ASKABLE;
        if !is_always && asked != 0 {
            return self.tell(head, true);
        }
        let mut source = watcher.source(head, merged.options());
        if kernel != 0 {
            // Paused since the last wait: the kernel still has what they asked for then.
            source.asked =
                merged.options() | Interest::from_bits_truncate(u32::from(kernel) & ASKABLE);
            return self.backend.modify(&source);
        }
        let is_always_now = self.backend.probe(&source)? == ALWAYS_READY;
        if is_always && !is_always_now {
            return Err(Error::ENOENT);
        }
        if is_always {
            self.watchers.list(index, ALWAYS);
        }
        Ok(())
    }

    /// Changes what a watcher waits for. Reaches the kernel before the next wait, if there is a difference then.
    #[inline]
    pub(crate) fn io_modify(&mut self, io: Token, interest: u32) -> Result<()> {
        let watcher = self.watchers.slab.check_mut(io)?;
        let flags = watcher.flags;
        if interest & !ASKABLE != 0 {
            return Err(Error::EINVAL);
        }
        if flags & (HEAD | EDGE | EXCLUSIVE | ONESHOT | RAISED | LOST) != HEAD {
            return self.modify_apart(io, interest);
        }
        watcher.set_interest(interest);
        self.stats.interest_changes += 1;
        if flags & DIRTY == 0 {
            self.watchers.list_here(io.slot, DIRTY);
        }
        self.changed();
        Ok(())
    }

    /// As above, for a watcher that is not the head of its fd, or lost, oneshot, exclusive, or edge triggered: there a modify arms
    /// the edge again, so that it must reach the kernel whatever it says. A raise handler is refused.
    #[cold]
    #[inline(never)]
    fn modify_apart(&mut self, io: Token, interest: u32) -> Result<()> {
        let watcher = self.watchers.slab.check_mut(io)?;
        let (fd, flags) = (watcher.fd, watcher.flags);
        if flags & RAISED != 0
            || (flags & EXCLUSIVE != 0 && interest & Interest::URGENT.bits() != 0)
        {
            return Err(Error::EINVAL);
        }
        watcher.set_any_interest(interest);
        self.stats.interest_changes += 1;
        if let Some(head) = self.watchers.find(fd) {
            if flags & EDGE != 0 {
                self.watchers.spoil(head);
            }
            self.watchers.list(head, DIRTY);
        }
        self.changed();
        Ok(())
    }

    /// Removes a watcher. The kernel is told at once; what it says cannot keep the watcher alive.
    pub(crate) fn io_remove(&mut self, io: Token) -> Result<()> {
        self.watchers.slab.check(io)?;
        self.check_fork()?;
        self.drop_watcher(io.slot);
        self.changed();
        Ok(())
    }

    fn drop_watcher(&mut self, index: u32) {
        let Some(watcher) = self.watchers.slab.get(index) else {
            return;
        };
        let (fd, is_head) = (watcher.fd, watcher.flags & HEAD != 0);
        self.has_removed = true;
        if fd <= HOOKS {
            self.unlink_hook(index);
            self.watchers.remove(index);
            return;
        }
        if fd < 0 {
            self.handled &= !(1 << (-1 - fd));
            self.watchers.remove(index);
            return;
        }
        if is_head && (self.watchers.shared == 0 || self.watchers.sibling(index).is_none()) {
            self.lose(index);
        }
        let heir = self.watchers.remove(index);
        if let Some(heir) = heir {
            // The kernel carries the old head's handle: it must learn the new one, whatever is watched.
            self.watchers.spoil(heir);
            self.sync(heir);
        } else if !is_head {
            if let Some(head) = self.watchers.find(fd) {
                self.sync(head);
            }
        }
    }

    /// Removes every watcher of an fd that is about to be closed, and returns how many there were.
    pub(crate) fn fd_closing(&mut self, fd: i32) -> Result<u32> {
        if fd < 0 {
            return Err(Error::EBADF);
        }
        self.check_fork()?;
        let mut count = 0;
        if let Some(head) = self.watchers.find(fd) {
            self.lose(head);
            self.has_removed = true;
            while let Some(index) = self.watchers.find(fd) {
                self.watchers.remove(index);
                count += 1;
            }
        }
        self.changed();
        Ok(count)
    }

    /// Reports `ready` to a watcher in the next dispatch, as if the kernel had.
    pub(crate) fn io_feed(&mut self, io: Token, ready: u32) -> Result<()> {
        let watcher = self.watchers.slab.check_mut(io)?;
        let feedable =
            ASKABLE | Ready::ERROR.bits() | Ready::HANGUP.bits() | Ready::PEER_CLOSED.bits();
        if ready == 0 || ready & !feedable != 0 || watcher.fd < 0 {
            return Err(Error::EINVAL);
        }
        watcher.fed |= fold(ready);
        self.watchers.list(io.slot, FED);
        self.changed();
        Ok(())
    }

    pub(crate) fn io_reference(&mut self, io: Token, holds: bool) -> Result<()> {
        self.watchers.set_reference(io, holds)
    }

    // ---- keeping the backend in step ----

    /// Applies what was changed since the last wait. Whether the attention list has something to hand over. Not while a turn is unfinished,
    /// which is still on its way through that list.
    pub(super) fn apply_changes(&mut self) -> bool {
        let mut attention = false;
        let mut index = self.watchers.take_list();
        while let Some(watcher) = self.watchers.slab.get_mut(index) {
            let (next, flags) = watcher.leave_list();
            // There and back again: nothing to be told.
            let is_in_step =
                watcher.kernel == u16::from(watcher.interest) && self.watchers.shared == 0;
            if flags & DIRTY != 0 && !is_in_step {
                self.sync(index);
            }
            if flags & (FED | ALWAYS) != 0 {
                self.watchers.list(index, flags & (FED | ALWAYS));
            }
            index = next;
        }
        index = self.watchers.listed();
        while let Some(watcher) = self.watchers.slab.get(index) {
            attention |= watcher.flags & FED != 0
                || (watcher.flags & ALWAYS != 0 && u32::from(watcher.interest) & IMPLIED != 0);
            index = watcher.next();
        }
        attention
    }

    /// Makes the backend's set agree with the watchers of one fd. A failure is delivered to them.
    fn sync(&mut self, head: u32) {
        if self.tell(head, false).is_err() {
            if let Some(watcher) = self.watchers.slab.get(head) {
                self.invalidate(watcher.fd, None);
            }
        }
    }

    /// Tells the backend what the watchers of one fd ask for, if it differs from what it was told before, or in any case.
    #[inline(never)]
    fn tell(&mut self, head: u32, in_any_case: bool) -> Result<()> {
        let merged = self.watchers.merged(head);
        let watcher = self.watchers.slab.get_mut(head).ok_or(Error::ENOENT)?;
        let source = watcher.source(head, merged);
        let (asked, kernel) = (source.interest(), u32::from(watcher.kernel));
        if (kernel == asked && !in_any_case) || watcher.flags & ALWAYS != 0 {
            return Ok(());
        }
        self.stats.interest_syscalls += u64::from(!in_any_case);
        if asked == 0 {
            self.lose(head);
            return Ok(());
        }
        if kernel == 0 {
            let position = self.backend.add(&source)?;
            if position == ALWAYS_READY {
                self.watchers.list_all(head, ALWAYS);
                return Ok(());
            }
            watcher.position = position;
        } else {
            self.backend.modify(&source)?;
        }
        watcher.kernel = asked as u16;
        Ok(())
    }

    /// The fd cannot be watched any more, or is another file now: it leaves the backend's set, and its watchers are told once
    /// and rest, all but `newcomer`.
    pub(super) fn invalidate(&mut self, fd: i32, newcomer: Option<u32>) {
        let Some(head) = self.watchers.find(fd) else {
            return;
        };
        self.lose(head);
        let mut next = Some(head);
        while let Some(index) = next {
            if next != newcomer {
                self.watchers.feed_lost(index);
            }
            next = self.watchers.sibling(index);
        }
    }

    /// The wait has found that the fd of a watcher is closed, and that watcher is being told. If the number is still closed the
    /// others of this fd are lost with it; else what is watched at the number now is not that file.
    #[cold]
    pub(super) fn lost(&mut self, fd: i32, told: u32) {
        let Some(head) = self.watchers.find(fd) else {
            return;
        };
        let Some(watcher) = self.watchers.slab.get(head) else {
            return;
        };
        match self.backend.probe(&watcher.source(head, Interest::empty())) {
            Ok(_) => self.watchers.list(head, DIRTY),
            Err(_) => self.invalidate(fd, Some(told)),
        }
    }

    /// Asks the kernel whether the fd of an entry that is reported in each turn is still the file that it was. A program
    /// that has closed the fd while a duplicate lives could not read from the file, and would be called for ever.
    #[cold]
    #[inline(never)]
    pub(super) fn examine(&mut self, entry: Entry) {
        let Some(watcher) = self.watchers.slab.get(entry.slot) else {
            return;
        };
        // To modify an edge-triggered entry would arm it again; and an edge is not reported in each turn.
        let is_entry = watcher.position == entry.position && watcher.kernel != 0;
        if is_entry && watcher.flags & EDGE == 0 {
            let fd = watcher.fd;
            if let Err(Error::ENOENT | Error::EBADF) = self.tell(entry.slot, true) {
                self.invalidate(fd, None);
            }
        }
    }

    /// The fd of a head leaves the backend's set, if it is there.
    ///
    /// If it is closed or another file now the kernel refuses that, and may go on reporting the file that it was: its events have
    /// a position that is nobody's, and the first of them has the set rebuilt. Mostly there is none, as no duplicate lives.
    #[inline(never)]
    fn lose(&mut self, head: u32) {
        let watchers = &mut self.watchers;
        let Some(watcher) = watchers.slab.get_mut(head) else {
            return;
        };
        if core::mem::take(&mut watcher.kernel) == 0 {
            return;
        }
        let source = watcher.source(head, Interest::empty());
        watcher.position = NOWHERE;
        self.has_removed = true;
        if let Ok(Some((fd, position))) = self.backend.remove(&source) {
            let moved = watchers.find(fd);
            if let Some(watcher) = moved.and_then(|head| watchers.slab.get_mut(head)) {
                watcher.position = position;
            }
        }
        // What was found for it went with the set's entry; that it is lost stays to be told.
        let mut next = Some(head);
        while let Some(index) = next {
            if let Some(watcher) = watchers.slab.get_mut(index) {
                watcher.found &= fold(Ready::INVALID.bits());
            }
            next = if watchers.shared > 0 {
                watchers.sibling(index)
            } else {
                None
            };
        }
    }

    /// New kernel objects, every fd entered again.
    pub(super) fn rebuild(&mut self) -> Result<()> {
        self.backend.rebuild()?;
        self.is_haunted = false;
        self.events = 0..0;
        self.stats.rebuilds += 1;
        for index in 0..self.watchers.slab.capacity() {
            let Some(watcher) = self.watchers.slab.get_mut(index) else {
                break;
            };
            // What was found for it went with the old set; what was fed to it did not.
            if watcher.flags & FED == 0 {
                watcher.found = 0;
            }
            let is_head = watcher.is_live() && watcher.flags & HEAD != 0;
            if is_head && watcher.fd >= 0 {
                (watcher.kernel, watcher.position) = (0, NOWHERE);
                self.sync(index);
            }
        }
        self.changed();
        Ok(())
    }
}
