//! `#!` scripts (the kernel's `fs/binfmt_script.c`).

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;

use super::exec::{ExecError, Program, c_string};

/// Most files of a chain that runs: five scripts and a program (`exec_binprm` in the kernel's `fs/exec.c`).
const MAX_DEPTH: usize = 5;

/// Follows a script to the program that interprets it, whose file is returned; `program` gets its arguments. A file that
/// is no script is returned as it is.
pub fn follow(
    mut file: File,
    program: &mut Program,
    open: impl Fn(&OsStr) -> Result<File, ExecError>,
) -> Result<File, ExecError> {
    let mut name = program.execfn.clone();
    for _ in 0..=MAX_DEPTH {
        let mut start = [0; SCRIPT_BUF_LEN];
        let len = file.read_at(&mut start, 0).map_err(super::elf::ElfError::Read)?;
        if !start.starts_with(b"#!") {
            return Ok(file);
        }
        let line = script_line(&start[..len]).ok_or(ExecError::BadScript)?;
        if program.is_hidden {
            // The interpreter could not open it: the descriptor is closed by then.
            return Err(ExecError::HiddenScript);
        }
        file = open(line.interpreter)?;
        let interpreter = c_string(line.interpreter.as_bytes());
        let argument = line.argument.map(|argument| c_string(argument.as_bytes()));
        let before = [Some(interpreter.clone()), argument, Some(name)].into_iter().flatten();
        program.argv.splice(..program.argv.len().min(1), before);
        name = interpreter;
    }
    Err(ExecError::TooManyScripts)
}

/// The first line of a script: `#! interpreter argument`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptLine<'a> {
    /// Path of the program to run; empty for a file that is only `#!`, which no open(2) accepts.
    pub interpreter: &'a OsStr,
    /// All that follows it, as one argument.
    pub argument: Option<&'a OsStr>,
}

/// Bytes of a file that Linux looks at for its kind (`BINPRM_BUF_SIZE`).
pub const SCRIPT_BUF_LEN: usize = 256;

/// Reads the line of a `#!` script from the first bytes of a file, of which [`SCRIPT_BUF_LEN`] count, as
/// `load_script()` in the kernel's `fs/binfmt_script.c` does. `None` is `ENOEXEC`: not a script, no interpreter, or
/// its path may have been cut off by the end of the buffer. An argument that is cut off passes.
pub fn script_line(file: &[u8]) -> Option<ScriptLine<'_>> {
    let buf = file.get(..SCRIPT_BUF_LEN).unwrap_or(file);
    let text = until(buf.strip_prefix(b"#!")?, |&byte| byte == 0);
    if text.contains(&b'\n') {
        let line = trim_start(trim_end(until(text, |&byte| byte == b'\n')));
        return (!line.is_empty()).then(|| split_script_line(line));
    }
    // Linux puts a NUL into the last byte of the buffer, and takes blanks away only in front of that place: those
    // that end a shorter file stay and make an empty argument.
    let Some(kept) = text.get(..SCRIPT_BUF_LEN - b"#!\0".len()) else {
        return Some(split_script_line(trim_start(text)));
    };
    let is_cut = text.len() > kept.len();
    let line = trim_start(trim_end(kept));
    if line.is_empty() || is_cut && !trim_start(text).iter().any(is_blank) {
        return None;
    }
    Some(split_script_line(line))
}

fn split_script_line(line: &[u8]) -> ScriptLine<'_> {
    let interpreter = until(line, is_blank);
    let rest = line.strip_prefix(interpreter).unwrap_or_default();
    let argument = (!rest.is_empty()).then(|| OsStr::from_bytes(trim_start(rest)));
    ScriptLine { interpreter: OsStr::from_bytes(interpreter), argument }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn until(bytes: &[u8], is_end: impl FnMut(&u8) -> bool) -> &[u8] {
    bytes.split(is_end).next().unwrap_or_default()
}

fn trim_start(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each expectation was seen on Linux 6.18.
    #[test]
    fn script_lines_split_as_linux_splits_them() {
        let padded = |end: &str| format!("#!/p {}{end}", "y".repeat(SCRIPT_BUF_LEN - 5 - end.len()));
        let cut = "y".repeat(SCRIPT_BUF_LEN - 6);
        for (file, expected) in [
            ("#!/p \t a b  \nq", Some(("/p", Some("a b")))),
            ("#! /p", Some(("/p", None))),
            ("#!/p  ", Some(("/p", Some("")))),
            ("#! /p -x  ", Some(("/p", Some("-x  ")))),
            ("#!/p a\0b\n", Some(("/p", Some("a")))),
            ("#!/p\0 b\n", Some(("/p", None))),
            (&padded(""), Some(("/p", Some(&cut)))),
            (&padded("\n"), Some(("/p", Some(&cut)))),
            (&padded("").replace(' ', "y"), None),
            ("#!  ", Some(("", None))),
            ("#! \n", None),
            ("# !/p\n", None),
        ] {
            let line = script_line(file.as_bytes()).map(|line| (line.interpreter, line.argument));
            assert_eq!(line, expected.map(|(path, argument)| (OsStr::new(path), argument.map(OsStr::new))), "{file:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = (script_line(&bytes), script_line(&[b"#!", &bytes[..]].concat()));
        }
    }
}
