//! Entry points of the doctor's user code (`guest-stubs/probe.S`).

#![expect(unsafe_code, reason = "names labels of the assembled code")]

use crate::vm::startup;

macro_rules! routines {
    ($($name:ident = $label:ident,)*) => {
        unsafe extern "C" {
            $(static $label: u8;)*
        }

        /// A piece of user code; its registers are described where it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Routine {
            $($name,)*
        }

        impl Routine {
            /// Bytes from the start of the code.
            pub(super) fn offset(self) -> u64 {
                let label = match self {
                    $(Self::$name => &raw const $label,)*
                };
                (label.addr() - startup::code().as_ptr().addr()) as u64
            }
        }
    };
}

routines! {
    Load = kvm_se_probe_load,
    Store = kvm_se_probe_store,
    Syscalls = kvm_se_probe_syscalls,
    Registers = kvm_se_probe_registers,
    Undefined = kvm_se_probe_undefined,
    Breakpoint = kvm_se_probe_breakpoint,
    Divide = kvm_se_probe_divide,
    Privileged = kvm_se_probe_privileged,
    Steps = kvm_se_probe_steps,
    Spin = kvm_se_probe_spin,
    Watch = kvm_se_probe_watch,
    Walk = kvm_se_probe_walk,
    Count = kvm_se_probe_count,
    Fxsave = kvm_se_probe_fxsave,
    Avx = kvm_se_probe_avx,
    Avx512 = kvm_se_probe_avx512,
    Segments = kvm_se_probe_segments,
    SetSegments = kvm_se_probe_set_segments,
    Xgetbv = kvm_se_probe_xgetbv,
    Cpuid = kvm_se_probe_cpuid,
    Rdtsc = kvm_se_probe_rdtsc,
    Clock = kvm_se_probe_clock,
}
