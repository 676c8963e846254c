//! The initial stack: arguments, environment and auxiliary vector as a new program finds them. Pure: the bytes
//! are built here and copied to the guest elsewhere.
//!
//! From the top downwards, as `fs/exec.c` and `create_elf_tables()` in `fs/binfmt_elf.c` of the kernel lay it out:
//!
//! | what | aligned |
//! |---|---|
//! | eight zero bytes | |
//! | path of the program (`AT_EXECFN`) | |
//! | environment strings, the first one lowest | |
//! | argument strings, the first one lowest | |
//! | `"x86_64"` (`AT_PLATFORM`) | its end to 16 |
//! | 16 random bytes (`AT_RANDOM`) | |
//! | auxiliary vector, ended by `AT_NULL` | |
//! | environment pointers, ended by NULL | |
//! | argument pointers, ended by NULL | |
//! | number of arguments: `rsp` points here | to 16 |

use std::ffi::{CStr, CString};

use crate::abi::auxv::{AuxEntry, AuxKey};
use crate::abi::{Errno, PAGE_SIZE, UserAddr};

/// The string that `AT_PLATFORM` points at (`ELF_PLATFORM` in `arch/x86/include/asm/elf.h`).
const PLATFORM: &CStr = c"x86_64";

/// Longest argument or environment string with its NUL, in bytes (`MAX_ARG_STRLEN` in
/// `include/uapi/linux/binfmts.h`).
pub const MAX_ARG_STRLEN: u64 = 32 * PAGE_SIZE;

/// All strings and their pointers may take this much whatever the stack limit is, in bytes (`ARG_MAX`).
const MIN_ARGS_LEN: u64 = 32 * PAGE_SIZE;

/// They may never take more than this, in bytes: three quarters of `_STK_LIM` (8 MiB).
const MAX_ARGS_LEN: u64 = 6 << 20;

/// Bytes above all strings, all zero (`bprm->p` starts one pointer below the top).
const TOP_GAP: u64 = 8;

/// Bytes of a pointer, and of each word of the vectors.
const WORD: u64 = 8;

/// Entries in the order in which `create_elf_tables()` and `ARCH_DLINFO` write them.
const AUXV_ORDER: [AuxKey; 22] = [
    AuxKey::SysinfoEhdr,
    AuxKey::Minsigstksz,
    AuxKey::Hwcap,
    AuxKey::Pagesz,
    AuxKey::Clktck,
    AuxKey::Phdr,
    AuxKey::Phent,
    AuxKey::Phnum,
    AuxKey::Base,
    AuxKey::Flags,
    AuxKey::Entry,
    AuxKey::Uid,
    AuxKey::Euid,
    AuxKey::Gid,
    AuxKey::Egid,
    AuxKey::Secure,
    AuxKey::Random,
    AuxKey::Hwcap2,
    AuxKey::Execfn,
    AuxKey::Platform,
    AuxKey::RseqFeatureSize,
    AuxKey::RseqAlign,
];

/// Entries that the builder makes itself.
const OWN_KEYS: [AuxKey; 4] = [AuxKey::Random, AuxKey::Execfn, AuxKey::Platform, AuxKey::Null];

/// What goes on the initial stack.
#[derive(Clone, Copy, Debug)]
pub struct StackSpec<'a> {
    /// One past the highest byte of the stack.
    pub stack_top: UserAddr,
    /// `RLIMIT_STACK` of the new program, in bytes; `u64::MAX` without a limit.
    pub stack_limit: u64,
    /// Path of the program as it was given to execve(2).
    pub execfn: &'a CStr,
    /// Does `AT_EXECFN` point at the argument pointers, as gem5's does?
    pub execfn_is_argv: bool,
    /// Arguments. Without any the program gets one empty string, as from Linux 5.18 on.
    pub argv: &'a [CString],
    /// Environment.
    pub envp: &'a [CString],
    /// What `AT_RANDOM` points at.
    pub random: [u8; 16],
    /// The auxiliary vector, in any order: it is written in the kernel's. The builder adds `Random`, `Execfn`,
    /// `Platform` and `Null`, and replaces them if they are here.
    pub auxv: &'a [AuxEntry],
}

