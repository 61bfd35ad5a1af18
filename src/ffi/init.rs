#![expect(unsafe_code, reason = "the C face: blocks of raw memory become loops")]
//! Memory, configuration, init and deinit.

use core::ffi::{c_int, c_void};
use core::mem::offset_of;

use crate::backend::{Backend, BackendKind, Capabilities};
use crate::error::{Error, Result};
use crate::host::{Host, Readiness};
use crate::platform::{Platform, PlatformWaker};
use crate::reactor::Reactor;
use crate::ready::Interest;
use crate::remote::{Shared, Wake};
use crate::storage::{self, Capacity, Cut, PER_IO, PER_TASK, PER_TIMER, Tables, fixed_size};
use crate::sync::AtomicUsize;
use crate::time::Nanos;

use super::{failure, reactor, status};

pub(super) type CBackend = Platform<'static, CHost>;
pub(super) type CReactor = Reactor<'static, CBackend>;
pub(super) type CWaker = PlatformWaker<CHostWaker>;

/// A loop. It lives at the front of the block given to `pirn_init` and is only ever handled by its address.
pub struct pirn_loop(pub(super) Head);

/// What stands at the front of a block.
#[repr(C)]
pub(super) struct Head {
    /// What the block is now: see `STORAGE_MAGIC` and `live_magic`.
    pub(super) magic: u64,
    /// `io | timers << 32`, as `PIRN_STORAGE` writes it.
    io_and_timers: u64,
    /// `tasks | epoch << 32`. The epoch counts the lives of the block.
    tasks_and_epoch: u64,
    pub(super) shared: *const Shared<'static, CWaker>,
    /// Where the tables are, in bytes from where, and for how many of each. `pirn_grow` moves them.
    tables: (*mut u8, usize),
    capacity: Capacity,
    /// Where on its stack a thread has entered `pirn_run`, a turn or a part of one; 0: none is inside.
    pub(super) inside: AtomicUsize,
    /// Which thread that is.
    #[cfg(all(debug_assertions, linux_backend))]
    pub(super) runner: super::run::Runner,
    /// As given to `pirn_init`: `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`. Never changes.
    pub(super) flags: u32,
    /// What makes a dispatch with hooks. `pirn_hook_add` leaves it here, so that a program without hooks does not contain it.
    pub(super) dispatch_with_hooks: Option<unsafe fn(*mut pirn_loop) -> u32>,
    pub(super) reactor: CReactor,
}

