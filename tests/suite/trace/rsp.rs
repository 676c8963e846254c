//! A program under qemu-user, which steps it by gdb's remote serial protocol (gdb's manual, appendix E).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::native::extended;
use super::read::Registers;

/// QEMU's order in `g` and `G` (its gdb-xml/i386-64bit.xml); eflags has four bytes.
const GENERAL: [&str; 18] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    "rip", "rflags",
];
const GENERAL_LEN: usize = 17 * 8 + 4;
/// Behind six selectors.
const FS_BASE: usize = GENERAL_LEN + 6 * 4;
const GS_BASE: usize = FS_BASE + 8;
/// x87, SSE and AVX.
const COMPONENTS: u64 = 7;
const IMAGE_LEN: usize = 576 + 256;
/// Of one packet.
const MOST: usize = 1024;
/// QEMU gives the protocol no high halves of ymm registers; these make it store and load all of them.
const XSAVE64_RDI: [u8; 4] = [0x48, 0x0f, 0xae, 0x27];
const XRSTOR64_RDI: [u8; 4] = [0x48, 0x0f, 0xae, 0x2f];
const SYSCALL: [u8; 2] = [0x0f, 0x05];
const NOP: u8 = 0x90;

/// Pages of our own in the program: code, and an image.
const PLACE: u64 = 0x10_0000_0000;
const CODE_OF_SAVE: u64 = PLACE;
const CODE_OF_LOAD: u64 = PLACE + 16;
const CODE_OF_CALL: u64 = PLACE + 32;
const IMAGE: u64 = PLACE + 4096;
const PLACE_LEN: u64 = 8192;

const ANYWHERE: u64 = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
pub(super) const HERE: u64 = ANYWHERE | libc::MAP_FIXED as u64;
pub(super) const READ_WRITE: u64 = (libc::PROT_READ | libc::PROT_WRITE) as u64;
const ALL_RIGHTS: u64 = READ_WRITE | libc::PROT_EXEC as u64;

/// A stopped program, which ends with it.
#[derive(Debug)]
pub(super) struct Qemu {
    child: Child,
    stream: BufReader<UnixStream>,
    _folder: tempfile::TempDir,
    /// The last image of x87 and vectors.
    extended: Vec<u8>,
}

