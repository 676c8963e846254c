//! Plain loads: an instruction that does nothing but bring eight bytes of memory to a register.

use iced_x86::{Decoder, DecoderOptions, Mnemonic, OpKind, Register};

use super::UserRegs;

/// A load whose value comes from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    to: Register,
    next: u64,
}

impl Load {
    /// The one at the start of `code`, which is at `rip`; `None` if there is another instruction.
    pub fn decode(code: &[u8], rip: u64) -> Option<Self> {
        let instruction = Decoder::with_ip(64, code, rip, DecoderOptions::NONE).decode();
        let to = instruction.op0_register();
        let is_load = instruction.mnemonic() == Mnemonic::Mov
            && instruction.op0_kind() == OpKind::Register
            && instruction.op1_kind() == OpKind::Memory
            && to.is_gpr64();
        is_load.then(|| Self { to, next: instruction.next_ip() })
    }

    /// Executes it: `value` is what it finds.
    pub fn finish(self, regs: &mut UserRegs, value: u64) {
        if let Some(to) = regs.general_mut(self.to) {
            *to = value;
        }
        regs.rip = self.next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_ends_in_its_register() {
        let mut regs = UserRegs::default();
        Load::decode(&[0x49, 0x8b, 0x04, 0x03], 100).unwrap().finish(&mut regs, 7);
        assert_eq!((regs.rax, regs.rip), (7, 104), "mov (%r11,%rax), %rax");
        Load::decode(&[0x4c, 0x8b, 0x3e], 100).unwrap().finish(&mut regs, 8);
        assert_eq!((regs.r15, regs.rip), (8, 103), "mov (%rsi), %r15");
    }

    #[test]
    fn other_instructions_are_none() {
        for code in [&[0x48, 0x89, 0x06][..], &[0x8b, 0x06], &[0x48, 0x03, 0x06], &[0x48, 0x89, 0xf0], &[0x06]] {
            assert_eq!(Load::decode(code, 0), None, "{code:x?}");
        }
    }
}
