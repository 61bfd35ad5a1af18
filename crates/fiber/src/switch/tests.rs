#![expect(unsafe_code, reason = "stacks are switched by hand")]
//! Two stacks take turns, and every register that must survive does.

use core::cell::Cell;
use core::hint::black_box;
use std::boxed::Box;
use std::vec;

use super::{Main, prepare, switch};

/// A second stack, and where each side left off.
struct Pair {
    here: Cell<usize>,
    there: Cell<usize>,
    sent: Cell<u64>,
}

impl Pair {
    /// A stack that runs `body` with this pair, ready to be switched to. Never freed, for a stack
    /// that has not ended may point to it.
    fn new(body: Main) -> &'static Pair {
        let pair: &'static Pair = Box::leak(Box::new(Pair {
            here: Cell::new(0),
            there: Cell::new(0),
            sent: Cell::new(0),
        }));
        let top = vec![0u64; 8192].leak().as_mut_ptr_range().end as usize;
        // SAFETY: 64 KiB below the top belong to the stack.
        pair.there
            .set(unsafe { prepare(top, body, &raw const *pair as usize) });
        pair
    }

    /// The pair as the body gets it.
    fn of(argument: usize) -> &'static Pair {
        // SAFETY: `new` passes the address of a pair that is never freed, and all access is shared.
        unsafe { &*(argument as *const Pair) }
    }

    /// Runs the other stack until it comes back.
    fn resume(&self) {
        // SAFETY: the other stack was prepared or has suspended itself, and does not run.
        unsafe { switch(self.here.as_ptr(), self.there.get()) };
    }

    /// The way back, called on the other stack.
    fn suspend(&self) {
        // SAFETY: this stack was resumed from the other side, which waits in `resume`.
        unsafe { switch(self.there.as_ptr(), self.here.get()) };
    }
}

unsafe extern "C" fn counts(argument: usize) -> ! {
    let pair = Pair::of(argument);
    loop {
        pair.sent.set(pair.sent.get() + 1);
        pair.suspend();
    }
}

#[test]
fn two_stacks_take_turns() {
    let pair = Pair::new(counts);
    for round in 1..=1000 {
        pair.resume();
        assert_eq!(pair.sent.get(), round);
    }
}

/// Keeps many values alive across a switch, more than there are registers that survive a call, so
/// that the compiler uses all of those.
fn mix(seed: u64, pair: &Pair, pass: fn(&Pair)) -> (u64, f64) {
    let mut words = [0u64; 24];
    let mut floats = [0f64; 24];
    for (at, word) in words.iter_mut().enumerate() {
        *word = black_box(seed.wrapping_mul(at as u64 + 1));
    }
    for (at, float) in floats.iter_mut().enumerate() {
        *float = black_box(seed as f64 + at as f64);
    }
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = words;
    let [p, q, r, s, t, u, v, w, ..] = floats;
    let (ab, cd, ef, gh, ij, kl) = (a ^ b, c ^ d, e ^ f, g ^ h, i ^ j, k ^ l);
    let (pq, rs, tu, vw) = (p * q, r * s, t * u, v * w);
    pass(pair);
    let sum = ab
        .wrapping_add(cd.rotate_left(1))
        .wrapping_add(ef.rotate_left(2));
    let more = gh
        .wrapping_add(ij.rotate_left(3))
        .wrapping_add(kl.rotate_left(4));
    (sum ^ more, pq + rs * 2.0 + tu * 3.0 + vw * 4.0)
}

unsafe extern "C" fn mixes(argument: usize) -> ! {
    let pair = Pair::of(argument);
    let mut seed = 0x0123_4567_89ab_cdef;
    loop {
        let switched = mix(seed, pair, Pair::suspend);
        let calm = mix(seed, pair, |_| {});
        assert_eq!(switched, calm);
        seed = seed.rotate_left(7) ^ 0x55;
    }
}

#[test]
fn registers_survive_on_both_sides() {
    let pair = Pair::new(mixes);
    let mut seed = 0xfedc_ba98_7654_3210;
    for _ in 0..10_000 {
        let switched = mix(seed, pair, Pair::resume);
        let calm = mix(seed, pair, |_| {});
        assert_eq!(switched, calm);
        seed = seed.rotate_left(5) ^ 0xaa;
    }
}

unsafe extern "C" fn looks_at_its_stack(argument: usize) -> ! {
    let pair = Pair::of(argument);
    // A value that must be aligned as the machine's ABI promises: SSE or the like would fault.
    #[repr(align(16))]
    struct Aligned([u8; 16]);
    loop {
        let value = black_box(Aligned([0; 16]));
        pair.sent
            .set((&raw const value) as u64 % 16 + u64::from(value.0[0]));
        pair.suspend();
    }
}

#[test]
fn a_new_stack_is_aligned() {
    let pair = Pair::new(looks_at_its_stack);
    pair.resume();
    assert_eq!(pair.sent.get(), 0);
}
