//! What the library promises about itself: no heap, no C library, no panic, no foreign names, no walls moved.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{GCC, MINUTES, cargo, find, has, has_target, library, root, run, scratch, source};

/// The words of each line of a program's output.
fn words_of(command: &mut Command) -> Vec<Vec<String>> {
    let outcome = run(command, MINUTES);
    assert!(outcome.is_success(), "{command:?}: {}", outcome.excerpt());
    outcome.output.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

fn lines_of(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("tests").join(file)).expect("the list is committed");
    text.lines().map(str::to_owned).filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// The functions that make up the C API.
fn listed_symbols() -> Vec<String> {
    lines_of("symbols.txt")
}

/// A symbol of an ELF file as `readelf -sW` prints it: number, value, size, type, binding, visibility, section, name.
struct Symbol {
    kind: String,
    binding: String,
    visibility: String,
    section: String,
    name: String,
}

fn symbols(file: &Path, dynamic: bool) -> Vec<Symbol> {
    let mut command = Command::new("readelf");
    command.arg("-W").arg(if dynamic { "--dyn-syms" } else { "--syms" }).arg(file);
    words_of(&mut command)
        .into_iter()
        .filter(|words| words.len() == 8 && words[0].trim_end_matches(':').parse::<u32>().is_ok())
        .map(|words| {
            let mut words = words.into_iter().skip(3);
            let mut next = || words.next().unwrap_or_default();
            let (kind, binding, visibility, section, name) = (next(), next(), next(), next(), next());
            Symbol { kind, binding, visibility, section, name: name.split('@').next().unwrap_or("").to_owned() }
        })
        .collect()
}

// ---- no heap ----

/// Torture 108.
#[test]
fn nothing_is_allocated() {
    if !has(GCC.program) {
        return;
    }
    // Its own malloc must not be taken for the compiler's idea of one.
    let program = GCC.build("no_heap", &["-fno-builtin"]);
    let outcome = run(&mut Command::new(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    for backend in ["select", "poll", "epoll"] {
        assert!(outcome.output.contains(&format!("{backend}: 0 allocations")), "{}", outcome.excerpt());
    }
    for breach in ["malloc", "mmap"] {
        let outcome = run(Command::new(&program).arg(breach), MINUTES);
        assert!(!outcome.is_success(), "a forbidden {breach} goes unnoticed: {}", outcome.excerpt());
    }
}

// ---- no C library ----

/// Links the whole C API, and what it needs, without a C library. What is not needed is left out.
fn linked_alone(archive: &Path, name: &str) -> PathBuf {
    let program = scratch("bin").join(name);
    let mut command = Command::new("gcc");
    command.args(["-nostdlib", "-static", "-O2", "-ffreestanding", "-fno-stack-protector", "-Wl,--gc-sections"]);
    command.arg("-I").arg(root().join("include")).arg(source("nolibc.c"));
    command.args(listed_symbols().iter().map(|symbol| format!("-Wl,-u,{symbol}")));
    let outcome = run(command.arg(archive).arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    program
}

#[test]
fn a_program_without_a_c_library_links_and_works() {
    if !has(GCC.program) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let program = linked_alone(&library().archive, "nolibc");
    let outcome = run(&mut Command::new(&program), std::time::Duration::from_secs(20));
    assert!(outcome.is_success(), "its exit status is the line of nolibc.c: {}", outcome.excerpt());
    let undefined: Vec<String> =
        symbols(&program, false).into_iter().filter(|symbol| symbol.section == "UND").map(|symbol| symbol.name).collect();
    assert!(undefined.iter().all(String::is_empty), "{undefined:?}");
}

#[test]
fn nothing_is_needed_from_others() {
    if !has("ld") || !has("readelf") {
        return;
    }
    let archive = &library().archive;
    let object = scratch("bin").join("relocatable.o");
    let mut command = Command::new("ld");
    command.args(["-r", "--gc-sections", "-e", "pirn_init"]);
    command.args(listed_symbols().iter().flat_map(|symbol| ["-u".to_owned(), symbol.clone()]));
    let outcome = run(command.arg(archive).arg("-o").arg(&object), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let needed: BTreeSet<String> = symbols(&object, false)
        .into_iter()
        .filter(|symbol| symbol.section == "UND" && !symbol.name.is_empty() && symbol.binding != "WEAK")
        .map(|symbol| symbol.name)
        .filter(|name| name != "_GLOBAL_OFFSET_TABLE_")
        .collect();
    assert!(needed.is_empty(), "the archive wants {needed:?} from others");
    let dynamic: BTreeSet<String> = symbols(&library().shared, true)
        .into_iter()
        .filter(|symbol| symbol.section == "UND" && !symbol.name.is_empty() && symbol.binding != "WEAK")
        .map(|symbol| symbol.name)
        .collect();
    assert!(dynamic.is_empty(), "the shared library wants {dynamic:?} from others");
}

// ---- no panic ----

/// The library as it is shipped, but with line numbers, and without the merging of equal code that makes them ambiguous.
fn library_with_lines() -> PathBuf {
    let target = scratch("capi-lines");
    let mut build = cargo(&target);
    build.args(["build", "--release", "--quiet", "--package", "pirn-capi"]);
    build.env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only");
    let passes = ["enable-tail-merge", "simplifycfg-sink-common", "simplifycfg-hoist-common"];
    let flags: Vec<String> = passes.iter().map(|pass| format!("-C llvm-args=-{pass}=false")).collect();
    let outcome = run(build.env("RUSTFLAGS", flags.join(" ")), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    target.join("release/libpirn.a")
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
    let outcome = run(Command::new("objdump").args(["-d", "-C", "--no-show-raw-insn"]).arg(program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let mut function = String::new();
    let mut addresses = Vec::new();
    for line in outcome.output.lines() {
        if let Some((_, rest)) = line.split_once(" <")
            && let Some(name) = rest.strip_suffix(">:")
        {
            name.clone_into(&mut function);
        } else if let Some((address, rest)) = line.trim_start().split_once(":\t")
            && let Some((_, target)) = rest.split_once('<')
            && is_panic(target)
            && !function.starts_with("core::")
        {
            addresses.push((address.to_owned(), function.clone()));
        }
    }
    let mut sites: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut command = Command::new("addr2line");
    command.args(["-i", "-f", "-C", "-a", "-e"]).arg(program);
    let outcome = run(command.args(addresses.iter().map(|(address, _)| format!("0x{address}"))), MINUTES);
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
            sites.entry(short(place)).or_default().extend(current.cloned());
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
            let rest = place[at + "/registry/src/".len()..].split_once('/').map_or("", |(_, rest)| rest);
            match rest.split_once('/') {
                Some((versioned, path)) => {
                    let name = versioned.rsplit_once('-').map_or(versioned, |(name, _)| name);
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
    let found = panic_sites(&linked_alone(&library_with_lines(), "lines"));
    let listed: BTreeSet<String> =
        lines_of("panics.txt").iter().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect();
    let new: Vec<_> = found.iter().filter(|(place, _)| !listed.contains(*place)).collect();
    let gone: Vec<_> = listed.iter().filter(|place| !found.contains_key(*place)).collect();
    assert!(new.is_empty(), "a panic that is not in tests/panics.txt, and the functions it ended up in: {new:#?}");
    assert!(gone.is_empty(), "strike these out of tests/panics.txt, they are gone: {gone:#?}");
    assert!(listed.iter().all(|place| !place.starts_with("pirn/")), "nothing of ours may be listed");
    assert!(lines_of("panics.txt").iter().all(|line| line.split_whitespace().count() > 2), "each has a reason");
}

/// What is shipped holds no formatting and no unwinding tables of its own; panics are the few functions that the list above leads to.
#[test]
fn the_artifact_holds_no_formatting_and_no_unwinding() {
    if !has("objdump") || !has("readelf") || !has(GCC.program) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let program = linked_alone(&library().archive, "shipped");
    let outcome = run(Command::new("objdump").args(["-t", "-C"]).arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    for part in ["core::fmt", "_Unwind", "rust_panic", "alloc::", "std::"] {
        let found: Vec<&str> = outcome.output.lines().filter(|line| line.contains(part)).collect();
        assert!(found.is_empty(), "{part}: {found:#?}");
    }
    let sections = run(Command::new("readelf").arg("-SW").arg(&program), MINUTES).output;
    assert!(!sections.contains(".gcc_except_table"), "{sections}");
    // 127: no global mutable state. What rustix remembers of the vDSO is three words.
    let state: Vec<String> = sections
        .lines()
        .filter(|line| [" .data ", " .bss ", " .tdata ", " .tbss "].iter().any(|name| line.contains(name)))
        .map(str::to_owned)
        .collect();
    let bytes = |name: &str| -> u64 {
        let line = state.iter().find(|line| line.contains(name)).map_or("", String::as_str);
        let after = line.split(name).nth(1).unwrap_or("");
        after.split_whitespace().nth(3).and_then(|size| u64::from_str_radix(size, 16).ok()).unwrap_or(0)
    };
    // nolibc.c has a block and a counter of its own in .data and .bss.
    let own = pirn::ffi::pirn_storage_size(4, 4, 4) as u64 + 128;
    assert!(bytes(" .data ") + bytes(" .bss ") <= own, "global state: {state:#?}");
    assert_eq!(bytes(" .tdata ") + bytes(" .tbss "), 0, "{state:#?}");
}

// ---- names ----

/// Torture 120.
#[test]
fn exactly_the_listed_symbols_are_exported() {
    if !has("readelf") {
        return;
    }
    let listed: BTreeSet<String> = listed_symbols().into_iter().collect();
    let exported: BTreeSet<String> = symbols(&library().shared, true)
        .into_iter()
        .filter(|symbol| symbol.section != "UND" && symbol.kind != "NOTYPE" && !symbol.name.is_empty())
        .map(|symbol| symbol.name)
        .collect();
    assert_eq!(exported, listed, "libpirn.so exports these, tests/symbols.txt lists those");

    // Hidden ones are no names to the program that links the archive statically, unless it defines the same: those are weak.
    let visible: BTreeSet<String> = symbols(&library().archive, false)
        .into_iter()
        .filter(|symbol| symbol.section != "UND" && symbol.binding == "GLOBAL" && symbol.visibility == "DEFAULT")
        .filter(|symbol| symbol.kind != "FILE" && symbol.kind != "SECTION")
        .map(|symbol| symbol.name)
        .collect();
    assert_eq!(visible, listed, "libpirn.a defines these, tests/symbols.txt lists those");

    // What the header declares, no more and no less.
    let header = std::fs::read_to_string(root().join("include/pirn.h")).expect("the header is committed");
    let declared: BTreeSet<String> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#', '}']) && !line.starts_with("typedef"))
        .filter_map(|line| line.split_once('(').map(|(before, _)| before))
        .filter_map(|before| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("pirn_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, listed, "include/pirn.h declares these, tests/symbols.txt lists those");
}

// ---- links with everything ----

/// A Rust static library of its own, with a standard library, a heap and panics.
fn another_rust_library() -> PathBuf {
    let directory = scratch("other");
    let file = directory.join("other.rs");
    let text = r#"
        #[unsafe(no_mangle)]
        pub extern "C" fn other_sum(count: i32) -> i32 {
            let map: std::collections::HashMap<String, i32> = (1..=count).map(|n| (format!("{n}"), n)).collect();
            std::panic::set_hook(Box::new(|_| {}));
            let caught = std::panic::catch_unwind(|| { if count > 0 { panic!("caught") } });
            if caught.is_ok() { -1 } else { map.values().sum() }
        }
    "#;
    std::fs::write(&file, text).expect("the target directory is writable");
    let archive = directory.join("libother.a");
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--edition", "2024", "--crate-type", "staticlib", "-O", "-o"]).arg(&archive).arg(&file);
    let outcome = run(&mut command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    archive
}

/// Links tests/c/linked.c and runs it.
fn links_and_runs(name: &str, program: &str, before: &[&str], libraries: &[&Path], after: &[&str]) {
    let file = scratch("bin").join(format!("linked-{name}"));
    let mut command = Command::new(program);
    command.args(before).arg("-I").arg(root().join("include")).arg(source("linked.c"));
    if before.contains(&"c++") {
        command.args(["-x", "none"]);
    }
    let outcome = run(command.args(libraries).args(after).arg("-o").arg(&file), MINUTES);
    assert!(outcome.is_success(), "{name} does not link: {}", outcome.excerpt());
    let directory = library().shared.parent().expect("a file has a directory");
    let outcome = run(Command::new(&file).env("LD_LIBRARY_PATH", directory), std::time::Duration::from_secs(20));
    assert!(outcome.is_success() && outcome.output.contains("linked: 4 calls"), "{name}: {}", outcome.excerpt());
}

/// Torture 124.
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
    links_and_runs("pie", "gcc", &["-O2", "-pie", "-fPIE", "-Wl,-z,now,-z,relro,-z,text"], &one, &[]);
    links_and_runs("lto", "gcc", &["-O2", "-flto"], &one, &[]);
    links_and_runs("gc", "gcc", &["-O2", "-Wl,--gc-sections"], &one, &[]);
    links_and_runs("no-gc", "gcc", &["-O2", "-Wl,--no-gc-sections"], &one, &[]);
    links_and_runs("no-undefined", "gcc", &["-O2", "-Wl,--no-undefined", "-Wl,--warn-common"], &one, &[]);
    for linker in ["gold", "lld", "mold"] {
        if find(&format!("ld.{linker}")).is_some() || find(linker).is_some() {
            links_and_runs(linker, "gcc", &["-O2", &format!("-fuse-ld={linker}")], &one, &[]);
        } else {
            support::skip(linker);
        }
    }
    if has("g++") {
        links_and_runs("c++", "g++", &["-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror"], &one, &[]);
    }
    if has("clang-14") {
        links_and_runs("clang", "clang-14", &["-O2"], &one, &[]);
    }
    if has("musl-gcc") {
        links_and_runs("musl", "musl-gcc", &["-O2", "-static"], &one, &[]);
    }
    let other = another_rust_library();
    let system = ["-pthread", "-ldl", "-lm", "-lgcc_s"];
    links_and_runs("beside", "gcc", &["-O2", "-DWITH_OTHER"], &[archive, &other], &system);
    links_and_runs("beside-reversed", "gcc", &["-O2", "-DWITH_OTHER"], &[&other, archive], &system);
    links_and_runs("beside-no-gc", "gcc", &["-O2", "-DWITH_OTHER", "-Wl,--no-gc-sections"], &[archive, &other], &system);
}

// ---- builds for everything ----

#[test]
fn every_combination_of_backends_builds() {
    let names = ["select", "poll", "epoll", "host"];
    let mut complaints = Vec::new();
    for bits in 0..1u32 << names.len() {
        let chosen: Vec<&str> = names.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, name)| *name).collect();
        let features = chosen.iter().copied().chain(["ffi"]).collect::<Vec<_>>().join(",");
        let mut check = cargo(&scratch("combinations"));
        check.args(["check", "--quiet", "--package", "pirn", "--lib", "--no-default-features", "--features", &features]);
        let outcome = run(&mut check, MINUTES);
        if !outcome.is_success() {
            complaints.push(format!("{features}: {}", outcome.excerpt()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// Torture 133.
#[test]
fn the_core_builds_without_an_operating_system() {
    if !has_target("thumbv7em-none-eabi") {
        return;
    }
    for features in ["host,ffi", "host", "ffi"] {
        let mut check = cargo(&scratch("combinations"));
        check.args(["check", "--quiet", "--package", "pirn", "--lib", "--target", "thumbv7em-none-eabi"]);
        let outcome = run(check.args(["--no-default-features", "--features", features]), MINUTES);
        assert!(outcome.is_success(), "{features}: {}", outcome.excerpt());
    }
}

// ---- rooms ----

fn rust_files(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("src is readable").flatten() {
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
        let name = file.strip_prefix(root()).expect("inside the repository").display().to_string();
        let allows_unsafe = text.lines().any(|line| line.starts_with("#![") && line.contains("expect(unsafe_code"));
        for (number, line) in text.lines().enumerate() {
            let bare = line.split("//").next().unwrap_or("");
            let code = code(line);
            let mut breach = |what: &str| breaches.push(format!("{name}:{}: {what}: {}", number + 1, line.trim()));
            if code.contains("rustix") && !name.starts_with("src/sys/") {
                breach("rustix outside of src/sys");
            }
            if bare.contains("extern \"C\"") && !name.starts_with("src/ffi/") {
                breach("extern \"C\" outside of src/ffi");
            }
            let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            if words.contains(&"unsafe") && !allows_unsafe {
                breach("unsafe in a file that does not say so");
            }
            if code.contains("allow(unsafe_code") {
                breach("unsafe is expected with a reason, not allowed");
            }
            if words.contains(&"std") && code.contains("std::") && !text.contains("cfg(test)") && !name.contains("tests") {
                breach("the standard library");
            }
        }
        if allows_unsafe && !text.lines().any(|line| code(line).contains("unsafe {") || code(line).contains("unsafe ")) {
            breaches.push(format!("{name}: says it has unsafe, and has none"));
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

// ---- sizes ----

/// A number that tests/c/sizes.c prints.
fn number(output: &str, name: &str) -> u64 {
    let line = output.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("no {name} in {output}"))
}

/// TARGETS: bytes per watcher, timer and task, and of a loop without any.
#[test]
fn a_loop_is_small() {
    if !has(GCC.program) {
        return;
    }
    let program = GCC.build("sizes", &[]);
    let outcome = run(&mut Command::new(program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    println!("64 bits, all backends:\n{}", outcome.output);
    assert!(number(&outcome.output, "io ") <= 64);
    assert!(number(&outcome.output, "timer ") <= 56);
    assert!(number(&outcome.output, "task ") <= 24);
    assert!(number(&outcome.output, "base ") < 4096);
}

/// With a host only, on a machine of 32 bits, a loop without watchers fits into 1 KiB; and works.
#[test]
fn a_loop_without_an_operating_system_is_smaller() {
    if !has(GCC.program) || !has_target("i686-unknown-linux-gnu") {
        return;
    }
    let target = scratch("capi-i686");
    let mut build = cargo(&target);
    build.args(["rustc", "--release", "--quiet", "--package", "pirn-capi", "--crate-type", "staticlib"]);
    build.args(["--target", "i686-unknown-linux-gnu", "--no-default-features", "--features", "host"]);
    let outcome = run(&mut build, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let program = scratch("bin").join("sizes.i686");
    let mut command = GCC.command();
    command.args(["-m32", "-DPIRN_HOST_ONLY"]).arg(source("sizes.c"));
    command.arg(target.join("i686-unknown-linux-gnu/release/libpirn.a")).arg("-o").arg(&program);
    let outcome = run(&mut command, MINUTES);
    if !outcome.is_success() && outcome.output.contains("cannot find") {
        support::skip("libraries of 32 bits");
        return;
    }
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let outcome = run(&mut Command::new(&program), std::time::Duration::from_secs(20));
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    println!("32 bits, a host only:\n{}", outcome.output);
    assert_eq!(number(&outcome.output, "pointer "), 4);
    assert!(number(&outcome.output, "base ") < 1024);
}