/// The bytes of an initial stack, and what lies where in it (the `mm` fields that `PR_SET_MM_MAP` sets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackImage {
    /// Stack pointer at the first instruction, a multiple of 16; it points at the number of arguments.
    pub sp: UserAddr,
    /// Content from `sp` up to the top of the stack.
    pub bytes: Vec<u8>,
    /// First byte of the argument strings.
    pub arg_start: UserAddr,
    /// One past the argument strings.
    pub arg_end: UserAddr,
    /// First byte of the environment strings.
    pub env_start: UserAddr,
    /// One past the environment strings.
    pub env_end: UserAddr,
    /// First entry of the auxiliary vector.
    pub auxv_start: UserAddr,
    /// Bytes of the auxiliary vector with its `AT_NULL`.
    pub auxv_len: u64,
}

impl StackImage {
    /// Builds the image, or says why Linux would refuse it.
    pub fn build(spec: &StackSpec<'_>) -> Result<Self, StackError> {
        let one_empty = [CString::default()];
        let spec = StackSpec { argv: if spec.argv.is_empty() { &one_empty } else { spec.argv }, ..*spec };
        check_limits(&spec)?;
        let layout = Layout::new(&spec).ok_or(StackError::NoRoom { stack_top: spec.stack_top })?;
        Ok(Self {
            sp: UserAddr::new(layout.sp),
            bytes: image_bytes(&spec, &layout),
            arg_start: UserAddr::new(layout.arg_start),
            arg_end: UserAddr::new(layout.env_start),
            env_start: UserAddr::new(layout.env_start),
            env_end: UserAddr::new(layout.execfn),
            auxv_start: UserAddr::new(layout.auxv),
            auxv_len: auxv_len(spec.auxv),
        })
    }
}

/// The rules of `bprm_stack_limits()` and `copy_strings()`.
fn check_limits(spec: &StackSpec<'_>) -> Result<(), StackError> {
    let strings = || spec.argv.iter().chain(spec.envp).map(CString::as_c_str).chain([spec.execfn]).map(string_len);
    if let Some(len) = strings().find(|&len| len > MAX_ARG_STRLEN) {
        return Err(StackError::StringTooLong { len });
    }
    let limit = args_limit(spec.stack_limit);
    let len = WORD * (spec.argv.len() + spec.envp.len()) as u64 + strings().sum::<u64>();
    if len > limit {
        return Err(StackError::TooLong { len, limit });
    }
    Ok(())
}

/// Bytes that all strings and the pointers to them may take.
pub fn args_limit(stack_limit: u64) -> u64 {
    MAX_ARGS_LEN.min(stack_limit / 4).max(MIN_ARGS_LEN)
}

/// Where everything starts, as guest addresses.
#[derive(Debug)]
struct Layout {
    execfn: u64,
    env_start: u64,
    arg_start: u64,
    platform: u64,
    random: u64,
    argv: u64,
    auxv: u64,
    sp: u64,
}

impl Layout {
    /// Goes down from the top; `None` below address 0.
    fn new(spec: &StackSpec<'_>) -> Option<Self> {
        let execfn = spec.stack_top.raw().checked_sub(TOP_GAP)?.checked_sub(string_len(spec.execfn))?;
        let env_start = execfn.checked_sub(strings_len(spec.envp))?;
        let arg_start = env_start.checked_sub(strings_len(spec.argv))?;
        let platform = align_down_16(arg_start).checked_sub(string_len(PLATFORM))?;
        let random = platform.checked_sub(spec.random.len() as u64)?;
        // The count, and both lists of pointers with their NULL.
        let pointers_len = WORD * (1 + spec.argv.len() + 1 + spec.envp.len() + 1) as u64;
        let sp = align_down_16(random.checked_sub(auxv_len(spec.auxv))?.checked_sub(pointers_len)?);
        Some(Self { execfn, env_start, arg_start, platform, random, argv: sp + WORD, auxv: sp + pointers_len, sp })
    }
}

