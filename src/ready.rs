//! What to watch for, and what was found.
//!
//! The bits are those of `poll(2)` and `epoll(7)`, which agree, so that the backends hand them
//! through unchanged; a test holds the two together. Options live in the upper half and never reach
//! the kernel as they are.

use bitflags::bitflags;

bitflags! {
    /// What a watcher waits for (the first three), and how it is served.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
    pub struct Interest: u32 {
        /// Readable: a read will not block (data, end of file, an error, a connection to accept).
        const READ = 0x0001;
        /// Urgent data: out-of-band bytes of TCP and the exceptional conditions of `POLLPRI`.
        const URGENT = 0x0002;
        /// Writable: a write will not block, or a connect has finished.
        const WRITE = 0x0004;
        /// Edge triggered: reported when something changes, not while it lasts. The epoll backend
        /// only.
        const EDGE = 0x0001_0000;
        /// Reported once: the interest is empty when the callback runs; `io_modify` arms it again.
        const ONESHOT = 0x0002_0000;
        /// Wake one of the loops that wait for this fd, not all (`EPOLLEXCLUSIVE`). The epoll
        /// backend only.
        const EXCLUSIVE = 0x0004_0000;
        /// Served before the others in each turn.
        const HIGH = 0x0008_0000;
        /// Served after the others in each turn.
        const LOW = 0x0010_0000;
        /// Does not keep `run` going.
        const UNREF = 0x0020_0000;
    }
}

bitflags! {
    /// What was found. Hang-up, error and the peer's close are reported unasked, alike on every
    /// backend.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
    pub struct Ready: u32 {
        /// A read will not block.
        const READ = 0x0001;
        /// Urgent data.
        const URGENT = 0x0002;
        /// A write will not block.
        const WRITE = 0x0004;
        /// An error is pending; `READ` and `WRITE` are set too as far as they are watched, for the
        /// next call tells it.
        const ERROR = 0x0008;
        /// Both directions are finished; `READ` and `WRITE` are set too as far as they are watched.
        const HANGUP = 0x0010;
        /// Always reported, never combined with other bits: the fd was closed while it was still
        /// watched, or the kernel refuses to watch it any longer. Reported once; the watcher is
        /// then paused.
        const INVALID = 0x0020;
        /// The peer will send no more. Comes with `READ`.
        const PEER_CLOSED = 0x2000;
    }
}

impl Interest {
    /// How a watcher is served, without what it waits for.
    pub(crate) const fn options(self) -> Interest {
        self.difference(Interest::from_bits_truncate(ASKABLE))
    }
}

/// The three bits a caller may ask for.
pub(crate) const ASKABLE: u32 = Interest::READ
    .union(Interest::URGENT)
    .union(Interest::WRITE)
    .bits();
/// Error and hang-up: reported to every watcher whose interest is not empty.
pub(crate) const UNASKED: u32 = Ready::ERROR.union(Ready::HANGUP).bits();
/// What error and hang-up imply: the next call in either direction returns at once.
pub(crate) const IMPLIED: u32 = Ready::READ.union(Ready::WRITE).bits();

/// The full mask a watcher of `interest` listens to: nothing at all if it asks for nothing.
#[inline]
pub(crate) const fn mask_of(interest: u32) -> u16 {
    let asked = interest & ASKABLE;
    let unasked = if asked != 0 { UNASKED } else { 0 };
    // The peer's close goes with reading: its bit is that of `READ`, shifted.
    let peer = (asked & Ready::READ.bits()) * Ready::PEER_CLOSED.bits();
    (asked | unasked | peer) as u16
}

/// Readiness in a byte: the peer's close takes the place of a bit that is never found.
pub(crate) const fn fold(ready: u32) -> u8 {
    let peer = if ready & Ready::PEER_CLOSED.bits() != 0 {
        FOLDED_PEER
    } else {
        0
    };
    ready as u8 & (FOLDED_PEER - 1) | peer
}

/// The opposite of [`fold`].
pub(crate) const fn unfold(folded: u8) -> u32 {
    let peer = if folded & FOLDED_PEER != 0 {
        Ready::PEER_CLOSED.bits()
    } else {
        0
    };
    (folded & (FOLDED_PEER - 1)) as u32 | peer
}

const FOLDED_PEER: u8 = 0x40;

/// What a watcher with `mask` is told when the kernel says `found`: 0 if that does not concern it.
#[inline]
pub(crate) const fn report(found: u32, mask: u16) -> u32 {
    let mask = mask as u32;
    let ready = found & mask;
    if ready & UNASKED != 0 {
        ready | (mask & IMPLIED)
    } else {
        ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangup_implies_what_is_watched_and_nothing_else() {
        let reader = mask_of(Interest::READ.bits());
        assert_eq!(
            report(Ready::HANGUP.bits(), reader),
            (Ready::READ | Ready::HANGUP).bits()
        );
        let writer = mask_of(Interest::WRITE.bits());
        assert_eq!(
            report(Ready::ERROR.bits(), writer),
            (Ready::WRITE | Ready::ERROR).bits()
        );
        assert_eq!(report(Ready::READ.bits(), writer), 0);
        assert_eq!(report(Ready::PEER_CLOSED.bits(), writer), 0);
    }

    #[test]
    fn all_readiness_fits_into_a_byte() {
        for bits in 0..=u32::from(u16::MAX) {
            let ready = bits & Ready::all().bits();
            assert_eq!(unfold(fold(ready)), ready);
        }
    }

    #[test]
    fn an_empty_interest_hears_nothing() {
        assert_eq!(report(u32::MAX, mask_of(0)), 0);
        assert_eq!(mask_of(Interest::ONESHOT.bits()), 0);
    }
}
