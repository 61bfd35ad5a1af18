#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and a C function is called"
)]
//! Files and directories that change.

use core::cell::Cell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};

use pirn_abi::{pirn_io, pirn_loop};
use static_assertions::const_assert;

use super::{NO_IO, check, is_lost, rest, status, unwatch, watch};
use crate::files::{Changes, LONGEST_CHANGE};
use crate::sys::{self, AsRawFd, Errno, IntoRawFd, Result};

/// A change of a file.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct pirn_file_event {
    /// `sizeof(struct pirn_file_event)` as this library knows it: fields are only ever appended.
    pub size: u32,
    /// Which watch reports it: what `pirn_files_watch` returned. -1: none of them, for
    /// `IN_Q_OVERFLOW`.
    pub watch: i32,
    /// `IN_CREATE` and so on, as inotify(7) lists. 0: nothing, the source has lost its fd.
    pub mask: u32,
    /// The same for the two halves of one renaming, `IN_MOVED_FROM` and `IN_MOVED_TO`; else 0.
    pub cookie: u32,
    /// Bytes of the name.
    pub name_length: u32,
    /// 0.
    pub reserved: u32,
    /// The name in the directory that is watched; empty if the change is one of the watched file
    /// itself. Ends with a NUL. It is gone when the callback returns.
    pub name: *const c_char,
}

/// Called with one change. `files` may be removed, which ends it. Runs on the loop's thread. Must
/// not unwind or longjmp out.
pub type pirn_files_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        files: *mut pirn_files,
        event: *const pirn_file_event,
        user: *mut c_void,
    ),
>;

/// Files that are watched, as many as you like. Zero it before it is added for the first time, and
/// leave it where it is until it is removed. The fields may be read; pirn alone writes them.
#[repr(C)]
pub struct pirn_files {
    /// The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
    /// `pirn_io_unref`.
    pub io: pirn_io,
    /// The loop; NULL if it is not added.
    pub r#loop: *mut pirn_loop,
    /// What is called.
    pub callback: pirn_files_fn,
    /// What the callback is called with.
    pub user: *mut c_void,
    /// pirn's, while it calls back.
    pub batch: *const c_void,
    /// The inotify instance, which is pirn's; -1 if it is lost.
    pub fd: c_int,
    /// The options.
    pub options: u32,
    /// The process that has added it.
    pub process: c_int,
    /// 0.
    pub reserved: u32,
}

const UNUSED: pirn_files = pirn_files {
    io: NO_IO,
    r#loop: null_mut(),
    callback: None,
    user: null_mut(),
    batch: null(),
    fd: 0,
    options: 0,
    process: 0,
    reserved: 0,
};

/// How many bytes are read in one turn.
const BATCH: usize = 512;

const_assert!(BATCH >= LONGEST_CHANGE);

const_assert!(size_of::<usize>() == 4 || size_of::<pirn_file_event>() == 32);

/// Start watching files, none at first.
///
/// Each source is an inotify instance, of which the kernel gives a user no more than 128 by
/// default. So make one, and watch all files with it by `pirn_files_watch`.
///
/// In each turn a few changes are read (512 bytes of them), and the callback is called with one
/// after the other. A pause takes effect after these. If more changes come than the kernel keeps
/// (16,384 by default), it drops the rest, and one change with `IN_Q_OVERFLOW` stands for them:
/// look at all files.
///
/// @param files     where what pirn knows of it is kept: zero, or removed before
/// @param options   `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
/// @param callback  called with each change
/// @param user      passed to the callback, never looked at
///
/// Returns 0, or
/// - -EINVAL: no live loop; `files` or callback NULL; other options
/// - -EEXIST: `files` is added already, or was never zeroed
/// - -EOPNOTSUPP: backend host
/// - -EMFILE: too many open files, or too many inotify instances of this user
/// - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
/// - -ENFILE, -ENOMEM, -ENOSYS: what the kernel said
///
/// Takes an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
/// callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_files_add(
    r#loop: *mut pirn_loop,
    files: *mut pirn_files,
    options: u32,
    callback: pirn_files_fn,
    user: *mut c_void,
) -> c_int {
    let add = || {
        // SAFETY: passed on.
        unsafe { check(r#loop, options, 0) }?;
        if callback.is_none() {
            return Err(Errno::INVAL);
        }
        // SAFETY: NULL or writable; no callback runs before this function returns.
        let place = unsafe { files.as_mut() }.ok_or(Errno::INVAL)?;
        if !place.r#loop.is_null() {
            return Err(Errno::EXIST);
        }
        let fd = sys::open_files()?;
        let source = files.cast();
        // SAFETY: the loop is passed on; `on_ready` takes what it is given for files that were
        // added, which is what follows.
        let io = unsafe { watch(r#loop, fd.as_raw_fd(), options, Some(on_ready), source) }?;
        *place = pirn_files {
            io,
            r#loop,
            callback,
            user,
            batch: null(),
            fd: fd.into_raw_fd(),
            options,
            process: sys::this_process(),
            reserved: 0,
        };
        Ok(())
    };
    status(add())
}

/// Watch a file or a directory.
///
/// A directory reports its own changes and those of the files in it, but not of directories
/// below. A file that is replaced by renaming another over it is not watched any more: watch its
/// directory. When the file is deleted a change with `IN_IGNORED` is the last of this watch.
///
/// @param path  of the file, which need not stay readable in memory
/// @param mask  which changes: `IN_CREATE`, `IN_MODIFY` and so on, as inotify(7) lists, with its
///              options
///
/// Returns the watch's number, which is above 0, and the one that the file has already if it is
/// watched; or
/// - -EINVAL: `files` is NULL or not added; `path` NULL; a mask without a change in it
/// - -ENOENT, -EACCES, -ENOTDIR, -ENAMETOOLONG, -EEXIST: what the kernel said of the path and the
///   mask
/// - -ENOSPC: too many watches of this user
/// - -ECHILD: a parent process has added `files`
///
/// Cost: two system calls. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_files_watch(
    files: *mut pirn_files,
    path: *const c_char,
    mask: u32,
) -> c_int {
    let add = || {
        // SAFETY: passed on.
        let fd = unsafe { own_fd(files) }?;
        if path.is_null() {
            return Err(Errno::INVAL);
        }
        // SAFETY: not NULL, hence it ends with a NUL, as asked of the caller, who keeps it until
        // this function returns.
        let path = unsafe { CStr::from_ptr(path) };
        sys::watch_file(fd, path, mask)
    };
    match add() {
        Ok(watch) => watch,
        Err(error) => -error.raw_os_error(),
    }
}

/// Stop watching one of the files.
///
/// Changes that happened before are still reported, and one with `IN_IGNORED` is the last of this
/// watch: then its number may be given to another.
///
/// @param watch  what `pirn_files_watch` returned
///
/// Returns 0, or
/// - -EINVAL: `files` is NULL or not added; no such watch
/// - -ECHILD: a parent process has added `files`
///
/// Cost: two system calls. Loop thread, any callback. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_files_unwatch(files: *mut pirn_files, watch: c_int) -> c_int {
    let remove = || {
        // SAFETY: passed on.
        let fd = unsafe { own_fd(files) }?;
        sys::unwatch_file(fd, watch)
    };
    status(remove())
}

/// The inotify instance of files that this process has added.
///
/// # Safety
///
/// `files` is NULL, or zero, or was added.
unsafe fn own_fd(files: *const pirn_files) -> Result<c_int> {
    // SAFETY: NULL or readable; no callback runs while the reference lives.
    let place = unsafe { files.as_ref() }.ok_or(Errno::INVAL)?;
    if place.r#loop.is_null() {
        return Err(Errno::INVAL);
    }
    // The instance is the parent's too: a watch of the copy's would report to the parent.
    if place.process != sys::this_process() {
        return Err(Errno::CHILD);
    }
    if place.fd < 0 {
        return Err(Errno::INVAL);
    }
    Ok(place.fd)
}

