//! The guest's vDSO (`arch_setup_additional_pages` in the kernel's `arch/x86/entry/vdso/vma.c`).
//!
//! The data pages are the host's own, read-only, so the guest's clocks are the host's and cost no exit: the guest's
//! time-stamp counter is the host's, too. The code is a copy, in which getcpu(2) is a system call: what it would read
//! instead goes stale when a vCPU moves. A processor that the guest is shown has the code that the kernel would give it.

use crate::abi::mman::Prot;
use crate::abi::{Errno, PageRange, UserAddr};
use crate::mm::vma::VmaName;
use crate::mm::{AddressSpace, MapRequest, Where};
use crate::sys::vdso::HostVdso;

/// `mov $SYS_getcpu, %eax; syscall; ret`
const GETCPU: [u8; 8] = [0xb8, 0x35, 0x01, 0x00, 0x00, 0x0f, 0x05, 0xc3];

const _: () = assert!(libc::SYS_getcpu == 0x135);

/// `int3`, where nothing is executed.
const FILLER: u8 = 0xcc;
/// `rdtscp`.
const RDTSCP: [u8; 3] = [0x0f, 0x01, 0xf9];
/// The same and a no-operation of two bytes, as the kernel writes it to `rdtsc_ordered` (`arch/x86/include/asm/tsc.h`).
const RDTSCP_FILLED: [u8; 5] = [0x0f, 0x01, 0xf9, 0x66, 0x90];
/// `lfence; rdtsc`, which it writes there on a processor without.
const LFENCE_RDTSC: [u8; 5] = [0x0f, 0xae, 0xe8, 0x0f, 0x31];

/// Maps the vDSO and returns the address of its ELF header; `None` where there is none, time would be wrong, or it could not be
/// made what it is for the processor that the guest sees.
pub(super) fn map(mm: &AddressSpace) -> Result<Option<UserAddr>, Errno> {
    if !mm.machine().has_host_tsc() {
        return Ok(None);
    }
    let Some(mut vdso) = HostVdso::find() else { return Ok(None) };
    replace_getcpu(&mut vdso);
    let text = vdso.text().and_then(|text| vdso.image.get_mut(text));
    if !mm.shown_cpu().has_rdtscp() && !text.is_some_and(replace_rdtscp) {
        return Ok(None);
    }
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

fn replace_getcpu(vdso: &mut HostVdso) {
    for name in ["__vdso_getcpu", "getcpu"] {
        if let Some(function) = vdso.function(name).and_then(|range| vdso.image.get_mut(range))
            && function.len() >= GETCPU.len()
        {
            function.fill(FILLER);
            function[..GETCPU.len()].copy_from_slice(&GETCPU);
        }
    }
}

/// Returns whether there is none left.
fn replace_rdtscp(code: &mut [u8]) -> bool {
    while let Some(at) = code.windows(RDTSCP_FILLED.len()).position(|bytes| bytes == RDTSCP_FILLED) {
        code[at..at + LFENCE_RDTSC.len()].copy_from_slice(&LFENCE_RDTSC);
    }
    !code.windows(RDTSCP.len()).any(|bytes| bytes == RDTSCP)
}

fn map_code(mm: &AddressSpace, vdso: &HostVdso, at: UserAddr) -> Result<(), Errno> {
    let len = vdso.code.end - vdso.code.start;
    let request = MapRequest::anonymous(Where::FixedFree(at), len, Prot::READ | Prot::WRITE);
    mm.map(&MapRequest { name: VmaName::Vdso, ..request })?;
    mm.copy_out(at, &vdso.image)?;
    mm.protect(at, len, Prot::READ | Prot::EXEC, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rdtscp_is_replaced_where_there_is_space() {
        let mut code = [&[0x90], &RDTSCP_FILLED[..], &[0x48]].concat();
        assert!(replace_rdtscp(&mut code));
        assert_eq!(code, [&[0x90], &LFENCE_RDTSC[..], &[0x48]].concat());
        assert!(!replace_rdtscp(&mut [&RDTSCP[..], &[0x90; 8]].concat()));
    }

    #[test]
    fn getcpu_is_a_call_and_nothing_else() {
        let mut vdso = HostVdso::find().unwrap();
        let function = vdso.function("__vdso_getcpu").unwrap();
        replace_getcpu(&mut vdso);
        let (call, rest) = vdso.image[function].split_at(GETCPU.len());
        assert_eq!(call, GETCPU);
        assert!(rest.iter().all(|byte| *byte == FILLER));
    }
}
