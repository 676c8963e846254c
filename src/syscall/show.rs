//! How `--strace` writes arguments and results: as strace(1) does, structures left out.

use std::fmt::Write;

use super::arg::{ArgKind, FlagNames, Packed};
use crate::abi::Errno;

/// Most bytes of a buffer that are shown.
pub(super) const STRING_LIMIT: usize = 32;
/// Most bytes of a path that are shown.
const PATH_MAX: usize = 4096;

/// Reads guest memory: fills as much of the slice as can be read from an address on, and returns how much that is.
pub(super) type Reader<'a> = &'a dyn Fn(u64, &mut [u8]) -> usize;

/// An argument, as far as it can be shown before the call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// All of it.
    Text(String),
    /// Bytes at this address that the call will write.
    Output(u64),
}

/// The arguments of a call before it is made.
pub(super) fn arguments(kinds: &[ArgKind], raw: &[u64; 6], reader: Reader<'_>) -> Vec<Shown> {
    let mut shown = Vec::with_capacity(kinds.len());
    for (index, (kind, &value)) in kinds.iter().zip(raw).enumerate() {
        let next = raw.get(index + 1).copied().unwrap_or(0);
        let is_unused_mode = *kind == ArgKind::Mode && index > 0 && !makes_file(kinds[index - 1], raw[index - 1]);
        if !is_unused_mode {
            shown.push(argument(*kind, value, next, reader));
        }
    }
    shown
}

/// Does a call with these flags use the mode behind them? True if they are no flags of open(2).
fn makes_file(kind: ArgKind, value: u64) -> bool {
    let ArgKind::Packed(Packed { flags, .. }) = kind else { return true };
    let is_set = |name| flags.iter().find(|(other, _)| *other == name).map(|(_, bits)| value & bits == *bits);
    is_set("O_CREAT").is_none_or(|creates| creates || is_set("O_TMPFILE") == Some(true))
}

fn argument(kind: ArgKind, value: u64, next: u64, reader: Reader<'_>) -> Shown {
    let [a, b, c, d, ..] = value.to_le_bytes();
    let low = u32::from_le_bytes([a, b, c, d]);
    Shown::Text(match kind {
        ArgKind::Int => low.cast_signed().to_string(),
        ArgKind::Uint => low.to_string(),
        ArgKind::Long => value.cast_signed().to_string(),
        ArgKind::Ulong => value.to_string(),
        ArgKind::Hex => hex(value),
        ArgKind::Mode => format!("0{low:02o}"),
        ArgKind::Fd if low.cast_signed() == libc::AT_FDCWD => "AT_FDCWD".to_owned(),
        ArgKind::Fd => low.cast_signed().to_string(),
        ArgKind::Addr => address(value),
        ArgKind::Path => path(value, reader),
        ArgKind::BytesIn => bytes(value, next, reader),
        ArgKind::BytesOut => return Shown::Output(value),
        ArgKind::Flags(names) => flags(low.into(), names),
        ArgKind::Packed(packed) => packed_value(low.into(), packed),
        ArgKind::Signal => signal(low.cast_signed()),
    })
}

fn hex(value: u64) -> String {
    if value == 0 { "0".to_owned() } else { format!("{value:#x}") }
}

/// An address.
pub(super) fn address(value: u64) -> String {
    if value == 0 { "NULL".to_owned() } else { format!("{value:#x}") }
}

fn path(from: u64, reader: Reader<'_>) -> String {
    let mut string = Vec::new();
    while from != 0 && string.len() < PATH_MAX {
        let mut piece = [0; 64];
        let got = reader(from.wrapping_add(string.len() as u64), &mut piece);
        match piece[..got].iter().position(|&byte| byte == 0) {
            Some(end) => {
                string.extend_from_slice(&piece[..end]);
                return quote(&string, false);
            }
            None if got < piece.len() => return address(from),
            None => string.extend_from_slice(&piece),
        }
    }
    if from == 0 { address(0) } else { quote(&string, true) }
}

