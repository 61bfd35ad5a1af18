//! The layers of programs that wait, called from C: their members in the archive, their headers,
//! and the programs of tests/waiting, compiled and run on every backend.

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{
    CLANG_SANITIZED, GCC, LIMIT, MINUTES, STRICT, has, holds_on, layers, root, run, scratch,
};

const BACKENDS: [&str; 4] = ["select", "poll", "epoll", "host"];

fn source(name: &str) -> PathBuf {
    root().join("tests/waiting").join(format!("{name}.c"))
}

/// The directory of the tests' headers.
fn headers() -> String {
    format!("-I{}", root().join("tests/c").display())
}

macro_rules! programs {
    ($($claim:ident: $name:literal;)*) => {$(
        #[test]
        fn $claim() {
            holds_on(&BACKENDS, &source($name), layers());
        }
    )*};
}

programs! {
    the_rules_of_every_wait_hold: "waits";
    fibers_wait_join_and_are_cancelled: "fibers";
    io_looks_as_if_it_blocked: "io";
    a_bounded_pool_serves_many_clients: "server";
    thousands_of_clients_and_fibers_are_served_at_once: "many";
    of_a_million_waits_each_grant_has_one_holder: "million";
    an_fd_closed_under_its_waiters_is_reported: "closed_ports";
    switches_preserve_registers: "switches";
    objects_serve_all_ways_of_waiting: "sync";
    threads_work_for_the_loop: "work";
    a_refused_slot_or_capacity_loses_no_fiber: "faults";
    fibers_live_through_growth_and_fork: "together";
    fibers_live_in_loops_whose_turns_the_program_makes: "embedded";
}

/// The layers, and those of them that each may call.
const LAYERS: [(&str, &[&str]); 4] = [
    ("wait", &[]),
    ("fiber", &["wait"]),
    ("sync", &["wait"]),
    ("work", &["wait"]),
];

/// The functions that a layer exports.
fn listed_symbols(layer: &str) -> Vec<String> {
    let list = root().join(format!("crates/{layer}/symbols.txt"));
    let text = std::fs::read_to_string(list).expect("the list is committed");
    text.lines().map(str::to_owned).collect()
}

