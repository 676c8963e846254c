//! What to do about a /dev/kvm that cannot be opened.

use std::io;
use std::path::Path;

/// Which virtualisation the CPU shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Virtualisation {
    /// Intel's.
    Vmx,
    /// AMD's.
    Svm,
    /// None: it has none, or the firmware or the hypervisor hides it.
    None,
}

impl Virtualisation {
    /// As the `flags` lines of /proc/cpuinfo say.
    pub(super) fn in_cpuinfo(cpuinfo: &str) -> Self {
        let flags = cpuinfo.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
        let has = |flag| flags.split_ascii_whitespace().any(|word| word == flag);
        match (has("vmx"), has("svm")) {
            (true, _) => Self::Vmx,
            (_, true) => Self::Svm,
            _ => Self::None,
        }
    }
}

/// One line for the error that open(2) gave.
pub(super) fn of_open(error: &io::Error) -> String {
    match error.raw_os_error() {
        // The last two: the device node is there, the module is not.
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => {
            let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
            of_missing(Virtualisation::in_cpuinfo(&cpuinfo), Path::new("/sys/module/kvm").exists()).to_owned()
        }
        Some(libc::EACCES | libc::EPERM) => of_permission(),
        _ => "ls -l /dev/kvm shows whether it is the KVM device".to_owned(),
    }
}

fn of_missing(cpu: Virtualisation, is_loaded: bool) -> &'static str {
    match (cpu, is_loaded) {
        (Virtualisation::Vmx, false) => "the module is not loaded: sudo modprobe kvm_intel",
        (Virtualisation::Svm, false) => "the module is not loaded: sudo modprobe kvm_amd",
        (Virtualisation::None, false) => {
            "the CPU shows neither vmx nor svm: enable virtualisation in the firmware, or nested virtualisation in the \
             VM that this runs in"
        }
        (_, true) => {
            "the module is loaded: give the container the device (docker run --device /dev/kvm), or see what \
             sudo dmesg | grep -i kvm says"
        }
    }
}

fn of_permission() -> String {
    use std::os::unix::fs::MetadataExt;
    let group = std::fs::metadata("/dev/kvm")
        .ok()
        .filter(|meta| meta.mode() & 0o060 == 0o060)
        .and_then(|meta| nix::unistd::Group::from_gid(meta.gid().into()).ok().flatten());
    match group {
        Some(group) => format!("sudo usermod -aG {} $USER, then log in again", group.name),
        None => "sudo chgrp kvm /dev/kvm && sudo chmod 660 /dev/kvm, and be in group kvm".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_whole_words() {
        let cpuinfo = |flags| format!("processor\t: 0\nflags\t\t: fpu {flags} sse2\nvmx flags\t: vnmi\n");
        assert_eq!(Virtualisation::in_cpuinfo(&cpuinfo("vmx")), Virtualisation::Vmx);
        assert_eq!(Virtualisation::in_cpuinfo(&cpuinfo("svm")), Virtualisation::Svm);
        assert_eq!(Virtualisation::in_cpuinfo(&cpuinfo("svm_lock")), Virtualisation::None);
        assert_eq!(Virtualisation::in_cpuinfo(""), Virtualisation::None);
    }

    #[test]
    fn what_is_missing_decides_what_to_do() {
        assert!(of_missing(Virtualisation::Svm, false).ends_with("modprobe kvm_amd"));
        assert!(of_missing(Virtualisation::None, false).contains("neither vmx nor svm"));
        assert!(of_missing(Virtualisation::None, true).contains("--device /dev/kvm"));
    }
}
