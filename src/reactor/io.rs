//! Adding, changing and removing I/O watchers, and keeping the backend's set in step with them.
//!
//! `add` and `remove` reach the kernel at once, so that a bad fd is refused by the call that names it. A changed interest is
//! noted and reaches the kernel before the next wait, and only if what the watchers of the fd ask for together then
//! differs from what the kernel has.

use super::Reactor;
use crate::backend::{Backend, Capabilities, Source};
use crate::error::{Error, Result};
use crate::ready::{ASKABLE, IMPLIED, Interest, Ready, fold};
use crate::target::Target;
use crate::token::Token;
use crate::watch::{ALWAYS, DIRTY, EDGE, EXCLUSIVE, FED, HEAD, ONESHOT, RAISED};

impl<B: Backend> Reactor<'_, B> {
    #[inline]
    pub(crate) fn io_add(&mut self, fd: i32, interest: Interest, target: Target) -> Result<Token> {
        self.check_fork()?;
        self.check_options(fd, interest)?;
        let result = match self.watchers.find(fd) {
            None => self.enter(fd, interest, target),
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
        if self.backend.owns(fd) {
            return Err(Error::EINVAL);
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

    /// The first watcher of an fd: the fd enters the backend's set, and then the watcher the table. A file that epoll refuses is always ready,
    /// unless it was asked for in a way that only epoll has. Where nothing is watched yet the fd must be open all the same.
    #[inline]
    fn enter(&mut self, fd: i32, interest: Interest, target: Target) -> Result<Token> {
        let asked = interest.bits() & ASKABLE;
        let token = self.watchers.slab.vacancy()?;
        let source = Source {
            fd,
            token,
            interest: asked,
            options: interest.options(),
            position: 0,
        };
        let answer = if asked == 0 {
            self.backend.probe(fd).map(|()| 0)
        } else {
            self.backend.add(&source)
        };
        let (position, kernel) = match answer {
            Ok(position) => (position, asked as u16),
            Err(Error::EPERM) if !interest.intersects(Interest::EDGE | Interest::EXCLUSIVE) => {
                (0, 0)
            }
            Err(error) => return Err(error),
        };
        let (io, watcher) = self.watchers.insert_here(fd, interest, target, None)?;
        watcher.position = position;
        watcher.kernel = kernel;
        if u32::from(kernel) != asked {
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
        {
            return Err(Error::EINVAL);
        }
        let last = self.watchers.last_of(head);
        let io = self.watchers.insert(fd, interest, target, Some(last))?;
        let result = self.tell_joined(fd, io.slot, head);
        if let Err(error) = result {
            self.watchers.remove(io.slot);
            return Err(error);
        }
        Ok(io)
    }

    /// The kernel is asked even if nothing new is watched: it tells whether this fd is still the file that the others watch. If it is
    /// not they are told, and the fd enters anew.
    fn tell_joined(&mut self, fd: i32, index: u32, head: u32) -> Result<()> {
        let (flags, is_in_set) = self
            .watchers
            .slab
            .get(head)
            .map_or((0, false), |watcher| (watcher.flags, watcher.kernel != 0));
        if flags & ALWAYS != 0 {
            self.watchers.list(index, ALWAYS);
            return self.backend.probe(fd);
        }
        if self.watchers.merged(head).bits() & ASKABLE == 0 {
            return self.backend.probe(fd);
        }
        let mut result = self.tell(head, true);
        if is_in_set && matches!(result, Err(Error::ENOENT | Error::EPERM)) {
            let wanted = self
                .watchers
                .slab
                .get(index)
                .map_or(0, |watcher| watcher.interest);
            self.invalidate(fd);
            if let Some(watcher) = self.watchers.slab.get_mut(index) {
                watcher.set_any_interest(u32::from(wanted));
            }
            self.watchers.unlist(index, FED);
            result = self.tell(head, false);
        }
        if result == Err(Error::EPERM) && flags & EDGE == 0 {
            self.list_all(fd, ALWAYS);
            return Ok(());
        }
        result
    }

    /// Changes what a watcher waits for. Reaches the kernel before the next wait, if there is a difference then.
    #[inline]
    pub(crate) fn io_modify(&mut self, io: Token, interest: u32) -> Result<()> {
        let watcher = self.watchers.slab.check_mut(io)?;
        let flags = watcher.flags;
        if interest & !ASKABLE != 0 {
            return Err(Error::EINVAL);
        }
        if flags & (HEAD | EDGE | EXCLUSIVE | ONESHOT | RAISED) != HEAD {
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

    /// As above, for a watcher that is not the head of its fd, or oneshot, exclusive, or edge triggered: there a modify arms the edge
    /// again, so that it must reach the kernel whatever it says. A raise handler is refused.
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
        } else if !is_head && let Some(head) = self.watchers.find(fd) {
            self.sync(head);
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
        let Some(watcher) = self.watchers.slab.get(head) else {
            return;
        };
        let fd = watcher.fd;
        if watcher.flags & ALWAYS != 0 {
            return;
        }
        let is_in_set = watcher.kernel != 0;
        match self.tell(head, false) {
            Ok(()) => {}
            // What could be waited for before is another file now.
            Err(Error::EPERM) if !is_in_set => self.list_all(fd, ALWAYS),
            Err(_) => self.invalidate(fd),
        }
    }

    /// Tells the backend what the watchers of one fd ask for, if it differs from what it was told before, or in any case.
    #[inline(never)]
    fn tell(&mut self, head: u32, in_any_case: bool) -> Result<()> {
        let merged = self.watchers.merged(head);
        let token = self.watchers.slab.token(head);
        let watcher = self.watchers.slab.get_mut(head).ok_or(Error::ENOENT)?;
        let source = watcher.source(token, merged);
        let kernel = u32::from(watcher.kernel);
        if kernel != source.interest || in_any_case {
            self.stats.interest_syscalls += u64::from(!in_any_case);
            if source.interest == 0 {
                self.lose(head);
            } else {
                if kernel == 0 {
                    watcher.position = self.backend.add(&source)?;
                } else {
                    self.backend.modify(&source)?;
                }
                watcher.kernel = source.interest as u16;
            }
        }
        Ok(())
    }

    /// The watchers of an fd are told that it can no longer be watched, and rest.
    fn invalidate(&mut self, fd: i32) {
        let Some(head) = self.watchers.find(fd) else {
            return;
        };
        // If it was closed or is another file now, the old one may live on under another number, and report with the handle of a watcher that
        // lives on too: then the set has to be made anew.
        self.is_haunted |= !self.lose(head);
        self.list_all(fd, FED);
    }

    /// The fd of a head leaves the backend's set, if it is there. Whether it is known to have left.
    #[inline(never)]
    pub(super) fn lose(&mut self, head: u32) -> bool {
        let Reactor {
            backend, watchers, ..
        } = self;
        let token = watchers.slab.token(head);
        let Some(watcher) = watchers.slab.get_mut(head) else {
            return true;
        };
        if core::mem::take(&mut watcher.kernel) == 0 {
            return true;
        }
        let source = watcher.source(token, Interest::empty());
        let result = backend.remove(&source, &mut |fd, position| {
            if let Some(watcher) = watchers
                .find(fd)
                .and_then(|head| watchers.slab.get_mut(head))
            {
                watcher.position = position;
            }
        });
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
        result.is_ok()
    }

    /// Puts all watchers of an fd on the attention list: they watch a file that is always ready, or are fed that it is lost, and rest.
    fn list_all(&mut self, fd: i32, reason: u16) {
        let mut next = self.watchers.find(fd);
        while let Some(index) = next {
            if reason == FED
                && let Some(watcher) = self.watchers.slab.get_mut(index)
            {
                watcher.rest();
                watcher.fed |= fold(Ready::INVALID.bits());
            }
            self.watchers.list(index, reason);
            next = self.watchers.sibling(index);
        }
    }

    /// New kernel objects, every fd entered again.
    pub(super) fn rebuild(&mut self) -> Result<()> {
        self.backend.rebuild()?;
        self.is_haunted = false;
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
                watcher.kernel = 0;
                self.sync(index);
            }
        }
        self.changed();
        Ok(())
    }
}
