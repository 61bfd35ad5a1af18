//! What the tests of the C side share: the library built once for C, programs compiled and run,
//! tools that may be missing.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A directory for what the tests make, inside cargo's target directory.
pub fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&path).expect("the target directory is writable");
    path
}

/// The file of a C test.
pub fn source(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

// ---- tools ----

static SKIPPED: AtomicU32 = AtomicU32::new(0);

/// Says, past the capture of test output, that something was not tested.
pub fn skip(what: &str) {
    let count = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    // Nobody reads it if that fails.
    let _ = writeln!(
        std::io::stderr(),
        "skipped: no {what} ({count} skipped in this file)"
    );
}

/// Where a program is, if it is installed.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// Whether a program is installed; says so if it is not.
pub fn has(program: &str) -> bool {
    let found = find(program).is_some();
    if !found {
        skip(program);
    }
    found
}

/// Whether a target of rustc is installed; says so if it is not.
pub fn has_target(target: &str) -> bool {
    static SYSROOT: OnceLock<PathBuf> = OnceLock::new();
    let sysroot = SYSROOT.get_or_init(|| {
        let output = Command::new(rustc())
            .args(["--print", "sysroot"])
            .output()
            .expect("rustc runs");
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    });
    let found = sysroot
        .join("lib/rustlib")
        .join(target)
        .join("lib")
        .is_dir();
    if !found {
        skip(&format!("target {target}"));
    }
    found
}

fn rustc() -> std::ffi::OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

/// Cargo in the repository, free of what the running `cargo test` has set for its own build.
pub fn cargo(target_directory: &Path) -> Command {
    let mut command = without_cargo(Command::new(
        std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()),
    ));
    command
        .current_dir(root())
        .env("CARGO_TARGET_DIR", target_directory);
    command
}

/// A command that is free of what the running `cargo test` has set for its own build.
pub fn without_cargo(mut command: Command) -> Command {
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "RUSTC_WRAPPER",
        "PIRN_HEADER",
    ] {
        command.env_remove(name);
    }
    command
}

// ---- the library ----

/// Where the built library is.
pub struct Library {
    pub archive: PathBuf,
    pub shared: PathBuf,
}

/// The library as C programs link it: built once for each test binary. Cargo's own lock keeps those
/// apart.
pub fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = scratch("capi");
        let mut build = cargo(&target);
        build.args(["build", "--release", "--quiet", "--package", "pirn-capi"]);
        let outcome = run(&mut build, MINUTES);
        assert!(
            outcome.is_success(),
            "the library does not build:\n{}",
            outcome.output
        );
        Library {
            archive: target.join("release/libpirn.a"),
            shared: target.join("release/libpirn.so"),
        }
    })
}

/// The archive with the layers in it, as it is installed: built once for each test binary.
pub fn layers() -> &'static Path {
    static ARCHIVE: OnceLock<PathBuf> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let target = scratch("layers");
        let out = target.join(std::process::id().to_string());
        let mut build = without_cargo(Command::new(root().join("capi/archive.sh")));
        build.arg(&out).env("CARGO_TARGET_DIR", &target);
        let outcome = run(&mut build, MINUTES);
        assert!(
            outcome.is_success(),
            "the archive does not build:\n{}",
            outcome.output
        );
        // Under the same name for all test binaries: whoever comes last has replaced an equal one.
        let archive = target.join("libpirn.a");
        std::fs::rename(out.join("libpirn.a"), &archive).expect("the target directory is writable");
        std::fs::remove_dir(&out).expect("it held the archive alone");
        archive
    })
}

// ---- programs ----

/// For builds, and programs that have their own, shorter limit.
pub const MINUTES: Duration = Duration::from_secs(600);

/// What a program did.
pub struct Outcome {
    pub status: ExitStatus,
    /// Standard output and error, as they came.
    pub output: String,
    pub timed_out: bool,
}

impl Outcome {
    pub fn is_success(&self) -> bool {
        self.status.success() && !self.timed_out
    }

    /// The output, shortened to what a person reads.
    pub fn excerpt(&self) -> String {
        let lines: Vec<&str> = self.output.lines().collect();
        let shown = lines
            .iter()
            .take(60)
            .copied()
            .collect::<Vec<_>>()
            .join("\n");
        let more = if lines.len() > 60 {
            format!("\n… {} lines more", lines.len() - 60)
        } else {
            String::new()
        };
        format!(
            "{}{}\n{shown}{more}",
            self.status,
            if self.timed_out {
                ", ended for taking too long"
            } else {
                ""
            }
        )
    }
}

