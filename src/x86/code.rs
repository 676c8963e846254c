//! Where instructions begin, and how code gets there.

use std::ops::Range;

use iced_x86::{Decoder, DecoderOptions, OpKind};

/// Is control in `part` of a function only when it came by its start or by `entry`, and do instructions begin at both?
///
/// `code` is the whole function, which begins at `start`; it holds nothing but instructions, one after the other, as
/// compilers make it. A jump whose target is not in the code is taken to lead to a start.
pub fn is_entered_only_at(code: &[u8], start: u64, part: &Range<u64>, entry: u64) -> bool {
    let (mut begins, mut has_entry) = (false, false);
    for instruction in Decoder::with_ip(64, code, start, DecoderOptions::NONE) {
        if instruction.is_invalid() {
            return false;
        }
        begins |= instruction.ip() == part.start;
        has_entry |= instruction.ip() == entry;
        let is_jump = instruction.op_kinds().any(|kind| kind == OpKind::NearBranch64);
        let target = instruction.near_branch_target();
        if is_jump && part.contains(&target) && target != part.start && target != entry {
            return false;
        }
    }
    begins && has_entry
}

/// Instructions from which control comes to the one at `at` by itself or by a direct jump or call. `code` is as above.
pub fn predecessors(code: &[u8], start: u64, at: u64) -> Vec<u64> {
    let mut found = Vec::new();
    for instruction in Decoder::with_ip(64, code, start, DecoderOptions::NONE) {
        let jumps = instruction.op_kinds().any(|kind| kind == OpKind::NearBranch64);
        if instruction.next_ip() == at || jumps && instruction.near_branch_target() == at {
            found.push(instruction.ip());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0x7fff_f7e0_1000;
    const MOV_SYSCALL: [u8; 7] = [0xb8, 17, 0, 0, 0, 0x0f, 0x05];

    /// Is `mov $17, %eax; syscall` between `before` and `behind` entered only at its start and its `syscall`?
    fn check(before: &[u8], behind: &[u8]) -> bool {
        let code = [before, &MOV_SYSCALL, behind].concat();
        let part = START + before.len() as u64..START + before.len() as u64 + 7;
        is_entered_only_at(&code, START, &part, part.start + 5)
    }

    #[test]
    fn straight_code_is() {
        assert!(check(&[0x49, 0x89, 0xca], &[0xc3]), "mov %rcx, %r10; ...; ret");
        assert!(check(&[], &[0xeb, 0xf7]), "back to the start");
        assert!(check(&[], &[0xeb, 0xfc]), "back to the syscall");
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        assert!(!check(&[0x41], &[0xc3]), "mov $17, %r8d");
        assert!(!check(&[0xc7, 0x45], &[0xc3]), "movl $17, -72(%rbp)");
        assert!(!check(&[0x48, 0xb9, 1, 2, 3], &[0xc3]), "movabs $..., %rcx");
    }

    #[test]
    fn jumps_into_it_are_found() {
        assert!(!check(&[], &[0xeb, 0xf8]), "into the mov");
        assert!(!check(&[0x74, 0x06], &[0xc3]), "into the syscall");
    }

    #[test]
    fn what_comes_before_is_found() {
        // nop; jne back; call behind; nop; ret
        let code = [0x90, 0x75, 0xfd, 0xe8, 1, 0, 0, 0, 0x90, 0xc3];
        assert_eq!(predecessors(&code, START, START), [START + 1]);
        assert_eq!(predecessors(&code, START, START + 9), [START + 3, START + 8]);
        assert_eq!(predecessors(&code, START, START + 4), [0; 0]);
    }

    #[test]
    fn code_that_cannot_be_decoded_is_not_trusted() {
        assert!(!check(&[0x06], &[0xc3]));
        assert!(!check(&[], &[0x0f]), "cut off");
    }
}
