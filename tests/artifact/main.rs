//! What the library promises about itself: no heap, no C library, no panic, no foreign names, no
//! walls moved.

mod header;
mod layout;
mod links;
mod panics;
mod rooms;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{GCC, MINUTES, cargo, has, has_target, library, root, run, scratch, source};

/// The words of each line of a program's output.
fn words_of(command: &mut Command) -> Vec<Vec<String>> {
    let outcome = run(command, MINUTES);
    assert!(outcome.is_success(), "{command:?}: {}", outcome.excerpt());
    outcome
        .output
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

fn lines_of(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join("tests/artifact").join(file))
        .expect("the list is committed");
    text.lines()
        .map(str::to_owned)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect()
}

/// The functions that make up the C API.
fn listed_symbols() -> Vec<String> {
    lines_of("symbols.txt")
}

/// Those that the layers export which capi/archive.sh puts into the archive.
fn symbols_of_layers() -> Vec<String> {
    let script = std::fs::read_to_string(root().join("capi/archive.sh")).expect("it is committed");
    let layers = script
        .lines()
        .find_map(|line| line.strip_prefix("LAYERS=\""))
        .and_then(|rest| rest.strip_suffix('"'))
        .expect("the script lists its layers");
    let symbols_of = |layer: &str| {
        let list = root().join("crates").join(layer).join("symbols.txt");
        std::fs::read_to_string(list).expect("each layer has its list")
    };
    layers
        .split_whitespace()
        .flat_map(|layer| {
            symbols_of(layer)
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A symbol of an ELF file as `readelf -sW` prints it: number, value, size, type, binding,
/// visibility, section, name.
struct Symbol {
    kind: String,
    binding: String,
    visibility: String,
    section: String,
    name: String,
}

fn symbols(file: &Path, dynamic: bool) -> Vec<Symbol> {
    let mut command = Command::new("readelf");
    command
        .arg("-W")
        .arg(if dynamic { "--dyn-syms" } else { "--syms" })
        .arg(file);
    words_of(&mut command)
        .into_iter()
        .filter(|words| words.len() == 8 && words[0].trim_end_matches(':').parse::<u32>().is_ok())
        .map(|words| {
            let mut words = words.into_iter().skip(3);
            let mut next = || words.next().unwrap_or_default();
            let (kind, binding, visibility, section, name) =
                (next(), next(), next(), next(), next());
            Symbol {
                kind,
                binding,
                visibility,
                section,
                name: name.split('@').next().unwrap_or("").to_owned(),
            }
        })
        .collect()
}

// ---- no heap ----

/// T108.
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
        assert!(
            outcome
                .output
                .contains(&format!("{backend}: 0 allocations")),
            "{}",
            outcome.excerpt()
        );
    }
    for breach in ["malloc", "mmap"] {
        let outcome = run(Command::new(&program).arg(breach), MINUTES);
        assert!(
            !outcome.is_success(),
            "a forbidden {breach} goes unnoticed: {}",
            outcome.excerpt()
        );
    }
}

// ---- no C library ----

/// Links these functions, and what they need, without a C library. What is not needed is left out.
fn linked_alone(archive: &Path, symbols: &[String], name: &str) -> PathBuf {
    let program = scratch("bin").join(name);
    let mut command = Command::new("gcc");
    command.args([
        "-nostdlib",
        "-static",
        "-O2",
        "-ffreestanding",
        "-fno-stack-protector",
        "-Wl,--gc-sections",
    ]);
    command
        .arg("-I")
        .arg(root().join("include"))
        .arg(source("nolibc.c"));
    command.args(symbols.iter().map(|symbol| format!("-Wl,-u,{symbol}")));
    let outcome = run(command.arg(archive).arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    program
}

#[test]
fn a_program_without_a_c_library_links_and_works() {
    if !has(GCC.program) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let program = linked_alone(&library().archive, &listed_symbols(), "nolibc");
    let outcome = run(
        &mut Command::new(&program),
        std::time::Duration::from_secs(20),
    );
    assert!(
        outcome.is_success(),
        "its exit status is the line of nolibc.c: {}",
        outcome.excerpt()
    );
    let undefined: Vec<String> = symbols(&program, false)
        .into_iter()
        .filter(|symbol| symbol.section == "UND")
        .map(|symbol| symbol.name)
        .collect();
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
    command.args(
        listed_symbols()
            .iter()
            .flat_map(|symbol| ["-u".to_owned(), symbol.clone()]),
    );
    let outcome = run(command.arg(archive).arg("-o").arg(&object), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let needed: BTreeSet<String> = symbols(&object, false)
        .into_iter()
        .filter(|symbol| {
            symbol.section == "UND" && !symbol.name.is_empty() && symbol.binding != "WEAK"
        })
        .map(|symbol| symbol.name)
        .filter(|name| name != "_GLOBAL_OFFSET_TABLE_")
        .collect();
    assert!(
        needed.is_empty(),
        "the archive wants {needed:?} from others"
    );
    let dynamic: BTreeSet<String> = symbols(&library().shared, true)
        .into_iter()
        .filter(|symbol| {
            symbol.section == "UND" && !symbol.name.is_empty() && symbol.binding != "WEAK"
        })
        .map(|symbol| symbol.name)
        .collect();
    assert!(
        dynamic.is_empty(),
        "the shared library wants {dynamic:?} from others"
    );
}

// ---- names ----

/// T120.
#[test]
fn exactly_the_listed_symbols_are_exported() {
    if !has("readelf") {
        return;
    }
    let listed: BTreeSet<String> = listed_symbols().into_iter().collect();
    let exported: BTreeSet<String> = symbols(&library().shared, true)
        .into_iter()
        .filter(|symbol| {
            symbol.section != "UND" && symbol.kind != "NOTYPE" && !symbol.name.is_empty()
        })
        .map(|symbol| symbol.name)
        .collect();
    assert_eq!(
        exported, listed,
        "libpirn.so exports these, tests/artifact/symbols.txt lists those"
    );

    // Hidden ones are no names to the program that links the archive statically, unless it defines
    // the same: those are weak.
    let visible: BTreeSet<String> = symbols(&library().archive, false)
        .into_iter()
        .filter(|symbol| {
            symbol.section != "UND" && symbol.binding == "GLOBAL" && symbol.visibility == "DEFAULT"
        })
        .filter(|symbol| symbol.kind != "FILE" && symbol.kind != "SECTION")
        .map(|symbol| symbol.name)
        .collect();
    assert_eq!(
        visible, listed,
        "libpirn.a defines these, tests/artifact/symbols.txt lists those"
    );

    // What the header declares, no more and no less.
    let header =
        std::fs::read_to_string(root().join("include/pirn.h")).expect("the header is committed");
    let declared: BTreeSet<String> = header
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#', '}']))
        .filter(|line| !line.starts_with("typedef") && !line.starts_with("static inline"))
        .filter_map(|line| line.split_once('(').map(|(before, _)| before))
        .filter_map(|before| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("pirn_"))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        declared, listed,
        "include/pirn.h declares these, tests/artifact/symbols.txt lists those"
    );
}

// ---- sizes ----

/// A number that tests/c/sizes.c prints.
fn number(output: &str, name: &str) -> u64 {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
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

/// The echo server without a C library, with the epoll backend alone, in the profile for small
/// artifacts: everything included, stripped.
#[test]
fn an_echo_server_without_a_c_library_is_small() {
    if !has(GCC.program) || !has("make") || !cfg!(target_arch = "x86_64") {
        return;
    }
    let target = scratch("capi-small");
    let mut build = cargo(&target);
    build.args([
        "rustc",
        "--profile",
        "small",
        "--quiet",
        "--package",
        "pirn-capi",
        "--crate-type",
        "staticlib",
    ]);
    build.args(["--no-default-features", "--features", "epoll"]);
    let outcome = run(&mut build, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let program = target.join("nolibc_echo");
    let mut link = Command::new("make");
    link.arg("-s")
        .arg("-C")
        .arg(root().join("c-examples"))
        .arg(&program);
    link.arg(format!(
        "LIBPIRN={}",
        target.join("small/libpirn.a").display()
    ))
    .arg(format!("BUILD={}", target.display()));
    let outcome = run(&mut link, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let size = std::fs::metadata(&program).unwrap().len();
    println!("echo server without libc, epoll alone: {size} bytes");
    assert!(size < 16 * 1024, "{size} bytes");
}

/// With a host only, on a machine of 32 bits, a loop without watchers takes little more than 1 KiB;
/// and works.
#[test]
fn a_loop_without_an_operating_system_is_smaller() {
    if !has(GCC.program) || !has_target("i686-unknown-linux-gnu") {
        return;
    }
    let target = scratch("capi-i686");
    let mut build = cargo(&target);
    build.args([
        "rustc",
        "--release",
        "--quiet",
        "--package",
        "pirn-capi",
        "--crate-type",
        "staticlib",
    ]);
    build.args([
        "--target",
        "i686-unknown-linux-gnu",
        "--no-default-features",
        "--features",
        "host",
    ]);
    let outcome = run(&mut build, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let program = scratch("bin").join("sizes.i686");
    let mut command = GCC.command();
    command
        .args(["-m32", "-DPIRN_HOST_ONLY"])
        .arg(source("sizes.c"));
    command
        .arg(target.join("i686-unknown-linux-gnu/release/libpirn.a"))
        .arg("-o")
        .arg(&program);
    let outcome = run(&mut command, MINUTES);
    if !outcome.is_success()
        && (outcome.output.contains("cannot find") || outcome.output.contains("fatal error: bits/"))
    {
        support::skip("libraries of 32 bits");
        return;
    }
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let outcome = run(
        &mut Command::new(&program),
        std::time::Duration::from_secs(20),
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    println!("32 bits, a host only:\n{}", outcome.output);
    assert_eq!(number(&outcome.output, "pointer "), 4);
    assert!(number(&outcome.output, "base ") < 1088);
}
