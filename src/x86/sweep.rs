//! Instructions of a kind, found in code by decoding it: in functions whose start is known, and elsewhere where nearly all
//! ways to read the bytes agree.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic, OpKind};

/// How far before an instruction decoding starts.
pub const APPROACH: usize = 64;
/// How many bytes behind a piece of code are looked at with it.
pub const BEHIND: usize = 64;
/// As many instructions behind one that is found must be ordinary ones.
const FOLLOWING: usize = 8;

/// What was found, by offsets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Instructions that are executed if control comes to the entry.
    pub executed: Vec<usize>,
    /// What nearly all ways to read the code come to, and nothing around it speaks for data.
    pub likely: Vec<usize>,
    /// Bytes that may be such instructions, or data.
    pub possible: Vec<usize>,
}

/// Finds the instructions within `code`, a function that nothing but instructions is in, for which `is_wanted`. Where it
/// cannot be decoded any further, the offset is returned as well.
pub fn function(code: &[u8], ip: u64, mut is_wanted: impl FnMut(&Instruction) -> bool) -> (Vec<usize>, Option<usize>) {
    let mut found = Vec::new();
    let mut decoder = Decoder::with_ip(64, code, ip, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    while decoder.can_decode() {
        let at = decoder.position();
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            return (found, Some(at));
        }
        if is_wanted(&instruction) {
            found.push(at);
        }
    }
    (found, None)
}

/// What the bytes at one offset are, if an instruction begins there.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    /// Bytes; 0 if there is no such instruction.
    len: u8,
    is_wanted: bool,
    /// Compilers do not make it.
    is_odd: bool,
    /// Control does not go on behind it.
    is_end: bool,
    /// Where it jumps to.
    target: Option<u64>,
}

impl Step {
    fn of(instruction: &Instruction, is_wanted: bool) -> Self {
        if instruction.is_invalid() {
            return Self::default();
        }
        let flow = instruction.flow_control();
        let is_jump = instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64;
        Self {
            len: u8::try_from(instruction.len()).unwrap_or(0),
            is_wanted,
            is_odd: is_odd(instruction),
            is_end: matches!(
                flow,
                FlowControl::UnconditionalBranch | FlowControl::IndirectBranch | FlowControl::Return
            ),
            target: is_jump.then(|| instruction.near_branch_target()),
        }
    }
}

/// Does user code hardly ever have it?
fn is_odd(instruction: &Instruction) -> bool {
    use Mnemonic::{
        Enter, In, Insb, Insd, Insw, Int, Int1, Into, Iret, Iretd, Iretq, Lfs, Lgs, Loop, Loope, Loopne, Lss, Out,
        Outsb, Outsd, Outsw, Retf, Salc, Xlatb,
    };
    matches!(
        instruction.mnemonic(),
        Enter
            | In
            | Insb
            | Insd
            | Insw
            | Int
            | Int1
            | Into
            | Iret
            | Iretd
            | Iretq
            | Lfs
            | Lgs
            | Loop
            | Loope
            | Loopne
            | Lss
            | Out
            | Outsb
            | Outsd
            | Outsw
            | Retf
            | Salc
            | Xlatb
    ) || instruction.is_privileged()
        || instruction.is_jmp_far_indirect()
        || instruction.is_call_far_indirect()
}