/// `len` bytes at `from`, the first of them in quotes.
pub(super) fn bytes(from: u64, len: u64, reader: Reader<'_>) -> String {
    let shown = usize::try_from(len).map_or(STRING_LIMIT, |len| len.min(STRING_LIMIT));
    let mut piece = [0; STRING_LIMIT];
    if from == 0 || reader(from, &mut piece[..shown]) < shown {
        return address(from);
    }
    quote(&piece[..shown], len > STRING_LIMIT as u64)
}

fn quote(bytes: &[u8], is_cut: bool) -> String {
    let mut text = String::from("\"");
    for (index, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                // A digit behind it would belong to the number.
                let is_full = bytes.get(index + 1).is_some_and(|next| matches!(next, b'0'..=b'7'));
                let width = if is_full { 3 } else { 1 };
                let _ = write!(text, "\\{byte:0width$o}");
            }
        }
    }
    text.push_str(if is_cut { "\"..." } else { "\"" });
    text
}

fn flags(value: u64, names: &FlagNames) -> String {
    let mut left = value;
    let mut set: Vec<String> = Vec::new();
    for (name, bits) in names {
        let is_here = if *bits == 0 { value == 0 } else { left & bits == *bits };
        if is_here {
            left &= !bits;
            set.push((*name).to_owned());
        }
    }
    if left != 0 || set.is_empty() {
        set.push(hex(left));
    }
    set.join("|")
}

fn packed_value(value: u64, packed: &Packed) -> String {
    let (number, bits) = (value & packed.mask, value & !packed.mask);
    let name = packed.values.iter().find(|(_, known)| *known == number);
    let mut text = name.map_or_else(|| hex(number), |(name, _)| (*name).to_owned());
    if bits != 0 {
        text.push('|');
        text.push_str(&flags(bits, packed.flags));
    }
    text
}

/// A signal's name, or its number.
pub fn signal(number: i32) -> String {
    const FIRST_REAL_TIME: i32 = 32;
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if number == FIRST_REAL_TIME => "SIGRTMIN".to_owned(),
        Err(_) if crate::signal::mask::is_valid(number) => format!("SIGRT_{}", number - FIRST_REAL_TIME),
        Err(_) => number.to_string(),
    }
}

/// A failure.
pub(super) fn failure(errno: Errno) -> String {
    if errno == Errno::ERESTARTNOINTR {
        return "? ERESTARTNOINTR (To be restarted)".to_owned();
    }
    let text = std::io::Error::from_raw_os_error(errno.as_positive()).to_string();
    let description = text.split(" (os error").next().unwrap_or_default();
    format!("-1 {errno} ({description})")
}

/// A line: the call in a column of its own, then what it returned.
pub(super) fn line(call: &str, result: &str) -> String {
    format!("{call:<39} = {result}\n")
}

#[cfg(test)]
mod tests {
    use super::super::arg::{Arg, BytesIn, BytesOut, Clock, Fd, MapBits, Mode, OpenFlags, PathPtr, ProtBits, Signal};
    use super::*;

    /// Memory that holds `bytes` from address 16 on.
    fn holding(bytes: &'static [u8]) -> impl Fn(u64, &mut [u8]) -> usize {
        move |from, to| {
            let start = usize::try_from(from).unwrap_or(0).wrapping_sub(16);
            let there = bytes.get(start..).unwrap_or_default();
            let len = there.len().min(to.len());
            to[..len].copy_from_slice(&there[..len]);
            len
        }
    }

    fn shown(kinds: &[ArgKind], raw: [u64; 6], memory: &'static [u8]) -> String {
        let texts = arguments(kinds, &raw, &holding(memory)).into_iter().map(|shown| match shown {
            Shown::Text(text) => text,
            Shown::Output(addr) => address(addr),
        });
        texts.collect::<Vec<_>>().join(", ")
    }

    fn one(kind: ArgKind, value: u64) -> String {
        shown(&[kind], [value, 0, 0, 0, 0, 0], b"")
    }

