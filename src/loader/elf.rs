//! From the headers of an ELF file to what the address space must map: pure, nothing is mapped here.
//!
//! The rules are those of `load_elf_binary()` in the kernel's `fs/binfmt_elf.c`, with one difference: Linux
//! finds most mistakes in segments after it has thrown away the old program and kills the process then, while a
//! plan is refused as a whole before anything is mapped.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{self, ELFMAG, EM_X86_64, Header};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, ProgramHeader};
use goblin::elf64;

use crate::abi::mman::Prot;
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr};

/// Where position-independent programs with an interp go when nothing is randomised: two thirds of user space
/// (`ELF_ET_DYN_BASE` in the kernel's `arch/x86/include/asm/elf.h`).
pub const PIE_BASE: UserAddr = UserAddr::new(TASK_SIZE / 3 * 2).page_floor();

const _: () = assert!(PIE_BASE.raw() == 0x5555_5555_4000);

/// Bytes of one program header, the value of `AT_PHENT`.
pub const PHENT: u64 = elf64::program_header::SIZEOF_PHDR as u64;

/// Longest table of program headers, in bytes (`load_elf_phdrs()`).
const MAX_PHDR_TABLE: usize = 65536;

/// Longest `PT_INTERP` string with its NUL, in bytes (`PATH_MAX`).
const MAX_INTERP_LEN: u64 = 4096;

/// Highest file offset that mmap(2) takes.
const MAX_FILE_OFFSET: u64 = i64::MAX.cast_unsigned();

/// As [`ElfPlan::read`] takes it.
type ReadAt<'a> = dyn FnMut(&mut [u8], u64) -> io::Result<usize> + 'a;

/// How a program may be placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfKind {
    /// `ET_EXEC`: at the addresses in its headers, nowhere else.
    Exec,
    /// `ET_DYN`: anywhere.
    Dyn,
}

/// What is added to the addresses in an ELF file, modulo 2^64 (`load_bias` in `fs/binfmt_elf.c`).
///
/// That of the interp is the value of `AT_BASE`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadBias(u64);

impl LoadBias {
    /// Nothing is added.
    pub const NONE: Self = Self(0);

    /// The number itself.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// Where the byte at `vaddr` in the headers ends up.
    pub const fn apply(self, vaddr: u64) -> UserAddr {
        UserAddr::new(vaddr).wrapping_add(self.0)
    }
}

/// One `PT_LOAD` entry whose numbers have been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Place in the table of program headers, from 0, as readelf(1) numbers it.
    pub index: usize,
    /// First byte, before the bias. With `memsz` it ends below [`TASK_SIZE`].
    pub vaddr: u64,
    /// Bytes in memory, never fewer than `filesz`.
    pub memsz: u64,
    /// Bytes from the file.
    pub filesz: u64,
    /// First byte in the file; the same offset within a page as `vaddr` unless `filesz` is 0.
    pub offset: u64,
    /// Protection of the pages that have bytes of the file.
    pub prot: Prot,
}

/// One action on the address space. Each replaces whatever is mapped in its range, as `MAP_FIXED` does, since
/// neighbouring segments may share a page; so the order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Map the file privately.
    MapFile {
        /// Where to.
        range: PageRange,
        /// First byte in the file, a multiple of the page size.
        offset: u64,
        /// Protection.
        prot: Prot,
    },
    /// Map zeroed private memory.
    MapAnon {
        /// Where to.
        range: PageRange,
        /// Protection.
        prot: Prot,
    },
    /// Clear bytes of a writable page that was mapped just before.
    Zero {
        /// First byte.
        addr: UserAddr,
        /// Number of bytes, less than a page.
        len: u64,
    },
}