/// Stop watching all files of a source.
///
/// When this returns the callback will not run again, not even for changes that were read
/// already; the struct is zero and can be added again. Works after `pirn_deinit` too, as long as
/// the block is readable: the fd is then closed.
///
/// Returns 0, or
/// - -EINVAL: `files` is NULL
/// - -ENOENT: it is not added
/// - -ECHILD: a copy made by fork
///
/// Cost: as `pirn_io_remove`, and a system call. Loop thread, any callback, its own too. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pirn_files_remove(files: *mut pirn_files) -> c_int {
    let remove = || {
        // SAFETY: NULL or writable; no callback runs before this function returns.
        let place = unsafe { files.as_mut() }.ok_or(Errno::INVAL)?;
        if place.r#loop.is_null() {
            return Err(Errno::NOENT);
        }
        // SAFETY: it was added, hence the loop came from `pirn_init` and the fd is the source's
        // own.
        unsafe { unwatch(place.r#loop, place.io, place.fd) }?;
        // SAFETY: `on_ready` sets it to a variable of its own while it calls back, and to NULL
        // after.
        if let Some(is_over) = unsafe { place.batch.cast::<Cell<bool>>().as_ref() } {
            is_over.set(true);
        }
        *place = UNUSED;
        Ok(())
    };
    status(remove())
}

/// The watcher's callback: reads some changes, and reports one after the other.
unsafe extern "C" fn on_ready(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    fd: c_int,
    ready: u32,
    user: *mut c_void,
) {
    let files = user.cast::<pirn_files>();
    let mut bytes = [0; BATCH];
    // True when a callback has removed the source: its memory may be something else by then.
    let is_over = Cell::new(false);
    let (callback, user, unread) = {
        // SAFETY: the watcher lives as long as the files are added, and the struct stays where it
        // is for as long, as the documentation of `pirn_files` asks. The reference ends before
        // the callback runs.
        let place = unsafe { &mut *files };
        let unread = if is_lost(ready, &mut place.fd) {
            LOST.as_slice()
        } else if place.process != sys::this_process() {
            // The instance is the parent's too: to read it would take the parent's changes away.
            // SAFETY: a live loop, which runs this callback.
            unsafe { rest(r#loop, io) };
            return;
        } else {
            // EAGAIN: there is nothing, for no reason.
            let length = sys::read(fd, &mut bytes).unwrap_or(0);
            bytes.get(..length).unwrap_or_default()
        };
        place.batch = (&raw const is_over).cast();
        (place.callback, place.user, unread)
    };
    for change in Changes::of(unread) {
        let event = pirn_file_event {
            size: size_of::<pirn_file_event>() as u32,
            watch: change.watch,
            mask: change.mask,
            cookie: change.cookie,
            name_length: change.name.count_bytes() as u32,
            reserved: 0,
            name: change.name.as_ptr(),
        };
        if let Some(callback) = callback {
            // SAFETY: a function of the application's, to be called with these arguments.
            unsafe { callback(r#loop, files, &event, user) };
        }
        if is_over.get() {
            return;
        }
    }
    // SAFETY: the source was not removed, so that the struct is where it was. No reference to it
    // lives.
    unsafe { (*files).batch = null() };
}

/// The change that reports a lost fd, as the kernel would write it: watch -1, and no mask.
static LOST: [u8; 16] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
