//! Call stacks from registers and stack memory, by the unwind tables of the files that are mapped (`.eh_frame`), or by
//! frame pointers where there are none.

use framehop::Unwinder;
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};

use super::module::{Bytes, Module};
use super::samples::Frame;
use crate::mm::vma::MMAP_MIN_ADDR;
use crate::proc::sampling::Activity;

/// More frames than any stack of a sample has.
const MOST_FRAMES: usize = 8192;

/// Where a module is mapped.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    start: u64,
    end: u64,
    /// What is added to the file's addresses.
    bias: u64,
    /// Index of the module; none for memory without a file.
    module: Option<usize>,
}

/// The code in one memory.
#[derive(Clone)]
pub(super) struct Image {
    unwinder: UnwinderX86_64<Bytes>,
    mapped: Vec<Mapped>,
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("mapped", &self.mapped).finish_non_exhaustive()
    }
}

impl Default for Image {
    fn default() -> Self {
        Self { unwinder: UnwinderX86_64::new(), mapped: Vec::new() }
    }
}

impl Image {
    /// Code was mapped from `start` to `end`, in place of what was there: of the module of this index, from `offset` in
    /// its file on.
    pub(super) fn map(&mut self, start: u64, end: u64, module: Option<(usize, &Module)>, offset: u64) {
        let unwinder = &mut self.unwinder;
        self.mapped.retain(|other| {
            let stays = other.end <= start || end <= other.start;
            if !stays && other.module.is_some() {
                unwinder.remove_module(other.start);
            }
            stays
        });
        let bias = module.map_or(0, |(_, module)| module.bias(start, offset));
        if let Some((_, module)) = module {
            unwinder.add_module(module.unwind_info(start, end, bias));
        }
        self.mapped.push(Mapped { start, end, bias, module: module.map(|(index, _)| index) });
    }

    /// The frames of a thread at `at`, whose stack from `rsp` on is `stack`: the innermost first. Second, whether the
    /// bottom of the stack was found.
    pub(super) fn unwind(&self, at: &Activity, stack: &[u8], pid: u32, cache: &mut CacheX86_64) -> (Vec<Frame>, bool) {
        let mut read = |address: u64| {
            let start = usize::try_from(address.wrapping_sub(at.rsp)).map_err(drop)?;
            let word = stack.get(start..start.checked_add(8).ok_or(())?).ok_or(())?;
            Ok(u64::from_ne_bytes(word.try_into().map_err(drop)?))
        };
        let regs = UnwindRegsX86_64::new(at.rip, at.rsp, at.rbp);
        let mut frames = self.unwinder.iter_frames(at.rip, regs, cache, &mut read);
        let mut found = Vec::new();
        while found.len() < MOST_FRAMES {
            match frames.next() {
                // Above the entry of a program are its arguments, of which no table of ld.so's tells.
                Ok(Some(frame)) if frame.is_return_address() && frame.address() < MMAP_MIN_ADDR => {
                    return (found, true);
                }
                Ok(Some(frame)) => found.push(self.frame(frame.address_for_lookup(), pid)),
                Ok(None) => return (found, true),
                Err(_) => return (found, false),
            }
        }
        (found, false)
    }

    fn frame(&self, address: u64, pid: u32) -> Frame {
        let mapped = self.mapped.iter().find(|mapped| (mapped.start..mapped.end).contains(&address));
        match mapped.and_then(|mapped| Some((mapped.module?, mapped.bias))) {
            Some((module, bias)) => Frame::Code { module, address: address.wrapping_sub(bias) },
            None => Frame::Nameless { pid, address },
        }
    }
}
