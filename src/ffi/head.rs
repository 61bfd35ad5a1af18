#![expect(unsafe_code, reason = "the C face")]
//! What stands at the front of a block.

use crate::any::{AnyBackend, AnyWaker};
use crate::atomic::AtomicUsize;
use crate::reactor::Reactor;
use crate::remote::Shared;
use crate::storage::{self, Capacity};

use super::host::{CHost, CHostWaker};
use super::memory::PIRN_STORAGE_MAGIC;

pub(super) type CBackend = AnyBackend<'static, CHost>;
pub(super) type CReactor = Reactor<'static, CBackend>;
pub(super) type CWaker = AnyWaker<CHostWaker>;

/// A loop. It lives at the front of the block given to `pirn_init` and is only ever handled by its
/// address.
pub struct pirn_loop(pub(super) Head);

/// What stands at the front of a block.
#[repr(C)]
pub(super) struct Head {
    /// What the block is now: see `STORAGE_MAGIC` and `live_magic`.
    pub(super) magic: u64,
    /// `io | timers << 32`, as `PIRN_STORAGE` writes it.
    pub(super) io_and_timers: u64,
    /// `tasks | epoch << 32`. The epoch counts the lives of the block.
    pub(super) tasks_and_epoch: u64,
    pub(super) shared: *const Shared<'static, CWaker>,
    /// Where on its stack a thread has entered `pirn_run`, a turn or a part of one; 0: none is
    /// inside.
    pub(super) inside: AtomicUsize,
    /// Which thread that is.
    #[cfg(all(debug_assertions, linux_backend))]
    pub(super) runner: super::run::Runner,
    /// As given to `pirn_init`: `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`. Never changes.
    pub(super) flags: u32,
    pub(super) reactor: CReactor,
    /// What makes a dispatch with hooks. `pirn_hook_add` leaves it here, so that a program without
    /// hooks does not contain it.
    pub(super) dispatch_with_hooks: Option<unsafe fn(*mut pirn_loop) -> u32>,
    /// What calls timers. The start of one leaves it here, so that a program without timers does
    /// not contain it.
    pub(super) call_timers: Option<unsafe fn(*mut pirn_loop)>,
    /// The same for tasks of the loop's own queue.
    pub(super) call_tasks: Option<unsafe fn(*mut pirn_loop)>,
    /// Where the tables are, in bytes from where, and for how many of each. `pirn_grow` moves them.
    pub(super) tables: (*mut u8, usize),
    pub(super) capacity: Capacity,
}

/// True if the loop's pointers into its block are those that `pirn_init` wrote: where the parts are
/// follows from the block's address and the capacities. Nothing is followed before it was compared.
///
/// # Safety
///
/// A live loop, but for what may have been written into its block since.
pub(super) unsafe fn is_in_place(r#loop: *const pirn_loop) -> bool {
    // SAFETY: passed on. Only compared: what a damaged pointer points at is not looked at.
    let head = unsafe { &(*r#loop).0 };
    let rest = r#loop.wrapping_add(1).cast::<u8>();
    let Some((places, mailbox)) = storage::places(rest, head.tables.0, head.capacity) else {
        return false;
    };
    if head.reactor.places() != places || head.shared.cast() != places.shared {
        return false;
    }
    // SAFETY: that is where `pirn_init` made it, and it stays as long as the loop lives.
    let shared = unsafe { &*head.shared };
    core::ptr::eq(shared.place(), mailbox)
}

/// A block that knows its capacities and holds no loop.
pub(super) const STORAGE_MAGIC: u64 = PIRN_STORAGE_MAGIC;

/// The first word of a block that holds a loop. It is made of the block's address, so that a copy
/// elsewhere is no loop, and moved by an odd number, so that memory that points to itself (an empty
/// list) is none either. No more than that: it is compared in every call.
#[inline]
pub(super) fn live_magic(r#loop: *const pirn_loop) -> u64 {
    r#loop.addr().wrapping_add(107) as u64
}