/// True if the loop's pointers into its block are those that `pirn_init` wrote: where the parts are
/// follows from the block's address and the capacities. Nothing is followed before it was compared.
///
/// # Safety
///
/// A live loop, but for what may have been written into its block since.
pub(super) unsafe fn is_in_place(loop_: *const pirn_loop) -> bool {
    // SAFETY: passed on. Only compared: what a damaged pointer points at is not looked at.
    let head = unsafe { &(*loop_).0 };
    let rest = loop_.wrapping_add(1).cast::<u8>();
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
const STORAGE_MAGIC: u64 = PIRN_STORAGE_MAGIC;

/// The first word of a block that holds a loop. It is made of the block's address, so that a copy
/// elsewhere is no loop, and moved by an odd number, so that memory that points to itself (an empty
/// list) is none either. No more than that: it is compared in every call.
#[inline]
pub(super) fn live_magic(loop_: *const pirn_loop) -> u64 {
    loop_.addr().wrapping_add(107) as u64
}

/// The first word of a block that `PIRN_STORAGE` declared.
pub const PIRN_STORAGE_MAGIC: u64 = 0x6b63_6f6c_6e72_6970;

/// Bytes of a block beside those for watchers, timers and tasks. The header says the same; tests hold the two together.
pub const PIRN_STORAGE_BASE: usize =
    if cfg!(any(feature = "select", feature = "poll", feature = "epoll")) {
        3584
    } else {
        HOST_ONLY_BASE
    };

/// The same as the header says with `PIRN_HOST_ONLY`.
const HOST_ONLY_BASE: usize = if POINTER == 8 { 1536 } else { 1016 };

/// What `PIRN_STORAGE_SIZE` says in C, worked out from the real parts.
const fn storage_size(base: usize, capacity: Capacity) -> Option<usize> {
    let io = PER_C_IO.checked_mul(capacity.io as usize);
    let timers = PER_C_TIMER.checked_mul(capacity.timers as usize);
    let tasks = PER_C_TASK.checked_mul(capacity.tasks as usize);
    let (Some(io), Some(timers), Some(tasks)) = (io, timers, tasks) else {
        return None;
    };
    let Some(sum) = io.checked_add(timers) else {
        return None;
    };
    let Some(sum) = sum.checked_add(tasks) else {
        return None;
    };
    match sum.checked_add(base + 7) {
        Some(size) => Some(size / 8 * 8),
        None => None,
    }
}

const POINTER: usize = size_of::<*const ()>();
const PER_C_IO: usize = 48 + 2 * POINTER;
const PER_C_TIMER: usize = 40 + 2 * POINTER;
const PER_C_TASK: usize = 3 * POINTER;

const _: () = {
    assert!(PER_IO <= PER_C_IO && PER_TIMER <= PER_C_TIMER && PER_TASK <= PER_C_TASK);
    assert!(size_of::<pirn_loop>() + fixed_size::<CWaker>() <= PIRN_STORAGE_BASE);
    assert!(align_of::<pirn_loop>() <= align_of::<u64>());
    assert!(offset_of!(pirn_loop, 0) == 0);
    assert!(
        offset_of!(Head, magic) == 0
            && offset_of!(Head, io_and_timers) == 8
            && offset_of!(Head, tasks_and_epoch) == 16
    );
};

/// Let the library choose: epoll, then poll, then select, tried in this order.
pub const PIRN_BACKEND_AUTO: u32 = 0;
/// `pselect6(2)`; fds up to 1024, and 16 more for each I/O watcher.
pub const PIRN_BACKEND_SELECT: u32 = 1;
/// `ppoll(2)`.
pub const PIRN_BACKEND_POLL: u32 = 2;
/// `epoll(7)`.
pub const PIRN_BACKEND_EPOLL: u32 = 3;
/// Clock, wait and readiness come from the functions in `pirn_config.host`.
pub const PIRN_BACKEND_HOST: u32 = 4;

/// A flag of `pirn_config`: read the clock around every callback, for `pirn_stats.longest_callback_ns`.
pub const PIRN_MEASURE: u32 = 0x1;
/// A flag of `pirn_config`: all events are taken with `pirn_take`. Callbacks may be NULL, and what
/// would call them, `pirn_run`, `pirn_run_until`, `pirn_turn` and `pirn_dispatch`, returns
/// -EOPNOTSUPP.
pub const PIRN_TAKE: u32 = 0x2;
/// A flag of `pirn_config`: never ask the kernel whether this process is a copy that fork made, for programs
/// that do not fork, or whose children call `pirn_after_fork` or `pirn_deinit` before anything else with the
/// loop. Saves a system call in `pirn_io_add`, `pirn_io_remove`, each turn, and what wakes the loop. In a
/// child that breaks the rule the loop changes and uses the parent's kernel objects. If other threads of the
/// parent may have been posting when it forked, call `pirn_after_fork` first, also to end the copy then; none
/// of them may be inside `pirn_run` or a turn.
pub const PIRN_NO_FORK_CHECK: u32 = 0x4;

/// A source that a host found ready.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_ready {
    /// The number the source was added with.
    pub fd: i32,
    /// `PIRN_READ` and so on.
    pub ready: u32,
}

