//! Flags of clone(2) as clone3(2) and unshare(2) take them: unsigned, for `CLONE_IO` is the highest bit of the older
//! call's 32 (the kernel's `include/uapi/linux/sched.h`).

macro_rules! clone_flags {
    ($($name:ident)*) => {
        $(#[expect(missing_docs, reason = "clone(2) says what each means")]
        pub const $name: u64 = libc::$name.cast_unsigned() as u64;)*
    };
}

clone_flags! {
    CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_VFORK CLONE_PARENT CLONE_THREAD CLONE_NEWNS
    CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_DETACHED CLONE_UNTRACED
    CLONE_CHILD_SETTID CLONE_NEWUSER CLONE_IO
}
/// Actions of signals go back to the default.
pub const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// The child begins in another control group.
pub const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
