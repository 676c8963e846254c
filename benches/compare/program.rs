//! The programs that are measured: where they are, and how they are built.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The kvm-se that is measured.
pub(crate) fn kvm_se() -> PathBuf {
    env::var_os("KVM_SE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_kvm-se").into(), PathBuf::from)
}

/// The program of a source below `testprogs/`: one that lies ready, or built now.
pub(crate) fn executable(source: &str) -> PathBuf {
    if let Some(dir) = env::var_os("KVM_SE_TESTPROGS") {
        return place(source, Path::new(&dir));
    }
    let program = place(source, Path::new(env!("CARGO_TARGET_TMPDIR")));
    build(source, &program);
    program
}

/// Where the program of `source` is in `dir`: apart from the suite's, which are built otherwise.
pub(crate) fn place(source: &str, dir: &Path) -> PathBuf {
    dir.join("bench").join(Path::new(source).file_stem().unwrap_or_default())
}

/// Builds `program` from `source`.
pub(crate) fn build(source: &str, program: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testprogs");
    std::fs::create_dir_all(program.parent().unwrap_or(&root)).unwrap_or_else(|error| panic!("{error}"));
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-static", "-I"]).arg(&root).arg("-o").arg(program).arg(root.join(source));
    if source.ends_with(".S") {
        gcc.arg("-nostdlib");
    }
    assert!(gcc.status().is_ok_and(|status| status.success()), "{gcc:?}");
}
