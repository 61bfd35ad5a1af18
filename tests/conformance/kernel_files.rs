//! What only a kernel has: TCP and UDP, files of every kind, fds beyond 1024, edges. On the three
//! kernel backends.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use pirn::{BackendKind, Error, Interest, Storage};

use crate::bench::{Bench, PROCESSES, on_io};
use crate::os;
use crate::world::{Epoll, Poll, Select, World};

const READ: Interest = Interest::READ;
const WRITE: Interest = Interest::WRITE;
const BOTH: Interest = READ.union(WRITE);

claims! {
    all: ;
    kernel:
        finished_and_reset_connections_are_reported
        unconnected_socket_reports_while_it_is_watched
        refused_connect_is_reported_until_the_watcher_stops
        pending_connection_makes_a_listener_readable
        error_on_a_datagram_socket_reaches_its_reader
        urgent_byte_is_reported_to_who_asked
        fifo_is_at_its_end_once_it_had_a_writer
        always_ready_files_are_always_ready
        always_ready_files_take_turns_with_other_work
        always_ready_files_cannot_be_edge_triggered
        always_ready_file_is_found_ready_when_the_turn_begins
        path_is_no_open_file
        hangup_and_error_reach_watchers_that_do_not_read
        unread_data_does_not_wake_who_only_writes
        paused_watcher_of_an_always_ready_file_is_joined
        mounts_can_be_waited_for
        closed_pseudo_terminal_is_a_hangup
        full_eventfd_is_only_readable
        fds_beyond_1024_are_watched;
    epoll:
        edges_are_reported_once
        edge_is_armed_again_by_modify
        exclusive_interest_can_be_changed;
    simulation: ;
}

fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap().0;
    (client, server)
}

/// T8.
fn finished_and_reset_connections_are_reported<W: World>(b: &mut Bench<'_, W>) {
    let (client, server) = connection();
    b.io("client", client.as_raw_fd(), BOTH);
    assert_eq!(b.turns_until(1), ["client W"]);
    server.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(b.turn(), ["client RWP"]);
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(b.turn(), ["client RWHP"]);

    let (mut client, server) = connection();
    b.event_loop.fd_closing(client.as_raw_fd()).unwrap();
    client.write_all(b"unread").unwrap();
    assert!(os::is_readable(server.as_raw_fd(), 1000));
    drop(server);
    b.io("reset", client.as_raw_fd(), BOTH);
    assert!(b.turn().contains(&"reset RWEHP".to_owned()));
}

/// T10.
fn unconnected_socket_reports_while_it_is_watched<W: World>(b: &mut Bench<'_, W>) {
    let fd = os::tcp_socket();
    let io = b.io("socket", fd, WRITE);
    assert_eq!(b.turn(), ["socket WH"]);
    assert_eq!(b.turn(), ["socket WH"]);
    b.event_loop.io_modify(io, Interest::empty()).unwrap();
    b.assert_sleeps();
    b.event_loop.fd_closing(fd).unwrap();
    os::close_fd(fd);
}

/// T9.
fn refused_connect_is_reported_until_the_watcher_stops<W: World>(b: &mut Bench<'_, W>) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let fd = os::tcp_socket();
    assert!(os::connect_locally(fd, port) < 0);
    let io = b.io("socket", fd, WRITE);
    assert_eq!(b.turns_until(1), ["socket WEH"]);
    assert!(os::read_bytes(fd, 1) < 0, "takes the error");
    assert_eq!(b.turn(), ["socket WH"]);
    b.event_loop.io_remove(io).unwrap();
    b.assert_sleeps();
    os::close_fd(fd);
}

fn pending_connection_makes_a_listener_readable<W: World>(b: &mut Bench<'_, W>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    b.io("listener", listener.as_raw_fd(), READ);
    b.assert_silent();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert_eq!(b.turns_until(1), ["listener R"]);
    drop(client);
    drop(listener.accept().unwrap());
    b.assert_silent();
}

/// T11.
fn error_on_a_datagram_socket_reaches_its_reader<W: World>(b: &mut Bench<'_, W>) {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(nobody.local_addr().unwrap()).unwrap();
    drop(nobody);
    b.io("socket", socket.as_raw_fd(), READ);
    b.assert_silent();
    socket.send(b"?").unwrap();
    assert_eq!(b.turns_until(1), ["socket RE"]);
    assert!(socket.take_error().unwrap().is_some());
    b.assert_silent();
}

/// T12.
fn urgent_byte_is_reported_to_who_asked<W: World>(b: &mut Bench<'_, W>) {
    let (client, server) = connection();
    b.io("reader", client.as_raw_fd(), READ);
    b.io("urgent", client.as_raw_fd(), Interest::URGENT);
    assert_eq!(os::send_urgent(server.as_raw_fd()), 1);
    assert_eq!(b.turns_until(1), ["urgent U"]);
}