fn image_bytes(spec: &StackSpec<'_>, layout: &Layout) -> Vec<u8> {
    let mut image = Writer { start: layout.sp, bytes: Vec::new() };
    image.word(spec.argv.len() as u64);
    image.pointers(spec.argv, layout.arg_start);
    image.pointers(spec.envp, layout.env_start);
    for (key, value) in auxv(spec, layout) {
        image.word(key as u64);
        image.word(value);
    }
    image.zeros_up_to(layout.random);
    image.bytes.extend(spec.random);
    image.bytes.extend(PLATFORM.to_bytes_with_nul());
    image.zeros_up_to(layout.arg_start);
    for string in spec.argv.iter().chain(spec.envp).map(CString::as_c_str).chain([spec.execfn]) {
        image.bytes.extend(string.to_bytes_with_nul());
    }
    image.zeros_up_to(spec.stack_top.raw());
    image.bytes
}

/// Writes upwards from `start`.
#[derive(Debug)]
struct Writer {
    start: u64,
    bytes: Vec<u8>,
}

impl Writer {
    fn word(&mut self, value: u64) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// One pointer for each of `strings`, which lie one after the other from `addr`, and a NULL.
    fn pointers(&mut self, strings: &[CString], mut addr: u64) {
        for string in strings {
            self.word(addr);
            addr += string_len(string);
        }
        self.word(0);
    }

    /// Fills a gap, which is never longer than 15 bytes.
    fn zeros_up_to(&mut self, addr: u64) {
        while self.start + (self.bytes.len() as u64) < addr {
            self.bytes.push(0);
        }
    }
}

/// The whole auxiliary vector, in the kernel's order.
fn auxv(spec: &StackSpec<'_>, layout: &Layout) -> Vec<AuxEntry> {
    let execfn = if spec.execfn_is_argv { layout.argv } else { layout.execfn };
    let own = [(AuxKey::Random, layout.random), (AuxKey::Execfn, execfn), (AuxKey::Platform, layout.platform)];
    let mut auxv: Vec<AuxEntry> = others(spec.auxv).chain(own).collect();
    auxv.sort_by_key(|&(key, _)| AUXV_ORDER.iter().position(|&other| other == key));
    auxv.push((AuxKey::Null, 0));
    auxv
}

/// Bytes of what [`auxv`] returns.
fn auxv_len(entries: &[AuxEntry]) -> u64 {
    2 * WORD * (others(entries).count() + OWN_KEYS.len()) as u64
}

/// The entries that are not the builder's own.
fn others(entries: &[AuxEntry]) -> impl Iterator<Item = AuxEntry> {
    entries.iter().copied().filter(|(key, _)| !OWN_KEYS.contains(key))
}

fn strings_len(strings: &[CString]) -> u64 {
    strings.iter().map(|string| string_len(string)).sum()
}

/// Bytes of a string with its NUL.
fn string_len(string: &CStr) -> u64 {
    string.count_bytes() as u64 + 1
}

const fn align_down_16(addr: u64) -> u64 {
    addr & !15
}

/// Why there can be no such stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// More than [`MAX_ARG_STRLEN`].
    #[error("an argument or environment string has {len} bytes; Linux takes {MAX_ARG_STRLEN}")]
    StringTooLong {
        /// Bytes with the NUL.
        len: u64,
    },
    /// All together are too long for the stack limit.
    #[error("arguments and environment take {len} bytes; {limit} are allowed (a quarter of the stack limit)")]
    TooLong {
        /// Bytes of all strings and of the pointers to them.
        len: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The address space below the top is too small.
    #[error("no room for arguments and environment below {stack_top}")]
    NoRoom {
        /// One past the highest byte of the stack.
        stack_top: UserAddr,
    },
}

impl StackError {
    /// What execve(2) returns.
    pub fn errno(self) -> Errno {
        match self {
            Self::StringTooLong { .. } | Self::TooLong { .. } => Errno::E2BIG,
            Self::NoRoom { .. } => Errno::ENOMEM,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOP: UserAddr = UserAddr::new(0x7fff_ffff_f000);
    const UNLIMITED: u64 = u64::MAX;

    fn strings(list: &[&str]) -> Vec<CString> {
        list.iter().map(|&string| CString::new(string).unwrap()).collect()
    }

    fn spec<'a>(argv: &'a [CString], envp: &'a [CString], auxv: &'a [AuxEntry]) -> StackSpec<'a> {
        let random = *b"sixteen of chaos";
        StackSpec {
            stack_top: TOP,
            stack_limit: UNLIMITED,
            execfn: c"./d",
            execfn_is_argv: false,
            argv,
            envp,
            random,
            auxv,
        }
    }

