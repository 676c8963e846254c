//! The guest's vDSO (`arch_setup_additional_pages` in the kernel's `arch/x86/entry/vdso/vma.c`).
//!
//! The data pages are the host's own, read-only, so the guest's clocks are the host's and cost no exit: the guest's
//! time-stamp counter is the host's, too. The code is a copy, in which getcpu(2) is a system call: what it would read
//! instead goes stale when a vCPU moves.

use crate::abi::mman::Prot;
use crate::abi::{Errno, PageRange, UserAddr};
use crate::mm::vma::VmaName;
use crate::mm::{AddressSpace, MapRequest, Where};
use crate::sys::vdso::HostVdso;

/// `mov $SYS_getcpu, %eax; syscall; ret`
const GETCPU: [u8; 8] = [0xb8, 0x35, 0x01, 0x00, 0x00, 0x0f, 0x05, 0xc3];

const _: () = assert!(libc::SYS_getcpu == 0x135);

/// Maps the vDSO and returns the address of its ELF header; `None` where there is none, or time would be wrong.
pub(super) fn map(mm: &AddressSpace) -> Result<Option<UserAddr>, Errno> {
    if !mm.machine().has_host_tsc() {
        return Ok(None);
    }
    let Some(vdso) = HostVdso::find() else { return Ok(None) };
    let span = vdso.span();
    let base = mm.find_free(span.end - span.start, crate::abi::PAGE_SIZE)?;
    // Code and data keep their distances: the code finds the data by them.
    let place = |hva: u64| UserAddr::new(base.raw() + (hva - span.start));
    for area in &vdso.data {
        let range = PageRange::with_len(place(area.start), area.end - area.start).ok_or(Errno::ENOMEM)?;
        mm.map_foreign(range, area.start, VmaName::Vvar)?;
    }
    map_code(mm, &vdso, place(vdso.code.start))?;
    Ok(Some(place(vdso.code.start)))
}

fn map_code(mm: &AddressSpace, vdso: &HostVdso, at: UserAddr) -> Result<(), Errno> {
    let mut image = vdso.image.clone();
    for name in ["__vdso_getcpu", "getcpu"] {
        let offset = vdso.offset_of(name).and_then(|offset| usize::try_from(offset).ok());
        if let Some(function) = offset.and_then(|offset| image.get_mut(offset..offset + GETCPU.len())) {
            function.copy_from_slice(&GETCPU);
        }
    }
    let len = vdso.code.end - vdso.code.start;
    let request = MapRequest::anonymous(Where::FixedFree(at), len, Prot::READ | Prot::WRITE);
    mm.map(&MapRequest { name: VmaName::Vdso, ..request })?;
    mm.copy_out(at, &image)?;
    mm.protect(at, len, Prot::READ | Prot::EXEC, false)
}
