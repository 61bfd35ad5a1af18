//! Interest (the events that a watcher waits for) and readiness (the events that were found).
//!
//! The bits are those of `poll(2)` and `epoll(7)`, which agree, so the backends pass them on
//! unchanged; a test compares them. Options are in the upper half and are never passed to the
//! kernel in this form.

use bitflags::bitflags;

bitflags! {
    /// The events that a watcher waits for (the first three bits), and its options.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
    pub struct Interest: u32 {
        /// Readable: a read will not block (data, end of file, an error, a connection to accept).
        const READ = 0x0001;
        /// Urgent data (`POLLPRI`), such as out-of-band bytes of TCP.
        const URGENT = 0x0002;
        /// Writable: a write will not block, or a connect has finished.
        const WRITE = 0x0004;
        /// Edge triggered: a new event is reported once, and not in every turn. Only the epoll
        /// backend, and hosts.
        const EDGE = 0x0001_0000;
        /// Report once: the interest is empty when the callback is called; `io_modify` sets it
        /// again.
        const ONESHOT = 0x0002_0000;
        /// Wake one of the loops that wait for this fd, and not all (`EPOLLEXCLUSIVE`). Only the
        /// epoll backend, and hosts.
        const EXCLUSIVE = 0x0004_0000;
        /// Called before the other watchers in each turn.
        const HIGH = 0x0008_0000;
        /// Called after the other watchers in each turn.
        const LOW = 0x0010_0000;
        /// Does not keep `run` going.
        const UNREF = 0x0020_0000;
    }
}

bitflags! {
    /// The events that were found. Hang-up, error and the peer's close are reported for every
    /// interest, in the same way on every backend.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
    pub struct Ready: u32 {
        /// A read will not block.
        const READ = 0x0001;
        /// Urgent data.
        const URGENT = 0x0002;
        /// A write will not block.
        const WRITE = 0x0004;
        /// An error is pending. Those of `READ` and `WRITE` that are in the interest are set too:
        /// the next read or write returns the error.
        const ERROR = 0x0008;
        /// Both directions are closed. Those of `READ` and `WRITE` that are in the interest are set
        /// too.
        const HANGUP = 0x0010;
        /// Always reported, never combined with other bits: the fd was closed while it was still
        /// watched, or the kernel refuses to watch it any longer. Reported once; the watcher is
        /// then paused.
        const INVALID = 0x0020;
        /// The peer will send nothing more. Reported together with `READ`.
        const PEER_CLOSED = 0x2000;
    }
}

impl Interest {
    /// Returns the options without the events.
    pub(crate) const fn options(self) -> Interest {
        self.difference(Interest::from_bits_truncate(ASKABLE))
    }
}

/// The events that a watcher can request.
pub(crate) const ASKABLE: u32 = Interest::READ
    .union(Interest::URGENT)
    .union(Interest::WRITE)
    .bits();
/// Error and hang-up: reported to every watcher whose interest is not empty.
pub(crate) const UNASKED: u32 = Ready::ERROR.union(Ready::HANGUP).bits();
/// Error and hang-up imply both directions: the next read or write does not block.
pub(crate) const IMPLIED: u32 = Ready::READ.union(Ready::WRITE).bits();

/// Returns all events that are reported to a watcher with this interest; none if the interest is
/// empty.
#[inline]
pub(crate) const fn mask_of(interest: u32) -> u16 {
    let asked = interest & ASKABLE;
    let unasked = if asked != 0 { UNASKED } else { 0 };
    // The peer's close is reported to readers. The product is its bit if `READ`, which is 1, is
    // set.
    let peer = (asked & Ready::READ.bits()) * Ready::PEER_CLOSED.bits();
    (asked | unasked | peer) as u16
}

/// Converts readiness to a byte: the peer's close takes a bit that is never found.
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

/// Returns the readiness that is reported to a watcher with `mask` if the kernel has found `found`;
/// 0 if none of it concerns the watcher.
#[inline]
pub(crate) const fn readiness_for(found: u32, mask: u16) -> u32 {
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
            readiness_for(Ready::HANGUP.bits(), reader),
            (Ready::READ | Ready::HANGUP).bits()
        );
        let writer = mask_of(Interest::WRITE.bits());
        assert_eq!(
            readiness_for(Ready::ERROR.bits(), writer),
            (Ready::WRITE | Ready::ERROR).bits()
        );
        assert_eq!(readiness_for(Ready::READ.bits(), writer), 0);
        assert_eq!(readiness_for(Ready::PEER_CLOSED.bits(), writer), 0);
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
        assert_eq!(readiness_for(u32::MAX, mask_of(0)), 0);
        assert_eq!(mask_of(Interest::ONESHOT.bits()), 0);
    }
}
