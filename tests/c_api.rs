//! The C functions, called from C: programs of tests/c compiled, run on every backend, and their
//! claims counted.

mod support;

use std::collections::BTreeSet;

use support::{GCC, LIMIT, complaint, has, holds_on, library, root, run, scratch, source};

const BACKENDS: [&str; 4] = ["select", "poll", "epoll", "host"];

macro_rules! programs {
    ($($claim:ident: $name:literal;)*) => {$(
        #[test]
        fn $claim() {
            holds_on(&BACKENDS, &source(concat!($name, ".c")), &library().archive);
        }
    )*};
}

programs! {
    huge_timeouts_reach_the_kernel: "timeouts";
    closed_fds_of_the_loop_and_at_the_limit_do_no_harm: "closed";
    bad_blocks_and_configurations_are_refused: "bad_init";
    bad_loops_callbacks_and_handles_are_refused: "bad_handles";
    bad_fds_and_bits_are_refused: "bad_fds";
    callbacks_may_do_everything_but_enter_again: "in_callbacks";
    a_copy_made_by_fork_is_told_and_does_no_harm: "fork";
    signals_lose_and_shorten_nothing: "signals";
    fd_numbers_and_limits_do_not_matter: "fd_limits";
    a_foreign_loop_can_wait_for_it: "embedding";
    what_the_kernel_refuses_is_passed_on: "kernel";
    an_error_in_any_system_call_loses_nothing: "injected";
    coroutines_keep_what_was_granted: "coroutines";
    a_live_loop_moves_to_another_block: "grow";
    a_run_that_a_callback_left_can_be_ended: "abandon";
    verify_answers_whatever_was_overwritten: "overwritten";
    what_is_alive_is_told: "info";
    a_copy_made_by_fork_leaves_the_parents_kernel_objects_alone: "copies";
    the_pollable_fd_shows_what_a_turn_would_call: "pollable";
    system_calls_are_as_few_as_is_said: "syscalls";
    memory_that_is_not_used_is_not_touched: "untouched";
    events_are_taken_instead_of_being_called: "taking";
    hooks_stand_at_both_ends_of_a_turn: "hooks";
}

/// A table-driven test leaves no function out: its program lists those that it calls.
fn calls_every_function(name: &str) {
    if !has(GCC.program) {
        return;
    }
    let text = std::fs::read_to_string(support::root().join("tests/artifact/symbols.txt"))
        .expect("the list is committed");
    let listed: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let program = GCC.build(name, &[]);
    let outcome = run(std::process::Command::new(program).arg("--list"), LIMIT);
    let called: BTreeSet<&str> = outcome.output.lines().collect();
    assert_eq!(
        called, listed,
        "{name} calls these, tests/artifact/symbols.txt lists those"
    );
}

#[test]
fn the_table_of_the_pollable_fd_is_complete() {
    calls_every_function("pollable");
}

#[test]
fn the_table_of_calls_in_a_copy_is_complete() {
    calls_every_function("copies");
}

/// An exception of C++ passes through the library to the program's catch, and the loop goes on.
#[test]
fn exceptions_leave_through_the_library() {
    let library = library();
    let directory = library.shared.parent().expect("a file has a directory");
    for (number, (compiler, linked)) in [
        ("g++", &library.archive),
        ("g++", &library.shared),
        ("clang++-14", &library.archive),
    ]
    .into_iter()
    .enumerate()
    {
        if !has(compiler) {
            continue;
        }
        let program = scratch("bin").join(format!("exceptions.{number}"));
        let mut command = std::process::Command::new(compiler);
        command
            .args([
                "-std=c++17",
                "-O2",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
            ])
            .arg("-I")
            .arg(root().join("include"))
            .arg(source("exceptions.cc"))
            .arg(linked)
            .arg("-o")
            .arg(&program);
        let outcome = run(&mut command, LIMIT);
        assert!(outcome.is_success(), "{compiler}: {}", outcome.excerpt());
        let mut command = std::process::Command::new(&program);
        let outcome = run(command.env("LD_LIBRARY_PATH", directory), LIMIT);
        assert!(
            outcome.is_success() && outcome.output.contains("exceptions: ok"),
            "{compiler}: {}",
            outcome.excerpt()
        );
    }
}

/// The library of the profile for development finds calls from other threads.
#[test]
fn a_thread_that_the_loop_does_not_belong_to_is_told() {
    if !has(GCC.program) {
        return;
    }
    let target = scratch("capi");
    let mut build = support::cargo(&target);
    build.args([
        "build",
        "--quiet",
        "--profile",
        "checked",
        "--package",
        "pirn-capi",
    ]);
    let outcome = run(&mut build, support::MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let archive = target.join("checked/libpirn.a");
    let program = GCC.link(&source("wrong_thread.c"), &archive, &[]);
    let outcome = run(&mut std::process::Command::new(program), LIMIT);
    assert_eq!(complaint(&outcome, &BACKENDS), None);
}

/// The check above is not blind: a claim that fails, a backend that says nothing and a program that
/// crashes are noticed.
#[test]
fn failures_are_noticed() {
    if !has("gcc") {
        return;
    }
    let program = GCC.build("failing", &[]);
    for way in ["claim", "silence", "crash", "hang", "errno"] {
        let mut command = std::process::Command::new(&program);
        let outcome = run(command.env("FAIL_BY", way), LIMIT);
        assert!(
            complaint(&outcome, &BACKENDS).is_some(),
            "failing by {way} goes unnoticed: {}",
            outcome.excerpt()
        );
    }
    let outcome = run(
        std::process::Command::new(&program).env("FAIL_BY", "nothing"),
        LIMIT,
    );
    assert!(
        complaint(&outcome, &BACKENDS).is_none(),
        "{}",
        outcome.excerpt()
    );
}