impl Qemu {
    /// Before its first instruction. `syscall` is where the program has that instruction.
    pub(super) fn start(qemu: &std::path::Path, program: &str, syscall: u64) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let socket = folder.path().join("gdb");
        let mut command = Command::new(qemu);
        command.args(["-cpu", "max", "-g"]).arg(&socket).arg(program).env_clear().current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| format!("{}: {error}", qemu.display()))?;
        let patience = Instant::now() + Duration::from_secs(20);
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(error) if Instant::now() > patience || !matches!(child.try_wait(), Ok(None)) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("qemu does not listen: {error}"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(|error| error.to_string())?;
        let mut this = Self { child, stream: BufReader::new(stream), _folder: folder, extended: Vec::new() };
        this.prepare(syscall)?;
        Ok(this)
    }

    fn prepare(&mut self, syscall: u64) -> Result<(), String> {
        let before = self.general()?;
        // Its own code cannot be written: the first call is made where the program has one.
        let place = self.call_at(syscall, libc::SYS_mmap, [PLACE, PLACE_LEN, ALL_RIGHTS, ANYWHERE, u64::MAX, 0])?;
        if place != PLACE {
            return Err(format!("mmap: {place:#x}"));
        }
        for (at, code) in
            [(CODE_OF_SAVE, &XSAVE64_RDI[..]), (CODE_OF_LOAD, &XRSTOR64_RDI[..]), (CODE_OF_CALL, &SYSCALL[..])]
        {
            self.write(at, &[code, &[NOP; 8]].concat())?;
        }
        self.set_general(&before)?;
        self.fetch_extended()
    }

    /// Sends a packet and returns the answer to it.
    fn ask(&mut self, what: &str) -> Result<String, String> {
        let sum = what.bytes().fold(0_u8, u8::wrapping_add);
        let failed = |error: std::io::Error| format!("gdb's protocol: {error}");
        self.stream.get_mut().write_all(format!("${what}#{sum:02x}").as_bytes()).map_err(failed)?;
        let mut answer = Vec::new();
        self.stream.read_until(b'$', &mut answer).map_err(failed)?;
        answer.clear();
        self.stream.read_until(b'#', &mut answer).map_err(failed)?;
        std::io::Read::read_exact(&mut self.stream, &mut [0; 2]).map_err(failed)?;
        self.stream.get_mut().write_all(b"+").map_err(failed)?;
        if answer.pop() != Some(b'#') {
            return Err("qemu has ended".into());
        }
        String::from_utf8(answer).map_err(|error| error.to_string())
    }

    /// Executes an instruction, or one iteration of it; returns the signal that is its fault.
    pub(super) fn step(&mut self) -> Result<u8, String> {
        let answer = self.ask("s")?;
        match (answer.get(..1), answer.get(1..3).map(|digits| u8::from_str_radix(digits, 16))) {
            (Some("T" | "S"), Some(Ok(signal))) => Ok(signal),
            _ => Err(format!("a step ended in {answer:?}")),
        }
    }

    pub(super) fn read(&mut self, addr: u64, len: usize) -> Result<Vec<u8>, String> {
        let mut found = Vec::with_capacity(len);
        while found.len() < len {
            let at = addr + found.len() as u64;
            let answer = self.ask(&format!("m{at:x},{:x}", MOST.min(len - found.len())))?;
            let part = bytes(&answer).filter(|part| !part.is_empty());
            found.extend(part.ok_or_else(|| format!("reading {at:#x}: {answer:?}"))?);
        }
        Ok(found)
    }

    pub(super) fn write(&mut self, addr: u64, all: &[u8]) -> Result<(), String> {
        for (at, part) in (addr..).step_by(MOST).zip(all.chunks(MOST)) {
            let answer = self.ask(&format!("M{at:x},{:x}:{}", part.len(), hex(part)))?;
            if answer != "OK" {
                return Err(format!("writing {at:#x}: {answer:?}"));
            }
        }
        Ok(())
    }

    fn general_bytes(&mut self) -> Result<Vec<u8>, String> {
        let answer = self.ask("g")?;
        bytes(&answer).filter(|all| all.len() >= GS_BASE + 8).ok_or_else(|| format!("registers: {answer:?}"))
    }

    /// General registers, rip and flags.
    fn general(&mut self) -> Result<Vec<u8>, String> {
        let mut all = self.general_bytes()?;
        all.truncate(GENERAL_LEN);
        Ok(all)
    }

    fn set_general(&mut self, all: &[u8]) -> Result<(), String> {
        let answer = self.ask(&format!("G{}", hex(all)))?;
        if answer == "OK" { Ok(()) } else { Err(format!("setting registers: {answer:?}")) }
    }

    pub(super) fn rip(&mut self) -> Result<u64, String> {
        Ok(word(&self.general()?, 16))
    }

    /// All registers by the names that traces have for them; those of vectors and x87 as they were, unless they are `fresh`.
    pub(super) fn registers(&mut self, fresh: bool) -> Result<Registers, String> {
        let bytes = self.general_bytes()?;
        if fresh {
            self.fetch_extended()?;
        }
        let mut all = Registers::new();
        for (index, name) in GENERAL.iter().enumerate() {
            let mut value = bytes[8 * index..][..if *name == "rflags" { 4 } else { 8 }].to_vec();
            value.resize(8, 0);
            all.insert((*name).to_owned(), value);
        }
        for (name, at) in [("fs_base", FS_BASE), ("gs_base", GS_BASE)] {
            all.insert(name.to_owned(), bytes[at..at + 8].to_vec());
        }
        extended(&self.extended, &mut all);
        Ok(all)
    }

    /// Makes general registers, flags, x87 and vectors what `registers` says.
    pub(super) fn set_registers(&mut self, registers: &Registers) -> Result<(), String> {
        let mut image = self.extended.clone();
        let mut put = |at: usize, name: &str, from: usize, len: usize| {
            if let Some(part) = registers.get(name).and_then(|value| value.get(from..from + len)) {
                image[at..at + len].copy_from_slice(part);
            }
        };
        for (at, name, len) in [(0, "fcw", 2), (2, "fsw", 2), (4, "ftw", 1), (24, "mxcsr", 4)] {
            put(at, name, 0, len);
        }
        let top = registers.get("fsw").map_or(0, |fsw| usize::from(fsw[1] >> 3 & 7));
        for number in 0..16 {
            put(160 + 16 * number, &format!("zmm{number}"), 0, 16);
            put(576 + 16 * number, &format!("zmm{number}"), 16, 16);
            if number < 8 {
                put(32 + 16 * number, &format!("fp{}", (top + number) % 8), 0, 10);
            }
        }
        let mut general = Vec::new();
        for name in GENERAL {
            let value = registers.get(name).ok_or("a register is not known")?;
            general.extend_from_slice(&value[..if name == "rflags" { 4 } else { 8 }]);
        }
        if image != self.extended {
            self.write(IMAGE, &image)?;
            self.run_own(CODE_OF_LOAD, &general)?;
            self.extended = image;
        }
        self.set_general(&general)
    }

    fn fetch_extended(&mut self) -> Result<(), String> {
        let before = self.general()?;
        self.run_own(CODE_OF_SAVE, &before)?;
        self.extended = self.read(IMAGE, IMAGE_LEN)?;
        self.set_general(&before)
    }

    /// Executes `code` of ours, which takes an image at rdi.
    fn run_own(&mut self, code: u64, general: &[u8]) -> Result<(), String> {
        let mut general = general.to_vec();
        for (name, value) in [("rip", code), ("rdi", IMAGE), ("rax", COMPONENTS), ("rdx", 0)] {
            set_word(&mut general, name, value);
        }
        self.set_general(&general)?;
        match self.step()? {
            5 => Ok(()),
            signal => Err(format!("saving or loading registers: signal {signal}")),
        }
    }

    /// Has the program make a system call, as if it were not there.
    pub(super) fn call(&mut self, nr: i64, arguments: [u64; 6]) -> Result<u64, String> {
        let before = self.general()?;
        let result = self.call_at(CODE_OF_CALL, nr, arguments)?;
        self.set_general(&before)?;
        Ok(result)
    }

    fn call_at(&mut self, at: u64, nr: i64, arguments: [u64; 6]) -> Result<u64, String> {
        let mut general = self.general()?;
        for (name, value) in ["rdi", "rsi", "rdx", "r10", "r8", "r9"].into_iter().zip(arguments) {
            set_word(&mut general, name, value);
        }
        set_word(&mut general, "rax", nr.cast_unsigned());
        set_word(&mut general, "rip", at);
        self.set_general(&general)?;
        self.step()?;
        Ok(word(&self.general()?, 0))
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn word(general: &[u8], index: usize) -> u64 {
    u64::from_le_bytes(general[8 * index..][..8].try_into().unwrap_or_default())
}

fn set_word(general: &mut [u8], name: &str, value: u64) {
    if let Some(index) = GENERAL.iter().position(|other| *other == name) {
        general[8 * index..][..8].copy_from_slice(&value.to_le_bytes());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (0..text.len()).step_by(2).map(byte).collect()
}