/// Runs a program to its end, or ends it at the limit.
pub fn run(command: &mut Command, limit: Duration) -> Outcome {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = scratch("output").join(format!("{}-{number}", std::process::id()));
    let stdout = std::fs::File::create(&file).expect("the target directory is writable");
    let stderr = stdout.try_clone().expect("a file can be cloned");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    let begun = Instant::now();
    let mut timed_out = false;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if begun.elapsed() > limit && !timed_out {
            timed_out = true;
            // It may have ended meanwhile.
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let output = String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_default()).into_owned();
    let _ = std::fs::remove_file(&file);
    Outcome {
        status,
        output,
        timed_out,
    }
}

/// What is wrong with the way a program ended, if anything is: every backend must have reported
/// claims, and none that failed.
pub fn complaint(outcome: &Outcome, backends: &[&str]) -> Option<String> {
    let checked = |backend: &str| {
        outcome.output.lines().any(|line| {
            let count = line
                .strip_prefix(backend)
                .and_then(|rest| rest.strip_prefix(": ok, ")?.strip_suffix(" checks"));
            count
                .and_then(|count| count.parse::<u64>().ok())
                .is_some_and(|count| count > 0)
        })
    };
    let silent: Vec<&str> = backends
        .iter()
        .copied()
        .filter(|backend| !checked(backend))
        .collect();
    if outcome.is_success() && silent.is_empty() {
        None
    } else {
        Some(format!("not ok: {silent:?}: {}", outcome.excerpt()))
    }
}

/// A way to compile C.
#[derive(Clone, Copy)]
pub struct Compiler {
    pub name: &'static str,
    pub program: &'static str,
    pub flags: &'static [&'static str],
}

const SANITIZERS: &[&str] = &[
    "-g",
    "-O1",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
];

pub const GCC: Compiler = Compiler {
    name: "gcc",
    program: "gcc",
    flags: &["-g", "-O2"],
};
pub const GCC_SANITIZED: Compiler = Compiler {
    name: "gcc-sanitized",
    program: "gcc",
    flags: SANITIZERS,
};
pub const CLANG_SANITIZED: Compiler = Compiler {
    name: "clang-sanitized",
    program: "clang-14",
    flags: SANITIZERS,
};

/// What every C test is compiled with.
pub const STRICT: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"];

impl Compiler {
    /// The command so far: language, warnings, the header's directory.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command
            .args(["-std=c11", "-D_GNU_SOURCE"])
            .args(STRICT)
            .args(self.flags)
            .arg("-I")
            .arg(root().join("include"));
        command
    }

    /// A program of `tests/c`, linked with the library. Panics if it does not compile, for that is
    /// a failed test.
    pub fn build(&self, name: &str, more: &[&str]) -> PathBuf {
        self.link(&source(&format!("{name}.c")), &library().archive, more)
    }

    /// A C program, linked with an archive.
    pub fn link(&self, file: &Path, archive: &Path, more: &[&str]) -> PathBuf {
        // Two tests may want the same program at the same time, and a file that is being written
        // cannot be run.
        static BUILT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = BUILT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = file.file_stem().expect("a C file").to_string_lossy();
        let program = scratch("bin").join(format!("{name}.{}.{number}", self.name));
        let mut command = self.command();
        command
            .arg(file)
            .arg(archive)
            .args(more)
            .arg("-pthread")
            .arg("-o")
            .arg(&program);
        let outcome = run(&mut command, MINUTES);
        assert!(
            outcome.is_success(),
            "{name} does not compile with {}: {}",
            self.name,
            outcome.excerpt()
        );
        program
    }
}

/// How long a C program may take with all its backends. Each backend has its own alarm clock of 60
/// seconds besides.
pub const LIMIT: Duration = Duration::from_secs(280);

/// Runs a C program with these backends as arguments: optimised, and under the address and
/// undefined-behaviour sanitizers of two compilers.
pub fn holds_on(backends: &[&str], file: &Path, archive: &Path) {
    let headers = format!("-I{}", root().join("tests/c").display());
    let complaints: Vec<String> = [GCC, GCC_SANITIZED, CLANG_SANITIZED]
        .iter()
        .filter(|compiler| has(compiler.program))
        .filter_map(|compiler| {
            let program = compiler.link(file, archive, &[&headers]);
            let outcome = run(Command::new(program).args(backends), LIMIT);
            let complaint = complaint(&outcome, backends)?;
            Some(format!(
                "{}, {}: {complaint}",
                file.display(),
                compiler.name
            ))
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n\n"));
}
