#![expect(
    unsafe_code,
    reason = "the lent words become the kernel's event records"
)]
//! What the kernel says of an entry, and what the entry carries.

use core::mem::MaybeUninit;
use rustix::event::epoll::{Event, EventData};

use crate::backend::Entry;
use crate::room::filled;

/// How many events one wait fetches at most. The kernel then goes on with the others: it takes them
/// in turn.
const MOST_EVENTS: usize = 1024;

/// The kernel's record, which [`Event`] is too, with the two halves of its user data.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Record {
    pub(super) found: u32,
    gap: [u32; size_of::<Event>() / 4 - 3],
    #[cfg(target_endian = "big")]
    backend_id: u32,
    slot: u32,
    #[cfg(target_endian = "little")]
    backend_id: u32,
}

const _: () =
    assert!(size_of::<Record>() == size_of::<Event>() && align_of::<Event>() <= align_of::<u64>());

impl Record {
    #[inline]
    pub(super) fn entry(&self) -> Entry {
        Entry {
            slot: self.slot,
            backend_id: self.backend_id,
        }
    }
}

/// What an entry carries.
#[inline]
pub(super) const fn user_data(entry: Entry) -> EventData {
    EventData::new_u64(entry.slot as u64 | (entry.backend_id as u64) << 32)
}

/// The backend's area as room for what the kernel finds ready. It begins where a word does, and
/// ends after the records of one wait: what a loop does not use of the area stays untouched.
pub(super) fn records_of(area: &mut [MaybeUninit<u64>]) -> &mut [Record] {
    let most = MOST_EVENTS * size_of::<Record>() / size_of::<u64>();
    let used = area.len().min(most);
    let (area, _) = area.split_at_mut(used);
    // SAFETY: `Record` is integers: every bit pattern is valid, and so are all bytes of the words,
    // which are lent for as long as these records are.
    let (_, records, _) = unsafe { filled(area).align_to_mut::<Record>() };
    records
}

/// The same as rustix takes it.
#[cfg(not(linux_pwait2))]
pub(super) fn events_of(records: &mut [Record]) -> &mut [Event] {
    // SAFETY: both are the kernel's plain record of integers, of one size as asserted above; the
    // first of `records_of` is aligned to a word, and so to what an `Event` is. The borrow goes on.
    unsafe { &mut *(core::ptr::from_mut(records) as *mut [Event]) }
}