/// The last word of each line of a program's output.
fn last_words(command: &mut Command) -> Vec<String> {
    let outcome = run(command, MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let words = outcome
        .output
        .lines()
        .filter_map(|line| line.rsplit(' ').next());
    words.map(str::to_owned).collect()
}

/// What a layer's object defines for others, what its header declares, and its list are one; and it
/// needs nothing but the core and the layers below.
#[test]
fn exactly_the_listed_symbols_are_exported() {
    if !has("nm") || !has("ar") || !has("readelf") {
        return;
    }
    let core =
        std::fs::read_to_string(root().join("tests/artifact/symbols.txt")).expect("committed");
    for (layer, below) in LAYERS {
        let directory = scratch("layers").join(format!("member-{layer}"));
        std::fs::create_dir_all(&directory).expect("the target directory is writable");
        let name = format!("pirn_{layer}.o");
        let mut extract = Command::new("ar");
        extract.arg("x").arg(layers()).arg(&name);
        assert!(run(extract.current_dir(&directory), MINUTES).is_success());
        let object = directory.join(&name);

        // Number, value, size, type, binding, visibility, section, name. Hidden names are none to
        // programs.
        let outcome = run(Command::new("readelf").arg("-sW").arg(&object), MINUTES);
        assert!(outcome.is_success(), "{}", outcome.excerpt());
        let lines = outcome.output.lines();
        let mut exported: Vec<&str> = lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .filter(|words| words.len() == 8 && words[4..6] == ["GLOBAL", "DEFAULT"])
            .filter(|words| words[6] != "UND")
            .map(|words| words[7])
            .collect();
        exported.sort_unstable();
        assert_eq!(exported, listed_symbols(layer));

        let header = std::fs::read_to_string(root().join(format!("include/pirn/{layer}.h")))
            .expect("the header is committed");
        let mut declared: Vec<&str> = header
            .lines()
            .filter(|line| !line.starts_with([' ', '/', '#', '}']))
            .filter(|line| !line.starts_with("typedef") && !line.starts_with("static inline"))
            .filter_map(|line| line.split_once('(').map(|(before, _)| before))
            .filter_map(|before| before.rsplit([' ', '*']).next())
            .filter(|name| name.starts_with("pirn_"))
            .collect();
        declared.sort_unstable();
        assert_eq!(declared, listed_symbols(layer));

        let mut others: Vec<String> = core.lines().map(str::to_owned).collect();
        for layer in below {
            others.extend(listed_symbols(layer));
        }
        for name in last_words(Command::new("nm").arg("-u").arg(&object)) {
            assert!(
                others.contains(&name) || name == "_GLOBAL_OFFSET_TABLE_",
                "the layer {layer} wants {name} from others"
            );
        }
    }
}

#[test]
fn the_headers_are_clean_in_every_dialect() {
    let file = scratch("layers").join("all_headers.c");
    let text: String = LAYERS
        .iter()
        .map(|(layer, _)| *layer)
        .chain(["co_wait"])
        .map(|name| format!("#include <pirn/{name}.h>\n"))
        .collect();
    std::fs::write(&file, text + "int main(void) { return 0; }\n").expect("writable");
    for (program, language, standards) in [
        ("gcc", "c", ["c99", "c11", "c2x"].as_slice()),
        ("g++", "c++", &["c++11", "c++20"]),
        ("clang-14", "c", &["c99", "c17"]),
        ("clang++-14", "c++", &["c++17"]),
    ] {
        if !has(program) {
            continue;
        }
        for standard in standards {
            let mut command = Command::new(program);
            command.args([
                "-fsyntax-only",
                "-pedantic-errors",
                "-Wundef",
                "-x",
                language,
            ]);
            command.arg(format!("-std={standard}")).args(STRICT);
            command.arg("-I").arg(root().join("include")).arg(&file);
            let outcome = run(&mut command, MINUTES);
            assert!(
                outcome.is_success(),
                "{program}, {standard}: {}",
                outcome.excerpt()
            );
        }
    }
}

/// Many of them wait at a time: their sizes are promises, in bytes on 64 and on 32 bits.
#[test]
fn waiters_and_fibers_are_small() {
    if !has(GCC.program) {
        return;
    }
    for (bits, waiter, fiber, port) in [("-m64", 136, 256, 48), ("-m32", 84, 152, 36)] {
        let text = format!(
            "#include <pirn/fiber.h>\n\
             _Static_assert(sizeof(struct pirn_waiter) <= {waiter}, \"a waiter\");\n\
             _Static_assert(sizeof(struct pirn_fiber) <= {fiber}, \"a fiber\");\n\
             _Static_assert(sizeof(struct pirn_port) <= {port}, \"a port\");\n"
        );
        let file = scratch("layers").join(format!("sizes{bits}.c"));
        std::fs::write(&file, text).expect("the target directory is writable");
        let mut command = Command::new(GCC.program);
        command.args(["-std=c11", "-fsyntax-only", bits, "-I"]);
        command.arg(root().join("include")).arg(&file);
        let outcome = run(&mut command, MINUTES);
        // Only the other machine's headers of the C library may be missing.
        let is_checked = !outcome.output.contains("No such file");
        assert!(outcome.is_success() || !is_checked, "{}", outcome.excerpt());
    }
}

/// The program on a header's first page, from the line that contains `first` on, linked with `head`
/// before it. What stands in the right margin is a remark.
fn first_program(layer: &str, first: &str, head: &str) -> PathBuf {
    let header = std::fs::read_to_string(root().join(format!("include/pirn/{layer}.h")))
        .expect("the header is committed");
    let program: String = header
        .lines()
        .skip_while(|line| !line.contains(first))
        .take_while(|line| !line.starts_with(" * ") || line.starts_with(" *     "))
        .map(|line| line.trim_start_matches(" *").trim_start())
        .map(|line| format!("{}\n", line.split("      ").next().unwrap_or("")))
        .collect();
    assert!(
        program.contains("int main(void)"),
        "it is there:\n{program}"
    );
    let file = scratch("layers").join(format!("first-{layer}.c"));
    std::fs::write(&file, format!("{head}{program}")).expect("the target directory is writable");
    let program = file.with_extension("");
    let mut command = Command::new("gcc");
    command.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror"]);
    command
        .args(["-Wno-unused-parameter", "-I"])
        .arg(root().join("include"));
    command.arg(&file).arg(layers());
    let outcome = run(command.arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    program
}

#[test]
fn the_first_programs_of_the_headers_work() {
    if !has(GCC.program) {
        return;
    }
    let head = "#include <unistd.h>\n#include <pirn/wait.h>\n";
    let program = first_program("wait", "static PIRN_STORAGE(block, 8, 8, 8);", head);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "(echo one; echo two) | \"$0\""])
        .arg(program);
    let outcome = run(&mut shell, LIMIT);
    assert!(outcome.is_success(), "{}", outcome.excerpt());

    // It serves no client without a socket.
    let head = "#include <unistd.h>\n#include <pirn/fiber.h>\n\
                static int listening_socket(void) { return -1; }\n";
    let program = first_program("fiber", "static PIRN_STORAGE(block, 128, 8, 8);", head);
    let outcome = run(&mut Command::new(program), LIMIT);
    assert_eq!(outcome.status.code(), Some(1), "{}", outcome.excerpt());
}

