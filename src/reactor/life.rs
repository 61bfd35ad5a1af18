//! The life of a loop: what keeps it going, copies made by fork, and other memory.

use super::state::Pollable;
use super::{FORKED, Limit, Reactor};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::wake::Owned;

impl<B: Backend> Reactor<'_, B> {
    pub(crate) fn hold(&mut self) -> Result<()> {
        self.hold_count = self.hold_count.checked_add(1).ok_or(Error::ENOSPC)?;
        Ok(())
    }

    pub(crate) fn release(&mut self) -> Result<()> {
        self.hold_count = self.hold_count.checked_sub(1).ok_or(Error::EINVAL)?;
        Ok(())
    }

    pub(crate) fn set_limit(&mut self, limit: Limit) {
        self.budget.set_limit(limit);
    }

    /// `ECHILD` in a copy of the loop made by fork: asked before anything that reaches the kernel,
    /// whose objects are the parent's. A system call.
    #[inline(always)]
    pub(crate) fn check_fork(&mut self) -> Result<()> {
        if self.owner != 0 && self.owner != B::Waker::process() {
            self.owner = FORKED;
            return Err(Error::ECHILD);
        }
        Ok(())
    }

    /// Takes a copy made by fork over: new kernel objects, all watchers added again. The caller
    /// says that this is a copy; only what would harm the parent's loop, if it is not one, is
    /// checked.
    pub(crate) fn after_fork(&mut self) -> Result<()> {
        if self.shared.is_copy() != Some(false) {
            self.shared.forget_others();
        }
        // Another thread may have been in the middle of a change when the process forked.
        self.verify()?;
        // If this fails half way the set may still be the parent's.
        self.owner = FORKED;
        self.pollable = Pollable::new();
        self.backend.take_over()?;
        self.rebuild()?;
        self.shared.adopt();
        self.owner = self.shared.owner();
        Ok(())
    }

    /// What `pirn_stats` reports as the block.
    pub(crate) fn set_block_size(&mut self, size: usize) {
        self.block_size = u32::try_from(size).unwrap_or(u32::MAX);
    }
}