/// What the application supplies for `PIRN_BACKEND_HOST`. It is copied by `pirn_init`.
///
/// None of the functions may call pirn, except for `pirn_remote_post`, `pirn_raise`, `pirn_wake` and
/// `pirn_stop`, as an interrupt would: what is posted or raised inside `wait` is called in the turn that
/// waits. `wake` may be called inside `wait` then.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_host {
    /// `sizeof(struct pirn_host)`.
    pub size: u32,
    /// What `watch` can do: `PIRN_CAN_EDGE`, `PIRN_CAN_EXCLUSIVE`, or 0. A watcher with an option
    /// that is not among them is refused.
    pub capabilities: u32,
    /// Passed to each function.
    pub user: *mut c_void,
    /// The monotonic clock in nanoseconds. Required. May stand still; must not go back.
    pub now: Option<unsafe extern "C" fn(user: *mut c_void) -> u64>,
    /// Waits at most `timeout_ns` (0: not at all, `PIRN_FOREVER`: for ever), writes up to `capacity` ready sources, each once,
    /// and returns how many, or a negative errno, which ends the run. -EINTR is an empty wait. Required.
    pub wait: Option<
        unsafe extern "C" fn(
            timeout_ns: u64,
            ready: *mut pirn_ready,
            capacity: usize,
            user: *mut c_void,
        ) -> c_int,
    >,
    /// Watch `fd` for `interest` from now on: for `PIRN_READ`, `PIRN_WRITE` and `PIRN_URGENT` as
    /// far as any watcher of the fd asks for them. 0: watch it no longer. With these bits come the
    /// options of all watchers of the fd, such as `PIRN_EDGE` and `PIRN_HIGH`, so compare single
    /// bits. A call with the same interest arms an edge again, or tells that a watcher has joined.
    /// A change of options alone makes no call. Returns 0, or a negative errno to refuse. May be
    /// NULL.
    pub watch: Option<unsafe extern "C" fn(fd: c_int, interest: u32, user: *mut c_void) -> c_int>,
    /// Ends a wait. Called from any thread, signal handler or interrupt that posts, raises, wakes or stops. May be NULL.
    pub wake: Option<unsafe extern "C" fn(user: *mut c_void)>,
}

/// How a loop is to be made. Zero it, set `size`, and set what is to differ from the default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_config {
    /// `sizeof(struct pirn_config)`. Smaller: what is missing is zero. Larger: accepted if the surplus is zero, else -E2BIG.
    pub size: u32,
    /// `PIRN_BACKEND_AUTO` (0) or one of the others.
    pub backend: u32,
    /// I/O watchers there is to be room for. All three zero: as the block says that `PIRN_STORAGE` declared.
    pub io: u32,
    /// Timers there is to be room for.
    pub timers: u32,
    /// Tasks there is to be room for; half as many posts from elsewhere, rounded up.
    pub tasks: u32,
    /// `PIRN_MEASURE`, `PIRN_TAKE`, `PIRN_NO_FORK_CHECK`, or 0.
    pub flags: u32,
    /// Where the generations of handles begin: with the same seed a loop gives out the same
    /// handles, so that a run can be repeated. Handles of two loops with the same seed are taken
    /// for each other. 0: chosen by the block's address, how often it was used, and the clock.
    pub seed: u32,
    /// 0.
    pub reserved: u32,
    /// For `PIRN_BACKEND_HOST`, else NULL.
    pub host: *const pirn_host,
}

/// A host's functions, checked.
pub struct CHost {
    capabilities: Capabilities,
    user: *mut c_void,
    now: unsafe extern "C" fn(*mut c_void) -> u64,
    wait: unsafe extern "C" fn(u64, *mut pirn_ready, usize, *mut c_void) -> c_int,
    watch: Option<unsafe extern "C" fn(c_int, u32, *mut c_void) -> c_int>,
    wake: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// The one function of a host that is called from elsewhere.
#[derive(Clone, Copy)]
pub struct CHostWaker {
    user: *mut c_void,
    wake: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the documentation of `pirn_host.wake` asks for a function that may be called from any thread with its user pointer.
unsafe impl Sync for CHostWaker {}
// SAFETY: as above.
unsafe impl Send for CHostWaker {}

impl Wake for CHostWaker {
    fn wake(&self) -> Result<()> {
        if let Some(wake) = self.wake {
            // SAFETY: called as `pirn_host.wake` documents.
            unsafe { wake(self.user) };
        }
        Ok(())
    }
}

fn host_result(result: c_int) -> Result<usize> {
    usize::try_from(result).map_err(|_| Error::from_errno(result.wrapping_neg()))
}

impl Host for CHost {
    type Waker = CHostWaker;

