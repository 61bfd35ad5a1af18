//! Raised bits: 64 notes that something has happened, which cannot be full.

use crate::atomic::{AtomicU32, Ordering};
use crate::error::{Error, Result};

/// The highest bit that can be raised.
pub(crate) const MAX_RAISED: u32 = 63;

/// The bits that were raised since the loop last took them.
pub(super) struct RaisedBits {
    /// Bits 0 to 31, and 32 to 63: 32-bit processors have no atomic of 64 bits.
    pub(super) words: [AtomicU32; 2],
}

impl RaisedBits {
    pub(super) fn new() -> RaisedBits {
        RaisedBits {
            words: [AtomicU32::new(0), AtomicU32::new(0)],
        }
    }

    /// Sets a bit. `EINVAL` beyond [`MAX_RAISED`]. Any thread.
    pub(super) fn raise(&self, bit: u32) -> Result<()> {
        let [low, high] = &self.words;
        let word = match bit {
            0..32 => low,
            32..=MAX_RAISED => high,
            _ => return Err(Error::EINVAL),
        };
        // Release: the loop that finds the bit sees what was done before it was raised.
        word.fetch_or(1 << (bit & 31), Ordering::Release);
        Ok(())
    }

    /// True if a bit is set. Loop thread.
    #[inline]
    pub(super) fn has_any(&self) -> bool {
        let [low, high] = &self.words;
        // Relaxed, both: this only asks whether there are bits. Taking them acquires.
        low.load(Ordering::Relaxed) | high.load(Ordering::Relaxed) != 0
    }

    /// Takes all bits that are set. Loop thread.
    #[inline]
    pub(super) fn take(&self) -> u64 {
        // Saves idle turns the locked instructions. A bit that this misses is found before the next
        // sleep.
        if !self.has_any() {
            return 0;
        }
        let [low, high] = &self.words;
        // Acquire, with the Release in `raise`.
        let take = |word: &AtomicU32| u64::from(word.swap(0, Ordering::Acquire));
        take(low) | take(high) << 32
    }
}
