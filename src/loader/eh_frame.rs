//! Which function an address belongs to, by the tables for unwinding that every image carries: `.eh_frame_hdr` and
//! `.eh_frame` (Linux Standard Base, "Exception Frames"), in the forms that linkers for x86-64 write.

use std::ops::Range;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::Elf;
use goblin::elf::program_header::{PT_GNU_EH_FRAME, PT_LOAD, ProgramHeader};
use goblin::elf64;

use crate::abi::UserAddr;
use crate::mm::AddressSpace;

/// Encodings of pointers in these tables (`DW_EH_PE_*`).
mod encoding {
    pub(super) const UDATA4: u8 = 0x03;
    pub(super) const DATAREL_SDATA4: u8 = 0x3b;
}

/// More program headers no image has that is read here.
const MOST_HEADERS: u16 = 64;

/// The addresses of the function around `at` (GVA), in the image whose file is mapped from `image` on. `None` where no
/// table tells, or one in a form that is not known here.
pub fn function_around(mm: &AddressSpace, image: UserAddr, at: u64) -> Option<Range<u64>> {
    let table = Table::find(mm, image)?;
    let (start, description) = table.entry(mm, table.behind(mm, at)?.checked_sub(1)?)?;
    let function = start..start + u64::from(len_of(mm, start, description)?);
    function.contains(&at).then_some(function)
}

/// The addresses of the functions that have a part in `range` (GVA), in the image whose file is mapped from `image` on,
/// lowest first. `None` where no table tells, or one in a form that is not known here.
pub fn functions_in(mm: &AddressSpace, image: UserAddr, range: Range<u64>) -> Option<Vec<Range<u64>>> {
    let table = Table::find(mm, image)?;
    let mut functions = Vec::new();
    for index in table.behind(mm, range.start)?.saturating_sub(1)..table.count {
        let (start, description) = table.entry(mm, index)?;
        if start >= range.end {
            break;
        }
        let end = start + u64::from(len_of(mm, start, description)?);
        if end > range.start {
            functions.push(start..end);
        }
    }
    Some(functions)
}

/// The sorted table of `.eh_frame_hdr`: start and description of each function, relative to `base`.
struct Table {
    base: u64,
    count: u64,
}

impl Table {
    /// Bytes before the entries.
    const HEAD: u64 = 12;
    const ENTRY: u64 = 8;

    fn find(mm: &AddressSpace, image: UserAddr) -> Option<Self> {
        let base = eh_frame_header(mm, image)?;
        let head: [u8; 4] = bytes(mm, base)?;
        if head[0] != 1 || head[2..] != [encoding::UDATA4, encoding::DATAREL_SDATA4] {
            return None;
        }
        Some(Self { base, count: u64::from(u32::from_le_bytes(bytes(mm, base + Self::HEAD - 4)?)) })
    }

    /// The number of the first function that begins behind `at`.
    fn behind(&self, mm: &AddressSpace, at: u64) -> Option<u64> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.entry(mm, middle)?.0 <= at { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }

    fn entry(&self, mm: &AddressSpace, index: u64) -> Option<(u64, u64)> {
        let at = self.base.checked_add(Self::HEAD + Self::ENTRY * index)?;
        Some((relative(mm, at, self.base)?, relative(mm, at + 4, self.base)?))
    }
}

/// Bytes of the function that begins at `start`, by its description at `at`.
fn len_of(mm: &AddressSpace, start: u64, at: u64) -> Option<u32> {
    /// Behind its length and the reference to what it has in common with others.
    const FIRST: u64 = 8;
    // Relative to itself, as nearly all are; in another form it would be another address.
    let is_it = relative(mm, at + FIRST, at + FIRST)? == start;
    let len = u32::from_le_bytes(bytes(mm, at + FIRST + 4)?);
    is_it.then_some(len)
}

/// GVA of `.eh_frame_hdr`.
fn eh_frame_header(mm: &AddressSpace, image: UserAddr) -> Option<u64> {
    let head: [u8; elf64::header::SIZEOF_EHDR] = bytes(mm, image.raw())?;
    let header = Elf::parse_header(&head).ok()?;
    if usize::from(header.e_phentsize) != elf64::program_header::SIZEOF_PHDR || header.e_phnum > MOST_HEADERS {
        return None;
    }
    let count = usize::from(header.e_phnum);
    let mut table = vec![0; count * elf64::program_header::SIZEOF_PHDR];
    mm.copy_in(image.checked_add(header.e_phoff)?, &mut table).ok()?;
    let headers = ProgramHeader::parse(&table, 0, count, Ctx::new(Container::Big, Endian::Little)).ok()?;
    let first = headers.iter().find(|header| header.p_type == PT_LOAD && header.p_offset == 0)?;
    let table = headers.iter().find(|header| header.p_type == PT_GNU_EH_FRAME)?;
    image.raw().checked_sub(first.p_vaddr)?.checked_add(table.p_vaddr)
}

fn relative(mm: &AddressSpace, at: u64, base: u64) -> Option<u64> {
    base.checked_add_signed(i32::from_le_bytes(bytes(mm, at)?).into())
}

fn bytes<const LEN: usize>(mm: &AddressSpace, at: u64) -> Option<[u8; LEN]> {
    let mut bytes = [0; LEN];
    mm.copy_in(UserAddr::new(at), &mut bytes).ok()?;
    Some(bytes)
}
