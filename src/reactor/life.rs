//! The life of a loop: holds, limits, forked children, and the size of its block.

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

    /// Returns `ECHILD` in a forked child. Called before each use of the kernel's objects, which
    /// belong to the parent. Makes a system call.
    #[inline(always)]
    pub(crate) fn check_fork(&mut self) -> Result<()> {
        if self.owner != 0 && self.owner != B::Waker::process() {
            self.owner = FORKED;
            return Err(Error::ECHILD);
        }
        Ok(())
    }

    /// Makes the copy of a loop in a forked child usable: with new kernel objects, to which all
    /// watchers are added again. The caller must know that this is a forked child. That is checked
    /// only where a mistake would harm the parent's loop.
    pub(crate) fn after_fork(&mut self) -> Result<()> {
        if self.shared.is_copy() != Some(false) {
            self.shared.forget_others();
        }
        // Another thread of the parent may have been in the middle of a change at the fork.
        self.verify()?;
        // If this function fails half way, the set may still belong to the parent.
        self.owner = FORKED;
        self.pollable = Pollable::new();
        self.backend.take_over()?;
        self.rebuild()?;
        self.shared.adopt();
        self.owner = self.shared.owner();
        Ok(())
    }

    /// Sets the size of the block that `pirn_stats` reports.
    pub(crate) fn set_block_size(&mut self, size: usize) {
        self.block_size = u32::try_from(size).unwrap_or(u32::MAX);
    }
}
