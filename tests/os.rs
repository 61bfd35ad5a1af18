//! The layer crates/os, called from C: programs of tests/os compiled, run on every backend that
//! has fds, and their claims counted.

mod support;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use support::{
    GCC, LIMIT, MINUTES, STRICT, complaint, has, holds_on, layers, root, run, scratch, skip,
};

const BACKENDS: [&str; 3] = ["select", "poll", "epoll"];

fn source(name: &str) -> PathBuf {
    root().join("tests/os").join(format!("{name}.c"))
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
    signals_come_to_the_loop: "signals";
    the_end_of_children_is_reported: "children";
    deadlines_follow_their_clock: "clocks";
    changes_of_files_are_reported: "files";
    sources_make_the_system_calls_that_are_listed: "costs";
}

/// The clock of a machine is set over deadlines, backwards, and exactly onto them. That is not done
/// to this machine: another one is booted, with Debian's kernel and the program as its first
/// process.
#[test]
fn steps_of_a_machines_clock_lose_nothing() {
    let tools = ["qemu-system-x86_64", "gcc", "cpio", "objcopy", "dpkg-deb"];
    if !tools.iter().all(|tool| has(tool)) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let out = scratch("clock-machine");
    let program = GCC.link(&source("clocks"), layers(), &[&headers(), "-static"]);
    let mut make = Command::new(root().join("c-examples/appliance/image.sh"));
    make.arg(&program).arg(&out);
    let kernel = scratch("appliance").join("kernel");
    if kernel.join("boot").is_dir() {
        make.env("KERNEL", &kernel);
    }
    let outcome = run(&mut make, MINUTES);
    if !out.join("kernel").is_dir() && !kernel.is_dir() {
        skip("kernel package of Debian");
        return;
    }
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let mut machine = Command::new("qemu-system-x86_64");
    machine
        .args(["-M", "pc", "-accel", "tcg,tb-size=32", "-m", "128M"])
        .args(["-nodefaults", "-display", "none", "-monitor", "none"])
        .args(["-serial", "stdio", "-no-reboot", "-kernel"])
        .arg(out.join("vmlinuz"))
        .arg("-initrd")
        .arg(out.join("initrd.gz"))
        .arg("-append")
        // Parameters that the kernel does not know are passed to the first process, which ends the
        // machine.
        .arg("console=ttyS0 quiet panic=-1 PIRN_TEST_SET_CLOCK=1 -- select poll epoll");
    let outcome = run(&mut machine, LIMIT);
    let complaint = complaint(&outcome, &BACKENDS);
    assert!(complaint.is_none(), "{}", complaint.unwrap_or_default());
}