/// Finds the instructions that begin in `part` of `code`, which lies at `ip`, for which `is_wanted`. What is around the
/// part helps to tell. Control comes to `entry`, if that is known.
pub fn unknown(
    code: &[u8],
    ip: u64,
    part: &Range<usize>,
    entry: Option<usize>,
    mut is_wanted: impl FnMut(&Instruction) -> bool,
) -> Found {
    let mut decoder = Decoder::with_ip(64, code, ip, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let mut steps = vec![Step::default(); code.len()];
    for (at, step) in steps.iter_mut().enumerate() {
        if decoder.set_position(at).is_err() {
            break;
        }
        decoder.set_ip(ip + at as u64);
        decoder.decode_out(&mut instruction);
        let is_wanted = !instruction.is_invalid() && is_wanted(&instruction);
        *step = Step::of(&instruction, is_wanted);
    }
    let executed = reached(&steps, ip, entry.into_iter().collect());
    let mut found = Found::default();
    for at in part.clone().filter(|&at| steps.get(at).is_some_and(|step| step.is_wanted)) {
        if executed.get(at) == Some(&true) {
            found.executed.push(at);
        } else {
            match is_likely(&steps, at) {
                Some(true) => found.likely.push(at),
                Some(false) => {}
                None => found.possible.push(at),
            }
        }
    }
    // What likely code leads to is likely code.
    let follows = reached(&steps, ip, found.likely.clone());
    let (likely, possible) = found.possible.into_iter().partition(|&at| follows.get(at) == Some(&true));
    found.likely.extend::<Vec<usize>>(likely);
    found.possible = possible;
    found
}

/// Which instructions are executed, if control comes to those at the offsets `open`: those that follow, and where they jump to.
fn reached(steps: &[Step], ip: u64, mut open: Vec<usize>) -> Vec<bool> {
    let mut reached = vec![false; steps.len()];
    while let Some(mut at) = open.pop() {
        while let Some(step) = steps.get(at).filter(|step| step.len != 0 && !step.is_odd) {
            if std::mem::replace(&mut reached[at], true) {
                break;
            }
            let target = step.target.and_then(|target| usize::try_from(target.checked_sub(ip)?).ok());
            open.extend(target.filter(|&target| target < steps.len()));
            if step.is_end {
                break;
            }
            at += usize::from(step.len);
        }
    }
    reached
}

/// Is what begins at `at` an instruction that code comes to? `None` if that cannot be told.
fn is_likely(steps: &[Step], at: usize) -> Option<bool> {
    let first = at.saturating_sub(APPROACH);
    let (mut ways, mut hits) = (0, 0);
    for start in first..at.saturating_sub(APPROACH / 4) {
        if let Some(is_hit) = comes_to(steps, start, at) {
            ways += 1;
            hits += usize::from(is_hit);
        }
    }
    if ways > 0 && hits * 10 <= ways {
        return Some(false);
    }
    // One byte is too often found in data.
    let is_sure = steps[at].len > 1 && ways >= APPROACH / 4 && hits * 10 >= ways * 9 && is_followed_by_code(steps, at);
    is_sure.then_some(true)
}

/// Does decoding from `start` come to `at`? `None` if it comes to what is no code.
fn comes_to(steps: &[Step], start: usize, at: usize) -> Option<bool> {
    let mut place = start;
    while place < at {
        let step = steps.get(place).filter(|step| step.len != 0 && !step.is_odd)?;
        place += usize::from(step.len);
    }
    Some(place == at)
}

fn is_followed_by_code(steps: &[Step], at: usize) -> bool {
    let mut place = at;
    for _ in 0..FOLLOWING {
        let Some(step) = steps.get(place) else { return true };
        if step.len == 0 || step.is_odd {
            return false;
        }
        if step.is_end {
            return true;
        }
        place += usize::from(step.len);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: u64 = 0x40_1000;
    /// `vxorps %ymm0, %ymm0, %ymm0`
    const AVX: [u8; 4] = [0xc5, 0xfc, 0x57, 0xc0];
    /// `mov %rdi, %rax; add $8, %rax; mov (%rax), %rcx`
    const CODE: [u8; 10] = [0x48, 0x89, 0xf8, 0x48, 0x83, 0xc0, 0x08, 0x48, 0x8b, 0x08];

    fn is_avx(instruction: &Instruction) -> bool {
        instruction.mnemonic() == Mnemonic::Vxorps
    }

    fn long(middle: &[u8]) -> (Vec<u8>, usize) {
        let before: Vec<u8> = CODE.iter().copied().cycle().take(100).collect();
        ([&before, middle, &CODE, &[0xc3]].concat(), 100)
    }

    fn search(code: &[u8], entry: Option<usize>) -> Found {
        unknown(code, IP, &(0..code.len()), entry, is_avx)
    }

    #[test]
    fn functions_are_read_from_their_start() {
        let (code, at) = long(&AVX);
        assert_eq!(function(&code, IP, is_avx), (vec![at], None));
        let (code, at) = long(&[0x06]);
        assert_eq!(function(&code, IP, is_avx), (vec![], Some(at)), "no instruction");
        // `mov $0xc057fcc5, %eax`
        assert_eq!(function(&long(&[0xb8, 0xc5, 0xfc, 0x57, 0xc0]).0, IP, is_avx), (vec![], None));
    }

    #[test]
    fn ordinary_code_is_likely() {
        let (code, at) = long(&AVX);
        assert_eq!(search(&code, None), Found { likely: vec![at], ..Found::default() });
    }

    #[test]
    fn parts_of_instructions_are_none() {
        let (code, at) = long(&[0xb8, 0xc5, 0xfc, 0x57, 0xc0]);
        assert_eq!(search(&code, None), Found::default());
        assert_eq!(search(&code, Some(at + 1)).executed, [at + 1], "unless they are executed");
    }

    #[test]
    fn data_is_not_likely() {
        // An `in`, which user code does not have, before and behind.
        let (mut code, at) = long(&AVX);
        code[at + 4] = 0xec;
        assert_eq!(search(&code, None), Found { possible: vec![at], ..Found::default() });
        assert_eq!(search(&AVX, None), Found { possible: vec![0], ..Found::default() }, "too little is known");
    }

    #[test]
    fn jumps_are_followed() {
        // jmp over a constant, to the instruction.
        let code = [&[0xeb, 0x02, 0xec, 0xec][..], &AVX, &[0xc3]].concat();
        assert_eq!(search(&code, Some(0)), Found { executed: vec![4], ..Found::default() });
        assert_eq!(search(&code, None), Found { possible: vec![4], ..Found::default() });
    }
}
