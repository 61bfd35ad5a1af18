//! The archive links with everything a C program may bring along.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{GCC, MINUTES, find, has, library, root, run, scratch, skip, source};

/// A Rust static library of its own, with a standard library, a heap and panics.
fn another_rust_library() -> PathBuf {
    let directory = scratch("other");
    let file = directory.join("other.rs");
    let text = r#"
        #[unsafe(no_mangle)]
        pub extern "C" fn other_sum(count: i32) -> i32 {
            let pairs = (1..=count).map(|n| (format!("{n}"), n));
            let map: std::collections::HashMap<String, i32> = pairs.collect();
            std::panic::set_hook(Box::new(|_| {}));
            let caught = std::panic::catch_unwind(|| { if count > 0 { panic!("caught") } });
            if caught.is_ok() { -1 } else { map.values().sum() }
        }
    "#;
    std::fs::write(&file, text).expect("the target directory is writable");
    let archive = directory.join("libother.a");
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command
        .args(["--edition", "2024", "--crate-type", "staticlib", "-O", "-o"])
        .arg(&archive)
        .arg(&file);
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    archive
}

/// Links tests/c/linked.c and runs it.
fn links_and_runs(name: &str, program: &str, before: &[&str], libraries: &[&Path], after: &[&str]) {
    let file = scratch("bin").join(format!("linked-{name}"));
    let mut command = Command::new(program);
    command
        .args(before)
        .arg("-I")
        .arg(root().join("include"))
        .arg(source("linked.c"));
    if before.contains(&"c++") {
        command.args(["-x", "none"]);
    }
    let outcome = run(
        command.args(libraries).args(after).arg("-o").arg(&file),
        MINUTES,
    );
    assert!(
        outcome.is_success(),
        "{name} does not link: {}",
        outcome.excerpt()
    );
    let directory = library().shared.parent().expect("a file has a directory");
    let outcome = run(
        Command::new(&file).env("LD_LIBRARY_PATH", directory),
        std::time::Duration::from_secs(20),
    );
    assert!(
        outcome.is_success() && outcome.output.contains("linked: 4 calls"),
        "{name}: {}",
        outcome.excerpt()
    );
}

/// T124.
#[test]
fn the_archive_links_with_everything() {
    if !has(GCC.program) {
        return;
    }
    let archive = library().archive.as_path();
    let one = [archive];
    links_and_runs("plain", "gcc", &["-O2"], &one, &[]);
    links_and_runs("shared", "gcc", &["-O2"], &[&library().shared], &[]);
    links_and_runs("static", "gcc", &["-O2", "-static"], &one, &[]);
    links_and_runs(
        "pie",
        "gcc",
        &["-O2", "-pie", "-fPIE", "-Wl,-z,now,-z,relro,-z,text"],
        &one,
        &[],
    );
    links_and_runs("lto", "gcc", &["-O2", "-flto"], &one, &[]);
    links_and_runs("gc", "gcc", &["-O2", "-Wl,--gc-sections"], &one, &[]);
    links_and_runs("no-gc", "gcc", &["-O2", "-Wl,--no-gc-sections"], &one, &[]);
    links_and_runs(
        "no-undefined",
        "gcc",
        &["-O2", "-Wl,--no-undefined", "-Wl,--warn-common"],
        &one,
        &[],
    );
    for linker in ["gold", "lld", "mold"] {
        if find(&format!("ld.{linker}")).is_some() || find(linker).is_some() {
            links_and_runs(
                linker,
                "gcc",
                &["-O2", &format!("-fuse-ld={linker}")],
                &one,
                &[],
            );
        } else {
            skip(linker);
        }
    }
    if has("g++") {
        links_and_runs(
            "c++",
            "g++",
            &[
                "-x",
                "c++",
                "-std=c++17",
                "-Wall",
                "-Wextra",
                "-Wpedantic",
                "-Werror",
            ],
            &one,
            &[],
        );
    }
    if has("clang-14") {
        links_and_runs("clang", "clang-14", &["-O2"], &one, &[]);
    }
    if has("musl-gcc") {
        links_and_runs("musl", "musl-gcc", &["-O2", "-static"], &one, &[]);
    }
    let other = another_rust_library();
    let system = ["-pthread", "-ldl", "-lm", "-lgcc_s"];
    links_and_runs(
        "beside",
        "gcc",
        &["-O2", "-DWITH_OTHER"],
        &[archive, &other],
        &system,
    );
    links_and_runs(
        "beside-reversed",
        "gcc",
        &["-O2", "-DWITH_OTHER"],
        &[&other, archive],
        &system,
    );
    links_and_runs(
        "beside-no-gc",
        "gcc",
        &["-O2", "-DWITH_OTHER", "-Wl,--no-gc-sections"],
        &[archive, &other],
        &system,
    );
}