/// What the headers of a program or of an interp ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ElfPlan {
    /// How it may be placed.
    pub kind: ElfKind,
    /// Number of program headers, the value of `AT_PHNUM`.
    pub phnum: u16,
    /// Path of the program that loads this one; may be empty, which no open(2) accepts.
    pub interp: Option<OsString>,
    /// What is mapped, in the order of the headers.
    pub segments: Vec<Segment>,
    /// Protection of the stack. Without `PT_GNU_STACK` it is not executable: the table at `EXSTACK_DEFAULT` in
    /// the kernel's `arch/x86/include/asm/elf.h`.
    pub stack_prot: Prot,
    /// Bytes that the base of a `Dyn` must be a multiple of: the largest `p_align`, at least a page.
    pub align: u64,
    /// Before the bias.
    entry: u64,
    /// Where the table of program headers is in memory, before the bias.
    phdr_vaddr: Option<u64>,
    /// From the lowest page of any segment to the end of the highest, before the bias.
    range: PageRange,
}

impl ElfPlan {
    /// Reads the headers of an open file, wherever its file position is.
    pub fn of_file(file: &File) -> Result<Self, ElfError> {
        Self::read(|buf, offset| file.read_at(buf, offset))
    }

    /// Reads the headers of a file that is in memory, or of its first part.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, ElfError> {
        Self::read(|buf, offset| {
            let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
            io::Read::read(&mut &*rest, buf)
        })
    }

    /// Reads the headers through `read_at`, which works like pread(2): it may read fewer bytes than there is room
    /// for, and reads none at the end of the file.
    pub fn read(mut read_at: impl FnMut(&mut [u8], u64) -> io::Result<usize>) -> Result<Self, ElfError> {
        let header = read_header(&mut read_at)?;
        let kind = check_header(&header)?;
        let phdrs = read_phdrs(&header, &mut read_at)?;
        let interp = match phdrs.iter().find(|phdr| phdr.p_type == PT_INTERP) {
            Some(phdr) => Some(read_interp(phdr, &mut read_at)?),
            None => None,
        };
        let loads = phdrs.iter().enumerate().filter(|(_, phdr)| phdr.p_type == PT_LOAD);
        let segments = loads.map(|(index, phdr)| Segment::new(index, phdr)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            kind,
            phnum: header.e_phnum,
            interp,
            stack_prot: stack_prot(&phdrs),
            align: max_align(&phdrs),
            entry: header.e_entry,
            phdr_vaddr: segments.iter().rev().find_map(|segment| segment.vaddr_of(header.e_phoff)),
            range: page_range(&segments).ok_or(ElfError::NoLoadSegment)?,
            segments,
        })
    }

    /// The bias when nothing is randomised: none for an `Exec`, and for a `Dyn` what brings it to [`PIE_BASE`].
    ///
    /// Linux does the second only if there is an interp; a `Dyn` without one (an interp itself, a static PIE) it
    /// puts where mmap(2) would, which is [`ElfPlan::bias_at`].
    pub fn fixed_bias(&self) -> Result<LoadBias, ElfError> {
        let bias = match self.kind {
            ElfKind::Exec => LoadBias::NONE,
            ElfKind::Dyn => {
                // As Linux: a first address inside a page pushes the program one page below the base.
                let first = self.segments.first().map_or(0, |segment| segment.vaddr);
                let base = PIE_BASE.raw() & !(self.align - 1);
                LoadBias(UserAddr::new(base.wrapping_sub(first)).page_floor().raw())
            }
        };
        self.check_bias(bias)
    }

    /// The bias that brings the lowest page to `base`, which the caller has chosen to be a multiple of `align`
    /// with [`ElfPlan::reservation`] free bytes. An `Exec` stays where it is.
    pub fn bias_at(&self, base: UserAddr) -> Result<LoadBias, ElfError> {
        self.check_bias(match self.kind {
            ElfKind::Exec => LoadBias::NONE,
            ElfKind::Dyn => LoadBias(base.page_floor().raw().wrapping_sub(self.range.start())),
        })
    }

    /// Bytes from the lowest page to the end of the highest, gaps included.
    pub fn reservation(&self) -> u64 {
        self.range.len()
    }

    /// All pages from the lowest to the highest segment. The program break starts where they end; that of a `Dyn`
    /// without an interp starts one page above [`PIE_BASE`] instead.
    pub fn range(&self, bias: LoadBias) -> Result<PageRange, ElfError> {
        let start = bias.apply(self.range.start()).raw();
        start
            .checked_add(self.range.len())
            .and_then(|end| PageRange::new(start, end))
            .ok_or_else(|| ElfError::PlacedOutside(UserAddr::new(start)))
    }

    /// Entry point, the value of `AT_ENTRY`. Inside user space if there is no interp; else it is unchecked, for
    /// the interp to use.
    pub fn entry(&self, bias: LoadBias) -> UserAddr {
        bias.apply(self.entry)
    }

    /// Where the guest finds its program headers, the value of `AT_PHDR`. If no segment holds them this is the
    /// bias alone, as in Linux.
    pub fn phdr(&self, bias: LoadBias) -> UserAddr {
        bias.apply(self.phdr_vaddr.unwrap_or(0))
    }

    /// What to do, in this order, to have the segments in memory.
    pub fn steps(&self, bias: LoadBias) -> Result<Vec<Step>, ElfError> {
        let mut steps = Vec::with_capacity(3 * self.segments.len());
        for segment in &self.segments {
            segment.push_steps(bias, &mut steps).ok_or(ElfError::OutsideUserSpace(segment.index))?;
        }
        Ok(steps)
    }

    fn check_bias(&self, bias: LoadBias) -> Result<LoadBias, ElfError> {
        self.range(bias)?;
        let entry = self.entry(bias);
        if self.interp.is_none() && !entry.is_user_range(1) {
            return Err(ElfError::EntryOutside(entry));
        }
        Ok(bias)
    }
}

