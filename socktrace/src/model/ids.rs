//! Names of things: processes, threads, sockets, moments. Different types, so that none is taken for another.

use std::fmt;
use std::time::Duration;

/// A process: the kernel's `tgid`, which user space calls pid. In the agent's pid namespace; 0 where it is
/// not visible there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tgid(pub u32);

/// A thread: the kernel's `pid`, which user space calls tid. In the agent's pid namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tid(pub u32);

/// A socket's cookie, unique on a host from boot to boot; see [`super::Socket::cookie_synthetic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub u64);

/// Address of a `struct sock`: a handle to ask the kernel with. Never shown to anybody.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelAddr(pub u64);

impl fmt::Debug for KernelAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KernelAddr(..)")
    }
}

/// A moment on the kernel's boot clock (`CLOCK_BOOTTIME`): nanoseconds since boot, suspend included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BootTime(pub u64);

/// How much earlier than it was a thread's use of a socket may be dated: the programs count the ticks of the
/// kernel's timer, which come late where a virtual machine is kept waiting. No process or thread id comes back
/// as soon as that.
pub const DATED_EARLY: Duration = Duration::from_millis(500);

impl BootTime {
    /// The moment `later` after this one, at most the end of time.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later)))
    }

    /// The moment `earlier` before this one, at least boot.
    #[must_use]
    pub fn before(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(earlier)))
    }

    /// Time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// `task->comm`: at most 16 bytes chosen by the program itself. Untrusted; escape before printing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Comm(pub [u8; 16]);

impl Comm {
    /// The name's bytes, up to the first NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.split(|b| *b == 0).next().unwrap_or_default()
    }

    /// A name from bytes, cut at 16.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self(comm)
    }
}

impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
