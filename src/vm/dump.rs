//! What KVM keeps of a vCPU besides the user's registers, for people who look at a stopped run.

use kvm_bindings::{Msrs, kvm_msr_entry};

use super::{Vcpu, VmError};

/// Model-specific registers that are shown: name and number.
const MSRS: [(&str, u32); 13] = [
    ("efer", 0xc000_0080),
    ("star", 0xc000_0081),
    ("lstar", 0xc000_0082),
    ("cstar", 0xc000_0083),
    ("sfmask", 0xc000_0084),
    ("kernel_gs_base", 0xc000_0102),
    ("tsc_aux", 0xc000_0103),
    ("pat", 0x277),
    ("sysenter_cs", 0x174),
    ("sysenter_esp", 0x175),
    ("sysenter_eip", 0x176),
    ("debugctl", 0x1d9),
    ("xss", 0xda0),
];

impl Vcpu {
    /// Segments, control and debug registers, model-specific registers, extended control registers and events, by name. What
    /// this KVM does not give is left out.
    ///
    /// # Errors
    /// When the segments cannot be had.
    pub fn system_state(&mut self) -> Result<Vec<(String, u64)>, VmError> {
        let fd = self.fd();
        let sregs = fd.get_sregs().map_err(VmError::ioctl("KVM_GET_SREGS"))?;
        let mut all: Vec<(String, u64)> = Vec::new();
        let mut put = |name: &str, value: u64| all.push((name.to_owned(), value));
        let segments = [
            ("cs", sregs.cs),
            ("ss", sregs.ss),
            ("ds", sregs.ds),
            ("es", sregs.es),
            ("fs", sregs.fs),
            ("gs", sregs.gs),
        ];
        for (name, segment) in segments {
            put(&format!("{name}.selector"), segment.selector.into());
            put(&format!("{name}.base"), segment.base);
        }
        put("efer", sregs.efer);
        for (name, value) in [("cr0", sregs.cr0), ("cr2", sregs.cr2), ("cr3", sregs.cr3), ("cr4", sregs.cr4)] {
            put(name, value);
        }
        if let Ok(debug) = fd.get_debug_regs() {
            (0..).zip(debug.db).for_each(|(number, value): (u32, u64)| put(&format!("dr{number}"), value));
            put("dr6", debug.dr6);
            put("dr7", debug.dr7);
        }
        for (name, index) in MSRS {
            let entry = [kvm_msr_entry { index, ..Default::default() }];
            if let Ok(mut msrs) = Msrs::from_entries(&entry)
                && fd.get_msrs(&mut msrs).is_ok_and(|got| got == 1)
            {
                msrs.as_slice().iter().for_each(|msr| put(&format!("msr.{name}"), msr.data));
            }
        }
        if let Ok(xcrs) = fd.get_xcrs() {
            let count = usize::try_from(xcrs.nr_xcrs).unwrap_or(0);
            xcrs.xcrs.iter().take(count).for_each(|xcr| put(&format!("xcr{}", xcr.xcr), xcr.value));
        }
        if let Ok(events) = fd.get_vcpu_events() {
            let (exception, interrupt, nmi, smi) = (events.exception, events.interrupt, events.nmi, events.smi);
            for (name, value) in [
                ("exception.injected", exception.injected),
                ("exception.pending", exception.pending),
                ("exception.nr", exception.nr),
                ("exception.has_error_code", exception.has_error_code),
                ("interrupt.injected", interrupt.injected),
                ("interrupt.nr", interrupt.nr),
                ("interrupt.soft", interrupt.soft),
                ("interrupt.shadow", interrupt.shadow),
                ("nmi.injected", nmi.injected),
                ("nmi.pending", nmi.pending),
                ("nmi.masked", nmi.masked),
                ("smi.smm", smi.smm),
                ("smi.pending", smi.pending),
                ("triple_fault.pending", events.triple_fault.pending),
            ] {
                put(&format!("event.{name}"), value.into());
            }
            put("event.exception.error_code", exception.error_code.into());
            put("event.exception.payload", events.exception_payload);
            put("event.sipi_vector", events.sipi_vector.into());
            put("event.flags", events.flags.into());
        }
        Ok(all)
    }
}