    fn now(&mut self) -> Nanos {
        // SAFETY: called as `pirn_host.now` documents.
        unsafe { (self.now)(self.user) }
    }

    fn wait(&mut self, timeout: Nanos, ready: &mut [Readiness]) -> Result<usize> {
        // SAFETY: called as `pirn_host.wait` documents; `Readiness` has the layout of `pirn_ready`, asserted below.
        let found =
            unsafe { (self.wait)(timeout, ready.as_mut_ptr().cast(), ready.len(), self.user) };
        host_result(found)
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn watch(&mut self, fd: i32, interest: Interest) -> Result<()> {
        let Some(watch) = self.watch else {
            return Ok(());
        };
        // SAFETY: called as `pirn_host.watch` documents.
        let result = unsafe { watch(fd, interest.bits(), self.user) };
        host_result(result).map(drop)
    }

    fn waker(&self) -> CHostWaker {
        CHostWaker {
            user: self.user,
            wake: self.wake,
        }
    }
}

static_assertions::assert_eq_size!(pirn_ready, Readiness);
static_assertions::assert_eq_align!(pirn_ready, Readiness);

/// Say how many bytes a block for these capacities must have.
///
/// The same number as the constant expression `PIRN_STORAGE_SIZE(io, timers, tasks)`, for capacities known at run time only.
/// Returns 0 if it does not fit into a `size_t`. Any thread. Cost: O(1). Since 0.1.
#[unsafe(no_mangle)]
pub extern "C" fn pirn_storage_size(io: u32, timers: u32, tasks: u32) -> usize {
    storage_size(PIRN_STORAGE_BASE, Capacity { io, timers, tasks }).unwrap_or(0)
}

/// Make a loop in a block of memory.
///
/// The block must stay where it is, untouched by others, until `pirn_deinit`. Nothing else is ever
/// allocated. What the memory held before makes no difference: recycled memory may be passed as it
/// is, with the capacities in `config`. Only a loop that was not ended there is answered with -EBUSY.
/// A block larger than it must be is welcome: the select backend then watches higher fds, up to 2^20, the epoll
/// backend fetches more events at once, up to 1024.
///
/// @param loop   where the loop's address is written; unchanged on error
/// @param block  memory aligned as a `uint64_t`; declared by `PIRN_STORAGE`, or any other with the capacities in `config`
/// @param size   bytes of the block, at least `PIRN_STORAGE_SIZE` of its capacities
/// @param config how, or NULL for the default: backend auto, capacities as the block says
///
/// Returns 0, or
/// - -EINVAL: `loop` or `block` is NULL; unknown backend or flag; host functions missing, or given
///   without `PIRN_BACKEND_HOST`; a size that ends inside a field
/// - -EFAULT: the block is not aligned as a `uint64_t`
/// - -ENODATA: no capacities: the block was not declared by `PIRN_STORAGE`, and those in `config`
///   are 0
/// - -ENOBUFS: the block is too small for its capacities: see `pirn_storage_size`
/// - -ELIBBAD: the block was declared with `PIRN_HOST_ONLY`, and this library has more than the
///   host backend
/// - -EBADMSG: the `size` of config or host is not set
/// - -E2BIG: config or host is longer than this library knows, and the surplus is not zero; or its
///   `size`
///   is above 256
/// - -EBUSY: the block holds a live loop
/// - -EOPNOTSUPP: this library was built without that backend, or without any that works here
/// - -EMFILE, -ENFILE, -ENOMEM, -ENOSYS, -EPERM: what the kernel said; no fd stays open
/// - -ERANGE: backend select, and the fds below its bound are all in use
///
/// Opens one fd (select, poll) or two (epoll), closed on exec. Cost: O(size of the block), three system calls. Any thread; the loop
/// then belongs to the one that runs it. Since 0.1.
///
/// # Safety
///
/// `block` is NULL or `size` bytes of writable memory; `config` is NULL or readable for its own size; `loop` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_init(
    loop_: *mut *mut pirn_loop,
    block: *mut c_void,
    size: usize,
    config: *const pirn_config,
) -> c_int {
    if loop_.is_null() {
        return failure(Error::EINVAL);
    }
    // SAFETY: passed on.
    match unsafe { init(block, size, config) } {
        Ok(made) => {
            // SAFETY: not NULL, hence writable as documented.
            unsafe { loop_.write(made) };
            0
        }
        Err(error) => failure(error),
    }
}

unsafe fn init(
    block: *mut c_void,
    size: usize,
    config: *const pirn_config,
) -> Result<*mut pirn_loop> {
    let made = block.cast::<pirn_loop>();
    if block.is_null() {
        return Err(Error::EINVAL);
    }
    if !block.cast::<u64>().is_aligned() {
        return Err(Error::EFAULT);
    }
    if size < size_of::<[u64; 3]>() {
        return Err(Error::ENOBUFS);
    }
    // SAFETY: the block is aligned and longer than its first three words.
    let [magic, io_and_timers, tasks_and_epoch] = unsafe { block.cast::<[u64; 3]>().read() };
    if magic == live_magic(made) {
        return Err(Error::EBUSY);
    }
    // SAFETY: passed on.
    let config = unsafe { extended::<pirn_config>(config, offset_of!(pirn_config, host))? };
    let mut capacity = Capacity {
        io: config.io,
        timers: config.timers,
        tasks: config.tasks,
    };
    if capacity == Capacity::default() {
        if magic != STORAGE_MAGIC {
            return Err(Error::ENODATA);
        }
        capacity = Capacity {
            io: io_and_timers as u32,
            timers: (io_and_timers >> 32) as u32,
            tasks: tasks_and_epoch as u32,
        };
    }
    let kind = match config.backend {
        PIRN_BACKEND_AUTO => BackendKind::Auto,
        PIRN_BACKEND_SELECT => BackendKind::Select,
        PIRN_BACKEND_POLL => BackendKind::Poll,
        PIRN_BACKEND_EPOLL => BackendKind::Epoll,
        PIRN_BACKEND_HOST => BackendKind::Host,
        _ => return Err(Error::EINVAL),
    };
    if config.flags & !(PIRN_MEASURE | PIRN_TAKE | PIRN_NO_FORK_CHECK) != 0
        || config.reserved != 0
        || config.host.is_null() != (kind != BackendKind::Host)
    {
        return Err(Error::EINVAL);
    }
    if storage_size(PIRN_STORAGE_BASE, capacity).is_none_or(|needed| needed > size) {
        let is_for_host_only = storage_size(HOST_ONLY_BASE, capacity) == Some(size);
        return Err(if is_for_host_only {
            Error::ELIBBAD
        } else {
            Error::ENOBUFS
        });
    }
    let epoch = ((tasks_and_epoch >> 32) as u32).wrapping_add(1);

    // SAFETY: the loop's head has the size of `pirn_loop`, below `PIRN_STORAGE_BASE`, hence inside the block.
    let rest = unsafe { made.add(1) }.cast::<u8>();
    // SAFETY: what follows the head, to the end of the block, is writable and was lent by the caller until deinit.
    let size_of_rest = size - size_of::<pirn_loop>();
    // SAFETY: as above.
    let cut = unsafe { Cut::<CWaker>::new(rest, size_of_rest, capacity, epoch) };
    let mut cut = cut.ok_or(Error::EINVAL)?;
    let tables = Cut::<CWaker>::behind_shared(rest, size_of_rest).ok_or(Error::EINVAL)?;
    let area = cut.take_area();
    // SAFETY: passed on.
    let backend = unsafe { open(kind, config.host, area)? };
    let waker = backend.waker(config.flags & PIRN_NO_FORK_CHECK == 0);
    let parts = cut.sized(size).finish(waker);
    let shared: *const Shared<'static, CWaker> = parts.shared;
    let head = Head {
        magic: live_magic(made),
        io_and_timers: u64::from(capacity.io) | u64::from(capacity.timers) << 32,
        tasks_and_epoch: u64::from(capacity.tasks) | u64::from(epoch) << 32,
        shared,
        tables,
        capacity,
        inside: AtomicUsize::new(0),
        #[cfg(all(debug_assertions, linux_backend))]
        runner: super::run::Runner::default(),
        flags: config.flags,
        dispatch_with_hooks: None,
        reactor: Reactor::new(
            backend,
            parts,
            config.flags & PIRN_MEASURE != 0,
            config.seed,
        ),
    };
    // SAFETY: inside the block, writable, aligned as a `u64` and thereby, as asserted above, as a loop.
    unsafe { made.write(pirn_loop(head)) };
    Ok(made)
}

#[cfg(feature = "host")]
unsafe fn open(
    kind: BackendKind,
    host: *const pirn_host,
    area: &'static mut [u64],
) -> Result<Platform<'static, CHost>> {
    if kind != BackendKind::Host {
        return Platform::open(kind, area);
    }
    // SAFETY: passed on.
    let host = unsafe { extended::<pirn_host>(host, offset_of!(pirn_host, user))? };
    let (Some(now), Some(wait)) = (host.now, host.wait) else {
        return Err(Error::EINVAL);
    };
    let capabilities = Capabilities::from_bits(host.capabilities).ok_or(Error::EINVAL)?;
    if !(Capabilities::EDGE | Capabilities::EXCLUSIVE).contains(capabilities) {
        return Err(Error::EINVAL);
    }
    let host = CHost {
        capabilities: capabilities | Capabilities::NANOSECONDS,
        user: host.user,
        now,
        wait,
        watch: host.watch,
        wake: host.wake,
    };
    Platform::host(host, area)
}

/// A build without hosts does not look at one.
#[cfg(not(feature = "host"))]
unsafe fn open(
    kind: BackendKind,
    _host: *const pirn_host,
    area: &'static mut [u64],
) -> Result<Platform<'static, CHost>> {
    Platform::open(kind, area)
}

