#![expect(
    unsafe_code,
    reason = "C functions: raw pointers come in, and a C function is called"
)]
//! Changes of files and directories.

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
    /// `sizeof(struct pirn_file_event)` in this library. New fields are only ever appended.
    pub size: u32,
    /// The watch that reports the change, as returned by `pirn_files_watch`. -1 for
    /// `IN_Q_OVERFLOW`, which belongs to no watch.
    pub watch: i32,
    /// The change: `IN_CREATE` and so on, see inotify(7). 0: there is no change, the source has
    /// lost its fd.
    pub mask: u32,
    /// A number that is equal for both events of one renaming, `IN_MOVED_FROM` and `IN_MOVED_TO`;
    /// otherwise 0.
    pub cookie: u32,
    /// The length of the name in bytes.
    pub name_length: u32,
    /// 0.
    pub reserved: u32,
    /// The name of the file in the watched directory; empty if the change concerns the watched file
    /// itself. Ends with a NUL. Valid only until the callback returns.
    pub name: *const c_char,
}

/// The callback of a file source, called with one change. You may remove `files` in the callback.
/// Called on the loop's thread. It must not be left by an exception or longjmp.
pub type pirn_files_fn = Option<
    unsafe extern "C" fn(
        r#loop: *mut pirn_loop,
        files: *mut pirn_files,
        event: *const pirn_file_event,
        user: *mut c_void,
    ),
>;

/// A source for the changes of any number of files. Zero it before you add it for the first time,
/// and do not move it until it is removed. You may read the fields; only pirn may write them.
#[repr(C)]
pub struct pirn_files {
    /// The watcher: for `pirn_io_modify` (0 pauses, `PIRN_READ` resumes), `pirn_io_ref`,
    /// `pirn_io_unref`.
    pub io: pirn_io,
    /// The loop; NULL if it is not added.
    pub r#loop: *mut pirn_loop,
    /// The callback.
    pub callback: pirn_files_fn,
    /// The user data, passed to the callback.
    pub user: *mut c_void,
    /// Internal: set while the callback is called.
    pub batch: *const c_void,
    /// The source's inotify instance, which belongs to pirn; -1 if it is lost.
    pub fd: c_int,
    /// The options.
    pub options: u32,
    /// The process that has added the source.
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

/// The number of bytes that are read in one turn.
const BATCH: usize = 512;

const_assert!(BATCH >= LONGEST_CHANGE);

const_assert!(size_of::<usize>() == 4 || size_of::<pirn_file_event>() == 32);

/// Add a source for changes of files. At first it watches no file: see `pirn_files_watch`.
///
/// Each source is an inotify instance. The kernel gives a user only 128 of them by default, so add
/// one source and watch all files with it.
///
/// In each turn at most 512 bytes of changes are read, and the callback is called for each of them.
/// If you pause the source, it is still called for changes that were already read. If more changes
/// happen than the kernel can store (16,384 by default), it drops the rest and reports one change
/// with `IN_Q_OVERFLOW`: check all files then.
///
/// @param files     the struct of the source: zero, or its source was removed before
/// @param options   `PIRN_HIGH`, `PIRN_LOW`, `PIRN_UNREF`, or 0
/// @param callback  called with each change
/// @param user      passed to the callback, never dereferenced
///
/// Returns 0, or
/// - -EINVAL: no live loop; `files` or callback NULL; other options
/// - -EEXIST: `files` is already added, or was never zeroed
/// - -EOPNOTSUPP: backend host
/// - -EMFILE: too many open files, or too many inotify instances of this user
/// - -ENOSPC, -ERANGE, -ECHILD: as `pirn_io_add`
/// - -ENFILE, -ENOMEM, -ENOSYS: the kernel's error
///
/// Uses an I/O slot and an fd. Cost: as `pirn_io_add`, and two system calls. Loop thread, any
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
/// For a directory, its own changes and those of the files in it are reported, but not those in
/// subdirectories. If another file is renamed over a watched file, the watch ends with the old
/// file: watch the directory instead. When a watched file is deleted, the last change of the watch
/// is `IN_IGNORED`.
///
/// @param path  the path of the file; needed only during the call
/// @param mask  the changes to report (`IN_CREATE`, `IN_MODIFY` and so on) and options, see
///              inotify(7)
///
/// Returns the number of the watch, above 0. If the file is already watched, returns the number of
/// that watch. Or:
/// - -EINVAL: `files` is NULL or not added; `path` NULL; a mask without a change in it
/// - -ENOENT, -EACCES, -ENOTDIR, -ENAMETOOLONG, -EEXIST: the kernel's error for the path or the
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
/// Changes that happened before are still reported. The last change of the watch is `IN_IGNORED`;
/// after that its number may be used for another watch.
///
/// @param watch  the number returned by `pirn_files_watch`
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
    // The parent process uses the same instance: a watch added here would report to the parent.
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
/// Once this has returned, the callback is never called again, even for changes that were already
/// read; the struct is zero and can be added again. Also works after `pirn_deinit`, as long as the
/// block is readable: the fd is then closed.
///
/// Returns 0, or
/// - -EINVAL: `files` is NULL
/// - -ENOENT: `files` is not added
/// - -ECHILD: in a forked child, before `pirn_after_fork`
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
        // SAFETY: `on_ready` sets this pointer to its own local variable while the callback runs,
        // and to NULL afterwards.
        if let Some(is_over) = unsafe { place.batch.cast::<Cell<bool>>().as_ref() } {
            is_over.set(true);
        }
        *place = UNUSED;
        Ok(())
    };
    status(remove())
}

/// The watcher's callback: reads some changes and calls the source's callback for each.
unsafe extern "C" fn on_ready(
    r#loop: *mut pirn_loop,
    io: pirn_io,
    fd: c_int,
    ready: u32,
    user: *mut c_void,
) {
    let files = user.cast::<pirn_files>();
    let mut bytes = [0; BATCH];
    // True if a callback has removed the source: its memory may then be used for something else.
    let is_over = Cell::new(false);
    let (callback, user, unread) = {
        // SAFETY: the watcher lives as long as the files are added, and the struct stays where it
        // is for as long, as the documentation of `pirn_files` asks. The reference ends before
        // the callback runs.
        let place = unsafe { &mut *files };
        let unread = if is_lost(ready, &mut place.fd) {
            LOST.as_slice()
        } else if place.process != sys::this_process() {
            // The parent process uses the same instance: reading it here would take changes away
            // from the parent. SAFETY: a live loop, which runs this callback.
            unsafe { rest(r#loop, io) };
            return;
        } else {
            // EAGAIN: the wait reported the fd as readable, but there is nothing to read.
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
