//! Ending a wait from other threads: the traits that the core uses.

use crate::error::Result;

/// Ends the loop's wait: by a write to an eventfd, an interrupt, or a flag of the host.
pub trait Wake: Send + Sync {
    /// End the current wait or, if the loop has not begun it yet, the next one. It is called by any
    /// threads, signal handlers and interrupts, also at the same time. It must not block, panic,
    /// change errno or call the loop. It is never called after the loop has ended. A superfluous
    /// call must do no harm: the loop finds nothing and sleeps again.
    ///
    /// # Errors
    ///
    /// An error means that the wait was not ended. The next call that adds work then tries again.
    fn wake(&self) -> Result<()>;
}

/// A waker that knows which process its loop belongs to. The waker stores this, because it is used
/// by other threads and signal handlers, which may not access the rest of the loop.
pub(crate) trait Owned: Wake {
    /// Returns the process that the loop belongs to; 0 if the program has switched the check off,
    /// or if there are no processes.
    fn owner(&self) -> u32;

    /// Makes the loop belong to the calling process.
    fn adopt(&self);

    /// Returns the calling process, which is never `u32::MAX`. Makes a system call.
    fn process() -> u32;

    /// Returns whether this process is a forked child of the one that the loop belongs to. `None`
    /// if that is not known.
    #[inline]
    fn is_copy(&self) -> Option<bool> {
        match self.owner() {
            0 => None,
            owner => Some(owner != Self::process()),
        }
    }
}
