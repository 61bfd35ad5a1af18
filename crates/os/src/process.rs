//! The end of processes.

use crate::error::Result;
use crate::sys::{self, AsRawFd, OwnedFd};

pub use crate::sys::Exit;

/// A process and its pidfd, which is readable when the process has ended.
///
/// The description of the C function `pirn_child_add` applies here too.
#[derive(Debug)]
pub struct Process {
    fd: OwnedFd,
    pid: i32,
}

impl Process {
    /// Watch a process, which must not have been reaped.
    ///
    /// Fails with ESRCH if the process does not exist, and with ENOSYS or EPERM if the kernel
    /// refuses a pidfd.
    pub fn open(pid: i32) -> Result<Process> {
        let fd = sys::open_process(pid)?;
        Ok(Process { fd, pid })
    }

    /// Return the fd to watch. It belongs to this value.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Reap the process and return how it has ended, or `None` if it has not ended.
    ///
    /// Fails with ECHILD if the process is not a child of this one, or was already reaped.
    pub fn take(&self) -> Result<Option<Exit>> {
        Ok(wait(self.fd(), self.pid, false)?)
    }

    /// As `take`, but do not reap the process.
    pub fn peek(&self) -> Result<Option<Exit>> {
        Ok(wait(self.fd(), self.pid, true)?)
    }
}

/// Returns how a process has ended, by its pidfd, and reaps it unless `keep` is true. `pid` may be
/// 0 if it is not known.
pub(crate) fn wait(fd: i32, pid: i32, keep: bool) -> sys::Result<Option<Exit>> {
    match sys::wait(sys::WaitFor::PidFd(fd), keep) {
        // Linux 5.3 has pidfds, but its waitid accepts only the number.
        Err(sys::Errno::INVAL) if pid != 0 => sys::wait(sys::WaitFor::Pid(pid), keep),
        result => result,
    }
}