/// A struct that starts with its own size, as far as this library knows it. Its first `numbers` bytes are `u32`s, the rest pointers.
///
/// # Safety
///
/// `T` is a C struct whose first field is a `u32` size and for which all zeroes is valid. `from` is NULL (all zero) or readable
/// for the size it says.
unsafe fn extended<T: Copy>(from: *const T, numbers: usize) -> Result<T> {
    let mut known = core::mem::MaybeUninit::<T>::zeroed();
    if !from.is_null() {
        // SAFETY: not NULL, hence readable for the size it says; `known` is writable for its own.
        unsafe {
            extend(
                from.cast(),
                known.as_mut_ptr().cast(),
                size_of::<T>(),
                numbers,
            )?
        };
    }
    // SAFETY: all zero is valid, and so is what the caller filled in.
    Ok(unsafe { known.assume_init() })
}

/// The most bytes that a struct may say it has: what is beyond is a size that was never set, and is
/// not looked at.
const LONGEST: usize = 256;

/// Copies what there is of a struct of `size` bytes. One function for all types.
///
/// # Safety
///
/// `from` begins with its size as a `u32` and is readable for it, `to` is writable for `size` bytes.
#[inline(never)]
unsafe fn extend(from: *const u8, to: *mut u8, size: usize, numbers: usize) -> Result<()> {
    // SAFETY: begins with its size.
    let said = unsafe { from.cast::<u32>().read_unaligned() } as usize;
    if said < size_of::<u32>() {
        return Err(Error::EBADMSG);
    }
    if said > LONGEST {
        return Err(Error::E2BIG);
    }
    for at in size..said {
        // SAFETY: readable for the size it says.
        let surplus = unsafe { from.add(at) };
        // SAFETY: as above.
        if unsafe { surplus.read() } != 0 {
            return Err(Error::E2BIG);
        }
    }
    let length = said.min(size);
    // Half a field is not a field. The numbers come first, four bytes each, then the pointers.
    let field = if length > numbers {
        size_of::<usize>()
    } else {
        size_of::<u32>()
    };
    if length % field != 0 {
        return Err(Error::EINVAL);
    }
    // SAFETY: `length` bytes are readable on one side, by what it says, and writable on the other.
    unsafe { core::ptr::copy_nonoverlapping(from, to, length) };
    Ok(())
}

