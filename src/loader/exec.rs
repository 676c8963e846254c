//! Maps a program and its interpreter and writes the initial stack (`load_elf_binary` in the kernel's
//! `fs/binfmt_elf.c`).

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use super::elf::{ElfError, ElfKind, ElfPlan, LoadBias, PHENT, PIE_BASE, Segment, Step};
use super::layout::{self, Layout, gem5};
use super::stack::{StackError, StackImage, StackSpec};
use super::vdso;
use crate::abi::auxv::{AuxEntry, AuxKey};
use crate::abi::mman::{MapFlags, Prot};
use crate::abi::{Errno, PAGE_SIZE, TASK_SIZE, UserAddr};
use crate::mm::vma::VmaName;
use crate::mm::{AddressSpace, Landmarks, MapRequest, Where};
use crate::vm::Machine;
use crate::x86::CpuModel;
use crate::x86::xstate::{FXSAVE_LEN, has_xsave, xsave_len};

/// Bytes of stack that are mapped at the start, beside what the image takes (`setup_arg_pages`).
const STACK_EXPAND: u64 = 32 * PAGE_SIZE;

/// What a program is started with.
#[derive(Clone, Debug)]
pub struct Program {
    /// `AT_EXECFN`: the name it was asked for by.
    pub execfn: CString,
    /// Arguments, the first being the program's own name.
    pub argv: Vec<CString>,
    /// Environment, each "NAME=value".
    pub envp: Vec<CString>,
    /// Bytes of `AT_RANDOM`.
    pub random: [u8; 16],
    /// Shifts of the places that Linux randomises.
    pub aslr: Aslr,
    /// Where it is loaded, and what it finds on its stack.
    pub layout: Layout,
    /// Can the program not be opened by its name? So for a descriptor that is closed on execution.
    pub is_hidden: bool,
}

/// By how many bytes each place is shifted; all zero without randomisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aslr {
    /// The stack, downwards.
    pub stack: u64,
    /// The mmap area, downwards.
    pub mmap: u64,
    /// A position-independent program, upwards.
    pub pie: u64,
    /// The break, upwards.
    pub brk: u64,
}

impl Aslr {
    /// As many random bits as Linux takes by default (`arch_mmap_rnd`, `randomize_stack_top`, `arch_randomize_brk`).
    pub fn from_random(random: [u64; 4]) -> Self {
        let pages = |value: u64, bits: u32| (value & ((1 << bits) - 1)) * PAGE_SIZE;
        Self {
            stack: pages(random[0], 22),
            mmap: pages(random[1], 28),
            pie: pages(random[2], 28),
            brk: pages(random[3], 13),
        }
    }
}

/// Where a loaded program begins.
#[derive(Clone, Debug)]
pub struct Entry {
    /// First instruction: the interpreter's, if there is one.
    pub rip: UserAddr,
    /// Initial stack.
    pub stack: StackImage,
}

