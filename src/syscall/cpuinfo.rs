//! /proc/cpuinfo of a processor that is not the host's.

use super::arg::PathPtr;
use super::deterministic::descriptor_of;
use crate::abi::Errno;
use crate::proc::Task;
use crate::x86::CpuModel;

/// Opens it, if that is what `path` is and another processor is shown.
pub(super) fn open(task: &Task, path: PathPtr, flags: i32) -> Option<Result<u64, Errno>> {
    const PATH: &[u8] = b"/proc/cpuinfo";
    let model = task.process.mm.machine().model();
    let is_read = flags & libc::O_ACCMODE == libc::O_RDONLY;
    if !model.is_fixed() || !is_read {
        return None;
    }
    let found = task.process.mm.read_string(path.0, PATH.len() + 1, Errno::ENAMETOOLONG).ok()?;
    if found.strip_suffix(b"\0").unwrap_or(&found) != PATH {
        return None;
    }
    let host = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    Some(descriptor_of(shown(model, &host).as_bytes(), flags & libc::O_CLOEXEC != 0))
}

/// What it says of `model`: field and value.
pub(super) fn fields(model: CpuModel) -> [(&'static str, String); 6] {
    let [_, first, second, third] = model.cpuid(0, 0);
    let vendor: Vec<u8> = [first, third, second].iter().flat_map(|part| part.to_le_bytes()).collect();
    let signature = model.cpuid(1, 0)[0];
    let family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
    let number = (signature >> 16 & 0xf) << 4 | signature >> 4 & 0xf;
    let name: Vec<u8> = (0x8000_0002..=0x8000_0004)
        .flat_map(|leaf| model.cpuid(leaf, 0))
        .flat_map(u32::to_le_bytes)
        .take_while(|&byte| byte != 0)
        .collect();
    let flags: Vec<&str> = model.flags().collect();
    [
        ("vendor_id", String::from_utf8_lossy(&vendor).into_owned()),
        ("cpu family", family.to_string()),
        ("model", number.to_string()),
        ("model name", String::from_utf8_lossy(&name).into_owned()),
        ("stepping", (signature & 0xf).to_string()),
        ("flags", flags.join(" ")),
    ]
}

/// The host's text with the fields of `model`, and without what else it says of its processor.
fn shown(model: CpuModel, host: &str) -> String {
    const OF_HOST: [&str; 4] = ["microcode", "bugs", "cache size", "TLB size"];
    let fields = fields(model);
    let mut text = String::new();
    for line in host.lines() {
        let name = line.split(':').next().unwrap_or_default().trim_end();
        match fields.iter().find(|(field, _)| *field == name) {
            Some((_, value)) => text.push_str(&format!("{}: {value}\n", line.split(':').next().unwrap_or_default())),
            None if OF_HOST.contains(&name) => {}
            None => text.extend([line, "\n"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_another_and_the_rest_stays() {
        let host = "processor\t: 1\nvendor_id\t: Other\ncpu family\t: 6\nbugs\t\t: many\nflags\t\t: fpu avx2\napicid\t\t: 1\n\n";
        let shown = shown(CpuModel::V1, host);
        assert!(shown.starts_with("processor\t: 1\nvendor_id\t: AuthenticAMD\ncpu family\t: 15\nflags\t\t: fpu vme"));
        assert!(shown.ends_with(" syscall nx lm\napicid\t\t: 1\n\n"), "{shown}");
        assert_eq!(fields(CpuModel::Gem5)[3].1, "Fake gem5 x86_64 CPU");
    }
}
