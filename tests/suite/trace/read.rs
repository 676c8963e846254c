//! Reads traces as text: a reader of its own, which knows nothing but the format.

use std::collections::BTreeMap;

/// Registers by name, least byte first.
pub(super) type Registers = BTreeMap<String, Vec<u8>>;

/// Memory: its address, whether it was written, and its bytes.
pub(super) type Memory = (u64, bool, Vec<u8>);

/// A line.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    /// The letter with which it begins; `i` for an instruction.
    pub(super) kind: char,
    /// Number of the instruction, and whether it is a part of one.
    pub(super) number: u64,
    pub(super) is_partial: bool,
    pub(super) thread: String,
    /// Of an instruction.
    pub(super) pc: u64,
    pub(super) code: Vec<u8>,
    /// Of a system call, fault or signal.
    pub(super) name: String,
    pub(super) result: Option<u64>,
    pub(super) undefined: u64,
    pub(super) registers: Vec<(String, Vec<u8>)>,
    pub(super) memory: Vec<Memory>,
    /// The line itself, cut.
    pub(super) text: String,
}

fn hex(text: &str) -> Result<u64, String> {
    let digits = text.strip_prefix("0x").ok_or_else(|| format!("{text:?} is no number"))?;
    u64::from_str_radix(digits, 16).map_err(|error| format!("{text:?}: {error}"))
}

fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let byte = |at| u8::from_str_radix(text.get(at..at + 2).unwrap_or("?"), 16);
    (0..text.len()).step_by(2).map(|at| byte(at).map_err(|error| format!("{text:?}: {error}"))).collect()
}

/// A value of any length.
fn value(text: &str) -> Result<Vec<u8>, String> {
    if text.len() <= 18 {
        return hex(text).map(|value| value.to_le_bytes().to_vec());
    }
    let mut value = bytes(text.strip_prefix("0x").unwrap_or("?"))?;
    value.reverse();
    Ok(value)
}

/// Reads a line; `None` for a comment.
pub(super) fn line(text: &str) -> Result<Option<Line>, String> {
    if text.starts_with('#') || text.is_empty() {
        return Ok(None);
    }
    let mut line = Line { kind: text.chars().next().unwrap_or(' '), ..Line::default() };
    line.text = text.chars().take(300).collect();
    let mut rest = text;
    if line.kind == 'S' {
        // Its arguments have blanks between them.
        let (before, after) = text.split_once('(').ok_or("no arguments")?;
        let (_, after) = after.split_once(")=").ok_or("no result")?;
        let mut words = before.split(' ').skip(1);
        line.number = number(words.next().unwrap_or_default())?.0;
        line.thread = words.next().unwrap_or_default().to_owned();
        line.name = words.next().unwrap_or_default().to_owned();
        let result = after.split(' ').next().unwrap_or_default();
        line.result = if result == "?" { None } else { Some(hex(result)?) };
        rest = after.split_once(' ').map_or("", |(_, rest)| rest);
    }
    for word in rest.split(' ').filter(|word| !word.is_empty()) {
        word_of(&mut line, word).map_err(|error| format!("{error} in {:?}", line.text))?;
    }
    Ok(Some(line))
}

fn number(word: &str) -> Result<(u64, bool), String> {
    let digits = word.strip_prefix('i').ok_or("no number")?;
    let (digits, is_partial) = digits.strip_suffix('~').map_or((digits, false), |digits| (digits, true));
    Ok((digits.parse().map_err(|error| format!("{word:?}: {error}"))?, is_partial))
}

fn word_of(line: &mut Line, word: &str) -> Result<(), String> {
    if let Some((name, what)) = word.split_once('=') {
        if let Some(place) = name.strip_prefix("r[").or_else(|| name.strip_prefix("w[")) {
            let (addr, len) = place.trim_end_matches(']').split_once(':').ok_or("no length")?;
            let len: usize = len.parse().map_err(|error| format!("{len}: {error}"))?;
            let content = if what.starts_with("0x") { hex(what)?.to_le_bytes()[..len].to_vec() } else { bytes(what)? };
            if content.len() != len {
                return Err(format!("{} bytes instead of {len}", content.len()));
            }
            line.memory.push((hex(addr)?, name.starts_with('w'), content));
            return Ok(());
        }
        if matches!(name, "code" | "addr" | "vector") {
            return Ok(());
        }
        let (what, undefined) = what.split_once('/').map_or((what, None), |(what, mask)| (what, Some(mask)));
        line.undefined |= undefined.map_or(Ok(0), hex)?;
        line.registers.push((name.to_owned(), value(what)?));
        return Ok(());
    }
    match word.chars().next() {
        Some('i') if word.len() > 1 => (line.number, line.is_partial) = number(word)?,
        Some('t') if line.thread.is_empty() => line.thread = word.to_owned(),
        Some('0') => line.pc = hex(word)?,
        Some('(') => line.code = bytes(word.trim_matches(['(', ')']))?,
        _ => line.name = word.to_owned(),
    }
    Ok(())
}

/// Puts what a line says into `state`, where vectors are `zmm`.
pub(super) fn apply(state: &mut Registers, set: &[(String, Vec<u8>)]) {
    for (name, value) in set {
        let (whole, len) = match name.get(..3) {
            Some("xmm") => (name.replacen('x', "z", 1), 16),
            Some("ymm") => (name.replacen('y', "z", 1), 32),
            _ => (name.clone(), value.len()),
        };
        let old = state.entry(whole).or_default();
        if old.len() < value.len() {
            old.resize(value.len(), 0);
        }
        old[..len].copy_from_slice(&value[..len]);
    }
}