/// Compiles and links a few lines, without further options for the compiler.
fn linked_plainly(name: &str, text: &str) -> PathBuf {
    let file = scratch("layers").join(format!("{name}.c"));
    std::fs::write(&file, text).expect("the target directory is writable");
    let program = file.with_extension("");
    let mut command = Command::new("gcc");
    command
        .arg("-I")
        .arg(root().join("include"))
        .arg(&file)
        .arg(layers());
    let outcome = run(command.arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    program
}

/// The names of the functions that a program contains.
fn names(program: &Path) -> Vec<String> {
    let outcome = run(Command::new("nm").arg(program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let name = |line: &str| line.rsplit(' ').next().unwrap_or("").to_owned();
    outcome.output.lines().map(name).collect()
}

/// The functions that the layer exports.
fn listed_symbols() -> Vec<String> {
    let list = root().join("crates/os/symbols.txt");
    let text = std::fs::read_to_string(list).expect("the list is committed");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_program_that_does_not_call_the_layer_does_not_have_it() {
    if !has("gcc") || !has("nm") {
        return;
    }
    let without = "#include <pirn.h>\nint main(void) { return pirn_version() == 0; }\n";
    let program = linked_plainly("without", without);
    assert!(run(&mut Command::new(&program), LIMIT).is_success());
    let listed = listed_symbols();
    let found: Vec<String> = names(&program)
        .into_iter()
        .filter(|name| name.contains("pirn_os") || listed.contains(name))
        .collect();
    assert!(found.is_empty(), "{found:?}");

    let with = "#include <pirn/os.h>\n\
                int main(void) { return pirn_signal_add(0, 0, 0, 0, 0, 0) != -22; }\n";
    let program = linked_plainly("with", with);
    assert!(run(&mut Command::new(&program), LIMIT).is_success());
    let names = names(&program);
    for symbol in ["pirn_signal_add", "pirn_io_add"] {
        assert!(names.iter().any(|name| name == symbol), "no {symbol}");
    }
}

/// The symbols that the layer's object exports, the functions in the header, and the list agree.
#[test]
fn exactly_the_listed_symbols_are_exported() {
    if !has("nm") || !has("ar") {
        return;
    }
    let directory = scratch("layers").join("member");
    std::fs::create_dir_all(&directory).expect("the target directory is writable");
    let mut extract = Command::new("ar");
    extract.arg("x").arg(layers()).arg("pirn_os.o");
    assert!(run(extract.current_dir(&directory), MINUTES).is_success());
    let object = directory.join("pirn_os.o");
    let outcome = run(
        Command::new("nm")
            .args(["-g", "--defined-only"])
            .arg(&object),
        MINUTES,
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let mut exported: Vec<&str> = outcome
        .output
        .lines()
        .filter_map(|line| line.rsplit(' ').next())
        .filter(|name| *name != "rust_eh_personality")
        .collect();
    exported.sort_unstable();
    assert_eq!(exported, listed_symbols());

    let header = std::fs::read_to_string(root().join("include/pirn/os.h")).expect("committed");
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| line.starts_with("int pirn_"))
        .filter_map(|line| line.split(['(', ' ']).nth(1))
        .collect();
    declared.sort_unstable();
    assert_eq!(declared, listed_symbols());

    // Its undefined symbols are functions of the core, and no others.
    let outcome = run(Command::new("nm").arg("-u").arg(&object), MINUTES);
    let core =
        std::fs::read_to_string(root().join("tests/artifact/symbols.txt")).expect("committed");
    for name in outcome
        .output
        .lines()
        .filter_map(|line| line.rsplit(' ').next())
    {
        assert!(
            core.lines().any(|symbol| symbol == name) || name == "_GLOBAL_OFFSET_TABLE_",
            "the layer wants {name} from others"
        );
    }
}

#[test]
fn the_header_is_clean_in_every_dialect() {
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
            command
                .args([
                    "-fsyntax-only",
                    "-pedantic-errors",
                    "-Wundef",
                    "-x",
                    language,
                ])
                .arg(format!("-std={standard}"))
                .args(STRICT)
                .arg("-I")
                .arg(root().join("include"))
                .arg(source("header"));
            let outcome = run(&mut command, MINUTES);
            assert!(
                outcome.is_success(),
                "{program}, {standard}: {}",
                outcome.excerpt()
            );
        }
    }
}

#[test]
fn a_program_without_a_c_library_works() {
    if !has(GCC.program) || !cfg!(target_arch = "x86_64") {
        return;
    }
    let program = scratch("bin").join("os-nolibc");
    let mut command = Command::new("gcc");
    command.args(["-nostdlib", "-static", "-O2", "-ffreestanding"]);
    command.args(["-fno-stack-protector", "-I"]);
    command.arg(root().join("include")).arg(source("nolibc"));
    let outcome = run(command.arg(layers()).arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let outcome = run(&mut Command::new(&program), LIMIT);
    assert!(
        outcome.is_success(),
        "its exit status is the line of nolibc.c: {}",
        outcome.excerpt()
    );
}

/// The archive without the members of its layers.
fn core_alone() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(make_core_alone)
}

fn make_core_alone() -> PathBuf {
    let archive = scratch("layers").join("core-alone.a");
    std::fs::copy(layers(), &archive).expect("the target directory is writable");
    let listed = run(Command::new("ar").arg("t").arg(&archive), MINUTES);
    assert!(listed.is_success(), "{}", listed.excerpt());
    let members: Vec<&str> = listed
        .output
        .lines()
        .filter(|member| member.starts_with("pirn_"))
        .collect();
    assert!(members.contains(&"pirn_os.o"), "{members:?}");
    let outcome = run(
        Command::new("ar").arg("d").arg(&archive).args(members),
        MINUTES,
    );
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    archive
}

/// Links tests/os/turns.c, which makes turns.
fn turns(name: &str, archive: &Path, options: &[&str]) -> PathBuf {
    let program = scratch("bin").join(format!("turns-{name}"));
    let mut command = Command::new("gcc");
    command
        .args(["-O2", "-Wl,--build-id=none", "-I"])
        .arg(root().join("include"))
        .arg(source("turns"))
        .args(options);
    let outcome = run(command.arg(archive).arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    program
}

/// With any linker flags, a program is byte by byte the same as with an archive without layers.
#[test]
fn a_layer_that_is_not_called_adds_nothing_to_a_program() {
    if !has("gcc") || !has("ar") {
        return;
    }
    let core = core_alone();
    let bytes = |program: &Path| std::fs::read(program).expect("it was linked");
    for options in [
        [].as_slice(),
        &["-static"],
        &["-Wl,--gc-sections"],
        &["-s", "-static", "-Wl,--gc-sections"],
    ] {
        let with = bytes(&turns("with", layers(), options));
        let without = bytes(&turns("without", core, options));
        assert!(with == without, "{options:?} makes a difference");
        // The comparison does find differences.
        let options = [options, &["-DWITH_LAYER"]].concat();
        let using = bytes(&turns("using", layers(), &options));
        assert!(using.len() > with.len() + 1000, "{options:?}");
    }
}

/// Counts the instructions of a number of turns with valgrind.
fn instructions(program: &Path, backend: &str, count: u32) -> u64 {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(backend)
        .arg(count.to_string());
    let outcome = run(&mut command, LIMIT);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    let collected = outcome
        .output
        .lines()
        .find_map(|line| line.split("Collected :").nth(1))
        .and_then(|rest| rest.trim().parse().ok());
    collected.unwrap_or_else(|| panic!("valgrind counts: {}", outcome.excerpt()))
}

/// A turn takes exactly the same instructions in a loop that never had a source, and in a program
/// without the layer.
#[test]
fn a_layer_that_is_not_used_adds_nothing_to_a_turn() {
    if !has("gcc") || !has("ar") || !has("valgrind") {
        return;
    }
    // The addresses chosen by the dynamic linker make a difference of a few instructions.
    let without = turns("plain", core_alone(), &["-g", "-static"]);
    let with = turns("sources", layers(), &["-g", "-static", "-DWITH_LAYER"]);
    let hook = turns("hook", core_alone(), &["-g", "-static", "-DWITH_HOOK"]);
    for backend in BACKENDS {
        // Without the instructions before and after the turns.
        let thousand = |program: &Path| {
            instructions(program, backend, 1100) - instructions(program, backend, 100)
        };
        let plain = thousand(&without);
        // A few in a thousand turns are the machine's: an instruction in each would be a thousand.
        let with = thousand(&with);
        assert!(with.abs_diff(plain) < 500, "{backend}: {with}, not {plain}");
        // The comparison does find differences.
        assert!(thousand(&hook) > plain + 20_000, "{backend}: {plain}");
    }
}

/// The program that the first page of a header shows, from the line with `first` to the one before
/// that with `end`, compiled behind `head`.
fn shown_program(header: &str, first: &str, end: &str, head: &str) -> PathBuf {
    let text = std::fs::read_to_string(root().join("include").join(header)).expect("committed");
    // Text in the right margin is a remark.
    let program: String = text
        .lines()
        .skip_while(|line| !line.contains(first))
        .take_while(|line| !line.contains(end))
        .map(|line| line.trim_start_matches(" *").trim_start())
        .map(|line| format!("{}\n", line.split("      ").next().unwrap_or("")))
        .collect();
    assert!(
        program.contains("pirn_run(loop)"),
        "it was moved:\n{program}"
    );
    let name = header.replace('/', "-");
    let file = scratch("layers").join(format!("first-of-{name}.c"));
    let head = format!("#include <signal.h>\n#include <pirn/os.h>\n{head}\n");
    std::fs::write(&file, format!("{head}{program}")).expect("the target directory is writable");
    let program = file.with_extension("");
    let mut command = Command::new("gcc");
    command.args(["-std=gnu11", "-Wall", "-I"]);
    command.arg(root().join("include")).arg(&file).arg(layers());
    let outcome = run(command.arg("-o").arg(&program), MINUTES);
    assert!(outcome.is_success(), "{}", outcome.excerpt());
    program
}

fn kill(signal: &str, child: &Child) {
    let mut kill = Command::new("kill");
    assert!(run(kill.arg(signal).arg(child.id().to_string()), LIMIT).is_success());
}

/// The program on the header's first page compiles, runs, and ends when it is told to.
#[test]
fn the_first_program_of_the_header_works() {
    if !has(GCC.program) {
        return;
    }
    let program = shown_program(
        "pirn/os.h",
        "static struct pirn_signal terminate;",
        "CONVENTIONS",
        "static PIRN_STORAGE(block, 4, 4, 4);",
    );
    let mut child = Command::new(&program).spawn().expect("it was linked");
    std::thread::sleep(Duration::from_millis(300));
    kill("-TERM", &child);
    // Not by the signal, which it blocks, but by returning.
    assert_eq!(child.wait().expect("it is a child").code(), Some(0));
}

/// What the daemon on the first page of pirn.h works with: its work is its standard input. What
/// comes there is told; an `h` is work that is never done.
const WORK: &str = r#"
#include <unistd.h>
static PIRN_STORAGE(block, 4, 4, 4);
static const int listener = 0;
static void say(const char *word) { if (write(1, word, 1) != 1) _exit(9); }
static void read_settings(void) { say("s"); }
static void on_work(struct pirn_loop *loop, struct pirn_io io, int fd, uint32_t ready, void *user)
{
    char letter[1];
    if (read(fd, letter, 1) != 1)
        _exit(8);
    if (*letter == 'h')
        pirn_hold(loop);
    say(letter);
}
"#;

/// The daemon on the first page of pirn.h reads its settings again, ends when its work is done, and
/// at once when it is asked again.
#[test]
fn the_daemon_of_the_header_works() {
    if !has(GCC.program) {
        return;
    }
    let program = shown_program(
        "pirn.h",
        "static const int numbers[]",
        "A program with threads",
        WORK,
    );
    for (work, signals) in [
        ("w", ["-TERM"].as_slice()),
        ("w", &["-INT"]),
        ("h", &["-TERM", "-INT"]),
        ("h", &["-TERM", "-TERM"]),
    ] {
        let mut command = Command::new(&program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it was linked");
        let mut input = child.stdin.take().expect("a pipe");
        let mut output = child.stdout.take().expect("a pipe");
        let mut says = |word: &str| {
            let mut said = [0];
            output.read_exact(&mut said).expect("it says something");
            assert_eq!(said, word.as_bytes());
        };
        input.write_all(work.as_bytes()).expect("it reads");
        says(work);
        kill("-HUP", &child);
        says("s");
        for (number, signal) in signals.iter().enumerate() {
            assert_eq!(child.try_wait().expect("it is a child"), None);
            kill(signal, &child);
            if number + 1 < signals.len() {
                // It is still running, and reads its settings.
                std::thread::sleep(Duration::from_millis(50));
                kill("-HUP", &child);
                says("s");
            }
        }
        assert_eq!(child.wait().expect("it is a child").code(), Some(0));
    }
}

/// Only crates/os/src/sys names the crates that make system calls.
#[test]
fn the_layer_keeps_its_walls() {
    let mut count = 0;
    for directory in ["crates/os/src", "crates/os/src/ffi"] {
        let files = std::fs::read_dir(root().join(directory)).expect("the sources are there");
        let files = files.flatten().map(|entry| entry.path());
        for path in files.filter(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).expect("the sources are readable");
            let code = text.split("#[cfg(test)]").next().unwrap_or("");
            for line in code
                .lines()
                .map(|line| line.split("//").next().unwrap_or(""))
            {
                for name in ["rustix", "syscalls::", "libc", "std::", "alloc::"] {
                    assert!(!line.contains(name), "{}: {line}", path.display());
                }
            }
            count += 1;
        }
    }
    assert!(count > 10, "the sources are found");
}
