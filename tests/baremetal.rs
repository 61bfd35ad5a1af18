//! Microcontrollers: the firmware of c-examples/baremetal, and the processors that are refused.

mod support;

use std::process::Command;

use support::{MINUTES, cargo, find, has, has_target, root, run, scratch, skip};

/// On an emulated Cortex-M3 and Cortex-M4 the program prints what it prints on the simulated board,
/// and stays within the bounds for flash, RAM and stack.
#[test]
fn firmware_does_what_the_simulation_does() {
    let compilers = ["arm-none-eabi-gcc", "arm-linux-gnueabihf-gcc"];
    if !compilers.iter().any(|compiler| find(compiler).is_some()) {
        skip("gcc for ARM");
        return;
    }
    if !has("qemu-system-arm") || !has("make") || !has_target("thumbv7m-none-eabi") {
        return;
    }
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(root().join("c-examples/baremetal"))
        .arg(format!("BUILD={}", scratch("baremetal").display()))
        .env("CARGO_TARGET_DIR", scratch("baremetal-target"));
    for name in ["RUSTFLAGS", "MAKEFLAGS", "CFLAGS", "LDFLAGS", "CC"] {
        command.env_remove(name);
    }
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    for board in ["mps2-an385", "mps2-an386"] {
        let line = outcome
            .output
            .lines()
            .find(|line| line.starts_with(&format!("{board}: same trace; ")))
            .unwrap_or_else(|| panic!("no line for {board}: {}", outcome.excerpt()));
        println!("{line}");
    }
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
