//! Processes that end.

use crate::error::Result;
use crate::sys::{self, AsRawFd, OwnedFd};

pub use crate::sys::Exit;

/// A process that is watched by its pidfd: readable when it has ended.
///
/// What is said at the C function `pirn_child_add` holds here too.
#[derive(Debug)]
pub struct Process {
    fd: OwnedFd,
    pid: i32,
}

impl Process {
    /// Watch a process, which must not have been reaped.
    ///
    /// Fails with ESRCH if there is none, and with ENOSYS or EPERM if the kernel refuses a pidfd.
    pub fn open(pid: i32) -> Result<Process> {
        let fd = sys::open_process(pid)?;
        Ok(Process { fd, pid })
    }

    /// The fd to be watched. It stays this value's.
    #[must_use]
    pub fn fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Ask how the process has ended, and reap it. None: it has not.
    ///
    /// Fails with ECHILD if it is not a child of this process, or was reaped already.
    pub fn take(&self) -> Result<Option<Exit>> {
        Ok(wait(self.fd(), self.pid, false)?)
    }

    /// Ask how the process has ended, and leave it for somebody else to reap: as `take` otherwise.
    pub fn peek(&self) -> Result<Option<Exit>> {
        Ok(wait(self.fd(), self.pid, true)?)
    }
}

/// Asks how a process has ended, by its pidfd, and reaps it unless `keep`. `pid` may be 0 if it
/// is not known.
pub(crate) fn wait(fd: i32, pid: i32, keep: bool) -> sys::Result<Option<Exit>> {
    match sys::wait(sys::WaitFor::PidFd(fd), keep) {
        // Linux 5.3 has pidfds, but waits for the number only.
        Err(sys::Errno::INVAL) if pid != 0 => sys::wait(sys::WaitFor::Pid(pid), keep),
        result => result,
    }
}
