//! A lock of one word. It is held for a few instructions, and not taken by signal handlers.

use crate::word::pirn_word;

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and others may sleep until it is free.
const WANTED: u32 = 2;

/// A lock. All zero is one that is free.
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

    /// Runs something while nobody else does.
    pub(crate) fn with<R>(&self, run: impl FnOnce() -> R) -> R {
        if !self.word.replace(FREE, HELD) {
            // Whoever has slept does not know whether others do.
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