    /// Reads an image as the start code of a C library reads the stack.
    struct Reader<'a>(&'a StackImage);

    impl Reader<'_> {
        fn at(&self, addr: u64) -> &[u8] {
            &self.0.bytes[usize::try_from(addr - self.0.sp.raw()).unwrap()..]
        }

        fn word(&self, addr: u64) -> u64 {
            u64::from_le_bytes(self.at(addr)[..8].try_into().unwrap())
        }

        fn string(&self, addr: u64) -> CString {
            CStr::from_bytes_until_nul(self.at(addr)).unwrap().to_owned()
        }

        /// The strings of a list of pointers, and the address behind its NULL.
        fn list(&self, mut addr: u64) -> (Vec<CString>, u64) {
            let mut list = Vec::new();
            while self.word(addr) != 0 {
                list.push(self.string(self.word(addr)));
                addr += 8;
            }
            (list, addr + 8)
        }

        /// Keys and values, the `AT_NULL` included.
        fn auxv(&self, mut addr: u64) -> Vec<(u64, u64)> {
            let mut auxv = Vec::new();
            while auxv.last().is_none_or(|&(key, _)| key != 0) {
                auxv.push((self.word(addr), self.word(addr + 8)));
                addr += 16;
            }
            auxv
        }

        fn aux(&self, key: AuxKey) -> u64 {
            let auxv = self.auxv(self.0.auxv_start.raw());
            auxv.into_iter().find(|&(other, _)| other == key as u64).unwrap().1
        }
    }

    /// The addresses are those of `env -i A=b CC=ddd FOO= setarch -R ./d one "" three` on Linux 6.18.
    #[test]
    fn addresses_are_those_of_linux() {
        let (argv, envp) = (strings(&["./d", "one", "", "three"]), strings(&["A=b", "CC=ddd", "FOO="]));
        let auxv: Vec<_> = AUXV_ORDER.iter().filter(|key| !OWN_KEYS.contains(key)).map(|&key| (key, 7)).collect();
        let image = StackImage::build(&spec(&argv, &envp, &auxv)).unwrap();
        let reader = Reader(&image);
        assert_eq!(image.sp.raw(), 0x7fff_ffff_edf0);
        assert_eq!(image.bytes.len(), 528);
        assert_eq!(image.arg_start.raw(), 0x7fff_ffff_efd5);
        assert_eq!(image.arg_end, image.env_start);
        assert_eq!(image.env_start.raw(), 0x7fff_ffff_efe4);
        assert_eq!(image.env_end.raw(), 0x7fff_ffff_eff4);
        assert_eq!(image.auxv_start.raw(), image.sp.raw() + 0x50);
        assert_eq!(image.auxv_len, 0x170);
        assert_eq!(reader.aux(AuxKey::Random), 0x7fff_ffff_efb9);
        assert_eq!(reader.aux(AuxKey::Platform), 0x7fff_ffff_efc9);
        assert_eq!(reader.aux(AuxKey::Execfn), 0x7fff_ffff_eff4);
    }

    #[test]
    fn auxv_is_in_the_order_of_linux_and_ours_win() {
        let auxv = [(AuxKey::RseqAlign, 32), (AuxKey::Random, 1), (AuxKey::Hwcap2, 2), (AuxKey::Null, 0)];
        let auxv = [&auxv[..], &[(AuxKey::Secure, 0), (AuxKey::Phdr, 64)]].concat();
        let argv = strings(&["a"]);
        let image = StackImage::build(&spec(&argv, &[], &auxv)).unwrap();
        let keys: Vec<u64> = Reader(&image).auxv(image.auxv_start.raw()).into_iter().map(|(key, _)| key).collect();
        let expected = [
            AuxKey::Phdr,
            AuxKey::Secure,
            AuxKey::Random,
            AuxKey::Hwcap2,
            AuxKey::Execfn,
            AuxKey::Platform,
            AuxKey::RseqAlign,
            AuxKey::Null,
        ];
        assert_eq!(keys, expected.map(|key| key as u64));
    }

    #[test]
    fn a_program_without_arguments_gets_an_empty_one() {
        let image = StackImage::build(&spec(&[], &[], &[])).unwrap();
        let reader = Reader(&image);
        assert_eq!(reader.word(image.sp.raw()), 1);
        assert_eq!(reader.list(image.sp.raw() + 8).0, strings(&[""]));
    }

    #[test]
    fn limits_are_those_of_linux() {
        let of_len = |len: u64| CString::new(vec![b'x'; usize::try_from(len - 1).unwrap()]).unwrap();
        let build = |argv: &[CString], stack_limit| {
            StackImage::build(&StackSpec { stack_limit, ..spec(argv, &[], &[]) }).map(|_| ())
        };
        let too_long = Err(StackError::StringTooLong { len: MAX_ARG_STRLEN + 1 });
        assert_eq!(build(&[of_len(MAX_ARG_STRLEN)], UNLIMITED), Ok(()));
        assert_eq!(build(&[of_len(MAX_ARG_STRLEN + 1)], UNLIMITED), too_long);
        // "./d" and the pointer take 12 bytes.
        assert_eq!(build(&[of_len(MIN_ARGS_LEN - 12)], 0), Ok(()));
        let error = build(&[of_len(MIN_ARGS_LEN - 11)], 0).unwrap_err();
        assert_eq!(error, StackError::TooLong { len: MIN_ARGS_LEN + 1, limit: MIN_ARGS_LEN });
        assert_eq!(error.errno(), Errno::E2BIG);
        let many = vec![of_len(0x1_0000 - 8); 32];
        assert_eq!(build(&many, 0x20_0010 * 4), Ok(()));
        assert_eq!(build(&many, 0x20_0000 * 4), Err(StackError::TooLong { len: 0x20_0004, limit: 0x20_0000 }));
        let many = vec![of_len(0x1_0000 - 8); 96];
        assert_eq!(build(&many, UNLIMITED), Err(StackError::TooLong { len: 0x60_0004, limit: 0x60_0000 }));
        let stack_top = UserAddr::new(64);
        let error = StackImage::build(&StackSpec { stack_top, ..spec(&[], &[], &[]) }).unwrap_err();
        assert_eq!(error, StackError::NoRoom { stack_top });
    }

    proptest! {
        #[test]
        fn a_program_finds_what_it_was_given(
            argv in prop::collection::vec("[a-z]{0,9}", 1..6),
            envp in prop::collection::vec("[A-Z]{1,9}=[a-z]{0,9}", 0..6),
            nr_aux in 0..4_usize,
        ) {
            let argv: Vec<_> = argv.into_iter().map(|string| CString::new(string).unwrap()).collect();
            let envp: Vec<_> = envp.into_iter().map(|string| CString::new(string).unwrap()).collect();
            let auxv = [(AuxKey::Pagesz, 4096), (AuxKey::Entry, 0x1234), (AuxKey::Uid, 0)];
            let auxv = auxv.get(..nr_aux).unwrap_or(&auxv);
            let image = StackImage::build(&spec(&argv, &envp, auxv)).unwrap();
            let reader = Reader(&image);
            let sp = image.sp.raw();
            prop_assert_eq!(sp % 16, 0);
            prop_assert_eq!(sp + image.bytes.len() as u64, TOP.raw());
            prop_assert!(image.bytes.ends_with(&[0; 9]));
            prop_assert_eq!(reader.word(sp), argv.len() as u64);
            let (found, addr) = reader.list(sp + 8);
            prop_assert_eq!(&found, &argv);
            let (found, addr) = reader.list(addr);
            prop_assert_eq!(&found, &envp);
            prop_assert_eq!(addr, image.auxv_start.raw());
            prop_assert_eq!(reader.auxv(addr).len() as u64 * 16, image.auxv_len);
            prop_assert!(auxv.iter().all(|&(key, value)| reader.aux(key) == value));
            prop_assert_eq!(reader.string(reader.aux(AuxKey::Execfn)), c"./d".to_owned());
            prop_assert_eq!(reader.string(reader.aux(AuxKey::Platform)), PLATFORM.to_owned());
            prop_assert!(reader.at(reader.aux(AuxKey::Random)).starts_with(b"sixteen of chaos"));
            prop_assert_eq!(reader.at(image.arg_start.raw()).len() as u64, TOP.raw() - image.arg_start.raw());
        }
    }
}