/// Why a program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// The file is not a program for this machine.
    #[error(transparent)]
    Elf(#[from] ElfError),
    /// Arguments and environment do not fit.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The interpreter cannot be opened.
    #[error("its interpreter {path} cannot be opened: {source}")]
    Interp {
        /// Its path, from the program.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The interpreter is no program.
    #[error("its interpreter {path} {source}")]
    BadInterp {
        /// Its path, from the program.
        path: String,
        /// What is wrong with it.
        source: ElfError,
    },
    /// A script without the name of an interpreter.
    #[error("is a script that names no interpreter")]
    BadScript,
    /// Script after script.
    #[error("is a script of a script of a script, too deep")]
    TooManyScripts,
    /// A script without a name, which its interpreter cannot open.
    #[error("is a script that its interpreter cannot open")]
    HiddenScript,
    /// The host refused a mapping.
    #[error("cannot be mapped: {}", .0.description().to_lowercase())]
    Map(Errno),
}

impl ExecError {
    /// What execve(2) returns.
    pub fn errno(&self) -> Errno {
        match self {
            Self::Elf(error) => error.errno(),
            Self::Stack(error) => error.errno(),
            Self::Interp { source, .. } => source.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
            Self::BadInterp { source, .. } => source.interp_errno(),
            Self::BadScript => Errno::ENOEXEC,
            Self::TooManyScripts => Errno::ELOOP,
            Self::HiddenScript => Errno::ENOENT,
            Self::Map(errno) => *errno,
        }
    }
}

impl From<Errno> for ExecError {
    fn from(errno: Errno) -> Self {
        Self::Map(errno)
    }
}

/// Loads `file` into the empty address space `mm`.
pub fn load(mm: &AddressSpace, file: &File, program: &Program) -> Result<Entry, ExecError> {
    let plan = ElfPlan::of_file(file)?;
    let interp = plan.interp.as_deref().map(load_interp).transpose()?;
    if program.layout.is_gem5() {
        mm.set_mmap_end(gem5::MMAP_END);
    } else {
        mm.set_mmap_shift(program.aslr.mmap + program.aslr.stack);
    }
    let bias = place_program(mm, &plan, program)?;
    map_image(mm, file, &plan, bias)?;
    let (start, base) = match &interp {
        Some((file, plan)) => {
            let bias = place_anywhere(mm, plan)?;
            map_image(mm, file, plan, bias)?;
            (plan.entry(bias), bias.raw())
        }
        None => (plan.entry(bias), if program.layout.is_gem5() { bias.raw() } else { 0 }),
    };
    mm.set_brk_start(brk_start(&plan, bias, program)?);
    let mut auxv = auxv(&plan, bias, base, Some(mm.machine()));
    if program.layout.is_gem5() {
        map_vsyscall(mm)?;
        as_gem5(&mut auxv);
    } else if let Some(vdso) = vdso::map(mm)? {
        auxv.push((AuxKey::SysinfoEhdr, vdso.raw()));
    }
    let stack = write_stack(mm, &plan, program, &auxv)?;
    mm.set_landmarks(landmarks(&plan, bias, &stack));
    Ok(Entry { rip: start, stack })
}

/// Finds out whether [`load`] would succeed, as far as that can be told without an address space.
pub fn check(file: &File, program: &Program, stack_limit: u64) -> Result<(), ExecError> {
    let plan = ElfPlan::of_file(file)?;
    plan.steps(plan.fixed_bias()?)?;
    if let Some((_, plan)) = plan.interp.as_deref().map(load_interp).transpose()? {
        plan.fixed_bias()?;
    }
    stack_image(program, UserAddr::new(TASK_SIZE), stack_limit, &auxv(&plan, LoadBias::NONE, 0, None))?;
    Ok(())
}

/// Opens an interpreter, of a program or a script.
pub fn open_interp(path: &OsStr) -> Result<File, ExecError> {
    let open = || crate::sys::exec::open(None, &c_string(path.as_bytes()), 0);
    open().map_err(|errno| ExecError::Interp {
        path: path.to_string_lossy().into_owned(),
        source: io::Error::from_raw_os_error(errno.as_positive()),
    })
}

fn load_interp(path: &OsStr) -> Result<(File, ElfPlan), ExecError> {
    let file = open_interp(path)?;
    let plan = ElfPlan::of_file(&file)
        .map_err(|source| ExecError::BadInterp { path: path.to_string_lossy().into_owned(), source })?;
    Ok((file, plan))
}

/// A program with an interpreter goes to the fixed base, one without into the mmap area, as Linux does, so that a
/// dynamic loader run by hand leaves the usual place free.
fn place_program(mm: &AddressSpace, plan: &ElfPlan, program: &Program) -> Result<LoadBias, ExecError> {
    let aslr = program.aslr;
    match (plan.kind, &plan.interp) {
        (ElfKind::Exec, _) => Ok(LoadBias::NONE),
        // gem5 puts it where its headers say, which is at 0.
        (ElfKind::Dyn, _) if program.layout.is_gem5() => Ok(LoadBias::NONE),
        (ElfKind::Dyn, None) => place_anywhere(mm, plan),
        (ElfKind::Dyn, Some(_)) if aslr.pie == 0 => Ok(plan.fixed_bias()?),
        (ElfKind::Dyn, Some(_)) => {
            let base = PIE_BASE.raw() + aslr.pie / plan.align * plan.align;
            Ok(plan.bias_at(UserAddr::new(base))?)
        }
    }
}

fn place_anywhere(mm: &AddressSpace, plan: &ElfPlan) -> Result<LoadBias, ExecError> {
    let base = mm.find_free(plan.reservation(), plan.align)?;
    Ok(plan.bias_at(base)?)
}

fn map_image(mm: &AddressSpace, file: &File, plan: &ElfPlan, bias: LoadBias) -> Result<(), ExecError> {
    for step in plan.steps(bias)? {
        match step {
            Step::MapFile { range, offset, prot } => {
                mm.map(&MapRequest {
                    place: Where::Fixed(UserAddr::new(range.start())),
                    len: range.len(),
                    prot,
                    flags: MapFlags::PRIVATE,
                    file: Some((file.as_fd(), offset)),
                    name: VmaName::None,
                })?;
            }
            Step::MapAnon { range, prot } => {
                let place = Where::Fixed(UserAddr::new(range.start()));
                mm.map(&MapRequest::anonymous(place, range.len(), prot))?;
            }
            Step::Zero { addr, len } => {
                let zeros = vec![0; usize::try_from(len).unwrap_or(0)];
                mm.copy_out(addr, &zeros)?;
            }
        }
    }
    Ok(())
}

/// What `/proc/PID/stat` tells of the program's places.
fn landmarks(plan: &ElfPlan, bias: LoadBias, stack: &StackImage) -> Landmarks {
    let ends = |segment: &Segment| (segment.vaddr, segment.vaddr + segment.filesz);
    let code = || plan.segments.iter().filter(|segment| segment.prot.contains(Prot::EXEC)).map(ends);
    let placed = |start: Option<u64>, end: Option<u64>| {
        (bias.apply(start.unwrap_or(0)).raw(), bias.apply(end.unwrap_or(0)).raw())
    };
    Landmarks {
        code: placed(code().map(|(start, _)| start).min(), code().map(|(_, end)| end).max()),
        data: placed(
            plan.segments.iter().map(|segment| segment.vaddr).max(),
            plan.segments.iter().map(|segment| ends(segment).1).max(),
        ),
        stack: stack.sp.raw(),
        args: (stack.arg_start.raw(), stack.arg_end.raw()),
        env: (stack.env_start.raw(), stack.env_end.raw()),
    }
}

/// Behind the program; for one that was placed in the mmap area, where a program usually is.
fn brk_start(plan: &ElfPlan, bias: LoadBias, program: &Program) -> Result<u64, ExecError> {
    let start = match (plan.kind, &plan.interp) {
        _ if program.layout.is_gem5() => plan.range(bias)?.end(),
        (ElfKind::Dyn, None) => PIE_BASE.raw() + PAGE_SIZE,
        _ => plan.range(bias)?.end(),
    };
    Ok(start + program.aslr.brk)
}

/// The entries that do not point into the stack, in the order of the kernel's; without `machine`, their number counts alone.
fn auxv(plan: &ElfPlan, bias: LoadBias, base: u64, machine: Option<&Arc<Machine>>) -> Vec<AuxEntry> {
    const FSGSBASE: u64 = 1 << 1;
    let host = |key: AuxKey| crate::sys::auxval(key as u64);
    let model = machine.map_or(CpuModel::Host, |machine| machine.model());
    // MWAIT in ring 3 needs an MSR that the guest does not have.
    let hwcap2 = host(AuxKey::Hwcap2) & if model.has_fsgsbase() { FSGSBASE } else { 0 };
    let frame = host(AuxKey::Minsigstksz);
    let frame = machine.filter(|_| model.is_fixed()).map_or(frame, |machine| frame_len(frame, machine));
    vec![
        (AuxKey::Minsigstksz, frame),
        (AuxKey::Hwcap, u64::from(model.hwcap())),
        (AuxKey::Pagesz, PAGE_SIZE),
        (AuxKey::Clktck, host(AuxKey::Clktck)),
        (AuxKey::Phdr, plan.phdr(bias).raw()),
        (AuxKey::Phent, PHENT),
        (AuxKey::Phnum, plan.phnum.into()),
        (AuxKey::Base, base),
        (AuxKey::Flags, 0),
        (AuxKey::Entry, plan.entry(bias).raw()),
        (AuxKey::Uid, host(AuxKey::Uid)),
        (AuxKey::Euid, host(AuxKey::Euid)),
        (AuxKey::Gid, host(AuxKey::Gid)),
        (AuxKey::Egid, host(AuxKey::Egid)),
        (AuxKey::Secure, host(AuxKey::Secure)),
        (AuxKey::Hwcap2, hwcap2),
    ]
}

/// gem5's entries, which are fewer.
fn as_gem5(auxv: &mut Vec<AuxEntry>) {
    auxv.retain(|&(key, _)| layout::has_entry(Layout::Gem5, key));
    auxv.push((AuxKey::SysinfoEhdr, gem5::VSYSCALL));
    for (key, value) in auxv {
        match key {
            AuxKey::Hwcap => *value = gem5::HWCAP,
            AuxKey::Uid | AuxKey::Euid | AuxKey::Gid | AuxKey::Egid => *value = gem5::ID.into(),
            AuxKey::Secure => *value = 0,
            _ => {}
        }
    }
}

/// The page that gem5's programs can read, and call.
fn map_vsyscall(mm: &AddressSpace) -> Result<(), ExecError> {
    let mut page = gem5::GETTIMEOFDAY.to_vec();
    let (at, time) = gem5::TIME;
    page.resize(at, 0);
    page.extend(time);
    mm.machine().show_page(gem5::VSYSCALL, &page).map_err(|_| ExecError::Map(Errno::ENOMEM))
}

/// Bytes of the largest signal frame, of which the host's has `host` (`get_sigframe_size`).
fn frame_len(host: u64, machine: &Machine) -> u64 {
    const FRAME_ALIGNMENT: u64 = 16;
    const MAGIC2_LEN: u64 = 4;
    let own = match machine.xsave_len() as u64 {
        0 => FXSAVE_LEN as u64,
        len => len + MAGIC2_LEN,
    };
    let of_host = if has_xsave() { u64::from(xsave_len()) + MAGIC2_LEN } else { FXSAVE_LEN as u64 };
    (host.saturating_sub(of_host) + own).next_multiple_of(FRAME_ALIGNMENT)
}

fn stack_image(
    program: &Program,
    stack_top: UserAddr,
    stack_limit: u64,
    auxv: &[AuxEntry],
) -> Result<StackImage, StackError> {
    StackImage::build(&StackSpec {
        stack_top,
        stack_limit,
        execfn: match program.argv.first() {
            Some(name) if program.layout.is_gem5() => name,
            _ => &program.execfn,
        },
        execfn_is_argv: program.layout.is_gem5(),
        argv: &program.argv,
        envp: &program.envp,
        random: if program.layout.is_gem5() { [0; 16] } else { program.random },
        auxv,
    })
}

fn write_stack(
    mm: &AddressSpace,
    plan: &ElfPlan,
    program: &Program,
    auxv: &[AuxEntry],
) -> Result<StackImage, ExecError> {
    let top = UserAddr::new(mm.end() - program.aslr.stack);
    let image = stack_image(program, top, mm.limits().stack, auxv)?;
    let bottom = image.sp.page_floor().raw() - STACK_EXPAND;
    let prot = plan.stack_prot | Prot::READ | Prot::WRITE;
    mm.map(&MapRequest {
        flags: MapFlags::PRIVATE | MapFlags::ANONYMOUS | MapFlags::GROWSDOWN,
        name: VmaName::Stack,
        ..MapRequest::anonymous(Where::FixedFree(UserAddr::new(bottom)), top.raw() - bottom, prot)
    })?;
    mm.copy_out(image.sp, &image.bytes)?;
    Ok(image)
}

/// A C string from the command line; a NUL inside ends it, as the kernel would see it.
pub fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}
