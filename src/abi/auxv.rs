//! Keys of the auxiliary vector (getauxval(3), the kernel's `include/uapi/linux/auxvec.h`).

/// One entry: key and value, as they stand on the initial stack.
pub type AuxEntry = (AuxKey, u64);

macro_rules! aux_keys {
    ($($name:ident = $value:literal, $doc:literal;)*) => {
        /// A key of the auxiliary vector.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u64)]
        pub enum AuxKey {
            $(#[doc = $doc] $name = $value,)*
        }
    };
}

aux_keys! {
    Null = 0, "End of the vector.";
    Phdr = 3, "Address of the program headers.";
    Phent = 4, "Bytes of one program header.";
    Phnum = 5, "Number of program headers.";
    Pagesz = 6, "Bytes of a page.";
    Base = 7, "Where the interpreter is loaded, 0 without one.";
    Flags = 8, "Flags, always 0.";
    Entry = 9, "Entry point of the program.";
    Uid = 11, "Real user id.";
    Euid = 12, "Effective user id.";
    Gid = 13, "Real group id.";
    Egid = 14, "Effective group id.";
    Platform = 15, "Address of the string \"x86_64\".";
    Hwcap = 16, "CPUID leaf 1, EDX.";
    Clktck = 17, "Ticks a second of times(2).";
    Secure = 23, "Nonzero for set-user-id programs.";
    Random = 25, "Address of 16 random bytes.";
    Hwcap2 = 26, "Further CPU features: bit 0 ring 3 MWAIT, bit 1 FSGSBASE.";
    RseqFeatureSize = 27, "Bytes of struct rseq that the kernel fills.";
    RseqAlign = 28, "Alignment of struct rseq.";
    Execfn = 31, "Address of the file name that was executed.";
    SysinfoEhdr = 33, "Address of the vDSO's ELF header.";
    Minsigstksz = 51, "Bytes that a signal frame takes.";
}
