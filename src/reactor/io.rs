//! Adding, changing and removing I/O watchers.
//!
//! `add` and `remove` reach the kernel at once, so that a bad fd is refused by the call that names
//! it. A changed interest is noted and reaches the kernel before the next wait, and only if what
//! the watchers of the fd ask for together then differs from what the kernel has.

use super::Reactor;
use crate::backend::{ALWAYS_READY, Backend, Capabilities, NOT_IN_SET, Source};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::ready::{ASKABLE, Interest, Ready, fold};
use crate::token::Token;
use crate::watchers::{
    ALWAYS, DIRTY, EDGE, EXCLUSIVE, FED, HEAD, HOOKS, LOST, ONESHOT, Position, RAISED,
};

impl<B: Backend> Reactor<'_, B> {
    #[inline]
    pub(crate) fn io_add(
        &mut self,
        fd: i32,
        interest: Interest,
        callback: Callback,
    ) -> Result<Token> {
        self.check_fork()?;
        self.check_options(fd, interest)?;
        self.watchers.make_room();
        let bucket = self.watchers.bucket(fd);
        let result = match self.watchers.find_in(bucket, fd) {
            None => self.add_first(bucket, fd, interest, callback),
            Some(head) => self.add_sibling(fd, interest, callback, head),
        };
        // After a refusal too: the fd's other watchers may have to be told that it is lost.
        self.on_change();
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

    /// The first watcher of an fd: the fd enters the backend's set, and then the watcher the table.
    /// An fd at which nothing is watched yet is refused all the same if it could not be watched.
    #[inline]
    fn add_first(
        &mut self,
        bucket: usize,
        fd: i32,
        interest: Interest,
        callback: Callback,
    ) -> Result<Token> {
        let source = Source {
            fd,
            slot: self.watchers.slab.vacancy()?,
            asked: interest,
            backend_id: NOT_IN_SET,
            disarms: false,
        };
        let asked = source.interest();
        let backend_id = if asked != 0 {
            self.backend.add(&source)?
        } else if self.backend.owns(fd) {
            return Err(Error::EINVAL);
        } else {
            self.backend.probe(&source)?
        };
        let (io, watcher) = self
            .watchers
            .insert(Position::Head(bucket), fd, interest, callback)?;
        (watcher.backend_id, watcher.kernel) = (backend_id, asked as u16);
        if backend_id == ALWAYS_READY {
            (watcher.backend_id, watcher.kernel) = (NOT_IN_SET, 0);
            self.watchers.queue(io.slot, ALWAYS);
        }
        Ok(io)
    }

    /// A further watcher of an fd.
    #[cold]
    #[inline(never)]
    fn add_sibling(
        &mut self,
        fd: i32,
        interest: Interest,
        callback: Callback,
        head: u32,
    ) -> Result<Token> {
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
        let position = Position::Behind(self.watchers.last_of(head));
        let (io, _) = self.watchers.insert(position, fd, interest, callback)?;
        let mut result = self.register_sibling(head, io.slot);
        if matches!(result, Err(Error::ENOENT | Error::EBADF)) {
            // What the others watch is not this file: they are told, and the fd enters anew, if it
            // is open.
            self.invalidate(fd, Some(io.slot));
            if result == Err(Error::ENOENT) {
                result = self.update_backend(head, false);
            }
        }
        if let Err(error) = result {
            self.watchers.remove(io.slot);
            return Err(error);
        }
        Ok(io)
    }

    /// Changes what a watcher waits for. Reaches the kernel before the next wait, if there is a
    /// difference then.
    #[inline]
    pub(crate) fn io_modify(&mut self, io: Token, interest: u32) -> Result<()> {
        let watcher = self.watchers.slab.check_mut(io)?;
        let flags = watcher.flags;
        if interest & !ASKABLE != 0 {
            return Err(Error::EINVAL);
        }
        if flags & (HEAD | EDGE | EXCLUSIVE | ONESHOT | RAISED | LOST) != HEAD {
            return self.modify_special(io, interest);
        }
        watcher.set_interest(interest);
        self.stats.interest_changes += 1;
        if flags & DIRTY == 0 {
            self.watchers.queue(io.slot, DIRTY);
        }
        self.on_change();
        Ok(())
    }

    /// Slow path of [`io_modify`](Self::io_modify), for a watcher that is not the head of its fd,
    /// or lost, oneshot, exclusive or edge triggered. For an edge a modify always reaches the
    /// kernel, as that arms it again. The handler of a raised bit is refused.
    #[cold]
    #[inline(never)]
    fn modify_special(&mut self, io: Token, interest: u32) -> Result<()> {
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
                self.watchers.forget_kernel(head);
            }
            self.watchers.queue(head, DIRTY);
        }
        self.on_change();
        Ok(())
    }

    /// Removes a watcher. The kernel is told at once; what it says cannot keep the watcher alive.
    pub(crate) fn io_remove(&mut self, io: Token) -> Result<()> {
        self.watchers.slab.check(io)?;
        self.check_fork()?;
        self.drop_watcher(io.slot);
        self.on_change();
        Ok(())
    }

    fn drop_watcher(&mut self, index: u32) {
        let Some(watcher) = self.watchers.slab.get(index) else {
            return;
        };
        let (fd, is_head) = (watcher.fd, watcher.flags & HEAD != 0);
        self.set.has_removed = true;
        if fd <= HOOKS {
            if let Some(unlink) = self.hooks.unlink {
                unlink(self, index);
            }
            self.watchers.remove(index);
            return;
        }
        if fd < 0 {
            self.raised.handled_bits &= !(1 << (-1 - fd));
            self.watchers.remove(index);
            return;
        }
        if is_head && self.watchers.sibling(index).is_none() {
            self.deregister(index);
        }
        let new_head = self.watchers.remove(index);
        if let Some(new_head) = new_head {
            // The kernel carries the old head's handle: it must learn the new one, whatever is
            // watched.
            self.watchers.forget_kernel(new_head);
            self.reconcile(new_head);
        } else if !is_head {
            if let Some(head) = self.watchers.find(fd) {
                self.reconcile(head);
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
            self.deregister(head);
            self.set.has_removed = true;
            while let Some(index) = self.watchers.find(fd) {
                self.watchers.remove(index);
                count += 1;
            }
        }
        self.on_change();
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
        self.watchers.queue(io.slot, FED);
        self.on_change();
        Ok(())
    }

    pub(crate) fn io_reference(&mut self, io: Token, holds: bool) -> Result<()> {
        self.watchers.set_reference(io, holds)
    }
}
