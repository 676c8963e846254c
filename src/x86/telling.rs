//! Instructions that tell a program about time, the processor or chance, whatever the runner does, unless they are kept
//! from being executed. They have no privilege level (SDM volume 2).

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};

use super::effects;

/// `ud2` in place of one: its first byte is theirs, too.
pub const UD2_SECOND: u8 = 0x0b;
/// All of them begin so, but for prefixes.
const ESCAPE: u8 = 0x0f;
/// Most bytes of one, without prefixes.
pub const LEN: usize = 3;
/// How far back decoding starts that has found the right border by the time it gets to an instruction.
pub const APPROACH: usize = 64;

/// Is it one of them?
pub fn tells(instruction: &Instruction) -> bool {
    use Mnemonic::{Cpuid, Rdpid, Rdrand, Rdseed, Rdtsc, Rdtscp, Xgetbv};
    matches!(instruction.mnemonic(), Rdtsc | Rdtscp | Cpuid | Rdrand | Rdseed | Rdpid | Xgetbv)
}

/// The instruction at the start of `code`, which lies at `ip`, if it is one of them.
pub fn decode(code: &[u8], ip: u64) -> Option<Instruction> {
    effects::decode(code, ip).filter(tells)
}

/// Where in `code` the bytes are that such an instruction has behind its prefixes: all of them, or those alone that tell
/// which processor it is (CPUID and XGETBV).
pub fn candidates(code: &[u8], wants_all: bool) -> impl Iterator<Item = usize> {
    code.windows(2).enumerate().filter(|(_, pair)| pair[0] == ESCAPE).filter_map(move |(at, pair)| {
        let third = code.get(at + 2).copied();
        let is_one = match pair[1] {
            0xa2 => true,
            0x31 => wants_all,
            0x01 => third == Some(0xd0) || wants_all && third == Some(0xf9),
            0xc7 => wants_all && matches!(third, Some(0xf0..=0xff)),
            _ => false,
        };
        is_one.then_some(at)
    })
}

/// What bytes are that may be such an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are one.
    Instruction,
    /// They are within another instruction, or in data. Only a jump to where no instruction begins executes them.
    Part,
    /// It cannot be told.
    Unknown,
}

/// What the bytes at `at` of `code` are. Code begins at offset 0 if `is_start`, and at `entry` if that is within.
pub fn judge(code: &[u8], at: usize, is_start: bool, entry: Option<usize>) -> Verdict {
    if entry.is_some_and(|entry| entry <= at && reaches(code, entry, at) == Some(true)) {
        return Verdict::Instruction;
    }
    let first = at.saturating_sub(APPROACH);
    // Behind padding code begins anew.
    let padded = code[first..at].windows(PADDING).rposition(|window| window == [0; PADDING]).map(|place| {
        let zeros = first + place;
        zeros + code[zeros..at].iter().position(|&byte| byte != 0).unwrap_or(at - zeros)
    });
    let sure = padded.or_else(|| (is_start && first == 0).then_some(0));
    if let Some(start) = sure {
        return match reaches(code, start, at) {
            Some(true) => Verdict::Instruction,
            _ => Verdict::Unknown,
        };
    }
    let (mut starts, mut hits) = (0, 0);
    for found in (first..at.saturating_sub(APPROACH / 4)).filter_map(|start| reaches(code, start, at)) {
        starts += 1;
        hits += usize::from(found);
    }
    match (hits * 10, starts * 10) {
        (_, 0) => Verdict::Unknown,
        (hits, all) if hits >= all / 4 * 3 => Verdict::Instruction,
        (hits, all) if hits <= all / 10 => Verdict::Part,
        _ => Verdict::Unknown,
    }
}

/// So many zeros are in no instruction, which has a displacement and an immediate value of 4 bytes, or one of 8.
const PADDING: usize = 9;

/// Does decoding from `start` come to such an instruction whose opcode is at `at`? `None` if it comes to what is none.
fn reaches(code: &[u8], start: usize, at: usize) -> Option<bool> {
    for instruction in Decoder::with_ip(64, &code[start..], start as u64, DecoderOptions::NONE) {
        if instruction.is_invalid() {
            return None;
        }
        if instruction.next_ip() > at as u64 {
            return Some(tells(&instruction) && at as u64 - instruction.ip() < (instruction.len() - 1) as u64);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const RDTSC: [u8; 2] = [0x0f, 0x31];
    /// `mov %rdi, %rax; add $8, %rax; mov (%rax), %rcx`, again and again.
    const CODE: [u8; 10] = [0x48, 0x89, 0xf8, 0x48, 0x83, 0xc0, 0x08, 0x48, 0x8b, 0x08];

    fn long(tail: &[u8]) -> (Vec<u8>, usize) {
        let before: Vec<u8> = CODE.iter().copied().cycle().take(100).collect();
        let code = [&before, tail, &CODE].concat();
        let at = candidates(&code, true).next().unwrap();
        (code, at)
    }

    #[test]
    fn all_of_them_are_found() {
        let codes: [&[u8]; 9] = [
            &RDTSC,
            &[0x0f, 0x01, 0xf9],
            &[0x0f, 0xa2],
            &[0x0f, 0xc7, 0xf0],
            &[0x48, 0x0f, 0xc7, 0xf1],
            &[0x66, 0x0f, 0xc7, 0xfa],
            &[0x0f, 0x01, 0xd0],
            &[0xf3, 0x0f, 0xc7, 0xf8],
            &[0xf3, 0x41, 0x0f, 0xc7, 0xf8],
        ];
        for bytes in codes {
            let (code, at) = long(bytes);
            assert_eq!(judge(&code, at, false, None), Verdict::Instruction, "{bytes:x?}");
            assert!(decode(bytes, 0).is_some(), "{bytes:x?}");
        }
        let others = [0x0f, 0x01, 0xd1, 0x0f, 0xc7, 0x08, 0x0f, 0x0b];
        assert_eq!(candidates(&others, true).count(), 0, "xsetbv, cmpxchg8b, ud2");
        let all: Vec<u8> = codes.concat();
        assert_eq!((candidates(&all, true).count(), candidates(&all, false).count()), (9, 2));
    }

    #[test]
    fn parts_of_others_are_left_alone() {
        let (code, at) = long(&[0xb8, 0x01, 0x0f, 0x31, 0x00]);
        assert_eq!(judge(&code, at, false, None), Verdict::Part, "mov $0x310f01, %eax");
        assert_eq!(judge(&code, at, false, Some(at)), Verdict::Instruction, "unless it is executed");
    }

    #[test]
    fn code_begins_with_its_mapping_and_behind_padding() {
        assert_eq!(judge(&RDTSC, 0, true, None), Verdict::Instruction);
        let padded = [&[0xcc][..], &[0; PADDING], &[0x90], &RDTSC].concat();
        assert_eq!(judge(&padded, PADDING + 2, false, None), Verdict::Instruction);
        for before in [&[0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0xc7, 0x84, 0x24, 0x80, 0, 0, 0, 0, 0, 0, 1]] {
            let (code, at) = long(&[before, &RDTSC].concat());
            assert_eq!(judge(&code, at, false, None), Verdict::Instruction, "zeros in an instruction: {before:x?}");
        }
        assert_eq!(judge(&[0xcc, 0xcc, 0x0f, 0x31], 2, false, None), Verdict::Unknown, "too little is known");
    }
}
