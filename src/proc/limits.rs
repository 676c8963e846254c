//! Resource limits that the runner keeps for the guest.
//!
//! The host's own would bind the runner: its address space is larger than the guest's, its stack is another, and its
//! descriptors lie above the guest's. The soft limits on memory are with [`AddressSpace`]; the hard ones are here.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::abi::Errno;
use crate::mm::AddressSpace;
use crate::mm::vma::Limits;
use crate::sys::descriptor::{guest_limit, with_soft_limit_up};

/// The kernel's `struct rlimit64`; `u64::MAX` is `RLIM_INFINITY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Rlimit {
    /// What is enforced.
    pub soft: u64,
    /// How far the soft limit can be raised.
    pub hard: u64,
}

/// Has the process no soft limit on `resource`?
pub fn is_unlimited(resource: Resource) -> bool {
    getrlimit(resource).is_ok_and(|(soft, _)| soft == RLIM_INFINITY)
}

/// A resource whose limit is not simply the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptResource {
    /// `RLIMIT_AS`
    AddressSpace,
    /// `RLIMIT_DATA`
    Data,
    /// `RLIMIT_STACK`
    Stack,
    /// `RLIMIT_MEMLOCK`
    Locked,
    /// `RLIMIT_NOFILE`
    Descriptors,
}

impl KeptResource {
    /// The resource of a `RLIMIT_*` number, if it is a kept one.
    pub const fn of(resource: u32) -> Option<Self> {
        match resource {
            libc::RLIMIT_AS => Some(Self::AddressSpace),
            libc::RLIMIT_DATA => Some(Self::Data),
            libc::RLIMIT_STACK => Some(Self::Stack),
            libc::RLIMIT_MEMLOCK => Some(Self::Locked),
            libc::RLIMIT_NOFILE => Some(Self::Descriptors),
            _ => None,
        }
    }
}

/// While it lives, only its owner changes limits: what raises the host's soft limit on descriptors for a moment holds it.
#[derive(Debug)]
pub struct HardLimitsGuard<'a> {
    hard: MutexGuard<'a, Hard>,
}

impl HardLimitsGuard<'_> {
    /// The five values, for [`HardLimits::from_values`].
    pub(super) fn values(&self) -> [u64; 5] {
        let Hard { address_space, data, stack, locked, descriptors } = *self.hard;
        [address_space, data, stack, locked, descriptors]
    }
}

/// Hard limits as the guest sees them. The lock is taken before the address space's.
#[derive(Debug)]
pub struct HardLimits(Mutex<Hard>);

#[derive(Clone, Copy, Debug)]
struct Hard {
    address_space: u64,
    data: u64,
    stack: u64,
    locked: u64,
    descriptors: u64,
}

impl Clone for HardLimits {
    fn clone(&self) -> Self {
        Self(Mutex::new(*self.lock()))
    }
}

impl HardLimits {
    /// Those of this process, whose soft limit on descriptors is cut to the guest's share of them.
    pub fn inherited() -> Self {
        let hard = |resource| getrlimit(resource).map_or(u64::MAX, |(_, hard)| hard);
        let limits = Self(Mutex::new(Hard {
            address_space: hard(Resource::RLIMIT_AS),
            data: hard(Resource::RLIMIT_DATA),
            stack: hard(Resource::RLIMIT_STACK),
            locked: hard(Resource::RLIMIT_MEMLOCK),
            descriptors: hard(Resource::RLIMIT_NOFILE).min(most_descriptors()),
        }));
        if let Ok((soft, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
            // To lower a soft limit needs no privilege.
            let _ = set_soft_descriptors(soft.min(most_descriptors()));
        }
        limits
    }

    /// Limits that were kept before. The soft limit on descriptors is in force already.
    pub(super) fn from_values([address_space, data, stack, locked, descriptors]: [u64; 5]) -> Self {
        Self(Mutex::new(Hard { address_space, data, stack, locked, descriptors }))
    }

    /// The limit on `resource`, which becomes `new` if there is one; returns the one before (`do_prlimit` in the
    /// kernel's `kernel/sys.c`).
    ///
    /// # Errors
    /// `EINVAL` for a soft limit above the hard one, `EPERM` for a hard limit that would rise.
    pub fn replace(&self, mm: &AddressSpace, resource: KeptResource, new: Option<Rlimit>) -> Result<Rlimit, Errno> {
        let mut hard = self.lock();
        let mut soft = mm.limits();
        let old = old_limit(&hard, &soft, resource)?;
        let Some(new) = new else { return Ok(old) };
        if new.soft > new.hard {
            return Err(Errno::EINVAL);
        }
        let is_above_all = resource == KeptResource::Descriptors && new.hard > most_descriptors();
        if is_above_all || (new.hard > old.hard && !may_raise()) {
            return Err(Errno::EPERM);
        }
        match resource {
            KeptResource::AddressSpace => (soft.address_space, hard.address_space) = (new.soft, new.hard),
            KeptResource::Data => {
                (soft.data, hard.data) = (new.soft, new.hard);
                soft.data_hard = new.hard;
            }
            KeptResource::Stack => (soft.stack, hard.stack) = (new.soft, new.hard),
            KeptResource::Locked => {
                raise_host_locked(new)?;
                (soft.locked, hard.locked) = (new.soft, new.hard);
            }
            KeptResource::Descriptors => {
                set_soft_descriptors(new.soft)?;
                hard.descriptors = new.hard;
            }
        }
        mm.set_limits(soft);
        Ok(old)
    }

    /// Does `act`, which makes descriptors for a moment, with the host's limit on them out of the way.
    pub fn with_descriptors<T>(&self, act: impl FnOnce() -> T) -> std::io::Result<T> {
        let _limits = self.hold();
        with_soft_limit_up(act)
    }

    /// Keeps others from changing limits.
    pub fn hold(&self) -> HardLimitsGuard<'_> {
        HardLimitsGuard { hard: self.lock() }
    }

    fn lock(&self) -> MutexGuard<'_, Hard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn old_limit(hard: &Hard, soft: &Limits, resource: KeptResource) -> Result<Rlimit, Errno> {
    let (soft, hard) = match resource {
        KeptResource::AddressSpace => (soft.address_space, hard.address_space),
        KeptResource::Data => (soft.data, hard.data),
        KeptResource::Stack => (soft.stack, hard.stack),
        KeptResource::Locked => (soft.locked, hard.locked),
        KeptResource::Descriptors => (getrlimit(Resource::RLIMIT_NOFILE)?.0.min(hard.descriptors), hard.descriptors),
    };
    Ok(Rlimit { soft, hard })
}

/// The guest's descriptors are below the runner's, as if `fs.nr_open` were that low.
fn most_descriptors() -> u64 {
    u64::from(guest_limit().unsigned_abs())
}

/// The host enforces the soft limit. Its hard one stays, for the descriptors that the runner has yet to make.
fn set_soft_descriptors(soft: u64) -> Result<(), Errno> {
    Ok(crate::sys::descriptor::set_soft_limit(soft)?)
}

/// The host counts locked memory too, so its limit follows the guest's upwards.
fn raise_host_locked(new: Rlimit) -> Result<(), Errno> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if new.soft > soft || new.hard > hard {
        setrlimit(Resource::RLIMIT_MEMLOCK, soft.max(new.soft), hard.max(new.hard))?;
    }
    Ok(())
}

fn may_raise() -> bool {
    const CAP_SYS_RESOURCE: u32 = 24;
    crate::sys::effective_capabilities() >> CAP_SYS_RESOURCE & 1 == 1
}
