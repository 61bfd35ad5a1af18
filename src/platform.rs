//! The backend chosen at run time: one of the siblings, behind the same contract.
//!
//! An enum and not a trait object: the call for each event is a predictable branch that inlines,
//! and the variants that a build leaves out cost nothing.

use core::convert::Infallible;
use core::marker::PhantomData;

use crate::backend::{Backend, BackendKind, Capabilities, Clock, Entry, MoveTo, Owned, Source};
use crate::error::{Error, Result};
use crate::host::Host;
#[cfg(feature = "host")]
use crate::host::backend::{HostBackend, HostWaker};
use crate::remote::Wake;
#[cfg(linux_backend)]
use crate::sys;
use crate::time::Nanos;

/// A backend of this build. `H` is the host's type; without the feature `host` it is never used.
#[repr(u8)]
pub(crate) enum Platform<'a, H: Host> {
    #[cfg(linux_epoll)]
    Epoll(sys::epoll::Epoll<'a>),
    #[cfg(linux_poll)]
    Poll(sys::poll::Poll<'a>),
    #[cfg(linux_select)]
    Select(sys::select::Select<'a>),
    #[cfg(feature = "host")]
    Host(HostBackend<'a, H>),
    /// Keeps the type whole when everything is left out. Never made.
    #[expect(dead_code, reason = "cannot be constructed")]
    None(Infallible, PhantomData<&'a mut H>),
}

/// What ends a wait of a [`Platform`].
pub(crate) enum PlatformWaker<W> {
    #[cfg(linux_backend)]
    Fd(sys::wake::FdWaker),
    #[cfg(feature = "host")]
    Host(HostWaker<W>),
    #[expect(dead_code, reason = "cannot be constructed")]
    None(Infallible, PhantomData<W>),
}

impl<'a, H: Host> Platform<'a, H> {
    /// Opens a backend of the operating system. `EOPNOTSUPP` if this build does not have it.
    pub(crate) fn open(kind: BackendKind, area: &'a mut [u64]) -> Result<Self> {
        let is_auto = kind == BackendKind::Auto;
        let kind = if is_auto { Self::best(area)? } else { kind };
        let reason = |error| {
            if is_auto && is_refusal(error) {
                Error::EOPNOTSUPP
            } else {
                error
            }
        };
        match kind {
            #[cfg(linux_epoll)]
            BackendKind::Epoll => sys::epoll::Epoll::new(area)
                .map_err(reason)
                .map(Platform::Epoll),
            #[cfg(linux_poll)]
            BackendKind::Poll => sys::poll::Poll::new(area)
                .map_err(reason)
                .map(Platform::Poll),
            #[cfg(linux_select)]
            BackendKind::Select => sys::select::Select::new(area)
                .map_err(reason)
                .map(Platform::Select),
            _ => {
                let _ = (area, reason);
                Err(Error::EOPNOTSUPP)
            }
        }
    }

    /// A backend over a host. `EOPNOTSUPP` if this build does not have it.
    pub(crate) fn host(host: H, area: &'a mut [u64]) -> Result<Self> {
        #[cfg(feature = "host")]
        return Ok(Platform::Host(HostBackend::new(host, area)));
        #[cfg(not(feature = "host"))]
        {
            let _ = (host, area);
            Err(Error::EOPNOTSUPP)
        }
    }

    /// Which one this is.
    pub(crate) fn kind(&self) -> BackendKind {
        match self {
            #[cfg(linux_epoll)]
            Platform::Epoll(_) => BackendKind::Epoll,
            #[cfg(linux_poll)]
            Platform::Poll(_) => BackendKind::Poll,
            #[cfg(linux_select)]
            Platform::Select(_) => BackendKind::Select,
            #[cfg(feature = "host")]
            Platform::Host(_) => BackendKind::Host,
            Platform::None(never, _) => match *never {},
        }
    }

    /// The first that this build has and that can be opened now, or the last of all, untried. Each
    /// needs less of the kernel, fds too, than the one before.
    fn best(area: &mut [u64]) -> Result<BackendKind> {
        let (last, others) = KINDS.split_last().ok_or(Error::EOPNOTSUPP)?;
        let works = |kind: &&BackendKind| Platform::<'_, H>::open(**kind, area).is_ok();
        Ok(*others.iter().find(works).unwrap_or(last))
    }
}

/// Whether an error says that the kernel has not, or does not allow, what a backend needs.
fn is_refusal(error: Error) -> bool {
    matches!(
        error,
        Error::EOPNOTSUPP | Error::ENOSYS | Error::EPERM | Error::EINVAL
    )
}

/// The backends of the operating system, the best first.
const KINDS: &[BackendKind] = &[
    #[cfg(linux_epoll)]
    BackendKind::Epoll,
    #[cfg(linux_poll)]
    BackendKind::Poll,
    #[cfg(linux_select)]
    BackendKind::Select,
];

/// Calls the same method on whichever backend there is.
macro_rules! delegate {
    ($self:expr, $backend:ident => $call:expr) => {
        match $self {
            #[cfg(linux_epoll)]
            Platform::Epoll($backend) => $call,
            #[cfg(linux_poll)]
            Platform::Poll($backend) => $call,
            #[cfg(linux_select)]
            Platform::Select($backend) => $call,
            #[cfg(feature = "host")]
            Platform::Host($backend) => $call,
            Platform::None(never, _) => match *never {},
        }
    };
}

impl<W: Wake> Wake for PlatformWaker<W> {
    #[inline]
    fn wake(&self) -> Result<()> {
        match self {
            #[cfg(linux_backend)]
            PlatformWaker::Fd(waker) => waker.wake(),
            #[cfg(feature = "host")]
            PlatformWaker::Host(waker) => waker.wake(),
            PlatformWaker::None(never, _) => match *never {},
        }
    }
}

impl<'a, H: Host> MoveTo<'a> for Platform<'a, H> {
    fn fits(&self, words: usize) -> bool {
        delegate!(self, backend => backend.fits(words))
    }

    fn move_to(&mut self, area: &'a mut [u64]) {
        delegate!(self, backend => backend.move_to(area))
    }
}

impl<W: Wake> Owned for PlatformWaker<W> {
    #[inline]
    fn owner(&self) -> u32 {
        match self {
            #[cfg(linux_backend)]
            PlatformWaker::Fd(waker) => waker.owner(),
            #[cfg(feature = "host")]
            PlatformWaker::Host(waker) => waker.owner(),
            PlatformWaker::None(never, _) => match *never {},
        }
    }

    #[inline]
    fn process() -> u32 {
        #[cfg(linux_backend)]
        return sys::wake::FdWaker::process();
        #[cfg(not(linux_backend))]
        0
    }

    fn adopt(&self) {
        match self {
            #[cfg(linux_backend)]
            PlatformWaker::Fd(waker) => waker.adopt(),
            #[cfg(feature = "host")]
            PlatformWaker::Host(waker) => waker.adopt(),
            PlatformWaker::None(never, _) => match *never {},
        }
    }
}

impl<H: Host> Clock for Platform<'_, H> {
    #[inline]
    fn now(&mut self) -> Nanos {
        delegate!(self, backend => backend.now())
    }

    fn nap(&self, time: Nanos) {
        delegate!(self, backend => backend.nap(time))
    }
}

impl<H: Host> Backend for Platform<'_, H> {
    type Waker = PlatformWaker<H::Waker>;

    fn capabilities(&self) -> Capabilities {
        delegate!(self, backend => backend.capabilities())
    }

    #[inline]
    fn owns(&self, fd: i32) -> bool {
        delegate!(self, backend => backend.owns(fd))
    }

    #[inline]
    fn add(&mut self, source: &Source) -> Result<u32> {
        delegate!(self, backend => backend.add(source))
    }

    fn modify(&mut self, source: &Source) -> Result<()> {
        delegate!(self, backend => backend.modify(source))
    }

    #[inline]
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>> {
        delegate!(self, backend => backend.remove(source))
    }

    fn probe(&self, source: &Source) -> Result<u32> {
        delegate!(self, backend => backend.probe(source))
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Nanos, report: impl FnMut(i32, u32) -> u32) -> Result<u32> {
        delegate!(self, backend => backend.wait(timeout, report))
    }

    #[inline]
    fn suspect(&mut self) -> Option<Entry> {
        match self {
            #[cfg(linux_epoll)]
            Platform::Epoll(backend) => backend.suspect(),
            _ => None,
        }
    }

    #[inline]
    fn event(&self, at: u32) -> Option<(Entry, u32)> {
        delegate!(self, backend => backend.event(at))
    }

    fn rebuild(&mut self) -> Result<()> {
        delegate!(self, backend => backend.rebuild())
    }

    fn take_over(&mut self) -> Result<()> {
        delegate!(self, backend => backend.take_over())
    }

    fn waker(&self, asks: bool) -> Self::Waker {
        match self {
            #[cfg(linux_epoll)]
            Platform::Epoll(backend) => PlatformWaker::Fd(backend.waker(asks)),
            #[cfg(linux_poll)]
            Platform::Poll(backend) => PlatformWaker::Fd(backend.waker(asks)),
            #[cfg(linux_select)]
            Platform::Select(backend) => PlatformWaker::Fd(backend.waker(asks)),
            #[cfg(feature = "host")]
            Platform::Host(backend) => PlatformWaker::Host(backend.waker(asks)),
            Platform::None(never, _) => match *never {},
        }
    }

    fn pollable_fd(&mut self) -> Result<i32> {
        delegate!(self, backend => backend.pollable_fd())
    }

    fn set_alarm(&mut self, deadline: Nanos) -> Result<()> {
        delegate!(self, backend => backend.set_alarm(deadline))
    }
}