/// A program of callbacks that waits does not contain fibers.
#[test]
fn a_program_of_callbacks_does_not_contain_fibers() {
    if !has(GCC.program) || !has("nm") {
        return;
    }
    let head = "#include <unistd.h>\n#include <pirn/wait.h>\n";
    let program = first_program("wait", "static PIRN_STORAGE(block, 8, 8, 8);", head);
    let names = last_words(Command::new("nm").arg(program));
    assert!(names.iter().any(|name| name == "pirn_waiter_init"));
    let fibers = listed_symbols("fiber");
    assert!(!names.iter().any(|name| fibers.contains(name)), "{names:?}");
}

/// A switch of stacks does not switch shadow stacks. The linker marks a program as fit for them if
/// all its objects are marked, so those of the archive must not be.
#[test]
fn no_object_claims_to_know_shadow_stacks() {
    if has("readelf") && cfg!(target_arch = "x86_64") {
        let outcome = run(Command::new("readelf").arg("-n").arg(layers()), MINUTES);
        assert!(outcome.is_success(), "{}", outcome.excerpt());
        assert!(!outcome.output.contains("SHSTK"), "{}", outcome.excerpt());
    }
}

// ---- tools ----

/// Compiles a program of tests/waiting with these flags.
fn compiled(name: &str, variant: &str, compiler: &str, flags: &[&str]) -> PathBuf {
    let program = scratch("bin").join(format!("{name}-{variant}"));
    let mut command = Command::new(compiler);
    command
        .args(["-std=gnu11", "-D_GNU_SOURCE", "-g", "-O1"])
        .args(STRICT);
    command.args(flags).arg(headers());
    command.arg("-I").arg(root().join("include"));
    command.arg(source(name)).arg(layers());
    let outcome = run(command.args(["-pthread", "-o"]).arg(&program), MINUTES);
    assert!(outcome.is_success(), "{compiler}: {}", outcome.excerpt());
    program
}

/// The sanitizers and valgrind have nothing to say of fibers, and report a real mistake exactly.
#[test]
fn tools_are_silent_about_fibers() {
    for compiler in [GCC.program, CLANG_SANITIZED.program] {
        if !has(compiler) {
            continue;
        }
        for sanitizer in ["address", "thread"] {
            let flag = format!("-fsanitize={sanitizer}");
            let variant = format!("{compiler}-{sanitizer}");
            let program = compiled("watched", &variant, compiler, &[&flag]);
            let mut command = Command::new(&program);
            command.env("ASAN_OPTIONS", "detect_stack_use_after_return=1");
            let outcome = run(&mut command, LIMIT);
            assert!(outcome.is_success(), "{variant}: {}", outcome.excerpt());
            assert_eq!(outcome.output.trim(), "silent", "{variant}");
            if sanitizer == "address" {
                let outcome = run(command.arg("20"), LIMIT);
                let report = &outcome.output;
                let is_exact = report.contains("stack-buffer-overflow")
                    && report.contains("in writes_beyond")
                    && report.contains("'small'");
                assert!(is_exact, "{variant}: {}", outcome.excerpt());
            }
        }
    }
    if has(GCC.program) && has("valgrind") {
        let flags = ["-DPIRN_FIBER_VALGRIND"];
        let program = compiled("watched", "valgrind", GCC.program, &flags);
        let mut command = Command::new("valgrind");
        let outcome = run(
            command.args(["-q", "--error-exitcode=9"]).arg(program),
            LIMIT,
        );
        assert!(outcome.is_success(), "{}", outcome.excerpt());
        assert_eq!(outcome.output.trim(), "silent");
    }
}

