//! No panic of ours in the artifact, no formatting, no unwinding, no global state.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{GCC, MINUTES, has, layers, library, root, run, scratch, without_cargo};
use crate::{lines_of, linked_alone, listed_symbols, symbols_of_layers};

/// The library as it is shipped, with its layers, but with line numbers, and without the merging of
/// equal code that makes them ambiguous.
fn library_with_lines() -> PathBuf {
    let target = scratch("capi-lines");
    let mut build = without_cargo(Command::new(root().join("capi/archive.sh")));
    build.arg(target.join("layers"));
    build.env("CARGO_TARGET_DIR", &target);
    build.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    let passes = [
        "enable-tail-merge",
        "simplifycfg-sink-common",
        "simplifycfg-hoist-common",
    ];
    let flags: Vec<String> = passes
        .iter()
        .map(|pass| format!("-C llvm-args=-{pass}=false"))
        .collect();
    let outcome = run(build.env("RUSTFLAGS", flags.join(" ")), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    target.join("layers/libpirn.a")
}

/// Whether a demangled name is of the language's panicking, formatting or unwinding.
fn is_panic(name: &str) -> bool {
    [
        "core::panicking",
        "core::option::unwrap_failed",
        "core::option::expect_failed",
        "core::result::unwrap_failed",
        "core::fmt",
        "core::cell::panic",
        "core::slice::index::slice_",
        "core::str::slice_error",
        "rust_begin_unwind",
        "rust_panic",
        "_Unwind_",
        "core::slice::copy_from_slice",
        "core::unicode",
        "alloc::",
    ]
    .iter()
    .any(|part| name.contains(part))
}

/// Where code that is not the core library's can start a panic: crate, file and line.
fn panic_sites(program: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let outcome = run(
        Command::new("objdump")
            .args(["-d", "-C", "--no-show-raw-insn"])
            .arg(program),
        MINUTES,
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let mut function = String::new();
    let mut addresses = Vec::new();
    for line in outcome.output.lines() {
        let head = line.split_once(" <").map(|(_, rest)| rest);
        if let Some(name) = head.and_then(|rest| rest.strip_suffix(">:")) {
            name.clone_into(&mut function);
        } else if let Some((address, rest)) = line.trim_start().split_once(":\t") {
            let target = rest.split_once('<').map(|(_, target)| target);
            if target.is_some_and(is_panic) && !function.starts_with("core::") {
                addresses.push((address.to_owned(), function.clone()));
            }
        }
    }
    let mut sites: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut command = Command::new("addr2line");
    command.args(["-i", "-f", "-C", "-a", "-e"]).arg(program);
    let outcome = run(
        command.args(addresses.iter().map(|(address, _)| format!("0x{address}"))),
        MINUTES,
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let mut functions = addresses.iter().map(|(_, function)| function);
    let mut current: Option<&String> = None;
    let mut is_found = true;
    for line in outcome.output.lines() {
        if line.starts_with("0x") {
            assert!(is_found, "a panic without a place, in {current:?}");
            (current, is_found) = (functions.next(), false);
        } else if !is_found && line.contains('/') && !line.contains("/library/core/") {
            is_found = true;
            let place = line.split(" (discriminator").next().unwrap_or(line);
            sites
                .entry(short(place))
                .or_default()
                .extend(current.cloned());
        }
    }
    assert!(is_found, "a panic without a place, in {current:?}");
    sites
}

/// A place without the machine's directories and the version: rustix/src/io.rs:7.
fn short(place: &str) -> String {
    if let Some(own) = place.strip_prefix(&format!("{}/", root().display())) {
        return format!("pirn/{own}");
    }
    match place.find("/registry/src/") {
        Some(at) => {
            let rest = place[at + "/registry/src/".len()..]
                .split_once('/')
                .map_or("", |(_, rest)| rest);
            match rest.split_once('/') {
                Some((versioned, path)) => {
                    let name = versioned
                        .rsplit_once('-')
                        .map_or(versioned, |(name, _)| name);
                    format!("{name}/{path}")
                }
                None => rest.to_owned(),
            }
        }
        None => place.to_owned(),
    }
}

/// Promise 3. The list of what remains may only shrink.
#[test]
fn nothing_of_ours_panics() {
    if !has("objdump") || !has("addr2line") || !has(GCC.program) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let symbols = [listed_symbols(), symbols_of_layers()].concat();
    let found = panic_sites(&linked_alone(&library_with_lines(), &symbols, "lines"));
    let listed: BTreeSet<String> = lines_of("panics.txt")
        .iter()
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    let new: Vec<_> = found
        .iter()
        .filter(|(place, _)| !listed.contains(*place))
        .collect();
    let gone: Vec<_> = listed
        .iter()
        .filter(|place| !found.contains_key(*place))
        .collect();
    assert!(
        new.is_empty(),
        "panics that are not in tests/artifact/panics.txt, and the functions that contain them: \
         {new:#?}"
    );
    assert!(
        gone.is_empty(),
        "strike these out of tests/artifact/panics.txt, they are gone: {gone:#?}"
    );
    assert!(
        listed.iter().all(|place| !place.starts_with("pirn/")),
        "nothing of ours may be listed"
    );
    assert!(
        lines_of("panics.txt")
            .iter()
            .all(|line| line.split_whitespace().count() > 2),
        "each has a reason"
    );
}

/// What is shipped holds no formatting and no unwinding tables of its own; panics are the few
/// functions that the list above leads to.
#[test]
fn the_artifact_holds_no_formatting_and_no_unwinding() {
    if !has("objdump") || !has("readelf") || !has(GCC.program) || !cfg!(target_arch = "x86_64") {
        return;
    }
    holds_nothing_of_the_language(&linked_alone(
        &library().archive,
        &listed_symbols(),
        "shipped",
    ));
    let symbols = [listed_symbols(), symbols_of_layers()].concat();
    holds_nothing_of_the_language(&linked_alone(layers(), &symbols, "shipped-layers"));
}

fn holds_nothing_of_the_language(program: &Path) {
    let outcome = run(
        Command::new("objdump").args(["-t", "-C"]).arg(program),
        MINUTES,
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    for part in ["core::fmt", "_Unwind", "rust_panic", "alloc::", "std::"] {
        let found: Vec<&str> = outcome
            .output
            .lines()
            .filter(|line| line.contains(part))
            .collect();
        assert!(found.is_empty(), "{part}: {found:#?}");
    }
    let sections = run(Command::new("readelf").arg("-SW").arg(program), MINUTES).output;
    assert!(!sections.contains(".gcc_except_table"), "{sections}");
    // T127: no global mutable state. What rustix remembers of the vDSO is three words.
    let state: Vec<String> = sections
        .lines()
        .filter(|line| {
            [" .data ", " .bss ", " .tdata ", " .tbss "]
                .iter()
                .any(|name| line.contains(name))
        })
        .map(str::to_owned)
        .collect();
    let bytes = |name: &str| -> u64 {
        let line = state
            .iter()
            .find(|line| line.contains(name))
            .map_or("", String::as_str);
        let after = line.split(name).nth(1).unwrap_or("");
        after
            .split_whitespace()
            .nth(3)
            .and_then(|size| u64::from_str_radix(size, 16).ok())
            .unwrap_or(0)
    };
    // nolibc.c has a block and a counter of its own in .data and .bss.
    let own = pirn::ffi::pirn_storage_size(4, 4, 4) as u64 + 128;
    assert!(
        bytes(" .data ") + bytes(" .bss ") <= own,
        "global state: {state:#?}"
    );
    assert_eq!(bytes(" .tdata ") + bytes(" .tbss "), 0, "{state:#?}");
}