/// T13.
fn fifo_is_at_its_end_once_it_had_a_writer<W: World>(b: &mut Bench<'_, W>) {
    let path = std::env::temp_dir().join(format!("pirn-{}-{}", std::process::id(), W::KIND.name()));
    let _ = std::fs::remove_file(&path);
    os::make_fifo(path.to_str().unwrap());
    let reader = OpenOptions::new()
        .read(true)
        .custom_flags(0o4000)
        .open(&path)
        .unwrap();
    let io = b.io("fifo", reader.as_raw_fd(), READ);
    b.assert_silent();
    let writer = OpenOptions::new().write(true).open(&path).unwrap();
    b.assert_silent();
    drop(writer);
    assert_eq!(b.turn(), ["fifo RH"]);
    assert_eq!(b.turn(), ["fifo RH"]);
    b.event_loop.io_modify(io, Interest::empty()).unwrap();
    b.assert_sleeps();
    std::fs::remove_file(&path).unwrap();
}

/// T14.
fn always_ready_files_are_always_ready<W: World>(b: &mut Bench<'_, W>) {
    for path in [
        "/proc/self/exe",
        "/",
        "/dev/null",
        "/dev/zero",
        "/dev/urandom",
        "/proc/self/stat",
    ] {
        let file = File::open(path).unwrap();
        let fd = file.as_raw_fd();
        let io = b.io("file", fd, READ);
        assert_eq!(b.turn(), ["file R"], "{path}");
        assert_eq!(b.turn(), ["file R"], "{path}");
        b.io("shared", fd, BOTH);
        assert_eq!(b.turn(), ["file R", "shared RW"], "{path}");
        b.event_loop.io_modify(io, Interest::empty()).unwrap();
        assert_eq!(b.turn(), ["shared RW"], "{path}");
        assert_eq!(b.event_loop.fd_closing(fd), Ok(2));
        let io = b.io("paused", fd, Interest::empty());
        b.assert_silent();
        b.event_loop.io_modify(io, WRITE).unwrap();
        assert_eq!(b.turn(), ["paused W"], "{path}");
        b.event_loop.io_remove(io).unwrap();
        b.io("once", fd, READ | Interest::ONESHOT);
        assert_eq!(b.turn(), ["once R"], "{path}");
        b.assert_sleeps();
        b.event_loop.fd_closing(fd).unwrap();
    }
}

/// T14, T62: a file that is always ready is called once in a turn, beside everything else.
fn always_ready_files_take_turns_with_other_work<W: World>(b: &mut Bench<'_, W>) {
    let file = File::open("/dev/null").unwrap();
    let (reader, _writer) = b.ready_pipe();
    b.io("file", file.as_raw_fd(), READ);
    b.io("pipe", reader, READ);
    b.task("task");
    let called = b.turn();
    assert_eq!(called.last().unwrap(), "task");
    let mut first: Vec<_> = called[..2].to_vec();
    first.sort();
    assert_eq!(first, ["file R", "pipe R"]);
}

fn always_ready_files_cannot_be_edge_triggered<W: World>(b: &mut Bench<'_, W>) {
    let file = File::open("/dev/null").unwrap();
    let user = b.context.name("never");
    // Paused neither: nothing is watched yet, and later nobody could be refused.
    for interest in [READ, Interest::empty()] {
        for option in [Interest::EDGE, Interest::EXCLUSIVE] {
            let refused = b
                .event_loop
                .io_add(file.as_raw_fd(), interest | option, on_io::<W>, user)
                .unwrap_err();
            assert_eq!(
                refused,
                if W::KIND == BackendKind::Epoll {
                    Error::EPERM
                } else {
                    Error::EOPNOTSUPP
                }
            );
        }
    }
    assert_eq!(b.event_loop.stats().io_used, 0);
}

/// Interest that is widened during the dispatch counts from the next wait.
fn always_ready_file_is_found_ready_when_the_turn_begins<W: World>(b: &mut Bench<'_, W>) {
    let file = File::open("/dev/null").unwrap();
    let (reader, _writer) = b.ready_pipe();
    b.io_then(
        "widens",
        reader,
        READ | Interest::HIGH | Interest::ONESHOT,
        |event_loop, context| {
            event_loop.io_modify(context.io("file"), BOTH).unwrap();
        },
    );
    b.io("file", file.as_raw_fd(), READ);
    assert_eq!(b.turn(), ["widens R", "file R"]);
    assert_eq!(b.turn(), ["file RW"]);
}