/// Give a live loop more room, or less.
///
/// The tables of the loop move into `block`, with all watchers, timers, tasks and posts; every handle stays what
/// it is. The loop itself stays where it is, at the front of the block given to `pirn_init`, so its address does not
/// change, and that block must stay too.
///
/// Fewer are possible if everything in use fits: every watcher and timer has a slot below the new number (`slot` of
/// its handle), and there are no more tasks and posts queued than there is room for.
///
/// Whoever might post, raise, wake or stop from another thread or a signal handler must be known to have finished,
/// and may go on when this has returned.
///
/// @param block     memory aligned as a `uint64_t`; the loop's until it grows again or ends
/// @param size      bytes of the block, at least `PIRN_STORAGE_SIZE(io, timers, tasks)`
/// @param io        I/O watchers there is to be room for
/// @param timers    timers there is to be room for
/// @param tasks     tasks there is to be room for; half as many posts, rounded up
/// @param free      where the address is written of the memory that is yours again: the end of the block given to
///                  `pirn_init`, or the whole block of the last growth; or NULL
/// @param free_size where the bytes of that memory are written, or NULL; both are unchanged on error
///
/// Returns 0, or
/// - -EINVAL: no live loop; `block` is NULL or is where the tables are
/// - -EFAULT: the block is not aligned as a `uint64_t`
/// - -ENOBUFS: the block is too small
/// - -EBUSY: inside a callback or a run; a turn is not finished (a limit has cut it short, or `pirn_wait` has found
///   something that was not dispatched yet); another thread is just posting; or something in use does not fit
/// - -ESHUTDOWN: the queues were closed by `pirn_task_reclaim`
///
/// Nothing has changed on an error. Cost: O(size of both blocks), no system call. Loop thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`; `block` is NULL or `size` bytes of writable memory; the outputs are NULL or
/// writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_grow(
    loop_: *mut pirn_loop,
    block: *mut c_void,
    size: usize,
    io: u32,
    timers: u32,
    tasks: u32,
    free: *mut *mut c_void,
    free_size: *mut usize,
) -> c_int {
    let capacity = Capacity { io, timers, tasks };
    // SAFETY: passed on.
    match unsafe { grow(loop_, block, size, capacity) } {
        Ok((address, length)) => {
            if !free.is_null() {
                // SAFETY: not NULL, hence writable as documented.
                unsafe { free.write(address.cast()) };
            }
            if !free_size.is_null() {
                // SAFETY: as above.
                unsafe { free_size.write(length) };
            }
            0
        }
        Err(error) => failure(error),
    }
}