impl Segment {
    /// Checks a program header as `elf_load()`, the loop around it, and mmap(2) below it do.
    fn new(index: usize, phdr: &ProgramHeader) -> Result<Self, ElfError> {
        let &ProgramHeader { p_vaddr: vaddr, p_memsz: memsz, p_filesz: filesz, p_offset: offset, .. } = phdr;
        if filesz > memsz {
            return Err(ElfError::FileLargerThanMemory(index));
        }
        if vaddr >= TASK_SIZE || !UserAddr::new(vaddr).is_user_range(memsz) {
            return Err(ElfError::OutsideUserSpace(index));
        }
        if filesz > 0 && vaddr % PAGE_SIZE != offset % PAGE_SIZE {
            return Err(ElfError::Misaligned(index));
        }
        if offset.checked_add(filesz).is_none_or(|end| end > MAX_FILE_OFFSET) {
            return Err(ElfError::OffsetTooLarge(index));
        }
        Ok(Self { index, vaddr, memsz, filesz, offset, prot: prot_of(phdr.p_flags) })
    }

    /// Linked address of the byte at `offset` in the file, if this segment holds it.
    fn vaddr_of(&self, offset: u64) -> Option<u64> {
        let inside = offset.checked_sub(self.offset).filter(|&inside| inside < self.filesz)?;
        self.vaddr.checked_add(inside)
    }

    /// Appends what `elf_load()` does for this segment; `None` if the bias takes it out of user space.
    fn push_steps(&self, bias: LoadBias, steps: &mut Vec<Step>) -> Option<()> {
        let start = bias.apply(self.vaddr);
        let file_end = start.checked_add(self.filesz)?;
        if self.filesz > 0 {
            let range = PageRange::around(start, self.filesz)?;
            let offset = self.offset.checked_sub(start.page_offset())?;
            steps.push(Step::MapFile { range, offset, prot: self.prot });
        }
        if self.memsz > self.filesz {
            let mem_end = start.checked_add(self.memsz)?.raw().checked_next_multiple_of(PAGE_SIZE)?;
            let anon_start = match self.filesz {
                0 => start.page_floor().raw(),
                _ => file_end.raw().checked_next_multiple_of(PAGE_SIZE)?,
            };
            steps.extend(self.zero_step(file_end).filter(|_| self.filesz > 0));
            if anon_start < mem_end {
                steps.push(Step::MapAnon { range: PageRange::new(anon_start, mem_end)?, prot: self.anon_prot() });
            }
        }
        Some(())
    }

    /// The rest of the last file page becomes zeros, up to the end of the page even where `memsz` ends before
    /// it (`padzero()`). Linux tries a read-only page too, and ignores that it fails.
    fn zero_step(&self, file_end: UserAddr) -> Option<Step> {
        let is_needed = file_end.page_offset() != 0 && self.prot.contains(Prot::WRITE);
        is_needed.then(|| Step::Zero { addr: file_end, len: PAGE_SIZE - file_end.page_offset() })
    }

