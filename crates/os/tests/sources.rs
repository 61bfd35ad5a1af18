//! The sources in a loop of Rust's, on every backend.
//!
//! Without the test harness, for that has threads, and a thread that does not block a signal
//! takes it away.

use std::cell::Cell;
use std::ffi::CString;
use std::process::Command;

use pirn::{BackendKind, Config, Core, Interest, IoEvent, Loop, Storage};
use pirn_os::{
    Clock, ClockEvent, ClockKind, Error, Exit, Files, LONGEST_CHANGE, NEVER, Process, Signal,
};

const SIGHUP: i32 = 1;
const SIGKILL: i32 = 9;
const SIGUSR1: i32 = 10;
const EPERM: i32 = 1;
const ECHILD: i32 = 10;
const EBUSY: i32 = 16;
const EINVAL: i32 = 22;
const CLD_EXITED: i32 = 1;
const CLD_KILLED: i32 = 2;
const IN_CREATE: u32 = 0x100;
const IN_DELETE: u32 = 0x200;
const MILLISECOND: u64 = 1_000_000;

/// Runs a loop with one source, until the callback removes it.
fn run<C, F>(kind: BackendKind, fd: i32, context: &mut C, callback: F)
where
    F: Fn(&mut Core<'_, C>, &mut C, IoEvent) + Copy + 'static,
{
    let mut storage = Storage::<4, 1, 1>::new();
    let config = Config {
        backend: kind,
        ..Config::default()
    };
    let mut event_loop = Loop::new(&mut storage, config).expect("the backend works here");
    let io = event_loop.io_add(fd, Interest::READ, callback, 0);
    io.expect("the fd of a source can be watched");
    event_loop.run(context).expect("it ends");
}

fn signal_myself(signo: i32) {
    let me = std::process::id().to_string();
    let status = Command::new("kill")
        .arg(format!("-{signo}"))
        .arg(me)
        .status();
    assert!(status.expect("there is a kill").success());
}

fn signals(kind: BackendKind) {
    let refused = |signo| Signal::open_and_block(signo).err().map(Error::errno);
    assert_eq!(Signal::open(SIGUSR1).err().map(Error::errno), Some(EBUSY));
    assert_eq!(
        [refused(SIGKILL), refused(0), refused(65)],
        [Some(EINVAL); 3]
    );

    let signal = Signal::open_and_block(SIGUSR1).expect("it can be watched");
    assert_eq!(signal.take(), None);
    signal_myself(SIGUSR1);
    // A second value for the same signal, which finds it blocked.
    drop(Signal::open(SIGUSR1).expect("it is blocked"));
    let fd = signal.fd();
    let mut context = (signal, 0);
    run(kind, fd, &mut context, |core, (signal, count), event| {
        let info = signal.take().expect("it was readable");
        assert_eq!(info.signo, SIGUSR1);
        *count += 1;
        if *count == 2 {
            core.io_remove(event.io).expect("it is live");
        } else {
            signal_myself(SIGUSR1);
        }
    });
    drop(context);
    assert_eq!(Signal::open(SIGUSR1).err().map(Error::errno), Some(EBUSY));
    let _other = Signal::open_and_block(SIGHUP).expect("it can be watched");
}

fn processes(kind: BackendKind) {
    #[expect(clippy::zombie_processes, reason = "pirn reaps it")]
    let end_of = |script: &str, and_kill: bool| {
        let mut child = Command::new("sh").args(["-c", script]).spawn().expect("sh");
        let process = Process::open(child.id() as i32).expect("it is there");
        if and_kill {
            child.kill().expect("it is ours");
        }
        let fd = process.fd();
        let mut context = (process, Cell::new(None));
        run(kind, fd, &mut context, |core, (process, end), event| {
            end.set(process.take().expect("it is a child"));
            core.io_remove(event.io).expect("it is live");
        });
        let (process, end) = context;
        assert_eq!(process.take().err().map(Error::errno), Some(ECHILD));
        end.into_inner().expect("it has ended")
    };
    let Exit { code, status, .. } = end_of("exit 7", false);
    assert_eq!((code, status), (CLD_EXITED, 7));
    let Exit { code, status, .. } = end_of("sleep 1000", true);
    assert_eq!((code, status), (CLD_KILLED, SIGKILL));

    // Left for the standard library to reap.
    let mut child = Command::new("true").spawn().expect("true");
    let process = Process::open(child.id() as i32).expect("it is there");
    let fd = process.fd();
    run(kind, fd, &mut { process }, |core, process, event| {
        assert!(process.peek().expect("it is a child").is_some());
        core.io_remove(event.io).expect("it is live");
    });
    assert!(child.wait().expect("it is still there").success());
    assert!(Process::open(-1).is_err() && Process::open(1 << 23).is_err());
}

fn clocks(kind: BackendKind) {
    for clock in [ClockKind::Realtime, ClockKind::Boottime] {
        let deadline = clock.now() + 5 * MILLISECOND;
        let one =
            Clock::new(clock, deadline, 0, clock.can_be_set()).expect("there is such a clock");
        let fd = one.fd();
        let mut context = (one, deadline, clock);
        run(
            kind,
            fd,
            &mut context,
            |core, (one, deadline, clock), event| {
                let Some(ClockEvent::Due { missed: 0 }) = one.take() else {
                    return;
                };
                assert!(clock.now() >= *deadline);
                core.io_remove(event.io).expect("it is live");
            },
        );
        context.0.again(NEVER);
        assert_eq!(context.0.take(), None);
    }
    let refused = Clock::new(ClockKind::Boottime, NEVER, 0, true);
    assert_eq!(refused.err().map(Error::errno), Some(EINVAL));
    if let Err(error) = Clock::new(ClockKind::RealtimeAlarm, NEVER, 0, true) {
        assert_eq!(error.errno(), EPERM);
    }
}

fn files(kind: BackendKind) {
    let name = format!("pirn-os-sources-{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    std::fs::create_dir(&directory).expect("there is a directory for files that do not last");
    let path = CString::new(directory.to_str().expect("its name is text")).expect("without NUL");
    let files = Files::new().expect("there are instances left");
    let watch = files
        .watch(&path, IN_CREATE | IN_DELETE)
        .expect("it is there");
    let file = directory.join("a");
    std::fs::write(&file, "").expect("it can be written");
    std::fs::remove_file(&file).expect("it is there");
    let fd = files.fd();
    let mut context = (files, Vec::new());
    run(kind, fd, &mut context, |core, (files, changes), event| {
        let mut buffer = [0; 2 * LONGEST_CHANGE];
        for change in files.read(&mut buffer) {
            changes.push((change.watch, change.mask, change.name.to_owned()));
        }
        core.io_remove(event.io).expect("it is live");
    });
    let (files, changes) = context;
    let expected = [IN_CREATE, IN_DELETE].map(|mask| (watch, mask, c"a".to_owned()));
    assert_eq!(changes, expected);
    files.unwatch(watch).expect("it is watched");
    assert_eq!(files.unwatch(watch).err().map(Error::errno), Some(EINVAL));
    std::fs::remove_dir(&directory).expect("it is empty");
}

fn main() {
    for kind in [BackendKind::Select, BackendKind::Poll, BackendKind::Epoll] {
        signals(kind);
        processes(kind);
        clocks(kind);
        files(kind);
        println!("{kind:?}: ok");
    }
}
