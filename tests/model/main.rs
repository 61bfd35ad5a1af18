//! Random scripts against a model of what a turn must report: on each backend for itself, and on
//! all of them at once.
//!
//! `PIRN_MODEL_CASES` sets how many scripts each test plays, `PIRN_MODEL_SEED` repeats a failure:
//! the seed is printed with it, beside the smallest script that still fails.

mod actor;
mod oracle;
#[allow(
    dead_code,
    reason = "shared with the conformance suite, which uses all of it"
)]
#[path = "../conformance/os.rs"]
mod os;
mod perform;
mod script;
#[allow(
    dead_code,
    reason = "shared with the conformance suite, which uses all of it"
)]
#[path = "../conformance/simulation.rs"]
mod simulation;
#[allow(
    dead_code,
    reason = "shared with the conformance suite, which uses all of it"
)]
#[path = "../conformance/world.rs"]
mod world;

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::sync::Once;
use std::time::{SystemTime, UNIX_EPOCH};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use actor::play;
use script::{Scope, Script, script};
use world::{Epoll, Poll, Select, Simulation, World};

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

thread_local! {
    /// What the model objected to last, and where.
    static OBJECTION: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Shrinking fails thousands of times: only the last failure is worth printing.
fn keep_objections() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |failure| {
            let text = failure.to_string();
            if text.contains("PIRN_MODEL_SEED") {
                print(failure)
            } else {
                OBJECTION.set(text)
            }
        }));
    });
}

/// Plays scripts until one fails.
fn check(scope: Scope, cases: u32, judge: impl Fn(&Script)) {
    keep_objections();
    let cases = number("PIRN_MODEL_CASES").map_or(cases, |cases| cases as u32);
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos() as u64)
    };
    let seed = number("PIRN_MODEL_SEED").unwrap_or_else(clock);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&script(scope), |script| {
        judge(&script);
        Ok::<(), TestCaseError>(())
    });
    if let Err(failure) = result {
        // Once more: the last objection need not be that of the smallest script.
        if let TestError::Fail(_, smallest) = &failure {
            let _ = std::panic::catch_unwind(AssertUnwindSafe(|| judge(smallest)));
        }
        panic!("PIRN_MODEL_SEED={seed}\n{failure}\n{}", OBJECTION.take());
    }
}

fn obeys<W: World>(scope: Scope, cases: u32) {
    check(scope, cases, |script| drop(play::<W>(script, scope)));
}

/// T145: I1 to I6 on every backend.
#[test]
fn select_obeys_the_model() {
    obeys::<Select>(Scope::Timeless, 2_000);
}

#[test]
fn poll_obeys_the_model() {
    obeys::<Poll>(Scope::Timeless, 2_000);
}

#[test]
fn epoll_obeys_the_model() {
    obeys::<Epoll>(Scope::Timeless, 2_000);
}

#[test]
fn simulation_obeys_the_model() {
    obeys::<Simulation>(Scope::Timeless, 2_000);
}

/// 42 to 58, in virtual time.
#[test]
fn time_obeys_the_model() {
    obeys::<Simulation>(Scope::Timed, 4_000);
}

/// T145.
#[test]
fn all_backends_leave_the_same_trace() {
    check(Scope::Comparable, 1_000, |script| {
        let expected = play::<Simulation>(script, Scope::Comparable);
        assert_eq!(
            play::<Select>(script, Scope::Comparable),
            expected,
            "select"
        );
        assert_eq!(play::<Poll>(script, Scope::Comparable), expected, "poll");
        assert_eq!(play::<Epoll>(script, Scope::Comparable), expected, "epoll");
    });
}
