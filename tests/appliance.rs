//! The image of c-examples/appliance, booted under qemu-system-x86_64.

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use support::{MINUTES, find, root, run, scratch, skip};

const PATIENCE: Duration = Duration::from_secs(120);

/// The directory with kernel and initial file system, made once, or nothing where that is not
/// possible.
fn image() -> Option<&'static Path> {
    static IMAGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let image = IMAGE.get_or_init(|| {
        let tools = ["qemu-system-x86_64", "make", "cc", "cpio", "objcopy"];
        if let Some(tool) = tools.iter().find(|tool| find(tool).is_none()) {
            skip(tool);
            return None;
        }
        if !cfg!(target_arch = "x86_64") {
            skip("x86_64");
            return None;
        }
        let build = scratch("appliance");
        let mut make = Command::new("make");
        make.arg("-C")
            .arg(root().join("c-examples/appliance"))
            .arg(format!("BUILD={}", build.display()))
            .env("CARGO_TARGET_DIR", scratch("layers"));
        for name in ["RUSTFLAGS", "MAKEFLAGS", "CFLAGS", "LDFLAGS", "CC"] {
            make.env_remove(name);
        }
        let outcome = run(&mut make, MINUTES);
        if build.join("init").is_file() && !build.join("kernel").is_dir() {
            skip("kernel package of Debian");
            return None;
        }
        assert!(outcome.is_success(), "{}", outcome.excerpt());
        Some(build)
    });
    image.as_deref()
}

/// A port of this machine that is free now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}

/// A machine that runs the image. It is killed when it goes out of scope.
struct Machine {
    process: Child,
    http: u16,
    echo: u16,
    started: Instant,
    console: PathBuf,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Machine {
    fn boot(image: &Path, name: &str) -> Machine {
        let (http, echo) = (free_port(), free_port());
        let console = image.join(format!("{name}.log"));
        let output = std::fs::File::create(&console).expect("the directory is writable");
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-M", "pc", "-accel", "tcg,tb-size=32", "-m", "96M"])
            .args(["-nodefaults", "-display", "none", "-monitor", "none"])
            .args(["-serial", "stdio", "-no-reboot", "-kernel"])
            .arg(image.join("vmlinuz"))
            .arg("-initrd")
            .arg(image.join("initrd.gz"))
            .args(["-append", "console=ttyS0 quiet panic=-1", "-netdev"])
            .arg(format!(
                "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{http}-:80,\
                 hostfwd=tcp:127.0.0.1:{echo}-:7"
            ))
            .args(["-device", "virtio-net-pci,netdev=n,romfile="])
            .stdin(Stdio::null())
            .stdout(output);
        Machine {
            process: command.spawn().expect("qemu is installed"),
            http,
            echo,
            started: Instant::now(),
            console,
        }
    }

    fn console(&self) -> String {
        let bytes = std::fs::read(&self.console).expect("it was made");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// An answer without its head; empty if there is none.
    fn request(&self, line: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(format!("{line} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert!(
            head.is_empty() || head.starts_with("HTTP/1.0 200 "),
            "{head}"
        );
        Ok(body.to_owned())
    }

    /// The status, once it is what is wanted. Before the appliance listens qemu itself accepts
    /// connections, and ends them.
    fn status(&self, is_wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let status = self.request("GET /").unwrap_or_default();
            if !status.is_empty() && is_wanted(&status) {
                return status;
            }
            assert!(
                self.started.elapsed() < PATIENCE,
                "{status}\n{}",
                self.console()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the machine is switched off, or reset.
    fn ends(&mut self) {
        let begun = Instant::now();
        while self.process.try_wait().expect("it is a child").is_none() {
            assert!(begun.elapsed() < PATIENCE, "{}", self.console());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn fact(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in {status}"))
}

#[test]
fn appliance_serves_supervises_and_shuts_down() {
    let Some(image) = image() else { return };
    let mut machine = Machine::boot(image, "serves");
    let status = machine.status(|_| true);
    let boot_time = machine.started.elapsed();
    assert_eq!(fact(&status, "worker_starts"), 1);

    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, machine.echo)).expect("it serves");
    let sent: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
    let mut writer = stream.try_clone().expect("a socket can be duplicated");
    let mut received = vec![0; sent.len()];
    std::thread::scope(|scope| {
        scope.spawn(|| writer.write_all(&sent).expect("it receives"));
        stream.read_exact(&mut received).expect("it sends");
    });
    assert!(received == sent, "the echo differs");
    drop((stream, writer));

    machine.request("POST /restart").expect("it serves");
    let status = machine.status(|status| fact(status, "worker_starts") == 2);
    assert_eq!(fact(&status, "echoed_bytes"), 100_000);
    assert!(fact(&status, "watchdog_feeds") > 0);
    let log = machine.request("GET /log").expect("it serves");
    for line in [
        "serves",
        "worker: works",
        "worker: ends",
        "worker ended, status 0",
    ] {
        assert!(log.contains(line), "no \"{line}\" in {log}");
    }

    let answer = machine.request("POST /shutdown").expect("it serves");
    assert_eq!(answer, "shutting down\n");
    machine.ends();
    let console = machine.console();
    let (before, after) = console.split_once("power off").expect("it ends in order");
    assert!(before.contains("shut down: requested"), "{console}");
    assert!(after.contains("Power down"), "{console}");

    let size = |name: &str| {
        std::fs::metadata(image.join(name))
            .expect("it was made")
            .len()
    };
    // Past the capture of test output. Nobody reads it if that fails.
    let _ = writeln!(
        std::io::stderr(),
        "appliance: init {} bytes, initial file system {} bytes, kernel {} bytes; first answer \
         after {:.1} s; of {} kB of memory {} kB are free",
        size("init"),
        size("initrd.gz"),
        size("vmlinuz"),
        boot_time.as_secs_f64(),
        fact(&status, "memory_total_kb"),
        fact(&status, "memory_free_kb"),
    );
}

#[test]
fn watchdog_resets_an_appliance_that_hangs() {
    let Some(image) = image() else { return };
    let mut machine = Machine::boot(image, "hangs");
    machine.status(|status| fact(status, "watchdog_feeds") > 0);
    // It never answers.
    let _ = machine.request("POST /hang");
    machine.ends();
    let console = machine.console();
    assert!(console.contains(" ms hangs"), "{console}");
    assert!(!console.contains("power off"), "{console}");
}