    /// Pages wholly behind the bytes of the file can be read and written whatever the segment says, since Linux
    /// makes them with `vm_brk_flags()`.
    fn anon_prot(&self) -> Prot {
        Prot::READ | Prot::WRITE | (self.prot & Prot::EXEC)
    }
}

fn read_header(read_at: &mut ReadAt<'_>) -> Result<Header, ElfError> {
    let mut buf = [0; elf64::header::SIZEOF_EHDR];
    let len = read_full(read_at, &mut buf, 0)?;
    if !buf.starts_with(ELFMAG) {
        return Err(ElfError::NotElf);
    }
    if len < buf.len() {
        return Err(ElfError::TruncatedHeader);
    }
    goblin::elf::Elf::parse_header(&buf).map_err(|_| ElfError::BadIdent)
}

fn check_header(header: &Header) -> Result<ElfKind, ElfError> {
    if matches!(header.container(), Ok(Container::Little)) {
        return Err(ElfError::Elf32(Machine(header.e_machine)));
    }
    if header.e_machine != EM_X86_64 {
        return Err(ElfError::WrongMachine(Machine(header.e_machine)));
    }
    if !matches!(header.endianness(), Ok(Endian::Little)) {
        return Err(ElfError::BadIdent);
    }
    match header.e_type {
        header::ET_EXEC => Ok(ElfKind::Exec),
        header::ET_DYN => Ok(ElfKind::Dyn),
        header::ET_REL => Err(ElfError::ObjectFile),
        header::ET_CORE => Err(ElfError::CoreFile),
        other => Err(ElfError::UnknownType(other)),
    }
}

fn read_phdrs(header: &Header, read_at: &mut ReadAt<'_>) -> Result<Vec<ProgramHeader>, ElfError> {
    let count = usize::from(header.e_phnum);
    let len = count * elf64::program_header::SIZEOF_PHDR;
    if u64::from(header.e_phentsize) != PHENT || len == 0 || len > MAX_PHDR_TABLE {
        return Err(ElfError::BadPhdrTable);
    }
    let mut table = vec![0; len];
    if read_full(read_at, &mut table, header.e_phoff)? < len {
        return Err(ElfError::TruncatedPhdrs);
    }
    ProgramHeader::parse(&table, 0, count, Ctx::new(Container::Big, Endian::Little)).map_err(|_| ElfError::BadPhdrTable)
}

fn read_interp(phdr: &ProgramHeader, read_at: &mut ReadAt<'_>) -> Result<OsString, ElfError> {
    if !(2..=MAX_INTERP_LEN).contains(&phdr.p_filesz) {
        return Err(ElfError::BadInterp);
    }
    let mut path = vec![0; usize::try_from(phdr.p_filesz).map_err(|_| ElfError::BadInterp)?];
    if read_full(read_at, &mut path, phdr.p_offset)? < path.len() {
        return Err(ElfError::TruncatedInterp);
    }
    if path.last() != Some(&0) {
        return Err(ElfError::BadInterp);
    }
    // The last byte is a NUL; one before it ends the string as well.
    let len = path.iter().position(|&byte| byte == 0).unwrap_or(0);
    path.truncate(len);
    Ok(OsString::from_vec(path))
}

