//! The same as `word` for loom, whose mutex and condition variable stand in for the kernel.

use core::sync::atomic::Ordering;

use loom::sync::atomic::AtomicU32;
use loom::sync::{Condvar, Mutex};

/// A word that threads wait for.
pub struct pirn_word {
    value: AtomicU32,
    kernel: (Mutex<()>, Condvar),
}

impl pirn_word {
    pub(crate) fn new() -> pirn_word {
        pirn_word {
            value: AtomicU32::new(0),
            kernel: (Mutex::new(()), Condvar::new()),
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

    /// Turns `from` into `to`. False: it was something else.
    #[inline]
    pub(crate) fn replace(&self, from: u32, to: u32) -> bool {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        self.value
            .compare_exchange(from, to, success, failure)
            .is_ok()
    }

    pub(crate) fn wait(&self, value: u32) {
        let asleep = self.kernel.0.lock().expect("not poisoned");
        if self.value.load(Ordering::SeqCst) == value {
            drop(self.kernel.1.wait(asleep).expect("not poisoned"));
        }
    }

    pub(crate) fn wake(&self, count: u32) {
        let _asleep = self.kernel.0.lock().expect("not poisoned");
        if count == 1 {
            self.kernel.1.notify_one();
        } else {
            self.kernel.1.notify_all();
        }
    }
}
