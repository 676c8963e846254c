//! fork(2): what a child does not inherit of the address space (`dup_mmap` in the kernel's `kernel/fork.c`).
//!
//! Mappings, page tables and all that the runner knows of them are private memory, so the host kernel has copied them.

use std::sync::MutexGuard;

use super::vma::VmaFlags;
use super::{AddressSpace, Inner, make_hole};
use crate::abi::{Errno, PageRange};

/// What the child has to put right. Made by the parent: the child must fill the gaps before it allocates anything.
#[derive(Debug)]
pub struct ForkPlan {
    /// `MADV_DONTFORK`
    absent: Vec<PageRange>,
    has_locked: bool,
}

/// While it lives, only its owner changes the address space.
#[derive(Debug)]
pub struct MmGuard<'a>(MutexGuard<'a, Inner>);

impl MmGuard<'_> {
    /// To be called before the host forks.
    pub fn plan_fork(&self) -> ForkPlan {
        let marked = |flag| self.0.vmas.iter().filter(move |(_, vma)| vma.flags.contains(flag));
        ForkPlan {
            absent: marked(VmaFlags::DONTFORK).map(|(range, _)| range).collect(),
            has_locked: marked(VmaFlags::LOCKED).next().is_some(),
        }
    }
}

impl AddressSpace {
    /// Keeps others from changing it.
    pub fn hold(&self) -> MmGuard<'_> {
        MmGuard(self.lock())
    }

    /// To be called in the child, first of all.
    pub fn finish_fork(&self, plan: ForkPlan) -> Result<(), Errno> {
        const LOCKS: VmaFlags = VmaFlags::LOCKED.union(VmaFlags::LOCKONFAULT);
        for range in &plan.absent {
            self.revoke(*range, make_hole)?;
        }
        let mut inner = self.lock();
        for range in plan.absent {
            inner.vmas.remove(range)?;
        }
        inner.lock_future = VmaFlags::empty();
        if plan.has_locked {
            let all: Vec<PageRange> = inner.vmas.iter().map(|(range, _)| range).collect();
            for range in all {
                inner.vmas.update(range, |vma| vma.flags -= LOCKS)?;
            }
        }
        self.publish_stack_gap(&inner);
        Ok(())
    }
}
