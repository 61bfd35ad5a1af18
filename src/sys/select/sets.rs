//! Sets of fds.

use crate::ready::Interest;
use crate::room::Room;

pub(super) const BITS: usize = usize::BITS as usize;

/// Three sets of fds, as words: bit `n % BITS` of word `n / BITS` stands for fd `n`. A set has as
/// many words as [`grow`](Self::grow) was asked for.
pub(super) struct Sets<'a> {
    pub(super) read: Room<'a, usize>,
    pub(super) write: Room<'a, usize>,
    pub(super) urgent: Room<'a, usize>,
}

impl Sets<'_> {
    /// Lengthens the sets to so many words, as far as there is room. No fd is in the new ones.
    pub(super) fn grow(&mut self, words: usize) {
        for set in [&mut self.read, &mut self.write, &mut self.urgent] {
            while set.len() < words {
                let Some(word) = set.grow() else { break };
                *word = 0;
            }
        }
    }

    /// Sets the bits of an fd to what `interest` says.
    pub(super) fn put(&mut self, fd: i32, interest: u32) {
        let (word, bit) = (fd as usize / BITS, 1 << (fd as usize % BITS));
        for (set, wanted) in [
            (&mut self.read, Interest::READ),
            (&mut self.write, Interest::WRITE),
            (&mut self.urgent, Interest::URGENT),
        ] {
            if let Some(element) = set.get_mut(word) {
                *element = if interest & wanted.bits() != 0 {
                    *element | bit
                } else {
                    *element & !bit
                };
            }
        }
    }

    /// All fds of one word that are in any set.
    pub(super) fn word(&self, word: usize) -> usize {
        let of = |set: &[usize]| set.get(word).copied().unwrap_or(0);
        of(&self.read) | of(&self.write) | of(&self.urgent)
    }

    pub(super) fn interest(&self, fd: i32) -> u32 {
        let (word, shift) = (fd as usize / BITS, fd as usize % BITS);
        let of = |set: &[usize], interest: Interest| {
            (set.get(word).copied().unwrap_or(0) >> shift & 1) as u32 * interest.bits()
        };
        of(&self.read, Interest::READ)
            | of(&self.write, Interest::WRITE)
            | of(&self.urgent, Interest::URGENT)
    }

    pub(super) fn copy(&mut self, from: &Sets<'_>, words: usize) {
        for (to, from) in [
            (&mut self.read, &from.read),
            (&mut self.write, &from.write),
            (&mut self.urgent, &from.urgent),
        ] {
            for (to, from) in to.iter_mut().zip(from.iter()).take(words) {
                *to = *from;
            }
        }
    }
}
