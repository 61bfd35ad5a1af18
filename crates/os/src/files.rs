//! Changes of files and directories.

use core::ffi::CStr;

use crate::error::Result;
use crate::sys::{self, AsRawFd, OwnedFd};

/// The size of the longest change in bytes: that of a file with a name of 255 bytes.
pub const LONGEST_CHANGE: usize = 272;

/// Any number of watched files, with one inotify instance. Its fd is readable when one of them has
/// changed.
///
/// The description of the C function `pirn_files_add` applies here too.
#[derive(Debug)]
pub struct Files {
    fd: OwnedFd,
}

/// A change of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change<'b> {
    /// The watch that reports the change, as returned by [`Files::watch`]. -1 for `IN_Q_OVERFLOW`,
    /// which belongs to no watch.
    pub watch: i32,
    /// The change: `IN_CREATE` and so on, see inotify(7).
    pub mask: u32,
    /// A number that is equal for both events of one renaming; otherwise 0.
    pub cookie: u32,
    /// The name of the file in the watched directory; empty if the change concerns the watched file
    /// itself.
    pub name: &'b CStr,
}

impl Files {
    /// Make an inotify instance that watches no file yet. Fails with EMFILE if the user has too
    /// many instances.
    pub fn new() -> Result<Files> {
        let fd = sys::open_files()?;
        Ok(Files { fd })
    }

    /// Return the fd to watch. It belongs to this value.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Watch a file or a directory for the changes in `mask`, and return the watch's number.
    pub fn watch(&self, path: &CStr, mask: u32) -> Result<i32> {
        Ok(sys::watch_file(self.fd(), path, mask)?)
    }

    /// Stop watching one of the files. The last change of the watch is `IN_IGNORED`.
    pub fn unwatch(&self, watch: i32) -> Result<()> {
        Ok(sys::unwatch_file(self.fd(), watch)?)
    }

    /// Read as many changes as fit into a buffer of at least [`LONGEST_CHANGE`] bytes.
    pub fn read<'b>(&self, buffer: &'b mut [u8]) -> Changes<'b> {
        // EAGAIN: the fd was readable, but there is nothing to read.
        let length = sys::read(self.fd(), buffer).unwrap_or(0);
        Changes {
            unread: buffer.get(..length).unwrap_or_default(),
        }
    }
}

/// Changes that were read, in the order in which they happened.
#[derive(Clone, Debug)]
pub struct Changes<'b> {
    unread: &'b [u8],
}

impl<'b> Iterator for Changes<'b> {
    type Item = Change<'b>;

    fn next(&mut self) -> Option<Change<'b>> {
        // The kernel's struct inotify_event. Its length counts the name and the NULs that pad it.
        let (&watch, rest) = self.unread.split_first_chunk()?;
        let (&mask, rest) = rest.split_first_chunk()?;
        let (&cookie, rest) = rest.split_first_chunk()?;
        let (&length, rest) = rest.split_first_chunk()?;
        let (padded, rest) = rest.split_at_checked(u32::from_ne_bytes(length) as usize)?;
        self.unread = rest;
        Some(Change {
            watch: i32::from_ne_bytes(watch),
            mask: u32::from_ne_bytes(mask),
            cookie: u32::from_ne_bytes(cookie),
            name: CStr::from_bytes_until_nul(padded).unwrap_or_default(),
        })
    }
}

impl<'b> Changes<'b> {
    /// Make an iterator over the changes in the bytes that the kernel has written.
    pub(crate) fn of(unread: &'b [u8]) -> Changes<'b> {
        Changes { unread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_in_part_is_no_change() {
        let mut bytes = [0; 32];
        bytes[12] = 16;
        bytes[16] = b'a';
        let mut changes = Changes::of(&bytes);
        assert_eq!(changes.next().map(|change| change.name), Some(c"a"));
        assert_eq!(changes.next(), None);
        assert!((0..32).all(|length| Changes::of(&bytes[..length]).next().is_none()));
        bytes[13] = 1;
        assert_eq!(Changes::of(&bytes).next(), None);
    }
}
