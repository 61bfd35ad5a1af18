//! What ends a wait from elsewhere, as the core sees it.

use crate::error::Result;

/// Makes the loop's wait return: a write to an eventfd, an interrupt, a flag of the host.
pub trait Wake: Send + Sync {
    /// Makes the current wait return or, if the loop is on its way into it, the next one. Called
    /// from any thread, from signal handlers and from interrupts, by several at once: must not
    /// block, panic, touch errno or call back. Never called once the loop has ended. A call too
    /// many must do no harm: the loop then finds nothing and sleeps again.
    ///
    /// # Errors
    ///
    /// An error says that the wait was not ended. The next call that brings work then tries again.
    fn wake(&self) -> Result<()>;
}

/// What the core asks of a waker besides. It knows whose loop it wakes, for it is used from other
/// threads and signal handlers, where nothing else of the loop may be looked at.
pub(crate) trait Owned: Wake {
    /// The process that the loop belongs to. 0: the program has told us not to ask, or there are no
    /// processes.
    fn owner(&self) -> u32;

    /// From now on the loop belongs to this process.
    fn adopt(&self);

    /// The calling process, which is not `u32::MAX`. A system call.
    fn process() -> u32;

    /// True if this process is a copy, made by fork, of the one that the loop belongs to. `None` if
    /// that is not known.
    #[inline]
    fn is_copy(&self) -> Option<bool> {
        match self.owner() {
            0 => None,
            owner => Some(owner != Self::process()),
        }
    }
}
