//! A lock of one word. It is held only for a few instructions, and never taken by signal handlers.

use crate::word::pirn_word;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and other threads may be sleeping until it is free.
const WANTED: u32 = 2;

/// A lock. All zero is a free lock.
#[repr(C)]
pub struct pirn_lock {
    word: pirn_word,
}

impl pirn_lock {
    pub(crate) fn new() -> pirn_lock {
        pirn_lock {
            word: pirn_word::new(),
        }
    }

    /// Calls a function while the lock is held.
    pub(crate) fn with<R>(&self, run: impl FnOnce() -> R) -> R {
        if !self.word.replace(FREE, HELD) {
            // After a sleep this thread does not know whether others are sleeping.
            while self.word.swap(WANTED) != FREE {
                self.word.wait(WANTED);
            }
        }
        let result = run();
        if self.word.swap(FREE) == WANTED {
            self.word.wake(1);
        }
        result
    }
}
