//! Whose addresses, auxiliary vector, names and ids a program finds: Linux's, or those of gem5's syscall-emulation mode
//! (gem5's `src/arch/x86/process.cc`, `src/sim/Process.py`, `src/arch/x86/linux/syscalls.cc`).

use std::str::FromStr;

use crate::abi::auxv::AuxKey;

/// Whose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// The host's kernel's.
    #[default]
    Linux,
    /// gem5's.
    Gem5,
}

impl Layout {
    /// As the user names them.
    pub const NAMES: [(&'static str, Self); 2] = [("linux", Self::Linux), ("gem5", Self::Gem5)];

    /// As the user names it.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, layout)| *layout == self).map_or("", |(name, _)| name)
    }

    /// Is it gem5's?
    pub fn is_gem5(self) -> bool {
        self == Self::Gem5
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, layout)| *layout).ok_or_else(|| "there are linux and gem5".to_owned())
    }
}

/// What gem5 gives its first process unless told otherwise.
pub mod gem5 {
    /// One past the highest address for mmap(2), which is given out downwards (GVA).
    pub const MMAP_END: u64 = 0x7fff_f7ff_f000;
    /// All of the process's ids: of user and group, of the process and of its group.
    pub const ID: u32 = 100;
    /// The parent's.
    pub const PARENT: u32 = 0;
    /// `AT_HWCAP`.
    pub const HWCAP: u64 = 0x078b_fbff;
    /// Of `struct utsname`: system, node, release, version, machine, and no domain.
    pub const UTSNAME: [&str; 6] = ["Linux", "sim.gem5.org", "5.1.0", "#1 Mon Aug 18 11:32:15 EDT 2003", "x86_64", ""];
    /// The page of two system calls that `AT_SYSINFO_EHDR` names, though no ELF header is there (GVA).
    pub const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
    /// `mov $SYS_gettimeofday, %rax; syscall; ret`
    pub const GETTIMEOFDAY: [u8; 10] = [0x48, 0xc7, 0xc0, 0x60, 0, 0, 0, 0x0f, 0x05, 0xc3];
    /// `mov $SYS_time, %rax; syscall; ret`, and where it is in the page.
    pub const TIME: (usize, [u8; 10]) = (0x400, [0x48, 0xc7, 0xc0, 0xc9, 0, 0, 0, 0x0f, 0x05, 0xc3]);

    const _: () = assert!(libc::SYS_gettimeofday == 0x60 && libc::SYS_time == 0xc9);
}

/// Has gem5's auxiliary vector this entry?
pub fn has_entry(layout: Layout, key: AuxKey) -> bool {
    let is_linux_alone =
        matches!(key, AuxKey::Minsigstksz | AuxKey::Hwcap2 | AuxKey::RseqFeatureSize | AuxKey::RseqAlign);
    !(layout.is_gem5() && is_linux_alone)
}
