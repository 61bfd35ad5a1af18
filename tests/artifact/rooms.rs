//! Every combination builds, the core without an operating system too, and the rooms keep their
//! walls.

use std::path::{Path, PathBuf};

use crate::support::{MINUTES, cargo, has_target, root, run, scratch};

#[test]
fn every_combination_of_backends_builds() {
    let names = ["select", "poll", "epoll", "host"];
    let mut complaints = Vec::new();
    for bits in 1..1u32 << names.len() {
        let chosen: Vec<&str> = names
            .iter()
            .enumerate()
            .filter(|(at, _)| bits >> at & 1 == 1)
            .map(|(_, name)| *name)
            .collect();
        let features = chosen
            .iter()
            .copied()
            .chain(["ffi"])
            .collect::<Vec<_>>()
            .join(",");
        let mut check = cargo(&scratch("combinations"));
        check.args([
            "check",
            "--quiet",
            "--package",
            "pirn",
            "--lib",
            "--no-default-features",
            "--features",
            &features,
        ]);
        let outcome = run(check.env("RUSTFLAGS", "-D warnings"), MINUTES);
        if !outcome.is_success() {
            complaints.push(format!("{features}: {}", outcome.excerpt()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// T133.
#[test]
fn the_core_builds_without_an_operating_system() {
    if !has_target("thumbv7em-none-eabi") {
        return;
    }
    for features in ["host,ffi", "host"] {
        let mut check = cargo(&scratch("combinations"));
        check.args([
            "check",
            "--quiet",
            "--package",
            "pirn",
            "--lib",
            "--target",
            "thumbv7em-none-eabi",
        ]);
        let outcome = run(
            check
                .args(["--no-default-features", "--features", features])
                .env("RUSTFLAGS", "-D warnings"),
            MINUTES,
        );
        assert!(outcome.is_success(), "{features}: {}", outcome.excerpt());
    }
}

/// The artifact, as it is built for release, where its assembly is part of it.
#[test]
fn every_machine_builds_without_a_warning() {
    for target in [
        "x86_64-unknown-linux-gnu",
        "i686-unknown-linux-gnu",
        "aarch64-unknown-linux-gnu",
        "armv7-unknown-linux-gnueabihf",
        "riscv64gc-unknown-linux-gnu",
        "s390x-unknown-linux-gnu",
        "powerpc64le-unknown-linux-gnu",
    ] {
        if !has_target(target) {
            continue;
        }
        let mut check = cargo(&scratch("combinations"));
        check
            .args(["check", "--quiet", "--workspace", "--release"])
            .args(["--target", target]);
        let outcome = run(check.env("RUSTFLAGS", "-D warnings"), MINUTES);
        assert!(outcome.is_success(), "{target}: {}", outcome.excerpt());
    }
}

/// On s390x and powerpc rustix goes through the C library, and everywhere else if any crate of the
/// program asks for that.
#[test]
fn the_core_builds_through_the_c_library() {
    let check = |arguments: &[&str], flags: &str| {
        let mut command = cargo(&scratch("through-libc"));
        command
            .args(["clippy", "--quiet", "--lib"])
            .args(arguments)
            .args(["--", "-D", "warnings"]);
        let outcome = run(command.env("RUSTFLAGS", flags), MINUTES);
        assert!(outcome.is_success(), "{arguments:?}: {}", outcome.excerpt());
    };
    check(&["--package", "pirn", "--features", "rustix/use-libc"], "");
    check(
        &["--package", "pirn", "--features", "vdso"],
        "--cfg rustix_use_libc",
    );
    for target in ["s390x-unknown-linux-gnu", "powerpc64le-unknown-linux-gnu"] {
        if has_target(target) {
            check(&["--package", "pirn", "--target", target], "");
            check(&["--package", "pirn-capi", "--target", target], "");
        }
    }
}

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory)
        .expect("src is readable")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The code of a line: without comments and the text of strings.
fn code(line: &str) -> String {
    let line = line.split("//").next().unwrap_or("");
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Design, section 2: who may name what.
#[test]
fn every_room_keeps_its_walls() {
    let mut files = Vec::new();
    rust_files(&root().join("src"), &mut files);
    assert!(files.len() > 20, "the sources are found");
    let mut breaches = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).expect("src is readable");
        let name = file
            .strip_prefix(root())
            .expect("inside the repository")
            .display()
            .to_string();
        let attributes = text.split("//!").next().unwrap_or("");
        let allows_unsafe = attributes
            .split_whitespace()
            .collect::<String>()
            .contains("expect(unsafe_code,reason=");
        for (number, line) in text.lines().enumerate() {
            let bare = line.split("//").next().unwrap_or("");
            let code = code(line);
            let mut breach = |what: &str| {
                breaches.push(format!("{name}:{}: {what}: {}", number + 1, line.trim()))
            };
            if code.contains("rustix") && !name.starts_with("src/sys/") {
                breach("rustix outside of src/sys");
            }
            if bare.contains("extern \"C\"") && !name.starts_with("src/ffi/") {
                breach("extern \"C\" outside of src/ffi");
            }
            let words: Vec<&str> = code
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .collect();
            if words.contains(&"unsafe") && !allows_unsafe {
                breach("unsafe in a file that does not say so");
            }
            if code.contains("allow(unsafe_code") {
                breach("unsafe is expected with a reason, not allowed");
            }
            if words.contains(&"std")
                && code.contains("std::")
                && !text.contains("cfg(test)")
                && !name.contains("tests")
            {
                breach("the standard library");
            }
        }
        if allows_unsafe
            && !text.lines().any(|line| {
                ["unsafe {", "unsafe ", "unsafe("]
                    .iter()
                    .any(|word| code(line).contains(word))
            })
        {
            breaches.push(format!("{name}: says it has unsafe, and has none"));
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}
