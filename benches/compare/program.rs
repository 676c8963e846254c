//! The programs that are measured: where they are, and how they are built.

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rows::Program;

/// The kvm-se that is measured.
pub(crate) fn kvm_se() -> PathBuf {
    env::var_os("KVM_SE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_kvm-se").into(), PathBuf::from)
}

/// Where the program is: one that lies ready, or built now. None if the machine has none.
pub(crate) fn executable(program: Program) -> Option<PathBuf> {
    let source = match program {
        Program::Static(source) | Program::Dynamic(source) => source,
        Program::Installed(name) => return installed(name),
    };
    if let Some(dir) = env::var_os("KVM_SE_TESTPROGS") {
        return Some(place(source, Path::new(&dir)));
    }
    build(program, Path::new(env!("CARGO_TARGET_TMPDIR")));
    Some(place(source, Path::new(env!("CARGO_TARGET_TMPDIR"))))
}

/// The first of this name in PATH that is a program itself and not a script that looks for one.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_program(file))
}

/// Builds `program` into `dir`, if it is one that is built.
pub(crate) fn build(program: Program, dir: &Path) {
    let (source, how) = match program {
        Program::Static(source) if source.ends_with(".S") => (source, "-static"),
        // As most programs are today: no library, but where libraries are.
        Program::Static(source) => (source, "-static-pie"),
        Program::Dynamic(source) => (source, "-pie"),
        Program::Installed(_) => return,
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testprogs");
    let program = place(source, dir);
    fs::create_dir_all(program.parent().unwrap_or(&root)).unwrap_or_else(|error| panic!("{error}"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", how, "-I"]).arg(&root);
    gcc.arg("-o").arg(program).arg(root.join(source));
    if source.ends_with(".S") {
        gcc.arg("-nostdlib");
    }
    assert!(gcc.status().is_ok_and(|status| status.success()), "{gcc:?}");
}

/// Where the program of `source` is in `dir`: apart from the suite's, which are built otherwise.
fn place(source: &str, dir: &Path) -> PathBuf {
    dir.join("bench").join(Path::new(source).file_stem().unwrap_or_default())
}

fn is_program(file: &Path) -> bool {
    let mut magic = [0; 4];
    let may_run = fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    may_run && File::open(file).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && &magic == b"\x7fELF"
}
