#![cfg_attr(
    all(target_arch = "x86_64", not(miri)),
    expect(unsafe_code, reason = "the processor is told what will be read")
)]
//! A hint to the processor.

/// Bring an item into the cache that will be read soon. Without the item, or on other processors
/// than x86_64, nothing happens.
#[inline(always)]
pub(super) fn prefetch<T>(items: &[T], index: u32) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if let Some(item) = items.get(index as usize) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        // SAFETY: every x86_64 processor has the instruction, which reads nothing that the program
        // can see and faults for no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (items, index);
}
