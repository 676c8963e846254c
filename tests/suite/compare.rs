//! A run under kvm-se against the native run of the same program.

use libtest_mimic::Failed;

use crate::invocation::{Finished, LeftFile};
use crate::report::{difference, text};

/// A native run of a program that checks itself found nothing wrong.
pub(crate) fn as_expected(native: &Finished) -> Result<(), Failed> {
    if native.stdout.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"FAIL")) {
        return Err(format!("Linux itself does otherwise than the program expects\n{}", native.report()).into());
    }
    Ok(())
}

/// The two runs wrote the same and ended alike.
pub(crate) fn same_behaviour(native: &Finished, guest: &Finished) -> Result<(), Failed> {
    if native.ending == guest.ending && native.stdout == guest.stdout && native.stderr == guest.stderr {
        return Ok(());
    }
    let (stdout, stderr) = (stream(&native.stdout, &guest.stdout), stream(&native.stderr, &guest.stderr));
    Err(format!("native: {}\n{}stdout {stdout}\nstderr {stderr}", native.ending, guest.circumstances()).into())
}

/// The two runs left the same files with the same content.
pub(crate) fn same_files(native: &Finished, guest: &Finished) -> Result<(), Failed> {
    if native.files == guest.files {
        return Ok(());
    }
    let only_in = |these: &[LeftFile], others: &[LeftFile]| {
        let left = these.iter().filter(|file| !others.contains(file));
        left.map(LeftFile::to_string).collect::<Vec<_>>().join(", ")
    };
    let (missing, stray) = (only_in(&native.files, &guest.files), only_in(&guest.files, &native.files));
    Err(format!("native run alone leaves: {missing}\nkvm-se alone leaves: {stray}\n{}", guest.report()).into())
}

fn stream(native: &[u8], guest: &[u8]) -> String {
    if native == guest {
        return format!("as natively:\n{}", text(native));
    }
    format!("differs, native -, kvm-se +\n{}", difference(native, guest))
}