/// The memory that is free now.
unsafe fn grow(
    loop_: *mut pirn_loop,
    block: *mut c_void,
    size: usize,
    capacity: Capacity,
) -> Result<(*mut u8, usize)> {
    // SAFETY: passed on.
    unsafe { super::check(loop_)? };
    // SAFETY: a live loop, as was checked.
    unsafe { super::run::idle(loop_)? };
    // SAFETY: passed on; nobody is inside.
    let reactor = unsafe { reactor(loop_)? };
    // SAFETY: as above; the tables are not part of the reactor that is borrowed.
    let (old, old_size) = unsafe { (*loop_).0.tables };
    let new = block.cast::<u8>();
    let begins_within = |first: *mut u8, length: usize, other: *mut u8| {
        other.addr().wrapping_sub(first.addr()) < length
    };
    if block.is_null() || begins_within(old, old_size, new) || begins_within(new, size, old) {
        return Err(Error::EINVAL);
    }
    if !block.cast::<u64>().is_aligned() {
        return Err(Error::EFAULT);
    }
    if storage_size(PIRN_STORAGE_BASE, capacity).is_none_or(|needed| needed > size) {
        return Err(Error::ENOBUFS);
    }
    // SAFETY: writable, as documented, and lent until the tables move on; it is no part of the loop's memory.
    let tables = unsafe { Tables::cut(new, size, capacity) }.ok_or(Error::ENOBUFS)?;
    reactor.move_to(tables, |shared, entries| {
        if shared.is_closed() {
            return Err(Error::ESHUTDOWN);
        }
        if !shared.fits(entries.len()) {
            return Err(Error::EBUSY);
        }
        // SAFETY: nobody else is inside, as documented.
        unsafe { shared.move_to(entries) };
        Ok(())
    })?;
    reactor.set_block_size(size);
    // SAFETY: a live loop, of which only the reactor is borrowed.
    unsafe { (*loop_).0.tables = (new, size) };
    // SAFETY: as above.
    unsafe { (*loop_).0.capacity = capacity };
    Ok((old, old_size))
}

