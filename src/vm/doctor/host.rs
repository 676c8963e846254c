//! What the host says about itself. Nothing is decided by it: it goes into the report, for bug reports and the like.

use std::fs;
use std::path::Path;

use super::report::Finding;
use crate::vm::remedy::Virtualisation;

/// Parameters that change what the runner meets.
const PARAMETERS: [&str; 6] = ["ept", "npt", "unrestricted_guest", "tdp_mmu", "enable_pmu", "force"];

/// Kernel, processor and KVM module.
pub(super) fn findings() -> Vec<Finding> {
    vec![kernel(), processor(), module()]
}

fn kernel() -> Finding {
    match nix::sys::utsname::uname() {
        Ok(name) => {
            let release = name.release().to_string_lossy();
            let number = release.split(['-', '+']).next().unwrap_or_default();
            fact("kernel", number, &release)
        }
        Err(_) => fact("kernel", "unknown", ""),
    }
}

fn processor() -> Finding {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, name)| name.trim());
    match Virtualisation::in_cpuinfo(&cpuinfo) {
        Virtualisation::Vmx => fact("virtualisation", "vmx", name),
        Virtualisation::Svm => fact("virtualisation", "svm", name),
        Virtualisation::None => fact("virtualisation", "not shown", name),
    }
}

fn module() -> Finding {
    let Some(name) = module_name(Path::new("/sys/module")) else {
        return fact("KVM module", "unknown", "");
    };
    let parameters: Vec<String> = ["kvm", &name].iter().flat_map(|module| parameters(module)).collect();
    fact("KVM module", &name, &parameters.join(" "))
}

/// The module that drives the processor, whose name begins with `kvm_`.
fn module_name(modules: &Path) -> Option<String> {
    let names = fs::read_dir(modules).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.starts_with("kvm_")).min()
}

fn parameters(module: &str) -> Vec<String> {
    PARAMETERS.iter().filter_map(|name| Some(format!("{name}={}", parameter(module, name)?))).collect()
}

fn parameter(module: &str, name: &str) -> Option<String> {
    let value = fs::read_to_string(format!("/sys/module/{module}/parameters/{name}")).ok()?;
    Some(value.trim().to_owned())
}

/// Is the PMU of guests switched off?
pub(super) fn has_pmu_off() -> bool {
    parameter("kvm", "enable_pmu").as_deref() == Some("N")
}

fn fact(what: &'static str, result: &str, meaning: &str) -> Finding {
    Finding { what, result: result.to_owned(), meaning: meaning.to_owned(), is_fatal: false }
}
