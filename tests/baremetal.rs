//! Microcontrollers: the firmware of c-examples/baremetal, and the processors that are refused.

mod support;

use std::process::Command;

use support::{MINUTES, cargo, find, has, has_target, root, run, scratch, skip, without_cargo};

/// A Cortex-M3, and a Cortex-M4 without and with floating-point registers.
const TARGETS: [&str; 3] = [
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabi",
    "thumbv7em-none-eabihf",
];

/// Builds a firmware for each target that is installed, runs it on the emulated board, and prints
/// the lines that `make` prints about it: its figures.
fn runs_within_its_bounds(program: &str) {
    let compilers = ["arm-none-eabi-gcc", "arm-linux-gnueabihf-gcc"];
    if !compilers.iter().any(|compiler| find(compiler).is_some()) {
        skip("gcc for ARM");
        return;
    }
    if !has("qemu-system-arm") || !has("make") {
        return;
    }
    let targets: Vec<&str> = TARGETS
        .into_iter()
        .filter(|target| has_target(target))
        .collect();
    let build = scratch("baremetal").join(program);
    let mut command = without_cargo(Command::new("make"));
    command
        .arg("-C")
        .arg(root().join("c-examples/baremetal"))
        .arg(format!("BUILD={}", build.display()))
        .arg(format!("PROGRAMS={program}"))
        .arg(format!("TARGETS={}", targets.join(" ")))
        .env("CARGO_TARGET_DIR", scratch("baremetal-target"));
    for name in ["MAKEFLAGS", "CFLAGS", "LDFLAGS", "CC", "PROFILE", "CROSS"] {
        command.env_remove(name);
    }
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    for target in targets {
        let figures = outcome
            .output
            .lines()
            .skip_while(|line| {
                !line.starts_with(&format!("{program}, "))
                    || !line.contains(&format!(", {target}: same trace; "))
            })
            .take(if program == "program" { 1 } else { 2 })
            .collect::<Vec<_>>();
        assert!(!figures.is_empty(), "{target}: {}", outcome.excerpt());
        println!("{}", figures.join("\n"));
    }
}

/// On an emulated Cortex-M3 and Cortex-M4 the program prints what it prints on the simulated board,
/// and stays within the bounds for flash, RAM and stack.
#[test]
fn firmware_does_what_the_simulation_does() {
    runs_within_its_bounds("program");
}

/// Three fibers with 1 KiB of stack each wait for time, for an event that an interrupt sets, for
/// items of a queue and for room in it, and the main program for the UART and for the fibers. They
/// print what they print under Linux.
#[test]
fn fibers_run_on_a_microcontroller() {
    runs_within_its_bounds("fibers");
}

/// Every register that a function preserves survives switches of stacks while interrupts arrive at
/// each instruction of the switch. Guard pages are refused.
#[test]
fn registers_survive_switches_that_are_interrupted() {
    runs_within_its_bounds("switches");
}

/// A Cortex-M0 has no compare-and-swap. The build says so, and nothing else.
#[test]
fn processor_without_compare_and_swap_is_refused_in_one_sentence() {
    if !has_target("thumbv6m-none-eabi") {
        return;
    }
    let mut command = cargo(&scratch("baremetal-target"));
    command.args(["rustc", "--package", "pirn-capi", "--crate-type"]);
    command.args(["staticlib", "--profile", "small"]);
    command.args(["--target", "thumbv6m-none-eabi"]);
    command.args(["--no-default-features", "--features", "host"]);
    let outcome = run(&mut command, MINUTES);
    assert!(!outcome.is_success(), "{}", outcome.excerpt());
    let errors: Vec<&str> = outcome
        .output
        .lines()
        .filter(|line| line.starts_with("error"))
        .collect();
    let [sentence, end] = errors[..] else {
        panic!("{errors:?}");
    };
    assert!(sentence.contains("compare-and-swap"), "{sentence}");
    assert_eq!(end, "error: build script logged errors");
}
