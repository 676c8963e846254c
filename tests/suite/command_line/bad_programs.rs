//! Files that cannot be run, and machines that cannot run them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use libtest_mimic::{Completion, Failed};

use super::{Expect, kvm_se, passed, show, tests};
use crate::invocation::{Ending, Invocation};
use crate::machine::{self, Outcome};

tests! {
    missing_file Nothing;
    missing_in_path Nothing;
    dangling_link Nothing;
    directory Nothing;
    not_executable Nothing;
    not_executable_in_path Nothing;
    empty_name Nothing;
    empty_file Kvm;
    text_file Kvm;
    truncated_anywhere Kvm;
    other_machines Kvm;
    other_kinds_of_elf Kvm;
    program_headers_elsewhere Kvm;
    segment_without_room Kvm;
    no_dev_kvm Nothing;
    dev_kvm_is_not_kvm Nothing;
    dev_kvm_not_permitted Nothing;
}

/// Offsets in an ELF header (elf(5)).
const EI_CLASS: usize = 4;
const EI_DATA: usize = 5;
const E_TYPE: usize = 16;
const E_MACHINE: usize = 18;
const E_PHOFF: usize = 32;
const E_PHENTSIZE: usize = 54;
const E_PHNUM: usize = 56;
const HEADER_LEN: usize = 64;
const PROGRAM_HEADER_LEN: usize = 56;

fn missing_file() -> Outcome {
    let run = kvm_se()?.args(["./nothing", "argument"]).run()?.status(127)?;
    passed(run.stdout("")?.stderr("kvm-se: ./nothing: no such file or directory\n")?)
}

fn missing_in_path() -> Outcome {
    let run = kvm_se()?.env("PATH", "/nonexistent:/bin").arg("no-program-has-this-name").run()?;
    passed(run.status(127)?.complaint("kvm-se: no-program-has-this-name: ")?)
}

fn dangling_link() -> Outcome {
    let run = kvm_se()?;
    symlink("nowhere", run.dir().join("link"))?;
    passed(run.arg("./link").run()?.status(127)?.complaint("kvm-se: ./link: ")?)
}

fn directory() -> Outcome {
    let run = kvm_se()?;
    fs::create_dir(run.dir().join("folder"))?;
    passed(run.arg("./folder").run()?.status(126)?.complaint("kvm-se: ./folder: ")?)
}

fn not_executable() -> Outcome {
    let run = kvm_se()?.file("prog", &fs::read(show()?)?)?.arg("./prog").run()?;
    passed(run.status(126)?.stdout("")?.stderr("kvm-se: ./prog: permission denied\n")?)
}

fn not_executable_in_path() -> Outcome {
    let run = kvm_se()?.file("prog", &fs::read(show()?)?)?;
    let path = run.dir().to_owned();
    passed(run.env("PATH", path).arg("prog").run()?.status(126)?.complaint("kvm-se: prog: ")?)
}

fn empty_name() -> Outcome {
    passed(kvm_se()?.arg("").run()?.status(127)?.complaint("kvm-se: ")?)
}

fn empty_file() -> Outcome {
    refused(b"")
}

fn text_file() -> Outcome {
    refused(b"neither a program nor a script\n")
}

/// Cut within its header, within its program headers, and within its first segment.
fn truncated_anywhere() -> Outcome {
    let program = fs::read(show()?)?;
    let after_headers = HEADER_LEN + usize::from(half(&program, E_PHNUM)) * PROGRAM_HEADER_LEN;
    for len in [1, 4, HEADER_LEN - 1, HEADER_LEN, HEADER_LEN + 1, after_headers - 1] {
        refused(&program[..len])?;
    }
    Ok(Completion::Completed)
}

fn other_machines() -> Outcome {
    const EM_386: u16 = 3;
    const EM_AARCH64: u16 = 183;
    const ELFCLASS32: u8 = 1;
    const ELFDATA2MSB: u8 = 2;
    let program = fs::read(show()?)?;
    for machine in [0, EM_386, EM_AARCH64, u16::MAX] {
        refused(&with(&program, E_MACHINE, &machine.to_le_bytes()))?;
    }
    refused(&with(&program, EI_CLASS, &[ELFCLASS32]))?;
    refused(&with(&with(&program, EI_CLASS, &[ELFCLASS32]), E_MACHINE, &EM_386.to_le_bytes()))?;
    refused(&with(&program, EI_DATA, &[ELFDATA2MSB]))
}

