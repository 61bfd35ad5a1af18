//! The buckets: which watchers wait for an fd.

use super::Watchers;
use super::watcher::{HOOKS, QUEUED, RAISED, REASONS};
use crate::slab::NONE;

/// How many buckets there are at first.
pub(super) const FIRST_BUCKETS: usize = 64;

impl Watchers<'_> {
    /// The bucket of an fd. Fds are small and close together: multiplying by 2^32 / phi spreads
    /// them, and the upper half of the product with the number of buckets takes the place of a
    /// division.
    pub(crate) fn bucket(&self, fd: i32) -> usize {
        let hash = (fd as u32).wrapping_mul(0x9E37_79B1);
        ((u64::from(hash) * self.buckets.len() as u64) >> 32) as usize
    }

    /// The head of an fd's watchers.
    #[inline]
    pub(crate) fn find(&self, fd: i32) -> Option<u32> {
        self.find_in(self.bucket(fd), fd)
    }

    /// The same, in the bucket of the fd.
    #[inline]
    pub(crate) fn find_in(&self, bucket: usize, fd: i32) -> Option<u32> {
        let first = *self.buckets.get(bucket)?;
        if first == NONE {
            None
        } else {
            self.same_fd_from(first, fd)
        }
    }

    /// The next watcher of the same fd.
    #[inline]
    pub(crate) fn sibling(&self, index: u32) -> Option<u32> {
        if self.sibling_count == 0 {
            return None;
        }
        let watcher = self.slab.get(index)?;
        self.same_fd_from(watcher.chain, watcher.fd)
    }

    /// The last watcher of an fd, from any of them.
    pub(crate) fn last_of(&self, mut index: u32) -> u32 {
        while let Some(next) = self.sibling(index) {
            index = next;
        }
        index
    }

    #[inline(never)]
    pub(super) fn same_fd_from(&self, mut index: u32, fd: i32) -> Option<u32> {
        while let Some(watcher) = self.slab.get(index) {
            if watcher.fd == fd {
                return Some(index);
            }
            index = watcher.chain;
        }
        None
    }

    /// Adds a watcher at the end of the chain of its bucket.
    fn append(&mut self, fd: i32, index: u32) {
        let bucket = self.bucket(fd);
        let Some(first) = self.buckets.get_mut(bucket) else {
            return;
        };
        let mut last = *first;
        if last == NONE {
            *first = index;
            return;
        }
        while let Some(watcher) = self.slab.get_mut(last) {
            if watcher.chain == NONE {
                watcher.chain = index;
                return;
            }
            last = watcher.chain;
        }
    }

    /// Adds the watchers of a chain that is in no bucket any more, in their order: the watchers of
    /// an fd keep theirs.
    pub(super) fn append_chain(&mut self, mut index: u32) {
        while let Some(watcher) = self.slab.get_mut(index) {
            let fd = watcher.fd;
            let next = core::mem::replace(&mut watcher.chain, NONE);
            self.append(fd, index);
            index = next;
        }
    }

    /// Doubles the number of buckets, as far as there is room. O(watchers).
    #[cold]
    #[inline(never)]
    pub(super) fn add_buckets(&mut self) {
        let old = self.buckets.len();
        self.buckets.grow_to(2 * old);
        // Backwards: no fd moves to a bucket in front of its old one, so none is moved twice.
        for bucket in (0..old).rev() {
            let first = self.buckets.get(bucket).copied().unwrap_or(NONE);
            self.set_bucket(bucket, NONE);
            self.append_chain(first);
        }
    }

    /// Takes a watcher out of its bucket, where `chain` comes next.
    pub(super) fn unchain(&mut self, fd: i32, index: u32, chain: u32) {
        let bucket = self.bucket(fd);
        let mut at = self.buckets.get(bucket).copied().unwrap_or(NONE);
        if at == index {
            self.set_bucket(bucket, chain);
            return;
        }
        while let Some(watcher) = self.slab.get_mut(at) {
            at = watcher.chain;
            if at == index {
                watcher.chain = chain;
                return;
            }
        }
    }

    fn set_bucket(&mut self, bucket: usize, index: u32) {
        if let Some(first) = self.buckets.get_mut(bucket) {
            *first = index;
        }
    }

    /// Where the buckets are.
    #[cfg(feature = "ffi")]
    pub(crate) fn place(&self) -> *const [u32] {
        self.buckets.place()
    }

    /// How many watchers stand in the buckets' chains. `None` if a chain does not end, or holds a
    /// watcher that is not live or of another bucket.
    pub(super) fn chained(&self) -> Option<u32> {
        let mut seen = 0;
        for (bucket, &first) in self.buckets.iter().enumerate() {
            let mut index = first;
            while let Some(watcher) = self.slab.get(index) {
                seen += 1;
                let is_raised = watcher.flags & RAISED != 0;
                if seen > self.slab.capacity()
                    || self.bucket(watcher.fd) != bucket
                    || !watcher.is_live()
                    || is_raised != (watcher.fd < 0)
                    || (watcher.fd <= HOOKS && self.hook(index).is_none())
                    || (watcher.flags & REASONS != 0) != (watcher.flags & QUEUED != 0)
                {
                    return None;
                }
                index = watcher.chain;
            }
            if index != NONE {
                return None;
            }
        }
        Some(seen)
    }
}
