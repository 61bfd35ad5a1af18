//! The backend chosen at run time: one of the siblings, behind the same contract.
//!
//! It is an enum and not a trait object: the call for each event is then a predictable branch that
//! can be inlined, and backends that a build leaves out cost nothing.

use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::backend::{Backend, BackendKind, Capabilities, Clock, Entry, MoveTo, Source};
use crate::error::{Error, Result};
use crate::host::Host;
#[cfg(feature = "host")]
use crate::host::backend::{HostBackend, HostWaker};
#[cfg(linux_backend)]
use crate::sys;
use crate::time::{Duration, Instant};
use crate::wake::{Owned, Wake};

/// Defines the enum of all backends, and the functions that have an arm for each. The first token
/// is a dollar sign, which the inner macro needs.
macro_rules! backends {
    ($d:tt $($(#[$has:meta])* $name:ident($backend:ty);)*) => {
        /// A backend of this build. `H` is the host's type.
        #[repr(u8)]
        pub(crate) enum AnyBackend<'a, H: Host> {
            $($(#[$has])* $name($backend, PhantomData<&'a mut H>),)*
            #[cfg(feature = "host")]
            Host(HostBackend<'a, H>, PhantomData<&'a mut H>),
        }

        /// The backends of the operating system, in the order in which they are tried.
        const PREFERRED: &[BackendKind] = &[$($(#[$has])* BackendKind::$name,)*];

        impl<'a, H: Host> AnyBackend<'a, H> {
            /// Opens a backend of the operating system. `EOPNOTSUPP` if this build does not have
            /// it.
            fn open_kind(kind: BackendKind, area: &'a mut [MaybeUninit<u64>]) -> Result<Self> {
                match kind {
                    $($(#[$has])* BackendKind::$name => {
                        let backend = <$backend>::new(area)?;
                        Ok(AnyBackend::$name(backend, PhantomData))
                    })*
                    _ => {
                        let _ = area;
                        Err(Error::EOPNOTSUPP)
                    }
                }
            }

            /// The kind of this backend.
            pub(crate) fn kind(&self) -> BackendKind {
                match self {
                    $($(#[$has])* AnyBackend::$name(..) => BackendKind::$name,)*
                    #[cfg(feature = "host")]
                    AnyBackend::Host(..) => BackendKind::Host,
                }
            }

            /// Returns a handle with which other threads end a wait. If `asks` is true, the handle
            /// checks whether this process is a forked child.
            pub(crate) fn waker(&self, asks: bool) -> AnyWaker<H::Waker> {
                match self {
                    $($(#[$has])* AnyBackend::$name(backend, _) => {
                        AnyWaker::Fd(backend.waker(asks), PhantomData)
                    })*
                    #[cfg(feature = "host")]
                    AnyBackend::Host(backend, _) => AnyWaker::Host(backend.waker(asks)),
                }
            }
        }

        /// Calls the same method on each variant.
        macro_rules! delegate {
            ($d self:expr, $d backend:ident => $d call:expr) => {
                match $d self {
                    $($(#[$has])* AnyBackend::$name($d backend, _) => $d call,)*
                    #[cfg(feature = "host")]
                    AnyBackend::Host($d backend, _) => $d call,
                }
            };
        }
    };
}

// The backends of the operating system: the cfg of builds that have it, its name, its type. The
// best is first; each needs fewer features of the kernel, and fewer fds, than the one before.
backends! {
    $
    #[cfg(linux_epoll)] Epoll(sys::epoll::Epoll<'a>);
    #[cfg(linux_poll)] Poll(sys::poll::Poll<'a>);
    #[cfg(linux_select)] Select(sys::select::Select<'a>);
}

impl<'a, H: Host> AnyBackend<'a, H> {
    /// Opens a backend of the operating system. `EOPNOTSUPP` if this build does not have it.
    pub(crate) fn open(kind: BackendKind, area: &'a mut [MaybeUninit<u64>]) -> Result<Self> {
        let is_auto = kind == BackendKind::Auto;
        let kind = if is_auto { Self::best(area)? } else { kind };
        Self::open_kind(kind, area).map_err(|error| {
            if is_auto && is_refusal(error) {
                Error::EOPNOTSUPP
            } else {
                error
            }
        })
    }

    /// A backend over a host. `EOPNOTSUPP` if this build does not have it.
    pub(crate) fn host(host: H, area: &'a mut [MaybeUninit<u64>]) -> Result<Self> {
        #[cfg(feature = "host")]
        return Ok(AnyBackend::Host(HostBackend::new(host, area), PhantomData));
        #[cfg(not(feature = "host"))]
        {
            let _ = (host, area);
            Err(Error::EOPNOTSUPP)
        }
    }

    /// Returns the first backend of this build that can be opened now; if none can, the last one,
    /// which is not tried here.
    fn best(area: &mut [MaybeUninit<u64>]) -> Result<BackendKind> {
        let (last, others) = PREFERRED.split_last().ok_or(Error::EOPNOTSUPP)?;
        let works = |kind: &&BackendKind| AnyBackend::<'_, H>::open_kind(**kind, area).is_ok();
        Ok(*others.iter().find(works).unwrap_or(last))
    }
}

/// True if an error means that the kernel lacks or forbids something that a backend needs.
fn is_refusal(error: Error) -> bool {
    matches!(
        error,
        Error::EOPNOTSUPP | Error::ENOSYS | Error::EPERM | Error::EINVAL
    )
}

/// Ends a wait of an [`AnyBackend`] from other threads.
pub(crate) enum AnyWaker<W> {
    #[cfg(linux_backend)]
    Fd(sys::wake::FdWaker, PhantomData<W>),
    #[cfg(feature = "host")]
    Host(HostWaker<W>),
}

/// Calls the same method on each variant.
macro_rules! delegate_waker {
    ($self:expr, $waker:ident => $call:expr) => {
        match $self {
            #[cfg(linux_backend)]
            AnyWaker::Fd($waker, _) => $call,
            #[cfg(feature = "host")]
            AnyWaker::Host($waker) => $call,
        }
    };
}

impl<W: Wake> Wake for AnyWaker<W> {
    #[inline]
    fn wake(&self) -> Result<()> {
        delegate_waker!(self, waker => waker.wake())
    }
}

impl<W: Wake> Owned for AnyWaker<W> {
    #[inline]
    fn owner(&self) -> u32 {
        delegate_waker!(self, waker => waker.owner())
    }

    fn adopt(&self) {
        delegate_waker!(self, waker => waker.adopt())
    }

    #[inline]
    fn process() -> u32 {
        #[cfg(linux_backend)]
        return sys::wake::FdWaker::process();
        #[cfg(not(linux_backend))]
        0
    }
}

impl<'a, H: Host> MoveTo<'a> for AnyBackend<'a, H> {
    fn fits(&self, words: usize) -> bool {
        delegate!(self, backend => backend.fits(words))
    }

    fn move_to(&mut self, area: &'a mut [MaybeUninit<u64>]) {
        delegate!(self, backend => backend.move_to(area))
    }
}

impl<H: Host> Clock for AnyBackend<'_, H> {
    #[inline]
    fn now(&mut self) -> Instant {
        delegate!(self, backend => backend.now())
    }

    fn nap(&self, time: Duration) {
        delegate!(self, backend => backend.nap(time))
    }
}

impl<H: Host> Backend for AnyBackend<'_, H> {
    type Waker = AnyWaker<H::Waker>;

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

    fn disarm(&mut self, source: &Source) -> Result<()> {
        delegate!(self, backend => backend.disarm(source))
    }

    #[inline]
    fn remove(&mut self, source: &Source) -> Result<Option<(i32, u32)>> {
        delegate!(self, backend => backend.remove(source))
    }

    fn probe(&self, source: &Source) -> Result<u32> {
        delegate!(self, backend => backend.probe(source))
    }

    #[inline(always)]
    fn wait(&mut self, timeout: Duration, report: impl FnMut(i32, u32) -> u32) -> Result<u32> {
        delegate!(self, backend => backend.wait(timeout, report))
    }

    #[inline]
    fn expect_timeouts(&mut self) {
        delegate!(self, backend => backend.expect_timeouts())
    }

    #[inline]
    fn event(&self, at: u32) -> Option<(Entry, u32)> {
        delegate!(self, backend => backend.event(at))
    }

    #[inline]
    fn has_suspect(&mut self) -> bool {
        delegate!(self, backend => backend.has_suspect())
    }

    fn rebuild(&mut self) -> Result<()> {
        delegate!(self, backend => backend.rebuild())
    }

    fn take_over(&mut self) -> Result<()> {
        delegate!(self, backend => backend.take_over())
    }

    fn pollable_fd(&mut self) -> Result<i32> {
        delegate!(self, backend => backend.pollable_fd())
    }

    fn set_alarm(&mut self, deadline: Instant) -> Result<()> {
        delegate!(self, backend => backend.set_alarm(deadline))
    }
}
