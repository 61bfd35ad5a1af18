#![expect(unsafe_code, reason = "the C face")]
//! Timers.
use super::caller::call_timers;
use super::head::CReactor;
use super::io::PIRN_UNREF;
use super::{callback, failure, live_reactor, pirn_loop, reactor, status, write_handle};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::time::{Duration, Instant};
use crate::timers::{FIXED_DELAY, SKIP_MISSED, UNREFERENCED};
use core::ffi::{c_int, c_void};
use core::ptr::null;

/// A handle: names a timer. All zero is never live.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_timer {
    /// The index of the slot in the loop's memory.
    pub slot: u32,
    /// Counts the uses of that slot: a handle of an earlier use is stale.
    pub generation: u32,
}

/// The callback of a timer, called when the timer is due.
///
/// The handle of a one-shot timer is already stale in its callback, and its slot is free. `missed`
/// is the number of ticks of a periodic timer that are overdue besides this one; 0 for a one-shot
/// timer. Called on the loop's thread. If it leaves by an exception or longjmp: see `pirn_abandon`.
pub type pirn_timer_fn = Option<
    unsafe extern "C" fn(r#loop: *mut pirn_loop, timer: pirn_timer, missed: u64, user: *mut c_void),
>;

/// A timeout without limit, or a deadline that is never reached.
pub const PIRN_FOREVER: u64 = u64::MAX;

/// Option of `pirn_timer_start`: `delay_ns` is not a delay but a point in time, on the clock of
/// `pirn_now`.
pub const PIRN_TIMER_ABSOLUTE: u32 = 1u32 << 0;

/// Option of `pirn_timer_start`: the delay counts from `pirn_now`, the cached time of the turn, and
/// not from a fresh reading of the clock. This is cheaper, but the timer is due earlier: by the
/// time that the callbacks of this turn have taken so far.
pub const PIRN_TIMER_CACHED: u32 = 1u32 << 1;

/// Policy of a periodic timer: the next tick is due one period after this one is called, by a fresh
/// reading of the clock.
pub const PIRN_TIMER_FIXED_DELAY: u32 = 1u32 << 2;

/// Policy of a periodic timer: one call for all ticks that are due; `missed` is their number minus
/// one. The next tick stays on the grid of the period. Without a policy the rate is fixed: the
/// callback is called once for every tick, at most once in a turn, and `missed` is the number of
/// further ticks that are already due.
pub const PIRN_TIMER_SKIP: u32 = 1u32 << 3;

const OPTIONS: u32 =
    PIRN_TIMER_ABSOLUTE | PIRN_TIMER_CACHED | PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP | PIRN_UNREF;

/// Start a timer.
///
/// A timer fires in the first dispatch after its deadline, never earlier. Timers fire in the order
/// of their deadlines, and those with equal deadlines in the order in which they were armed. A
/// timer started inside a callback does not fire in the same turn, even with a delay of 0.
///
/// @param delay_ns   nanoseconds from now; 0: the next turn; a deadline beyond 2^64 is never
///                   reached
/// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
/// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
/// @param callback   called when the timer is due
/// @param user       passed to the callback, never dereferenced
/// @param timer      receives the handle; may be NULL; unchanged on error
///
/// The handle of a periodic timer is live until the timer is stopped. That of a one-shot timer is
/// stale, and its slot free, when its callback is called.
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown options; both policies; a
///   policy without a period
/// - -ENOSPC: all timer slots are in use
///
/// Cost: O(1). Reads the clock, unless the time is absolute or cached; that takes no system call
/// where the kernel has a vDSO. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_start(
    r#loop: *mut pirn_loop,
    delay_ns: u64,
    period_ns: u64,
    options: u32,
    callback: pirn_timer_fn,
    user: *mut c_void,
    timer: *mut pirn_timer,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    let callback = callback!(r#loop, callback, user);
    if options != PIRN_TIMER_CACHED || !reactor.is_quiet() {
        // SAFETY: a live loop, of which only the reactor is borrowed.
        unsafe { (*r#loop).0.call_timers = Some(call_timers) };
        // SAFETY: passed on.
        return unsafe { start_slow(reactor, delay_ns, period_ns, options, callback, timer) };
    }
    status(reactor.timer_start_quietly(
        Duration(delay_ns),
        Duration(period_ns),
        callback,
        |token| {
            // SAFETY: passed on.
            unsafe { write_handle(Ok(token), timer) };
        },
    ))
}

/// The slow path of `pirn_timer_start`: everything but the common case (no options). Kept out of
/// line, so that the common case stays short.
///
/// # Safety
///
/// `timer` is NULL or writable.
#[inline(never)]
unsafe fn start_slow(
    reactor: &mut CReactor,
    delay_ns: u64,
    period_ns: u64,
    options: u32,
    callback: Callback,
    timer: *mut pirn_timer,
) -> c_int {
    let result = when(reactor, delay_ns, period_ns, options).and_then(|(deadline, flags)| {
        reactor.timer_start(deadline, Duration(period_ns), flags, callback)
    });
    // SAFETY: passed on.
    unsafe { write_handle(result, timer) }
}

/// Returns the deadline and the flags for the arguments of `pirn_timer_start`.
#[inline(always)]
fn when(
    reactor: &mut CReactor,
    delay_ns: u64,
    period_ns: u64,
    options: u32,
) -> Result<(Instant, u8)> {
    let policy = options & (PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP);
    if options & !OPTIONS != 0
        || policy == PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP
        || (policy != 0 && period_ns == 0)
    {
        return Err(Error::EINVAL);
    }
    let deadline = match options & (PIRN_TIMER_ABSOLUTE | PIRN_TIMER_CACHED) {
        0 => reactor.clock() + Duration(delay_ns),
        PIRN_TIMER_CACHED => reactor.now() + Duration(delay_ns),
        _ => Instant(delay_ns),
    };
    // The policy's options are the slot's flags, at another place in the word.
    const { assert!(FIXED_DELAY == 1) };
    const { assert!(SKIP_MISSED as u32 == PIRN_TIMER_SKIP / PIRN_TIMER_FIXED_DELAY) };
    let flags = (policy / PIRN_TIMER_FIXED_DELAY) as u8;
    let flags = if options & PIRN_UNREF != 0 {
        flags | UNREFERENCED
    } else {
        flags
    };
    Ok((deadline, flags))
}

/// Start a timer, or change it if it is running.
///
/// If the handle `*timer` is live, that timer is armed again: its handle does not change, and no
/// free slot is needed. Otherwise (`*timer` is all zero, or the timer has fired or was stopped) a
/// new timer is started, and its handle is written to `*timer`. In both cases the timer is then as
/// `pirn_timer_start` would have made it: deadline, period, policy, callback and user data are
/// those given here, it is ref'ed unless `PIRN_UNREF` is among the options, and it has no slack. If
/// the timer was due in this turn but was not called yet, it is not called in this turn.
///
/// A periodic timer is still live in its own callback. A one-shot timer is not; its free slot is
/// used again, unless the callback has started another timer before.
///
/// @param timer      the handle, all zero if there was no timer yet; written if a timer is started;
///                   unchanged on error
/// @param delay_ns   nanoseconds from now; with `PIRN_TIMER_CACHED` from `pirn_now`; with
///                   `PIRN_TIMER_ABSOLUTE` a point in time. 0: the next turn
/// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
/// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
/// @param callback   called when the timer is due
/// @param user       passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; `timer` NULL; callback NULL (see `PIRN_TAKE`); unknown options; both
///   policies; a policy without a period
/// - -ENOSPC: `*timer` is not live, and all timer slots are in use
///
/// To change only the deadline of a live timer, `pirn_timer_again` is cheaper. Cost: O(1). Reads
/// the clock, unless the time is absolute or cached; that takes no system call where the kernel has
/// a vDSO. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_set(
    r#loop: *mut pirn_loop,
    timer: *mut pirn_timer,
    delay_ns: u64,
    period_ns: u64,
    options: u32,
    callback: pirn_timer_fn,
    user: *mut c_void,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    if timer.is_null() {
        return failure(Error::EINVAL);
    }
    let callback = callback!(r#loop, callback, user);
    // SAFETY: not NULL, hence readable as documented.
    let token = unsafe { timer.read() }.into();
    if !reactor.is_timer(token) {
        // SAFETY: a live loop, of which only the reactor is borrowed.
        unsafe { (*r#loop).0.call_timers = Some(call_timers) };
        // SAFETY: passed on.
        return unsafe { start_slow(reactor, delay_ns, period_ns, options, callback, timer) };
    }
    status(
        when(reactor, delay_ns, period_ns, options).and_then(|(deadline, flags)| {
            reactor.timer_reset(token, deadline, Duration(period_ns), flags, callback)
        }),
    )
}

/// Move a timer's deadline to `delay_ns` after the turn's time.
///
/// The delay counts from `pirn_now`, the cached time of the turn: call `pirn_update` first if the
/// loop has made no turn for a while. Made for idle timeouts, which are postponed at every message
/// and rarely fire: a later deadline costs a few nanoseconds. An earlier deadline is allowed too. A
/// periodic timer continues with its period from the new deadline. Among timers with equal
/// deadlines the timer fires as one armed now.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: stale handle; the timer may just have fired (`pirn_timer_set` would start it again)
///
/// Cost: O(1), reads no clock, no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_again(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    delay_ns: u64,
) -> c_int {
    status(live_reactor!(r#loop).timer_again(timer.into(), Duration(delay_ns)))
}

/// Replace the callback and the user data of a timer.
///
/// The next call already uses them, even if the timer is due. Deadline and period do not change.
///
/// @param callback  called from now on
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -ENOENT: stale handle; the timer may just have fired
///
/// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_set_callback(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    callback: pirn_timer_fn,
    user: *mut c_void,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    status(reactor.timer_set_callback(timer.into(), callback!(r#loop, callback, user)))
}

/// Stop a timer.
///
/// Takes effect immediately: once this has returned, the callback is never called again, even if
/// the timer is due. The handle is stale and the slot is free.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: stale handle; the timer may just have fired
///
/// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_stop(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    status(live_reactor!(r#loop).timer_stop(timer.into()))
}

/// Return how much time is left until a timer is due.
///
/// @param remaining_ns  receives the nanoseconds from a fresh reading of the clock to the deadline,
///                      slack included; 0 if the timer is due, `PIRN_FOREVER` if it never will be;
///                      unchanged on error
///
/// Returns 0, or -EINVAL: no live loop or `remaining_ns` NULL; -ENOENT: stale handle. Cost: O(1),
/// reads the clock. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_remaining(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    remaining_ns: *mut u64,
) -> c_int {
    let reactor = live_reactor!(r#loop);
    if remaining_ns.is_null() {
        return failure(Error::EINVAL);
    }
    status(reactor.timer_remaining(timer.into()).map(|remaining| {
        // SAFETY: not NULL, hence writable as documented.
        unsafe { remaining_ns.write(remaining.0) };
    }))
}

/// Allow a timer to be late, so that it can fire together with other timers.
///
/// The deadline is rounded up to a multiple of the largest power of two (in nanoseconds) that is
/// not above the slack. Timers with similar slacks are then due at the same moments, and the loop
/// wakes up once for all of them. A periodic timer keeps its grid; only the calls are late.
///
/// @param slack_ns  the longest permitted delay; 0, the default: none
///
/// Returns 0, or -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_slack(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    slack_ns: u64,
) -> c_int {
    status(live_reactor!(r#loop).timer_slack(timer.into(), Duration(slack_ns)))
}

/// Make a timer keep `pirn_run` going, which is the default.
///
/// Returns 0, also if it is ref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
/// O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_ref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    status(live_reactor!(r#loop).timer_reference(timer.into(), true))
}

/// Let `pirn_run` return although this timer is armed: for housekeeping.
///
/// Returns 0, also if it is unref'ed already; -EINVAL: no live loop; -ENOENT: stale handle. Cost:
/// O(1). Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_unref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    status(live_reactor!(r#loop).timer_reference(timer.into(), false))
}

/// Return the turn's time.
///
/// The clock is read once in a turn, after the wait, so all callbacks of a turn get the same time.
/// Outside of turns the time is as old as the last turn.
///
/// Returns nanoseconds on the monotonic clock, or 0 if there is no live loop. Cost: O(1). Loop
/// thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_now(r#loop: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(0, |reactor| reactor.now().0)
}

/// Return the address of the turn's time: for code that reads it so often that a call is too
/// much.
///
/// While the loop has a timer, what stands there is what `pirn_now` returns: nanoseconds, a
/// `uint64_t`. Without one it may be as old as an earlier turn. It stays there until
/// `pirn_deinit`.
///
/// Returns NULL if there is no live loop. Cost: O(1). Loop thread, also to read it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_now_address(r#loop: *mut pirn_loop) -> *const u64 {
    // SAFETY: passed on.
    if unsafe { reactor(r#loop) }.is_err() {
        return null();
    }
    // SAFETY: a live loop. No reference is made, because the core writes there later.
    let reactor = unsafe { &raw const (*r#loop).0.reactor };
    reactor.wrapping_byte_add(CReactor::NOW_OFFSET).cast()
}

/// Read the clock, and make the result the turn's time.
///
/// Call it after long work, or before `pirn_timer_again` outside of turns.
///
/// Returns the new time, or 0 if there is no live loop. Cost: O(1), no system call where the kernel
/// has a vDSO. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_update(r#loop: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(0, |reactor| reactor.update().0)
}

/// Return the deadline of the timer that is due next.
///
/// Returns nanoseconds on the clock of `pirn_now`, or `PIRN_FOREVER` if no timer will fire or there
/// is no live loop. The result is exact. Cost: O(timers that are due at about the same time). Loop
/// thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_deadline(r#loop: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(PIRN_FOREVER, |reactor| reactor.next_deadline().0)
}