/// Each fiber keeps the exception that it handles, under the sanitizers too.
#[test]
fn exceptions_stay_with_their_fiber() {
    for compiler in ["g++", "clang++-14"] {
        if !has(compiler) {
            continue;
        }
        for sanitizer in ["undefined", "address", "thread"] {
            let program = scratch("bin").join(format!("exceptions-{compiler}-{sanitizer}"));
            let mut command = Command::new(compiler);
            command.args(["-std=c++11", "-O1", "-Wall", "-Wextra", "-Werror"]);
            command.arg(format!("-fsanitize={sanitizer}"));
            command.arg("-I").arg(root().join("include"));
            command.arg(source("exceptions").with_extension("cc"));
            command.arg(layers()).arg("-o").arg(&program);
            let outcome = run(&mut command, MINUTES);
            assert!(outcome.is_success(), "{}", outcome.excerpt());
            let outcome = run(&mut Command::new(&program), LIMIT);
            assert!(outcome.is_success(), "{}", outcome.excerpt());
        }
    }
}

// ---- witnesses ----

/// Runs a program of tests/waiting/asyncio, which presents the objects in Python. Returns what it
/// prints, if it has what it needs.
fn judged(program: &str, arguments: &[&str]) -> Option<String> {
    if !has(GCC.program) || !has("python3") {
        return None;
    }
    let python = root().join("tests/waiting/asyncio");
    let library = scratch("bin").join(format!("{program}.so"));
    let mut link = Command::new(GCC.program);
    link.args(["-shared", "-fPIC", "-o"]).arg(&library);
    link.arg("-I").arg(root().join("include"));
    link.arg(python.join("library.c"))
        .arg("-Wl,--whole-archive");
    let outcome = run(link.arg(layers()).arg("-Wl,--no-whole-archive"), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let mut command = Command::new("python3");
    // `-B`: no bytecode is written into the source.
    command.arg("-B").arg(python.join(program)).arg(&library);
    let outcome = run(command.args(arguments), LIMIT);
    let said = outcome.output.trim();
    if let Some(what) = said.rsplit("skipped: ").next().filter(|what| *what != said) {
        support::skip(what);
        if outcome.status.code() == Some(77) {
            return None;
        }
    }
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    Some(outcome.output)
}

/// CPython's tests of asyncio's locks and queues pass with pirn's objects in their place.
#[test]
fn cpythons_own_tests_pass() {
    let said = judged("cpython.py", &[]);
    assert!(said.is_none_or(|said| said.contains("0 complaints")));
}

/// Random scripts leave the same trace with asyncio's objects, with trio's and with pirn's.
#[test]
fn asyncio_and_trio_agree() {
    let said = judged("witness.py", &[]);
    assert!(said.is_none_or(|said| said.contains("actions as with asyncio")));
}

// ---- tools that show ----

/// `pirn fibers` and `pirn bt`, in a live process and from its core file.
#[test]
fn gdb_shows_fibers_that_wait() {
    if !has(GCC.program) || !has("gdb") || !cfg!(target_arch = "x86_64") {
        return;
    }
    let program = compiled("waiting_fibers", "gdb", GCC.program, &[]);
    let core = program.with_extension("core");
    let script = format!("source {}", root().join("tools/gdb/pirn.py").display());
    let gdb = |commands: &[&str], file: Option<&PathBuf>| {
        let mut command = Command::new("gdb");
        command.args(["-batch", "-nx", "-ex", &script]);
        for text in commands {
            command.args(["-ex", text]);
        }
        run(command.arg(&program).args(file), LIMIT).output
    };
    let save = format!("generate-core-file {}", core.display());
    let live = gdb(&["run", "pirn fibers", "pirn bt all", &save], None);
    if live.contains("Could not trace") || !live.contains("SIGABRT") {
        support::skip("ptrace for gdb");
        return;
    }
    let dead = gdb(&["pirn fibers &hub", "pirn bt all"], Some(&core));
    for (output, what) in [(live, "live"), (dead, "core")] {
        assert!(output.contains("parked 0x"), "{what}: {output}");
        assert!(output.contains("waits to be woken"), "{what}: {output}");
        assert!(output.contains("reader 0x"), "{what}: {output}");
        assert!(output.contains("waits for fd "), "{what}: {output}");
        assert!(
            output.contains("waits for a mutex at 0x"),
            "{what}: {output}"
        );
        assert!(output.contains("in reads ("), "{what}: {output}");
        assert!(output.contains("in dies ("), "{what}: {output}");
        assert_eq!(
            output.matches("in three_levels_down").count(),
            3,
            "{what}: {output}"
        );
        // Each ends at the first frame of its stack.
        assert_eq!(
            output.matches("in pirn_fiber_begin_ ()").count(),
            4,
            "{what}: {output}"
        );
        assert!(!output.contains("corrupt stack"), "{what}: {output}");
    }
}
