//! Keeping the backend's set in step with the watchers.

use super::Reactor;
use crate::backend::{ALWAYS_READY, Backend, Source};
use crate::error::{Error, Result};
use crate::ready::{ASKABLE, IMPLIED, Interest, Ready, fold};
use crate::watchers::{
    ALWAYS, ARMED_AGAIN, DIRTY, DISARMS, EDGE, FED, HEAD, HUNG_UP, KERNEL_UNKNOWN, RESTS,
};

/// What `kernel` says besides what the backend was asked for.
const NOTES: u16 = HUNG_UP | ARMED_AGAIN;

impl<B: Backend> Reactor<'_, B> {
    /// Updates the backend's set to what was changed since the last wait. Returns true if the
    /// pending list has something to hand over. Not while a turn is unfinished, which is still on
    /// its way through that list.
    pub(super) fn apply_changes(&mut self) -> bool {
        let mut has_pending = false;
        let mut index = self.watchers.drain_pending();
        while let Some(watcher) = self.watchers.slab.get_mut(index) {
            let (next, flags) = watcher.leave_pending();
            // There and back again: nothing to be told.
            let is_in_step =
                watcher.kernel == u16::from(watcher.interest) && self.watchers.sibling_count == 0;
            if flags & DIRTY != 0 && !is_in_step {
                self.reconcile(index);
            }
            if flags & (FED | ALWAYS) != 0 {
                self.watchers.queue(index, flags & (FED | ALWAYS));
            }
            index = next;
        }
        index = self.watchers.first_pending();
        while let Some(watcher) = self.watchers.slab.get(index) {
            has_pending |= watcher.flags & FED != 0
                || (watcher.flags & ALWAYS != 0 && u32::from(watcher.interest) & IMPLIED != 0);
            index = watcher.next();
        }
        has_pending
    }

    /// Updates the fd's entry in the backend's set to what its watchers ask for together. A failure
    /// is reported to them.
    pub(super) fn reconcile(&mut self, head: u32) {
        if self.update_backend(head, false).is_err() {
            if let Some(watcher) = self.watchers.slab.get(head) {
                self.invalidate(watcher.fd, None);
            }
        }
    }

    /// Updates the fd's entry to the merged interest of its watchers. Skipped if the backend has
    /// that already, unless `in_any_case`.
    #[inline(never)]
    pub(super) fn update_backend(&mut self, head: u32, in_any_case: bool) -> Result<()> {
        let merged = self.watchers.merged_interest(head);
        let watcher = self.watchers.slab.get_mut(head).ok_or(Error::ENOENT)?;
        let mut source = watcher.source(head, merged);
        let (asked, kernel) = (source.interest() as u16, watcher.kernel);
        if (kernel & !NOTES == asked && !in_any_case) || watcher.flags & ALWAYS != 0 {
            return Ok(());
        }
        if asked == 0 {
            self.rest(head, &source);
            return Ok(());
        }
        self.stats.interest_syscalls += u64::from(!in_any_case);
        if kernel == 0 {
            return self.enter_set(head, &source);
        }
        if kernel & RESTS != 0 {
            return self.arm_again(head, source);
        }
        source.disarms = watcher.flags & DISARMS != 0;
        self.backend.modify(&source)?;
        watcher.kernel = asked;
        Ok(())
    }

    /// Arms the entry of a head that was disarmed.
    ///
    /// The next event is to disarm it once more if the watchers were paused during a wait since the
    /// last one: they will probably be paused again. Not any more if they were armed again before
    /// that wait, twice in a row.
    #[inline(never)]
    fn arm_again(&mut self, head: u32, mut source: Source) -> Result<()> {
        let watcher = self.watchers.slab.get_mut(head).ok_or(Error::ENOENT)?;
        // After the next wait the flag is gone: see `rest`.
        let is_in_time = watcher.flags & DISARMS != 0;
        let is_first_in_time = is_in_time && watcher.kernel & ARMED_AGAIN == 0;
        source.disarms = (!is_in_time || is_first_in_time) && watcher.flags & EDGE == 0;
        match self.backend.modify(&source) {
            Ok(()) => {
                let note = if is_first_in_time { ARMED_AGAIN } else { 0 };
                watcher.kernel = source.interest() as u16 | note;
                watcher.set_disarms(source.disarms);
                Ok(())
            }
            // The fd was closed while it was paused. The file that has its number now is watched.
            Err(Error::ENOENT) => {
                watcher.leave_set();
                source.disarms = false;
                self.enter_set(head, &source)
            }
            Err(error) => Err(error),
        }
    }

    /// Adds the fd of a head to the backend's set.
    fn enter_set(&mut self, head: u32, source: &Source) -> Result<()> {
        let backend_id = self.backend.add(source)?;
        if backend_id == ALWAYS_READY {
            self.watchers.queue_all(head, ALWAYS);
        } else if let Some(watcher) = self.watchers.slab.get_mut(head) {
            watcher.kernel = source.interest() as u16;
            watcher.backend_id = backend_id;
        }
        Ok(())
    }

    /// Has the backend report nothing of an fd whose watchers are all paused.
    ///
    /// The fd stays in the backend's set if it can be disarmed there: that is cheaper than adding
    /// it again. If the next event disarms the entry anyway, the backend is not called at all. That
    /// event ends one wait without a call.
    fn rest(&mut self, head: u32, source: &Source) {
        let Some(watcher) = self.watchers.slab.get_mut(head) else {
            return;
        };
        let (kernel, flags) = (watcher.kernel, watcher.flags);
        watcher.set_disarms(false);
        if kernel == 0 || kernel & !NOTES == RESTS {
            return;
        }
        let is_silent = flags & DISARMS != 0 && kernel & KERNEL_UNKNOWN == 0;
        if !is_silent {
            self.stats.interest_syscalls += 1;
            if kernel & HUNG_UP != 0 || self.backend.disarm(source).is_err() {
                self.deregister(head);
                return;
            }
        }
        self.forget_found(head);
        if let Some(watcher) = self.watchers.slab.get_mut(head) {
            watcher.kernel = RESTS;
        }
    }

    /// Asks the kernel even if the merged interest is unchanged: the kernel then tells if the fd
    /// number now names another file (`ENOENT`) or none (`EBADF`).
    pub(super) fn register_sibling(&mut self, head: u32, index: u32) -> Result<()> {
        let merged = self.watchers.merged_interest(head);
        let Some(watcher) = self.watchers.slab.get(head) else {
            return Err(Error::ENOENT);
        };
        let (is_always, kernel) = (watcher.flags & ALWAYS != 0, watcher.kernel);
        let asked = merged.bits() & ASKABLE;
        if !is_always && asked != 0 {
            return self.update_backend(head, true);
        }
        let mut source = watcher.source(head, merged.options());
        if kernel != 0 && kernel & RESTS == 0 {
            // Paused since the last wait: the kernel still has what they asked for then.
            source.asked =
                merged.options() | Interest::from_bits_truncate(u32::from(kernel) & ASKABLE);
            source.disarms = watcher.flags & DISARMS != 0;
            return self.backend.modify(&source);
        }
        let result = self.backend.probe(&source);
        if kernel != 0 {
            // The question has taken the resting entry out of the set.
            if let Some(watcher) = self.watchers.slab.get_mut(head) {
                watcher.leave_set();
            }
        }
        let is_always_now = result? == ALWAYS_READY;
        if is_always && !is_always_now {
            return Err(Error::ENOENT);
        }
        if is_always {
            self.watchers.queue(index, ALWAYS);
        }
        Ok(())
    }

    /// The fd cannot be watched any more, or is another file now: it leaves the backend's set, and
    /// its watchers are told once and rest, all but `newcomer`.
    pub(super) fn invalidate(&mut self, fd: i32, newcomer: Option<u32>) {
        let Some(head) = self.watchers.find(fd) else {
            return;
        };
        self.deregister(head);
        let mut next = Some(head);
        while let Some(index) = next {
            if next != newcomer {
                self.watchers.feed_lost(index);
            }
            next = self.watchers.sibling(index);
        }
    }

    /// The wait has found that the fd of a watcher is closed, and that watcher is being told. If
    /// the number is still closed the others of this fd are lost with it; else what is watched at
    /// the number now is not that file.
    #[cold]
    pub(super) fn lost(&mut self, fd: i32, told: u32) {
        let Some(head) = self.watchers.find(fd) else {
            return;
        };
        let Some(watcher) = self.watchers.slab.get(head) else {
            return;
        };
        match self.backend.probe(&watcher.source(head, Interest::empty())) {
            Ok(_) => self.watchers.queue(head, DIRTY),
            Err(_) => self.invalidate(fd, Some(told)),
        }
    }

    /// Asks the kernel whether the fd of the first event, which is reported in each turn, is still
    /// the file that it was. A program that has closed the fd while a duplicate lives could not
    /// read from the file, and would be called for ever.
    #[cold]
    #[inline(never)]
    pub(super) fn examine(&mut self) {
        let Some((entry, _)) = self.backend.event(0) else {
            return;
        };
        let Some(watcher) = self.watchers.slab.get(entry.slot) else {
            return;
        };
        // An edge is not reported in each turn, and modifying its entry would arm it again. The
        // same is true of an event that has disarmed its entry, which comes with another id.
        let is_entry = watcher.backend_id == entry.backend_id && watcher.kernel != 0;
        if is_entry && watcher.flags & EDGE == 0 {
            let fd = watcher.fd;
            if let Err(Error::ENOENT | Error::EBADF) = self.update_backend(entry.slot, true) {
                self.invalidate(fd, None);
            }
        }
    }

    /// The fd of a head leaves the backend's set, if it is there.
    ///
    /// If it is closed or another file now the kernel refuses that, and may go on reporting the
    /// file that it was: its events have an id that is nobody's, and the first of them has the
    /// set rebuilt. Mostly there is none, as no duplicate lives.
    #[inline(never)]
    pub(super) fn deregister(&mut self, head: u32) {
        let watchers = &mut self.watchers;
        let Some(watcher) = watchers.slab.get_mut(head) else {
            return;
        };
        if watcher.kernel == 0 {
            return;
        }
        let source = watcher.source(head, Interest::empty());
        watcher.leave_set();
        self.set.has_removed = true;
        if let Ok(Some((fd, backend_id))) = self.backend.remove(&source) {
            let moved = watchers.find(fd);
            if let Some(watcher) = moved.and_then(|head| watchers.slab.get_mut(head)) {
                watcher.backend_id = backend_id;
            }
        }
        self.forget_found(head);
    }

    /// What was found for the watchers of an fd is not reported any more, as the kernel was asked
    /// to report nothing. That the fd is lost is still reported.
    #[inline]
    fn forget_found(&mut self, head: u32) {
        let watchers = &mut self.watchers;
        let mut next = Some(head);
        while let Some(index) = next {
            if let Some(watcher) = watchers.slab.get_mut(index) {
                watcher.found &= fold(Ready::INVALID.bits());
            }
            next = watchers.sibling(index);
        }
    }

    /// New kernel objects, every fd entered again.
    pub(super) fn rebuild(&mut self) -> Result<()> {
        self.backend.rebuild()?;
        self.set.needs_rebuild = false;
        self.turn.events = 0..0;
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
                watcher.leave_set();
                self.reconcile(index);
            }
        }
        self.on_change();
        Ok(())
    }
}
