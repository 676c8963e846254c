//! The state of a stopped run: what a thread's processor and the memory of its process hold, as names and values, in text or
//! JSON, and the difference of two of them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use xxhash_rust::xxh3::Xxh3;

use crate::abi::mman::Prot;
use crate::abi::{PAGE_SIZE, PageRange, UserAddr};
use crate::mm::AddressSpace;
use crate::mm::vma::{Backing, Vma, VmaFlags, VmaName};
use crate::proc::Task;
use crate::vm::VmError;
use crate::x86::state::{Reg, State};

/// Names and values, in an order for people.
#[derive(Debug)]
pub struct StateDump(Vec<(String, String)>);

/// What is no dump.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("this is no state of kvm-se")]
pub struct NotState;

/// The first line of text, and what JSON says of itself.
const FORMAT: (&str, &str) = ("format", "kvm-se state 1");

impl StateDump {
    /// Of a thread that is not in guest mode, and of its process' memory.
    ///
    /// # Errors
    /// When KVM does not give the registers.
    pub fn of(task: &mut Task) -> Result<Self, VmError> {
        let mut all = vec![(FORMAT.0.to_owned(), FORMAT.1.to_owned())];
        let (bases, image) = (task.vcpu.segment_bases()?, task.vcpu.extended_state()?);
        let state = State::new(*task.vcpu.regs(), bases, image);
        for reg in Reg::all() {
            let value = state.value(reg);
            let digits: String = value[..reg.width()].iter().rev().map(|byte| format!("{byte:02x}")).collect();
            all.push((format!("reg.{}", reg.name(reg.width())), format!("0x{digits}")));
        }
        all.extend(state.x87_pointers().map(|(name, value)| (format!("x87.{name}"), format!("{value:#x}"))));
        all.extend(task.vcpu.system_state()?.into_iter().map(|(name, value)| (name, format!("{value:#x}"))));
        for (range, vma) in task.process.mm.vmas() {
            let name = format!("vma.{:#x}-{:#x}", range.start(), range.end());
            all.push((name, describe(&task.process.mm, range, &vma)));
        }
        Ok(Self(all))
    }

    /// As lines of a name and a value.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_text(&self, to: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|(name, value)| writeln!(to, "{name} {value}"))
    }

    /// As one JSON object, whose values are strings.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_json(&self, to: &mut dyn Write) -> io::Result<()> {
        let object: serde_json::Map<_, _> =
            self.0.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        serde_json::to_writer_pretty(&mut *to, &object)?;
        writeln!(to)
    }

    /// Reads either form.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &str) -> Result<Self, NotState> {
        let pairs: Vec<(String, String)> = if text.starts_with('{') {
            let object: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| NotState)?;
            object.into_iter().collect()
        } else {
            let pair = |line: &str| line.split_once(' ').map(|(name, value)| (name.to_owned(), value.to_owned()));
            text.lines().map(pair).collect::<Option<_>>().ok_or(NotState)?
        };
        let is_state = pairs.iter().any(|(name, value)| (name.as_str(), value.as_str()) == FORMAT);
        if is_state { Ok(Self(pairs)) } else { Err(NotState) }
    }

    /// Writes what differs in `other`, a line each; returns how many.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_difference(&self, other: &Self, to: &mut dyn Write) -> io::Result<usize> {
        let [one, two] = [self, other].map(|dump| dump.0.iter().cloned().collect::<BTreeMap<_, _>>());
        let names: std::collections::BTreeSet<&String> = one.keys().chain(two.keys()).collect();
        let differ = names.into_iter().filter(|name| one.get(*name) != two.get(*name));
        let mut count = 0;
        for name in differ {
            let of = |all: &BTreeMap<String, String>| all.get(name).cloned().unwrap_or_else(|| "-".to_owned());
            writeln!(to, "{name} {} {}", of(&one), of(&two))?;
            count += 1;
        }
        Ok(count)
    }
}

/// Rights, what is behind it, and a digest of what it holds.
fn describe(mm: &AddressSpace, range: PageRange, vma: &Vma) -> String {
    let letter = |prot, letter| if vma.prot.contains(prot) { letter } else { '-' };
    let shared = if vma.flags.contains(VmaFlags::SHARED) { 's' } else { 'p' };
    let [r, w, x] = [letter(Prot::READ, 'r'), letter(Prot::WRITE, 'w'), letter(Prot::EXEC, 'x')];
    let behind = match &vma.backing {
        Backing::Anonymous => "anonymous".to_owned(),
        Backing::File { offset, .. } => format!("file+{offset:#x}"),
        _ => "shared".to_owned(),
    };
    let digest = match digest(mm, range) {
        // Its pages change without the program.
        _ if vma.name == VmaName::Vvar => "-".to_owned(),
        digest => format!("{digest:016x}"),
    };
    format!("{r}{w}{x}{shared} {behind} {digest}")
}

/// Of pages that hold something but zeros, with their places.
fn digest(mm: &AddressSpace, range: PageRange) -> u64 {
    let mut all = Xxh3::new();
    let mut page = vec![0; usize::try_from(PAGE_SIZE).unwrap_or(4096)];
    let parts = mm.own_memory().into_iter().filter_map(|part| {
        let (from, to) = (part.start().max(range.start()), part.end().min(range.end()));
        (from < to).then_some((from, to))
    });
    for (from, to) in parts {
        for addr in (from..to).step_by(page.len()) {
            if mm.copy_in(UserAddr::new(addr), &mut page).is_ok() && page.iter().any(|&byte| byte != 0) {
                all.update(&(addr - range.start()).to_le_bytes());
                all.update(&page);
            }
        }
    }
    all.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(pairs: &[(&str, &str)]) -> StateDump {
        let all = [FORMAT].iter().chain(pairs);
        StateDump(all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn both_forms_are_read_and_compared() {
        let (one, two) = (dump(&[("reg.rax", "0x1"), ("cr2", "0x0")]), dump(&[("reg.rax", "0x2"), ("dr7", "0x400")]));
        let (mut text, mut json) = (Vec::new(), Vec::new());
        one.write_text(&mut text).unwrap();
        two.write_json(&mut json).unwrap();
        let [one, two] = [text, json].map(|bytes| StateDump::read(&String::from_utf8(bytes).unwrap()).unwrap());
        let mut lines = Vec::new();
        assert_eq!(one.write_difference(&two, &mut lines).unwrap(), 3);
        assert_eq!(String::from_utf8(lines).unwrap(), "cr2 0x0 -\ndr7 - 0x400\nreg.rax 0x1 0x2\n");
        assert_eq!(one.write_difference(&one, &mut Vec::new()).unwrap(), 0);
        assert!(StateDump::read("x").is_err() && StateDump::read("{}").is_err() && StateDump::read("").is_err());
    }
}