/// `O_PATH`: a number that is open, and that no wait of the kernel accepts.
fn path_is_no_open_file<W: World>(b: &mut Bench<'_, W>) {
    const O_PATH: i32 = 0o10_000_000;
    let path = OpenOptions::new().read(true).custom_flags(O_PATH).open("/");
    let path = path.unwrap();
    let user = b.context.name("never");
    for interest in [READ, Interest::empty()] {
        let added = b
            .event_loop
            .io_add(path.as_raw_fd(), interest, on_io::<W>, user);
        assert_eq!(added, Err(Error::EBADF));
    }
    b.assert_silent();
}

fn paused_watcher_of_an_always_ready_file_is_joined<W: World>(b: &mut Bench<'_, W>) {
    let file = File::open("/proc/self/exe").unwrap();
    let paused = b.io("paused", file.as_raw_fd(), Interest::empty());
    b.io("reader", file.as_raw_fd(), READ);
    assert_eq!(b.turn(), ["reader R"]);
    b.event_loop.io_modify(paused, WRITE).unwrap();
    assert_eq!(b.turn_sorted(), ["paused W", "reader R"]);
    b.event_loop.fd_closing(file.as_raw_fd()).unwrap();
    b.assert_sleeps();
}

/// T14.
fn mounts_can_be_waited_for<W: World>(b: &mut Bench<'_, W>) {
    let file = File::open("/proc/self/mounts").unwrap();
    b.io("mounts", file.as_raw_fd(), READ);
    assert_eq!(b.turn(), ["mounts R"]);
}

/// Alike whatever is asked for, as long as anything is.
fn hangup_and_error_reach_watchers_that_do_not_read<W: World>(b: &mut Bench<'_, W>) {
    for interest in [WRITE, Interest::URGENT, WRITE | Interest::URGENT] {
        let (reader, hung_up) = b.pipe();
        let (broken, writer) = b.pipe();
        let (one, other) = b.pair();
        b.io("reader", reader, interest);
        b.io("writer", writer, interest);
        b.context.world.fill(one);
        b.context.world.fill(writer);
        b.io("one", one, interest);
        b.assert_silent();
        b.context.world.close(hung_up);
        b.context.world.close(broken);
        b.context.world.shutdown(one);
        b.context.world.shutdown(other);
        let w = if interest.contains(WRITE) { "W" } else { "" };
        let all = [
            format!("one {w}H"),
            format!("reader {w}H"),
            format!("writer {w}E"),
        ];
        assert_eq!(b.turn_sorted(), all);
        assert_eq!(b.turn_sorted(), all);
        for fd in [reader, writer, one] {
            b.event_loop.fd_closing(fd).unwrap();
            b.context.world.close(fd);
        }
        b.context.world.close(other);
    }
}

fn unread_data_does_not_wake_who_only_writes<W: World>(b: &mut Bench<'_, W>) {
    let (one, other) = b.pair();
    b.context.world.fill(one);
    let io = b.io("one", one, WRITE);
    b.context.world.write(other, 1);
    b.assert_sleeps();
    b.event_loop.io_modify(io, BOTH).unwrap();
    assert_eq!(b.turn(), ["one R"]);
    b.event_loop.io_modify(io, WRITE).unwrap();
    b.assert_sleeps();
    b.context.world.drain(one);
    b.context.world.drain(other);
    assert_eq!(b.turn(), ["one W"]);
    b.context.world.fill(one);
    b.assert_sleeps();
    b.context.world.shutdown(one);
    b.context.world.shutdown(other);
    assert_eq!(b.turn(), ["one WH"]);
}

/// T15.
fn closed_pseudo_terminal_is_a_hangup<W: World>(b: &mut Bench<'_, W>) {
    let (master, path) = os::open_terminal();
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(0o400)
        .open(&path)
        .unwrap();
    b.io("master", master, BOTH);
    assert_eq!(b.turn(), ["master W"]);
    drop(slave);
    assert_eq!(b.turn(), ["master RWH"]);
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(0o400)
        .open(&path)
        .unwrap();
    b.event_loop.fd_closing(master).unwrap();
    b.io("slave", slave.as_raw_fd(), READ);
    b.assert_silent();
    os::close_fd(master);
    assert_eq!(b.turn(), ["slave REH"]);
}

/// T16.
fn ended_process_is_reported_by_its_fd<W: World>() {
    let mut storage = Storage::<8, 1, 1>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let fd = os::process_fd(child.id());
    let io = b.io("process", fd, READ | Interest::ONESHOT);
    b.assert_silent();
    drop(child.stdin.take());
    assert_eq!(b.turns_until(1), ["process R"]);
    b.assert_sleeps();
    child.wait().unwrap();
    b.event_loop.io_remove(io).unwrap();
    b.assert_sleeps();
    os::close_fd(fd);
}