fn other_kinds_of_elf() -> Outcome {
    const ET_REL: u16 = 1;
    const ET_CORE: u16 = 4;
    let program = fs::read(show()?)?;
    for kind in [0, ET_REL, ET_CORE, u16::MAX] {
        refused(&with(&program, E_TYPE, &kind.to_le_bytes()))?;
    }
    Ok(Completion::Completed)
}

fn program_headers_elsewhere() -> Outcome {
    let program = fs::read(show()?)?;
    for offset in [program.len() as u64, u64::MAX - 8] {
        refused(&with(&program, E_PHOFF, &offset.to_le_bytes()))?;
    }
    refused(&with(&program, E_PHNUM, &[0, 0]))?;
    refused(&with(&program, E_PHENTSIZE, &[1, 0]))
}

/// p_filesz above p_memsz, an address in the kernel's half, and a size that wraps around.
fn segment_without_room() -> Outcome {
    const PT_LOAD: u32 = 1;
    const P_VADDR: usize = 16;
    const P_MEMSZ: usize = 40;
    let program = fs::read(show()?)?;
    let loads = (0..usize::from(half(&program, E_PHNUM))).map(|index| HEADER_LEN + index * PROGRAM_HEADER_LEN);
    let load = loads.into_iter().find(|&at| program[at..at + 4] == PT_LOAD.to_le_bytes()).ok_or("no PT_LOAD")?;
    refused(&with(&program, load + P_MEMSZ, &1u64.to_le_bytes()))?;
    refused(&with(&program, load + P_MEMSZ, &u64::MAX.to_le_bytes()))?;
    refused(&with(&program, load + P_VADDR, &0xffff_8000_0000_0000u64.to_le_bytes()))
}

fn no_dev_kvm() -> Outcome {
    in_a_changed_machine("mount -t tmpfs none /dev", "kvm-se: cannot open /dev/kvm: ")
}

fn dev_kvm_is_not_kvm() -> Outcome {
    in_a_changed_machine("mount --bind /dev/null /dev/kvm", "kvm-se: ")
}

fn dev_kvm_not_permitted() -> Outcome {
    /// Nobody has this number, not even nobody.
    const STRANGER: u32 = 65533;
    if fs::metadata("/dev/kvm").map_or(0, |meta| meta.permissions().mode()) & 0o7 != 0 {
        return Ok(Completion::ignored_with("everybody may open /dev/kvm"));
    }
    let nothing = Invocation::shell(":")?.by_user(STRANGER).and_then(Invocation::run);
    if let Err(error) = nothing {
        return Ok(Completion::ignored_with(format!("becoming another user: {error}")));
    }
    // The files may lie where only root can read.
    let run = Invocation::shell("exec ./kvm-se ./prog")?.by_user(STRANGER)?;
    let run = run.executable("kvm-se", &fs::read(machine::kvm_se())?)?.executable("prog", &fs::read(show()?)?)?;
    passed(run.run()?.status(125)?.complaint("kvm-se: cannot open /dev/kvm: permission denied")?)
}

/// An executable file with this content gives status 126 and one line about it.
fn refused(content: &[u8]) -> Outcome {
    passed(kvm_se()?.executable("broken", content)?.arg("./broken").run()?.status(126)?.complaint("kvm-se: ./broken ")?)
}

/// After `change`, in a mount namespace of its own, kvm-se fails by itself and says `start` and a remedy.
fn in_a_changed_machine(change: &str, start: &str) -> Outcome {
    const UNSHARE: &str = "unshare --mount --map-root-user /bin/sh -c";
    if let Some(reason) = why_not(&format!("{UNSHARE} '{change}'"))? {
        return Ok(Completion::ignored_with(reason));
    }
    let script = format!("exec {UNSHARE} '{change} && exec \"$0\" \"$@\"' \"$0\" \"$@\"");
    let run = Invocation::shell(&script)?.arg(show()?).run()?.status(125)?.complaint(start)?;
    passed(run.check("a remedy", |run| run.stderr.iter().filter(|&&byte| byte == b'\n').count() == 2)?)
}

/// What a script complains of that this machine or user may be unable to do.
fn why_not(script: &str) -> Result<Option<String>, Failed> {
    let run = Invocation::shell(script)?.run()?;
    let complaint = String::from_utf8_lossy(&run.stderr).lines().next().unwrap_or("no reason given").to_owned();
    Ok((run.ending != Ending::Code(0)).then_some(complaint))
}

fn half(elf: &[u8], offset: usize) -> u16 {
    u16::from_le_bytes([elf[offset], elf[offset + 1]])
}

fn with(elf: &[u8], offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut changed = elf.to_vec();
    changed[offset..offset + bytes.len()].copy_from_slice(bytes);
    changed
}