/// End a loop.
///
/// Its own fds are closed; the application's are left as they are. Watchers, timers and tasks are gone without being called: take
/// accepted posts back with `pirn_task_reclaim` before. The block is the caller's again and can be given to `pirn_init` anew. In a
/// process made by fork this discards the copy without touching the parent's loop, and without regard to
/// what threads of the parent were in the middle of; for callbacks see `pirn_after_fork`.
///
/// Whoever might post, raise, wake or stop from another thread or a signal handler must be known to have finished.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback or a run; or another thread is just posting to the loop: call again
///
/// Nothing has changed on an error.
///
/// Cost: O(1), up to three system calls. Loop thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_deinit(loop_: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    let result = match unsafe { super::shared(loop_) } {
        // SAFETY: a live loop, as `shared` has found.
        Ok(shared) => match unsafe { super::run::idle(loop_) } {
            Ok(()) => shared.retire_here(),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    if result.is_ok() {
        // SAFETY: a live loop, and nothing of it is borrowed: not running, no other thread inside.
        let reactor = unsafe { &raw mut (*loop_).0.reactor };
        // SAFETY: as above; it is not used again.
        unsafe { reactor.drop_in_place() };
        // SAFETY: as above. The block again knows its capacities and nothing more.
        unsafe { (*loop_).0.magic = STORAGE_MAGIC };
    }
    status(result)
}

/// Take over a copy of a loop that fork made.
///
/// In a child process the functions that would reach the kernel return -ECHILD: `pirn_io_add`,
/// `pirn_io_remove`, `pirn_fd_closing`, `pirn_fd`, `pirn_prepare`, `pirn_wait`, `pirn_turn`, `pirn_run` and
/// `pirn_run_until`; a run whose callback forked returns it after that turn. The others change the copy
/// alone. Then either this function makes the copy a loop of its own, with fresh kernel objects and all
/// watchers, timers, tasks and posts it had, or `pirn_deinit` ends it. The parent's loop is not touched by
/// either.
///
/// Call it in the child only, before another thread there uses the copy. A child is not recognised by
/// itself, and must call this function or `pirn_deinit` first, if it has the same process number as its
/// parent: that is so for a child in a new pid namespace whose parent has the number 1 as well.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -EBUSY: inside a callback; or another thread was in a callback when the process forked, and its stack
///   is above this one's: call `pirn_abandon` first. On a stack of your own, as of a coroutine, return from
///   the callback first: there it is not recognised
/// - -EUCLEAN: another thread was changing the loop when the process forked; only `pirn_deinit` is left
/// - -EMFILE, -ENFILE, -ENOMEM: what the kernel said; call again
///
/// A watcher whose fd the child has closed is told `PIRN_INVALID`. `pirn_fd` must be asked for again. Cost:
/// O(everything), and O(watchers) system calls. Loop thread. Since 0.1.
///
/// # Safety
///
/// `loop` is NULL or came from `pirn_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_after_fork(loop_: *mut pirn_loop) -> c_int {
    // SAFETY: passed on.
    let result = unsafe { super::check(loop_) }.and_then(|()| {
        // SAFETY: a live loop, as was checked.
        unsafe { super::run::idle(loop_)? };
        // SAFETY: passed on; nobody is inside.
        unsafe { reactor(loop_)? }.after_fork()
    });
    status(result)
}