    #[test]
    fn strings_are_escaped_as_strace_does() {
        let holds = |bytes: &'static [u8]| super::bytes(16, bytes.len() as u64, &holding(bytes));
        assert_eq!(holds(b"hello\n"), r#""hello\n""#);
        assert_eq!(holds(b"a\x001b\x00\x7f\xff\n"), r#""a\0001b\0\177\377\n""#);
        assert_eq!(holds(b"\t\r\x0b\x0c\"q\\8\x018"), r#""\t\r\v\f\"q\\8\18""#);
        assert_eq!(holds(b""), r#""""#);
        assert_eq!(holds(b"0123456789012345678901234567890123"), r#""01234567890123456789012345678901"..."#);
    }

    #[test]
    fn memory_that_cannot_be_read_is_an_address() {
        assert_eq!(shown(&[PathPtr::KIND], [16, 0, 0, 0, 0, 0], b"/etc/passwd\0"), r#""/etc/passwd""#);
        assert_eq!(shown(&[PathPtr::KIND], [16, 0, 0, 0, 0, 0], b"/etc"), "0x10");
        assert_eq!(shown(&[PathPtr::KIND], [0; 6], b""), "NULL");
        assert_eq!(shown(&[BytesIn::KIND, u64::KIND], [16, 3, 0, 0, 0, 0], b"ab"), "0x10, 3");
        assert_eq!(shown(&[BytesIn::KIND, u64::KIND], [16, 2, 0, 0, 0, 0], b"ab"), r#""ab", 2"#);
        assert_eq!(shown(&[BytesOut::KIND, u64::KIND], [0, 2, 0, 0, 0, 0], b"ab"), "NULL, 2");
    }

    #[test]
    fn flags_have_names_and_modes_are_octal() {
        let open = [Fd::KIND, PathPtr::KIND, OpenFlags::KIND, Mode::KIND];
        let at = u64::from(libc::AT_FDCWD.cast_unsigned());
        let with = |flags: i32| shown(&open, [at, 16, u64::from(flags.cast_unsigned()), 0o644, 0, 0], b"x\0");
        assert_eq!(with(libc::O_CLOEXEC), r#"AT_FDCWD, "x", O_RDONLY|O_CLOEXEC"#);
        assert_eq!(with(libc::O_RDWR | libc::O_CREAT), r#"AT_FDCWD, "x", O_RDWR|O_CREAT, 0644"#);
        assert_eq!(with(libc::O_TMPFILE | 3), r#"AT_FDCWD, "x", 0x3|O_TMPFILE, 0644"#);
        assert_eq!(one(Mode::KIND, 0), "000");
        assert_eq!(one(Mode::KIND, 0o1777), "01777");
        assert_eq!(one(ProtBits::KIND, 0), "PROT_NONE");
        assert_eq!(one(ProtBits::KIND, 3), "PROT_READ|PROT_WRITE");
        assert_eq!(one(ProtBits::KIND, 0x1001), "PROT_READ|0x1000");
        assert_eq!(one(MapBits::KIND, 0x22), "MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(one(Clock::KIND, 1), "CLOCK_MONOTONIC");
        assert_eq!(one(Clock::KIND, 99), "0x63");
    }

    #[test]
    fn numbers_are_as_wide_as_their_type() {
        assert_eq!(one(i32::KIND, 0xffff_ffff), "-1");
        assert_eq!(one(i32::KIND, 0x1_0000_0005), "5");
        assert_eq!(one(i64::KIND, u64::MAX), "-1");
        assert_eq!(one(u64::KIND, u64::MAX), "18446744073709551615");
        assert_eq!(one(Fd::KIND, 0xffff_ffff), "-1");
    }

    #[test]
    fn signals_have_names() {
        assert_eq!(one(Signal::KIND, 15), "SIGTERM");
        assert_eq!(one(Signal::KIND, 0), "0");
        assert_eq!(one(Signal::KIND, 32), "SIGRTMIN");
        assert_eq!(one(Signal::KIND, 64), "SIGRT_32");
        assert_eq!(one(Signal::KIND, 65), "65");
    }

    #[test]
    fn results_stand_in_their_column() {
        assert_eq!(line("close(3)", "0"), "close(3)                                = 0\n");
        let long = "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC)";
        assert_eq!(line(long, "3"), format!("{long} = 3\n"));
        assert_eq!(failure(Errno::ENOENT), "-1 ENOENT (No such file or directory)");
        assert_eq!(failure(Errno::EBADF), "-1 EBADF (Bad file descriptor)");
    }
}
