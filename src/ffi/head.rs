#![expect(unsafe_code, reason = "the C face")]
//! The head of a loop, at the beginning of its block.

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

/// A loop. It lives at the beginning of the block given to `pirn_init`, and programs use only its
/// address.
pub struct pirn_loop(pub(super) Head);

/// The head of a loop, at the beginning of its block.
#[repr(C)]
pub(super) struct Head {
    /// `STORAGE_MAGIC` if the block holds no loop, `live_magic` if it holds one.
    pub(super) magic: u64,
    /// `io | timers << 32`, as `PIRN_STORAGE` writes it.
    pub(super) io_and_timers: u64,
    /// `tasks | epoch << 32`. The epoch counts how many loops were made in the block.
    pub(super) tasks_and_epoch: u64,
    pub(super) shared: *const Shared<'static, CWaker>,
    /// While the loop is running, the address of a stack frame of `pirn_run`, `pirn_turn` or a part
    /// of a turn; otherwise 0.
    pub(super) inside: AtomicUsize,
    /// The thread that is running the loop.
    #[cfg(all(debug_assertions, linux_backend))]
    pub(super) runner: super::running::Runner,
    pub(super) reactor: CReactor,
    /// The function that dispatches with hooks. `pirn_hook_add` stores it here, so that a program
    /// without hooks does not link it.
    pub(super) dispatch_with_hooks: Option<unsafe fn(*mut pirn_loop) -> u32>,
    /// The function that calls timers. The start of a timer stores it here, so that a program
    /// without timers does not link it.
    pub(super) call_timers: Option<unsafe fn(*mut pirn_loop)>,
    /// The function that calls tasks, stored by `pirn_task_post` for the same reason.
    pub(super) call_tasks: Option<unsafe fn(*mut pirn_loop)>,
    /// The address and the size in bytes of the memory that contains the tables. `pirn_grow`
    /// changes both, and the capacities.
    pub(super) tables: (*mut u8, usize),
    pub(super) capacity: Capacity,
    /// As given to `pirn_init`: `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`. Never changes.
    pub(super) flags: u32,
}

/// True if the loop's pointers into its block are those that `pirn_init` wrote. Their right values
/// follow from the block's address and the capacities, so they are compared before any of them is
/// used.
///
/// # Safety
///
/// A live loop. Its block may have been overwritten since.
pub(super) unsafe fn is_in_place(r#loop: *const pirn_loop) -> bool {
    // SAFETY: passed on. The pointers in it are only compared, and not dereferenced.
    let head = unsafe { &(*r#loop).0 };
    let rest = r#loop.wrapping_add(1).cast::<u8>();
    let Some((addresses, mailbox)) = storage::part_addresses(rest, head.tables.0, head.capacity)
    else {
        return false;
    };
    if head.reactor.part_addresses() != addresses || head.shared.cast() != addresses.shared {
        return false;
    }
    // SAFETY: `pirn_init` made it at that address, as just compared, and it stays there as long as
    // the loop lives.
    let shared = unsafe { &*head.shared };
    core::ptr::eq(shared.place(), mailbox)
}

/// The first word of a block that contains its capacities and holds no loop.
pub(super) const STORAGE_MAGIC: u64 = PIRN_STORAGE_MAGIC;

/// The first word of a block that holds a loop. It depends on the block's address, so that a copy
/// at another address is not taken for a loop. The added odd number keeps memory that points to
/// itself (an empty list) from being taken for one. The function is this simple because every call
/// compares the word.
#[inline]
pub(super) fn live_magic(r#loop: *const pirn_loop) -> u64 {
    r#loop.addr().wrapping_add(107) as u64
}
