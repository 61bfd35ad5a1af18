//! A word in memory that threads wait for, with futex(2).

use core::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::futex;

/// A word that threads wait for. All zero is the value 0.
#[repr(C)]
pub struct pirn_word {
    value: AtomicU32,
}

impl pirn_word {
    pub(crate) const fn new() -> pirn_word {
        pirn_word {
            value: AtomicU32::new(0),
        }
    }

    #[inline]
    pub(crate) fn load(&self) -> u32 {
        self.value.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn swap(&self, value: u32) -> u32 {
        self.value.swap(value, Ordering::AcqRel)
    }

    /// Adds 1.
    #[inline]
    pub(crate) fn count(&self) {
        self.value.fetch_add(1, Ordering::AcqRel);
    }

    /// Changes the word from `from` to `to`. Returns false if it had another value.
    #[inline]
    pub(crate) fn replace(&self, from: u32, to: u32) -> bool {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        self.value
            .compare_exchange(from, to, success, failure)
            .is_ok()
    }

    /// Sleeps while the word has this value, until it is woken. May return spuriously.
    pub(crate) fn wait(&self, value: u32) {
        // Woken, the word has changed, or a signal arrived: the caller checks the word again in any
        // case.
        let _ = futex::wait(&self.value, futex::Flags::PRIVATE, value, None);
    }

    /// Wakes at most `count` sleeping threads.
    pub(crate) fn wake(&self, count: u32) {
        // This fails only for wrong arguments.
        let _ = futex::wake(&self.value, futex::Flags::PRIVATE, count);
    }
}
