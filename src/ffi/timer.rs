#![expect(unsafe_code, reason = "the C face")]
//! Timers.
use super::head::CReactor;
use super::io::PIRN_UNREF;
use super::run::call_timers;
use super::{callback, enter, failure, give, pirn_loop, reactor, status};
use crate::callback::Callback;
use crate::error::{Error, Result};
use crate::time::{Duration, Instant};
use crate::timers::{FIXED_DELAY, SKIP_MISSED, UNREFERENCED};
use core::ffi::{c_int, c_void};

/// Names a timer. All zero is never a live one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_timer {
    /// Which slot of the loop's memory.
    pub slot: u32,
    /// Which use of that slot: a handle of an earlier use is stale.
    pub generation: u32,
}

/// Called when a timer is due. `missed`: how many ticks of a periodic timer are overdue besides
/// this one; 0 for a one-shot timer, whose handle is already stale and whose slot is free
/// again. Runs on the loop's thread. If it leaves by an exception or longjmp: see
/// `pirn_abandon`.
pub type pirn_timer_fn = Option<
    unsafe extern "C" fn(r#loop: *mut pirn_loop, timer: pirn_timer, missed: u64, user: *mut c_void),
>;

/// A timeout that never comes, a deadline that is never reached.
pub const PIRN_FOREVER: u64 = u64::MAX;

/// Option of `pirn_timer_start`: `delay_ns` is a point on the loop's clock, as `pirn_now` tells it.
pub const PIRN_TIMER_ABSOLUTE: u32 = 1u32 << 0;

/// Option of `pirn_timer_start`: the delay counts from `pirn_now`, the turn's time, and not from a
/// fresh reading of the clock. Cheaper, and shorter by what the callbacks of this turn have taken.
pub const PIRN_TIMER_CACHED: u32 = 1u32 << 1;

/// Policy of a periodic timer: the next tick is one period after this one is handed over, by a
/// fresh reading of the clock.
pub const PIRN_TIMER_FIXED_DELAY: u32 = 1u32 << 2;

/// Policy of a periodic timer: one call stands for all ticks due, `missed` says how many besides
/// one; the grid is kept. Without either policy the rate is fixed: every tick is called, at most
/// one in a turn, and `missed` says how many more are due already.
pub const PIRN_TIMER_SKIP: u32 = 1u32 << 3;

const OPTIONS: u32 =
    PIRN_TIMER_ABSOLUTE | PIRN_TIMER_CACHED | PIRN_TIMER_FIXED_DELAY | PIRN_TIMER_SKIP | PIRN_UNREF;

/// Start a timer.
///
/// It fires at the first dispatch after its deadline, never before; timers fire in the order of
/// their deadlines, equal ones in the order they were armed. Started inside a callback it does not
/// fire in the same turn, not even with a delay of 0.
///
/// @param delay_ns   nanoseconds from now; 0 is the next turn; what goes beyond 2^64 is for ever
/// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
/// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
/// @param callback   called when it is due
/// @param user       passed to the callback, never looked at
/// @param timer      where the handle is written, or NULL; unchanged on error
///
/// The handle of a one-shot timer is stale, and its slot free, when its callback runs; that of a
/// periodic one lives until it is stopped.
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`); unknown options; both policies; a
///   policy without a period
/// - -ENOSPC: all timer slots are in use
///
/// Cost: O(1); reads the clock, unless absolute or cached; no system call where the kernel has a
/// vDSO. Loop thread, any callback. Since 0.1.
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
    let reactor = enter!(r#loop);
    let callback = callback!(r#loop, callback, user);
    if options != PIRN_TIMER_CACHED || !reactor.is_quiet() {
        // SAFETY: a live loop, of which only the reactor is borrowed.
        unsafe { (*r#loop).0.call_timers = Some(call_timers) };
        // SAFETY: passed on.
        return unsafe { start_otherwise(reactor, delay_ns, period_ns, options, callback, timer) };
    }
    status(reactor.timer_start_quietly(
        Duration(delay_ns),
        Duration(period_ns),
        callback,
        |token| {
            // SAFETY: passed on.
            unsafe { give(Ok(token), timer) };
        },
    ))
}

/// [`pirn_timer_start`] but for its commonest case, which shall not pay for the options and for the
/// calls that are made here.
///
/// # Safety
///
/// `timer` is NULL or writable.
#[inline(never)]
unsafe fn start_otherwise(
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
    unsafe { give(result, timer) }
}

/// The deadline and the flags that the arguments of a start amount to.
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
    // Whatever the option: a timer is started only when the turn's time is known.
    let now = reactor.now();
    let deadline = match options & (PIRN_TIMER_ABSOLUTE | PIRN_TIMER_CACHED) {
        0 => reactor.clock() + Duration(delay_ns),
        PIRN_TIMER_CACHED => now + Duration(delay_ns),
        _ => Instant(delay_ns),
    };
    let flags = match policy {
        PIRN_TIMER_FIXED_DELAY => FIXED_DELAY,
        PIRN_TIMER_SKIP => SKIP_MISSED,
        _ => 0,
    };
    let flags = if options & PIRN_UNREF != 0 {
        flags | UNREFERENCED
    } else {
        flags
    };
    Ok((deadline, flags))
}

/// Set a timer, whatever state it is in.
///
/// If `*timer` is live it is armed again in place: it keeps its handle and needs no free slot.
/// Otherwise (all zero, fired, stopped) a timer is started, and `*timer` becomes its handle. Either
/// way it is then as `pirn_timer_start` would have made it: deadline, period, policy, callback and
/// user data are those given here, it is ref'ed unless `PIRN_UNREF` is among the options, and it
/// has no slack. A timer that was due in this turn and not called yet is not called in it.
///
/// In its own callback a periodic timer is live. The slot of a one-shot timer is free by then, and
/// is used again, unless the callback has started other timers before.
///
/// @param timer      the handle, all zero if there was no timer yet; written if one is started, and
///                   unchanged on error
/// @param delay_ns   nanoseconds from a fresh reading of the clock; with `PIRN_TIMER_CACHED` from
///                   `pirn_now`, the turn's time, with `PIRN_TIMER_ABSOLUTE` from the clock's zero.
///                   0 is the next turn
/// @param period_ns  nanoseconds between the ticks of a periodic timer; 0: one-shot
/// @param options    `PIRN_TIMER_ABSOLUTE`, `PIRN_TIMER_CACHED`, a policy, `PIRN_UNREF`, or 0
/// @param callback   called when it is due
/// @param user       passed to the callback, never looked at
///
/// Returns 0, or
/// - -EINVAL: no live loop; `timer` NULL; callback NULL (see `PIRN_TAKE`); unknown options; both
///   policies; a policy without a period
/// - -ENOSPC: `*timer` is not live, and all timer slots are in use
///
/// Cost: O(1); reads the clock, unless absolute or cached; no system call where the kernel has a
/// vDSO. To push the deadline of a live timer alone, `pirn_timer_again` is cheaper. Loop thread,
/// any callback. Since 0.1.
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
    let reactor = enter!(r#loop);
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
        return unsafe { start_otherwise(reactor, delay_ns, period_ns, options, callback, timer) };
    }
    status(
        when(reactor, delay_ns, period_ns, options).and_then(|(deadline, flags)| {
            reactor.timer_reset(token, deadline, Duration(period_ns), flags, callback)
        }),
    )
}

/// Push a timer's deadline: `delay_ns` after the turn's time.
///
/// Made for idle timeouts, which are pushed at every message and hardly ever fire: a later deadline
/// costs a few nanoseconds. An earlier one works too. A periodic timer goes on with its period from
/// there. Counts as armed now among equal deadlines. The delay counts from `pirn_now`: call
/// `pirn_update` before if the loop has not turned for a while.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: stale handle, the timer may just have fired (`pirn_timer_set` starts it again then)
///
/// Cost: O(1), no clock, no system call. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_again(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    delay_ns: u64,
) -> c_int {
    status(enter!(r#loop).timer_again(timer.into(), Duration(delay_ns)))
}

/// Give a timer another callback and user data.
///
/// The next call is made with them, also if the timer is due already. Its deadline and its
/// period stay.
///
/// @param callback  called from now on
/// @param user      passed to the callback, never looked at
///
/// Returns 0, or
/// - -EINVAL: no live loop; callback NULL (see `PIRN_TAKE`)
/// - -ENOENT: stale handle, the timer may just have fired
///
/// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_set_callback(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    callback: pirn_timer_fn,
    user: *mut c_void,
) -> c_int {
    let reactor = enter!(r#loop);
    status(reactor.timer_set_callback(timer.into(), callback!(r#loop, callback, user)))
}

/// Stop a timer.
///
/// When this returns its callback will not run again; the handle is stale and the slot free.
///
/// Returns 0, or
/// - -EINVAL: no live loop
/// - -ENOENT: stale handle, the timer may just have fired
///
/// Cost: O(1), no system call. Loop thread, any callback, the timer's own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_stop(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    status(enter!(r#loop).timer_stop(timer.into()))
}

/// Tell how long a timer still has.
///
/// @param remaining_ns  where nanoseconds from a fresh clock reading to the deadline, slack
///                      included, are written: 0 if it is due, `PIRN_FOREVER` if it never is;
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
    let reactor = enter!(r#loop);
    if remaining_ns.is_null() {
        return failure(Error::EINVAL);
    }
    status(reactor.timer_remaining(timer.into()).map(|remaining| {
        // SAFETY: not NULL, hence writable as documented.
        unsafe { remaining_ns.write(remaining.0) };
    }))
}

/// Allow a timer to be late, so that it can fire together with others.
///
/// The deadline is rounded up to a multiple of the largest power of two of nanoseconds within the
/// slack. Timers with like slacks so meet at the same points and one wake-up serves them all. A
/// periodic timer keeps its grid; only the calls are late.
///
/// @param slack_ns  by how much it may be late at most; 0 is exact, the default
///
/// Returns 0, or -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_slack(
    r#loop: *mut pirn_loop,
    timer: pirn_timer,
    slack_ns: u64,
) -> c_int {
    status(enter!(r#loop).timer_slack(timer.into(), Duration(slack_ns)))
}

/// Let a timer keep `pirn_run` going, which is the default.
///
/// Returns 0, also if it already does; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1).
/// Loop thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_ref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    status(enter!(r#loop).timer_reference(timer.into(), true))
}

/// Let `pirn_run` end although this timer is armed: for housekeeping.
///
/// Returns 0, also if it was so; -EINVAL: no live loop; -ENOENT: stale handle. Cost: O(1). Loop
/// thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_timer_unref(r#loop: *mut pirn_loop, timer: pirn_timer) -> c_int {
    status(enter!(r#loop).timer_reference(timer.into(), false))
}

/// Tell the turn's time.
///
/// Read once in a turn, after the wait, and the same for all callbacks of the turn. Outside of
/// turns it is as old as the last one.
///
/// Returns nanoseconds on the monotonic clock, or 0 if there is no live loop. Cost: O(1). Loop
/// thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_now(r#loop: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(0, |reactor| reactor.now().0)
}

/// Read the clock into the turn's time: after long work, or before `pirn_timer_again` outside of
/// turns.
///
/// Returns it, or 0 if there is no live loop. Cost: O(1), no system call where the kernel has a
/// vDSO. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_update(r#loop: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(0, |reactor| reactor.update().0)
}

/// Tell the deadline of the timer that is due next.
///
/// Returns nanoseconds on the clock of `pirn_now`, or `PIRN_FOREVER` if no timer will fire, or
/// there is no live loop. Exact. Cost: O(timers that are due about the same time). Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_deadline(r#loop: *mut pirn_loop) -> u64 {
    // SAFETY: passed on.
    unsafe { reactor(r#loop) }.map_or(PIRN_FOREVER, |reactor| reactor.next_deadline().0)
}
