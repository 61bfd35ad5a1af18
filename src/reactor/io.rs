//! Adding, changing and removing I/O watchers, and keeping the backend's set in step with them.
//!
//! `add` and `remove` reach the kernel at once, so that a bad fd is refused by the call that names it. A changed interest is
//! noted and reaches the kernel before the next wait, and only if what the watchers of the fd ask for together then
//! differs from what the kernel has.

use super::Reactor;
use crate::backend::{Backend, Capabilities, Source};
use crate::error::{Error, Result};
use crate::ready::{ASKABLE, IMPLIED, Interest, Ready, fold, mask_of};
use crate::target::Target;
use crate::token::Token;
use crate::watch::{ALWAYS, DIRTY, EDGE, EXCLUSIVE, FED, HEAD, STALE};

impl<B: Backend> Reactor<'_, B> {
    pub(crate) fn io_add(&mut self, fd: i32, interest: Interest, target: Target) -> Result<Token> {
        self.check_fork()?;
        self.check_options(fd, interest)?;
        let options = (interest.bits() >> 16) as u16;
        let mask = mask_of(interest.bits());
        let (index, head) = self.watchers.insert(fd, mask, options, target)?;
        let result = if head != index {
            self.join(head, index, options)
        } else if mask == 0 {
            self.backend.probe(fd)
        } else {
            self.enter(fd, index, interest)
        };
        if let Err(error) = result {
            self.watchers.remove(index);
            return Err(error);
        }
        self.changed();
        Ok(self.watchers.slab.token(index))
    }

    fn check_options(&self, fd: i32, interest: Interest) -> Result<()> {
        if fd < 0 {
            return Err(Error::EBADF);
        }
        let beside_exclusive = Interest::ONESHOT | Interest::URGENT;
        if Interest::from_bits(interest.bits()).is_none()
            || interest.contains(Interest::HIGH | Interest::LOW)
            || (interest.contains(Interest::EXCLUSIVE) && interest.intersects(beside_exclusive))
            || self.backend.owns(fd)
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

    /// The first watcher of an fd: the fd enters the backend's set.
    #[inline]
    fn enter(&mut self, fd: i32, index: u32, interest: Interest) -> Result<()> {
        let source = Source {
            fd,
            token: self.watchers.slab.token(index),
            interest: interest.bits() & ASKABLE,
            edge: interest.contains(Interest::EDGE),
            exclusive: interest.contains(Interest::EXCLUSIVE),
            position: 0,
        };
        self.stats.interest_syscalls += 1;
        match self.backend.add(&source) {
            Ok(position) => {
                self.note_kernel(index, source.interest, position);
                Ok(())
            }
            Err(Error::EPERM) if !source.edge && !source.exclusive => {
                self.watchers.list(index, ALWAYS);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// A further watcher of an fd. The kernel is asked even if nothing new is watched: it tells whether this fd is still the
    /// file that the others watch. If it is not they are told, and the fd enters anew.
    #[cold]
    fn join(&mut self, head: u32, index: u32, options: u16) -> Result<()> {
        let (flags, kernel, fd) =
            self.watchers.slab.get(head).map_or((0, 0, 0), |watcher| (watcher.flags, watcher.kernel, watcher.fd));
        if (flags ^ options) & EDGE != 0 || (flags | options) & EXCLUSIVE != 0 {
            return Err(Error::EINVAL);
        }
        if flags & ALWAYS != 0 {
            self.watchers.list(index, ALWAYS);
            return self.backend.probe(fd);
        }
        let source = self.source(head)?;
        if source.interest == 0 {
            return self.backend.probe(fd);
        }
        self.stats.interest_syscalls += 1;
        if kernel == 0 {
            let position = self.backend.add(&source)?;
            self.note_kernel(head, source.interest, position);
            return Ok(());
        }
        match self.backend.modify(&source) {
            Ok(()) => {
                self.note_kernel(head, source.interest, source.position);
                Ok(())
            }
            Err(Error::ENOENT) => {
                // The old file may live on under another number, and report with the handle of a watcher that lives on too.
                self.is_haunted = true;
                let wanted = self.watchers.slab.get(index).map_or(0, |watcher| watcher.mask);
                self.invalidate(fd);
                if let Some(watcher) = self.watchers.slab.get_mut(index) {
                    watcher.mask = wanted;
                    watcher.fed = 0;
                }
                self.watchers.unlist(index, FED);
                let source = self.source(head)?;
                if source.interest != 0 {
                    let position = self.backend.add(&source)?;
                    self.note_kernel(head, source.interest, position);
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Changes what a watcher waits for. Reaches the kernel before the next wait, if there is a difference then.
    #[inline]
    pub(crate) fn io_modify(&mut self, io: Token, interest: u32) -> Result<()> {
        let watcher = self.watchers.slab.check_mut(io)?;
        let refused = if watcher.flags & EXCLUSIVE != 0 { !ASKABLE | Interest::URGENT.bits() } else { !ASKABLE };
        if interest & refused != 0 || watcher.fd < 0 {
            return Err(Error::EINVAL);
        }
        watcher.mask = mask_of(interest);
        // Armed again: that it was lost is old news.
        watcher.fed &= !fold(Ready::INVALID.bits());
        self.stats.interest_changes += 1;
        let flags = watcher.flags;
        if flags & (HEAD | EDGE) == HEAD {
            if flags & DIRTY == 0 {
                self.watchers.list(io.slot, DIRTY);
            }
        } else {
            self.modify_apart(io);
        }
        self.changed();
        Ok(())
    }

    /// As above, for a watcher that is not the head of its fd, or edge triggered: there a modify arms the edge again, so
    /// that it must reach the kernel whatever it says.
    #[cold]
    fn modify_apart(&mut self, io: Token) {
        let Some(watcher) = self.watchers.slab.get(io.slot) else { return };
        let (fd, is_edge) = (watcher.fd, watcher.flags & EDGE != 0);
        let Some(head) = self.watchers.find(fd) else { return };
        if is_edge
            && let Some(watcher) = self.watchers.slab.get_mut(head)
            && watcher.kernel != 0
        {
            watcher.kernel |= STALE;
        }
        self.watchers.list(head, DIRTY);
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
        let Some(watcher) = self.watchers.slab.get(index) else { return };
        let (fd, flags, kernel) = (watcher.fd, watcher.flags, watcher.kernel);
        self.has_removed = true;
        if fd < 0 {
            self.handled &= !(1 << (-1 - fd));
            self.watchers.remove(index);
            return;
        }
        let old = self.source(index);
        let heir = self.watchers.remove(index);
        if flags & HEAD == 0 {
            if let Some(head) = self.watchers.find(fd) {
                self.sync(head);
            }
            return;
        }
        match (heir, old) {
            (Some(heir), _) => {
                // The kernel carries the old head's handle: it must learn the new one, whatever is watched.
                if let Some(watcher) = self.watchers.slab.get_mut(heir)
                    && watcher.kernel != 0
                {
                    watcher.kernel |= STALE;
                }
                self.sync(heir);
            }
            (None, Ok(source)) if kernel != 0 => self.leave(&source),
            _ => {}
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
            if let (Ok(source), true) =
                (self.source(head), self.watchers.slab.get(head).is_some_and(|watcher| watcher.kernel != 0))
            {
                self.leave(&source);
            }
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
        let feedable = ASKABLE | Ready::ERROR.bits() | Ready::HANGUP.bits() | Ready::PEER_CLOSED.bits();
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

    /// Applies what was changed since the last wait. Whether the attention list has something to hand over.
    pub(super) fn apply_changes(&mut self) -> bool {
        let mut attention = false;
        let mut next = self.watchers.listed(None);
        while let Some(index) = next {
            next = self.watchers.listed(Some(index));
            if self.watchers.slab.get(index).is_some_and(|watcher| watcher.flags & DIRTY != 0) {
                self.watchers.unlist(index, DIRTY);
                self.sync(index);
            }
            if let Some(watcher) = self.watchers.slab.get(index) {
                attention |= watcher.flags & FED != 0 || (watcher.flags & ALWAYS != 0 && u32::from(watcher.mask) & IMPLIED != 0);
            }
        }
        attention
    }

    /// Makes the backend's set agree with the watchers of one fd. A failure is delivered to them.
    fn sync(&mut self, head: u32) {
        let Ok(source) = self.source(head) else { return };
        let Some(watcher) = self.watchers.slab.get(head) else { return };
        let kernel = u32::from(watcher.kernel);
        if watcher.flags & ALWAYS != 0 || kernel == source.interest {
            return;
        }
        self.stats.interest_syscalls += 1;
        let result = if source.interest == 0 {
            self.leave(&source);
            self.note_kernel(head, 0, 0);
            return;
        } else if kernel == 0 {
            self.backend.add(&source)
        } else {
            self.backend.modify(&source).map(|()| source.position)
        };
        match result {
            Ok(position) => self.note_kernel(head, source.interest, position),
            Err(Error::EPERM) => self.always(source.fd),
            Err(_) => {
                self.is_haunted = true;
                self.invalidate(source.fd);
            }
        }
    }

    /// The fd leaves the backend's set. That cannot fail as far as the set is concerned.
    fn leave(&mut self, source: &Source) {
        let Reactor { backend, watchers, .. } = self;
        let _ = backend.remove(source, &mut |fd, position| {
            if let Some(watcher) = watchers.find(fd).and_then(|head| watchers.slab.get_mut(head)) {
                watcher.position = position;
            }
        });
    }

    /// The watchers of an fd are told that it can no longer be watched, and rest.
    pub(super) fn invalidate(&mut self, fd: i32) {
        let Some(head) = self.watchers.find(fd) else { return };
        self.lose(head);
        let mut next = Some(head);
        while let Some(index) = next {
            if let Some(watcher) = self.watchers.slab.get_mut(index) {
                watcher.mask = 0;
                watcher.fed |= fold(Ready::INVALID.bits());
            }
            self.watchers.list(index, FED);
            next = self.watchers.sibling(index);
        }
    }

    /// The fd of a head leaves the backend's set, if it is there.
    pub(super) fn lose(&mut self, head: u32) {
        if let (Ok(source), true) = (self.source(head), self.watchers.slab.get(head).is_some_and(|watcher| watcher.kernel != 0)) {
            self.leave(&source);
            self.note_kernel(head, 0, 0);
        }
    }

    /// The watchers of an fd watch a file that is always ready.
    fn always(&mut self, fd: i32) {
        let mut next = self.watchers.find(fd);
        while let Some(index) = next {
            self.watchers.list(index, ALWAYS);
            next = self.watchers.sibling(index);
        }
    }

    fn note_kernel(&mut self, head: u32, interest: u32, position: u32) {
        if let Some(watcher) = self.watchers.slab.get_mut(head) {
            watcher.kernel = interest as u16;
            watcher.position = position;
        }
    }

    /// An fd as the backend is to see it, by its head.
    fn source(&self, head: u32) -> Result<Source> {
        let watcher = self.watchers.slab.get(head).ok_or(Error::ENOENT)?;
        Ok(Source {
            fd: watcher.fd,
            token: self.watchers.slab.token(head),
            interest: u32::from(self.watchers.merged(head)) & ASKABLE,
            edge: watcher.flags & EDGE != 0,
            exclusive: watcher.flags & EXCLUSIVE != 0,
            position: watcher.position,
        })
    }

    /// New kernel objects, every fd entered again.
    pub(super) fn rebuild(&mut self) -> Result<()> {
        self.backend.rebuild()?;
        self.is_haunted = false;
        self.stats.rebuilds += 1;
        for index in 0..self.watchers.slab.capacity() {
            let Some(watcher) = self.watchers.slab.get_mut(index) else { break };
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