/// T17.
fn full_eventfd_is_only_readable<W: World>(b: &mut Bench<'_, W>) {
    let fd = os::event_fd(0);
    b.io("counter", fd, BOTH);
    assert_eq!(b.turn(), ["counter W"]);
    assert_eq!(os::write_number(fd, u64::MAX - 1), 8);
    assert_eq!(b.turn(), ["counter R"]);
    assert_eq!(os::write_number(fd, 1), os::EAGAIN);
    b.event_loop.fd_closing(fd).unwrap();
    os::close_fd(fd);
}

/// T38.
fn fds_beyond_1024_are_watched<W: World>(_: &mut Bench<'_, W>) {
    let mut storage = Storage::<64, 1, 1>::new();
    let mut b = Bench::<W>::new(&mut storage);
    let (reader, writer) = b.pipe();
    let high = os::duplicate_from(reader, 1500);
    assert!(high >= 1500, "needs an RLIMIT_NOFILE above 1500: {high}");
    b.io("high", high, READ);
    b.assert_silent();
    b.context.world.write(writer, 1);
    assert_eq!(b.turn(), ["high R"]);
    let top = os::duplicate_from(reader, 9000);
    assert!(top >= 9000, "needs an RLIMIT_NOFILE above 9000: {top}");
    let user = b.context.name("top");
    let added = b.event_loop.io_add(top, READ, on_io::<W>, user);
    if W::KIND == BackendKind::Select {
        assert_eq!(added, Err(Error::ERANGE));
        let paused = b
            .event_loop
            .io_add(top, Interest::empty(), on_io::<W>, user);
        assert_eq!(paused, Err(Error::ERANGE));
        assert_eq!(b.turn(), ["high R"]);
    } else {
        assert_eq!(b.turn_sorted(), ["high R", "top R"]);
        b.event_loop.fd_closing(top).unwrap();
    }
    b.event_loop.fd_closing(high).unwrap();
    os::close_fd(high);
    os::close_fd(top);
    b.assert_silent();
}

/// T19.
fn edges_are_reported_once(b: &mut Bench<'_, Epoll>) {
    let (reader, writer) = b.ready_pipe();
    b.io("edge", reader, READ | Interest::EDGE);
    assert_eq!(b.turn(), ["edge R"]);
    b.assert_silent();
    b.context.world.write(writer, 1);
    assert_eq!(b.turn(), ["edge R"]);
    b.assert_sleeps();
}

/// T19.
fn edge_is_armed_again_by_modify(b: &mut Bench<'_, Epoll>) {
    let (reader, _writer) = b.ready_pipe();
    let io = b.io("edge", reader, READ | Interest::EDGE);
    assert_eq!(b.turn(), ["edge R"]);
    b.assert_silent();
    b.event_loop.io_modify(io, READ).unwrap();
    assert_eq!(b.turn(), ["edge R"]);
    b.assert_silent();
}

/// T102.
fn exclusive_interest_can_be_changed(b: &mut Bench<'_, Epoll>) {
    let (one, other) = b.pair();
    let io = b.io("one", one, WRITE | Interest::EXCLUSIVE);
    assert_eq!(b.turn(), ["one W"]);
    b.event_loop.io_modify(io, READ).unwrap();
    b.assert_silent();
    b.context.world.write(other, 1);
    assert_eq!(b.turn(), ["one R"]);
    b.event_loop.io_remove(io).unwrap();
    b.assert_silent();
}

#[test]
fn ended_process_is_reported_by_its_fd_on_all_kernels() {
    let _alone = PROCESSES
        .write()
        .unwrap_or_else(|poison| poison.into_inner());
    ended_process_is_reported_by_its_fd::<Select>();
    ended_process_is_reported_by_its_fd::<Poll>();
    ended_process_is_reported_by_its_fd::<Epoll>();
}

/// The bits of the fd's files are the kernel's: `Ready` names them alike whatever the backend.
#[test]
fn readiness_of_one_file_is_the_same_on_all_kernels() {
    let _shared = PROCESSES
        .read()
        .unwrap_or_else(|poison| poison.into_inner());
    fn found<W: World>() -> Vec<String> {
        let mut storage = Storage::<8, 1, 1>::new();
        let mut b = Bench::<W>::new(&mut storage);
        let file = File::open("/proc/self/mounts").unwrap().into_raw_fd();
        let (one, other) = b.pair();
        b.context.world.shutdown(one);
        b.io("file", file, BOTH | Interest::URGENT);
        b.io("one", one, BOTH | Interest::URGENT);
        b.io("other", other, BOTH | Interest::URGENT);
        let called = b.turn_sorted();
        b.event_loop.fd_closing(file).unwrap();
        os::close_fd(file);
        called
    }
    assert_eq!(found::<Select>(), found::<Poll>());
    assert_eq!(found::<Poll>(), found::<Epoll>());
    assert_eq!(found::<Epoll>(), ["file R", "one W", "other RWP"]);
}