/// Fills `buf` as far as the file goes and returns how far that was.
fn read_full(read_at: &mut ReadAt<'_>, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let Some(at) = offset.checked_add(filled as u64).filter(|&at| at <= MAX_FILE_OFFSET) else { break };
        match read_at(rest, at) {
            Ok(0) => break,
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// As `total_mapping_size()`; `None` without pages.
fn page_range(segments: &[Segment]) -> Option<PageRange> {
    let start = segments.iter().map(|segment| UserAddr::new(segment.vaddr).page_floor().raw()).min()?;
    let end = segments.iter().filter_map(|segment| segment.vaddr.checked_add(segment.memsz)).max()?;
    PageRange::new(start, end.checked_next_multiple_of(PAGE_SIZE)?)
}

/// As `maximum_alignment()`: alignments that are no power of two do not count.
fn max_align(phdrs: &[ProgramHeader]) -> u64 {
    let loads = phdrs.iter().filter(|phdr| phdr.p_type == PT_LOAD);
    loads.map(|phdr| phdr.p_align).filter(|align| align.is_power_of_two()).fold(PAGE_SIZE, u64::max)
}

/// The last `PT_GNU_STACK` decides.
fn stack_prot(phdrs: &[ProgramHeader]) -> Prot {
    let flags = phdrs.iter().rfind(|phdr| phdr.p_type == PT_GNU_STACK).map_or(0, |phdr| phdr.p_flags);
    Prot::READ | Prot::WRITE | (prot_of(flags) & Prot::EXEC)
}

fn prot_of(flags: u32) -> Prot {
    let bits = [(PF_R, Prot::READ), (PF_W, Prot::WRITE), (PF_X, Prot::EXEC)];
    bits.into_iter().filter(|&(bit, _)| flags & bit != 0).map(|(_, prot)| prot).collect()
}

/// Why a file cannot be run. The texts continue a line that names the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// The first four bytes say so.
    #[error("not an ELF file")]
    NotElf,
    /// `EI_CLASS` or `EI_DATA`.
    #[error("has an ELF class or byte order that no x86-64 program has")]
    BadIdent,
    /// `ELFCLASS32`, x32 included.
    #[error("is a 32-bit ({0}) program; kvm-se runs x86-64 only")]
    Elf32(Machine),
    /// `ELFCLASS64` of another CPU.
    #[error("is for {0}; kvm-se runs x86-64 only")]
    WrongMachine(Machine),
    /// `ET_REL`.
    #[error("is an object file, not a program")]
    ObjectFile,
    /// `ET_CORE`.
    #[error("is a core file, not a program")]
    CoreFile,
    /// This `e_type`, not that of a program.
    #[error("is an ELF file of type {0}, not a program")]
    UnknownType(u16),
    /// Fewer than 64 bytes.
    #[error("the file ends inside its ELF header")]
    TruncatedHeader,
    /// `e_phoff` and `e_phnum` point beyond the end.
    #[error("the file ends inside its program headers")]
    TruncatedPhdrs,
    /// `PT_INTERP` points beyond the end.
    #[error("the file ends inside the path of its interp")]
    TruncatedInterp,
    /// `e_phentsize` or `e_phnum`.
    #[error("its table of program headers has an impossible size")]
    BadPhdrTable,
    /// `PT_INTERP` is too short, too long, or lacks its NUL.
    #[error("the path of its interp (PT_INTERP) is malformed")]
    BadInterp,
    /// Nothing to map.
    #[error("has no loadable segment")]
    NoLoadSegment,
    /// Program header of this number, from 0: `p_filesz` > `p_memsz`.
    #[error("segment {0} is longer in the file than in memory")]
    FileLargerThanMemory(usize),
    /// Program header of this number, from 0: an end is above [`TASK_SIZE`].
    #[error("segment {0} lies outside the user address space")]
    OutsideUserSpace(usize),
    /// Program header of this number, from 0: `p_vaddr` and `p_offset` disagree, so no page can be mapped.
    #[error("segment {0} starts at different offsets within a page in memory and in the file")]
    Misaligned(usize),
    /// Program header of this number, from 0: `p_offset` + `p_filesz` is more than a file can have.
    #[error("segment {0} lies beyond the largest file offset")]
    OffsetTooLarge(usize),
    /// The lowest page would be here, and the rest does not fit.
    #[error("does not fit into the user address space at {0}")]
    PlacedOutside(UserAddr),
    /// With the bias; there is no interp to start at instead.
    #[error("its entry point {0} lies outside the user address space")]
    EntryOutside(UserAddr),
    /// The host could not read the file.
    #[error("cannot be read")]
    Read(#[from] io::Error),
}

impl ElfError {
    /// What execve(2) returns for such a program.
    ///
    /// Of the mistakes in segments Linux tells no caller: the process dies of SIGSEGV. For them this is the number
    /// that `load_elf_binary()` ends with.
    pub fn errno(&self) -> Errno {
        match self {
            Self::FileLargerThanMemory(_) | Self::Misaligned(_) | Self::EntryOutside(_) => Errno::EINVAL,
            Self::OutsideUserSpace(_) | Self::PlacedOutside(_) => Errno::ENOMEM,
            Self::OffsetTooLarge(_) => Errno::EOVERFLOW,
            Self::TruncatedInterp => Errno::EIO,
            Self::Read(error) => error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
            _ => Errno::ENOEXEC,
        }
    }

    /// What execve(2) returns if the file is the interp of the program that was asked for.
    pub fn interp_errno(&self) -> Errno {
        match self.errno() {
            Errno::ENOEXEC => Errno::ELIBBAD,
            other => other,
        }
    }
}

/// A value of `e_machine`; displays as the name that uname(2) has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine(pub u16);

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            header::EM_386 => "i386",
            EM_X86_64 => "x32",
            header::EM_AARCH64 => "aarch64",
            header::EM_ARM => "arm",
            header::EM_RISCV => "riscv",
            header::EM_PPC64 => "ppc64",
            header::EM_S390 => "s390",
            header::EM_MIPS => "mips",
            header::EM_SPARCV9 => "sparc64",
            // EM_LOONGARCH, which goblin lacks.
            258 => "loongarch",
            other => return write!(f, "machine {other}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const R: u64 = PF_R as u64;
    const W: u64 = PF_W as u64;
    const X: u64 = PF_X as u64;
    const EXEC: u16 = header::ET_EXEC;
    const DYN: u16 = header::ET_DYN;

    /// `p_flags`, `p_offset`, `p_vaddr`, `p_filesz`, `p_memsz`, `p_align`.
    type Phdr = [u64; 6];

    /// A file of headers alone.
    fn elf(e_type: u16, entry: u64, phdrs: &[(u32, Phdr)]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        file.extend([e_type, EM_X86_64, 1, 0].map(u16::to_le_bytes).concat());
        file.extend([entry, 64, 0].map(u64::to_le_bytes).concat());
        file.extend([0, 0, 64, 56, u16::try_from(phdrs.len()).unwrap(), 64, 0, 0].map(u16::to_le_bytes).concat());
        for &(p_type, [flags, offset, vaddr, filesz, memsz, align]) in phdrs {
            file.extend(p_type.to_le_bytes());
            file.extend(u32::try_from(flags).unwrap().to_le_bytes());
            file.extend([offset, vaddr, vaddr, filesz, memsz, align].map(u64::to_le_bytes).concat());
        }
        file
    }

    fn loads(e_type: u16, phdrs: &[Phdr]) -> Vec<u8> {
        elf(e_type, 0x40_1000, &phdrs.iter().map(|&phdr| (PT_LOAD, phdr)).collect::<Vec<_>>())
    }

    fn steps_of(phdrs: &[Phdr]) -> Vec<Step> {
        let plan = ElfPlan::of_bytes(&loads(EXEC, phdrs)).unwrap();
        plan.steps(plan.fixed_bias().unwrap()).unwrap()
    }

    fn map_file(start: u64, end: u64, offset: u64, prot: Prot) -> Step {
        Step::MapFile { range: PageRange::new(start, end).unwrap(), offset, prot }
    }

    fn map_anon(start: u64, end: u64, prot: Prot) -> Step {
        Step::MapAnon { range: PageRange::new(start, end).unwrap(), prot }
    }

    #[test]
    fn segments_become_file_pages_then_zeros() {
        let rw = Prot::READ | Prot::WRITE;
        let text = [R | X, 0, 0x40_0000, 0x1234, 0x1234, 0x1000];
        let with_bss = [R | W, 0x1e00, 0x40_2e00, 0x300, 0x2300, 0x1000];
        let expected = [
            map_file(0x40_0000, 0x40_2000, 0, Prot::READ | Prot::EXEC),
            map_file(0x40_2000, 0x40_4000, 0x1000, rw),
            Step::Zero { addr: UserAddr::new(0x40_3100), len: 0xf00 },
            map_anon(0x40_4000, 0x40_6000, rw),
        ];
        assert_eq!(steps_of(&[text, with_bss]), expected);
        // The tail of a read-only page stays as it is in the file; what follows is writable all the same.
        let read_only = [R, 0, 0x40_0000, 0x800, 0x1800, 0x1000];
        let expected = [map_file(0x40_0000, 0x40_1000, 0, Prot::READ), map_anon(0x40_1000, 0x40_2000, rw)];
        assert_eq!(steps_of(&[read_only]), expected);
        let only_bss = [R | W | X, 0x77, 0x40_0800, 0, 0x900, 0x1000];
        let empty = [R, 0, 0x50_0000, 0, 0, 0x1000];
        assert_eq!(steps_of(&[only_bss, empty]), [map_anon(0x40_0000, 0x40_2000, rw | Prot::EXEC)]);
    }

    #[test]
    fn position_independent_programs_move_as_a_whole() {
        let file = loads(DYN, &[[R, 0, 0, 0x500, 0x500, 0x1000], [R | W, 0x2000, 0x20_2000, 8, 0x2008, 0x20_0000]]);
        let plan = ElfPlan::of_bytes(&file).unwrap();
        assert_eq!((plan.kind, plan.align, plan.reservation()), (ElfKind::Dyn, 0x20_0000, 0x20_5000));
        let bias = plan.fixed_bias().unwrap();
        assert_eq!(bias.raw(), 0x5555_5540_0000);
        assert_eq!(plan.phdr(bias).raw(), 0x5555_5540_0040);
        assert_eq!(plan.entry(bias).raw(), 0x5555_5580_1000);
        assert_eq!(plan.range(plan.bias_at(PIE_BASE).unwrap()).unwrap().start(), PIE_BASE.raw());
        let error = plan.bias_at(UserAddr::new(TASK_SIZE - 0x20_4000)).unwrap_err();
        assert_eq!(error.to_string(), "does not fit into the user address space at 0x7fffffdfb000");
        let plan = ElfPlan::of_bytes(&loads(DYN, &[[R, 0, 0x7000_0000_0000, 8, 8, 0]])).unwrap();
        assert!(plan.bias_at(UserAddr::new(0x1_0000)).is_err(), "the entry wraps below 0");
    }

    #[test]
    fn interp_and_stack_follow_their_headers() {
        let interp = |filesz| (PT_INTERP, [R, 64 + 3 * 56, 0, filesz, filesz, 1]);
        let load = (PT_LOAD, [R, 0, 0, 64, 64, 0x1000]);
        let mut file = elf(DYN, 0, &[interp(8), load, (PT_GNU_STACK, [R | W | X, 0, 0, 0, 0, 16])]);
        assert_eq!(ElfPlan::of_bytes(&file).unwrap_err().errno(), Errno::EIO);
        file.extend(b"/ld.so\0\0");
        let plan = ElfPlan::of_bytes(&file).unwrap();
        assert_eq!(plan.interp, Some("/ld.so".into()));
        assert_eq!(plan.stack_prot, Prot::all());
        // The table of headers is right behind the one segment.
        assert_eq!(plan.phdr(plan.fixed_bias().unwrap()), PIE_BASE);
        for bad in [0, 1, 5, 4097] {
            file.truncate(64 + 3 * 56);
            file = [elf(DYN, 0, &[interp(bad), load, load]), b"/ld.so\0".to_vec(), vec![1; 4096]].concat();
            assert_eq!(ElfPlan::of_bytes(&file).unwrap_err().interp_errno(), Errno::ELIBBAD);
        }
    }

    #[test]
    fn what_cannot_run_is_named() {
        let good = loads(EXEC, &[[R | X, 0, 0x40_0000, 0x100, 0x100, 0x1000]]);
        for (at, byte, text, errno) in [
            (0, 0, "not an ELF file", Errno::ENOEXEC),
            (5, 3, "has an ELF class or byte order that no x86-64 program has", Errno::ENOEXEC),
            (4, 1, "is a 32-bit (x32) program; kvm-se runs x86-64 only", Errno::ENOEXEC),
            (18, 183, "is for aarch64; kvm-se runs x86-64 only", Errno::ENOEXEC),
            (16, 1, "is an object file, not a program", Errno::ENOEXEC),
            (16, 4, "is a core file, not a program", Errno::ENOEXEC),
            (54, 32, "its table of program headers has an impossible size", Errno::ENOEXEC),
            (56, 2, "the file ends inside its program headers", Errno::ENOEXEC),
            (39, 0xff, "the file ends inside its program headers", Errno::ENOEXEC),
            (64, 0, "has no loadable segment", Errno::ENOEXEC),
            (64 + 8, 1, "segment 0 starts at different offsets within a page in memory and in the file", Errno::EINVAL),
            (64 + 15, 0xff, "segment 0 lies beyond the largest file offset", Errno::EOVERFLOW),
            (64 + 33, 2, "segment 0 is longer in the file than in memory", Errno::EINVAL),
            (64 + 46, 0x80, "segment 0 lies outside the user address space", Errno::ENOMEM),
            (29, 0x80, "its entry point 0x800000401000 lies outside the user address space", Errno::EINVAL),
        ] {
            let mut file = good.clone();
            file[at] = byte;
            let error = ElfPlan::of_bytes(&file).and_then(|plan| plan.fixed_bias()).unwrap_err();
            assert_eq!((error.to_string().as_str(), error.errno()), (text, errno));
        }
        assert!(matches!(ElfPlan::of_bytes(&good[..63]), Err(ElfError::TruncatedHeader)));
    }

    /// What the steps leave at `addr`: a byte of the file by its offset, or zero.
    fn content(steps: &[Step], addr: u64) -> Option<Option<u64>> {
        steps.iter().rev().find_map(|step| match *step {
            Step::MapFile { range, offset, .. } => range.contains(addr).then(|| Some(offset + addr - range.start())),
            Step::MapAnon { range, .. } => range.contains(addr).then_some(None),
            Step::Zero { addr: start, len } => (start.raw()..start.raw() + len).contains(&addr).then_some(None),
        })
    }

    fn edge() -> impl Strategy<Value = u64> {
        let edges = [0, 1, 0xfff, 0x1000, 0x1001, TASK_SIZE - 1, TASK_SIZE, MAX_FILE_OFFSET, 1 << 63, u64::MAX];
        prop_oneof![prop::sample::select(edges.to_vec()), any::<u64>(), 0..0x4000_u64]
    }

    proptest! {
        #[test]
        fn each_byte_is_where_its_header_says(start in 0..0x1000_u64, filesz in 0..0x3000_u64, more in 0..0x3000_u64) {
            let steps = steps_of(&[[R | W, 0x5000 + start, 0x40_0000 + start, filesz, filesz + more, 0x1000]]);
            for at in (0..filesz + more).step_by(61).chain([filesz.saturating_sub(1)]).filter(|&at| at < filesz + more) {
                let expected = (at < filesz).then_some(0x5000 + start + at);
                prop_assert_eq!(content(&steps, 0x40_0000 + start + at), Some(expected));
            }
        }

        #[test]
        fn any_header_is_refused_or_stays_in_its_range(
            phdrs in prop::collection::vec((prop_oneof![Just(PT_LOAD), 0..8_u32], prop::array::uniform6(edge())), 0..4),
            edits in prop::collection::vec((0..176_usize, any::<u8>()), 0..4),
            (base, entry) in (edge(), edge()),
        ) {
            let phdrs: Vec<_> = phdrs.into_iter().map(|(kind, [flags, rest @ ..])| {
                let [offset, vaddr, filesz, memsz, align] = rest;
                (kind, [flags & 7, offset, vaddr, filesz, memsz, align])
            }).collect();
            let mut file = elf(DYN, entry, &phdrs);
            edits.into_iter().for_each(|(at, byte)| if let Some(old) = file.get_mut(at) { *old = byte });
            let Ok(plan) = ElfPlan::of_bytes(&file) else { return Ok(()) };
            for bias in [plan.fixed_bias(), plan.bias_at(UserAddr::new(base))].into_iter().flatten() {
                let whole = plan.range(bias).unwrap();
                for step in plan.steps(bias).unwrap() {
                    let (Step::MapFile { range, .. } | Step::MapAnon { range, .. }) = step else { continue };
                    prop_assert!(whole.covers(range));
                }
            }
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = ElfPlan::of_bytes(&bytes);
        }
    }
}
