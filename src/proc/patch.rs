//! Hot system calls become jumps: `mov $nr, %eax; syscall` in a library's code becomes a jump to a trampoline
//! ([`crate::vm::Machine::add_trampoline`]) where it is certain that nothing else is changed by that.
//!
//! Only the five bytes of the `mov` change. The `syscall` behind it stays, for whoever comes back to it to make an
//! interrupted call again.

use super::Task;
use crate::abi::UserAddr;
use crate::loader::eh_frame;
use crate::vm::Site;
use crate::x86::code::is_entered_only_at;

/// Longer functions are left alone.
const MOST_CODE: u64 = 16 << 10;

impl Task {
    /// Turns the call behind which `end` is into a jump, if it can be. The guest must have no other thread.
    pub(super) fn patch_call(&self, end: u64) {
        match self.try_to_patch(end) {
            Some(site) => tracing::debug!(at = site.start(), nr = site.nr, "a hot call has become a jump"),
            None => tracing::debug!(end, "a hot call cannot become a jump"),
        }
    }

    fn try_to_patch(&self, end: u64) -> Option<Site> {
        let mm = &self.process.mm;
        let start = UserAddr::new(end.checked_sub(Site::LEN as u64)?);
        let mut code = [0; Site::LEN];
        mm.copy_in(start, &mut code).ok()?;
        let site = Site::new(code, end)?;
        if !self.is_entered_only_at_its_start(&site)? {
            return None;
        }
        let jump = mm.machine().add_trampoline(&self.vcpu, site)?;
        mm.text_poke(start, &code, &jump).ok()?;
        Some(site)
    }

    fn is_entered_only_at_its_start(&self, site: &Site) -> Option<bool> {
        let mm = &self.process.mm;
        let image = mm.image_at(UserAddr::new(site.start()))?;
        let function = eh_frame::function_around(mm, image, site.start())?;
        let len = function.end.checked_sub(function.start).filter(|&len| len <= MOST_CODE)?;
        let mut code = vec![0; usize::try_from(len).ok()?];
        mm.copy_in(UserAddr::new(function.start), &mut code).ok()?;
        Some(is_entered_only_at(&code, function.start, &(site.start()..site.end), site.syscall()))
    }
}
