//! The programs of c-examples with a kernel that refuses calls (`make check` runs them without),
//! and the binding of examples/python.

mod support;

use std::process::Command;
use std::time::Duration;

use support::{
    CLANG_SANITIZED, GCC, GCC_SANITIZED, MINUTES, has, layers, library, root, run, scratch,
};

/// One `epoll_ctl` after the other fails. The self-test then reports a failure or none, and ends.
#[test]
fn the_state_machine_survives_a_refused_epoll_ctl() {
    if !has(GCC.program) || !has("strace") {
        return;
    }
    let program = scratch("bin").join("state_machine");
    let mut command = GCC.command();
    command
        .arg(root().join("c-examples/state_machine.c"))
        .arg(&library().archive)
        .arg("-o")
        .arg(&program);
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    // The first two are pirn_init's, the third is the acceptor's, then come clients and sessions.
    for refused in 1..8 {
        let mut command = Command::new("strace");
        command
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("inject=epoll_ctl:error=ENOMEM:when={refused}"))
            .arg(&program)
            .arg("--self-test");
        let outcome = run(&mut command, Duration::from_secs(60));
        assert!(
            matches!(outcome.status.code(), Some(0 | 1)) && !outcome.timed_out,
            "the refusal of call {refused}: {}",
            outcome.excerpt()
        );
    }
}

/// The self-tests of the programs with fibers, also under the sanitizers.
#[test]
fn the_examples_of_fibers_hold_what_they_claim() {
    for compiler in [GCC, GCC_SANITIZED, CLANG_SANITIZED] {
        if !has(compiler.program) {
            continue;
        }
        for name in ["fibers", "server_fibers"] {
            let file = root().join(format!("c-examples/{name}.c"));
            let program = compiler.link(&file, layers(), &[]);
            let outcome = run(
                Command::new(program).arg("--self-test"),
                Duration::from_secs(100),
            );
            assert!(
                outcome.is_success(),
                "{name}, {}: {}",
                compiler.name,
                outcome.excerpt()
            );
        }
    }
}

/// A server in Python, by `pirn_take` alone: what a callback or a signal handler raises is not
/// lost.
#[test]
fn the_python_binding_echoes_and_can_be_interrupted() {
    if !has("python3") {
        return;
    }
    let mut command = Command::new("python3");
    command
        .arg("-B")
        .arg(root().join("examples/python/echo_server.py"))
        .arg("--self-test")
        .env("PIRN_LIBRARY", &library().shared);
    let outcome = run(&mut command, Duration::from_secs(200));
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    for backend in ["epoll", "poll", "select"] {
        let line = format!("{backend}: ok");
        assert!(outcome.output.contains(&line), "{}", outcome.excerpt());
    }
}
