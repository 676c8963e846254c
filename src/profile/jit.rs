//! Names of code that was made at run time: `/tmp/perf-PID.map` and jitdump files, as perf(1) reads them
//! (`tools/perf/Documentation/jit-interface.txt` and `jitdump-specification.txt` of the kernel).

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Names by the address of their code.
#[derive(Debug, Default)]
pub(super) struct JitNames(BTreeMap<u64, (u64, String)>);

impl JitNames {
    /// Those of the process `pid`, of its map in /tmp and of these jitdump files.
    pub(super) fn of_process(pid: u32, dumps: &[(u32, PathBuf)]) -> Self {
        let mut names = Self::default();
        if let Ok(map) = std::fs::read(format!("/tmp/perf-{pid}.map")) {
            names.read_map(&String::from_utf8_lossy(&map));
        }
        for (_, path) in dumps.iter().filter(|(of, _)| *of == pid) {
            if let Ok(dump) = std::fs::read(path) {
                names.read_dump(&dump);
            }
        }
        names
    }

    /// The name of the code at `address`.
    pub(super) fn name(&self, address: u64) -> Option<&str> {
        let (start, (len, name)) = self.0.range(..=address).next_back()?;
        (address - start < *len).then_some(name.as_str())
    }

    /// Lines `START SIZE name`, the numbers in hexadecimal digits. A later one replaces those before it.
    fn read_map(&mut self, map: &str) {
        for line in map.lines() {
            let mut fields = line.splitn(3, ' ');
            let mut number = || u64::from_str_radix(fields.next()?.trim_start_matches("0x"), 16).ok();
            if let (Some(start), Some(len)) = (number(), number())
                && let Some(name) = fields.next()
            {
                self.0.insert(start, (len, name.to_owned()));
            }
        }
    }

    fn read_dump(&mut self, dump: &[u8]) {
        const MAGIC: u32 = 0x4a69_5444;
        const CODE_LOAD: u32 = 0;
        let word = |at: usize| Some(u32::from_le_bytes(dump.get(at..at + 4)?.try_into().ok()?));
        let long = |at: usize| Some(u64::from_le_bytes(dump.get(at..at + 8)?.try_into().ok()?));
        let (Some(MAGIC), Some(header_len)) = (word(0), word(8)) else { return };
        let mut at = header_len as usize;
        while let (Some(kind), Some(len)) = (word(at), word(at + 4)) {
            // Prefix of 16 bytes; pid, tid, vma, address, size, index of the code; its name.
            const NAME: usize = 16 + 4 + 4 + 4 * 8;
            if kind == CODE_LOAD
                && let (Some(start), Some(size)) = (long(at + 32), long(at + 40))
                && let Some(name) = dump.get(at + NAME..).and_then(|rest| rest.split(|&byte| byte == 0).next())
            {
                self.0.insert(start, (size, String::from_utf8_lossy(name).into_owned()));
            }
            at += (len as usize).max(16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_and_what_is_no_line_of_one_is_not() {
        let mut names = JitNames::default();
        names.read_map("1000 20 LazyCompile:*f a.js:1\nnonsense\n0x2000 0x10 g\n1000 10 h\n");
        assert_eq!((names.name(0x100f), names.name(0x1010)), (Some("h"), None));
        assert_eq!((names.name(0x200f), names.name(0xfff)), (Some("g"), None));
    }

    #[test]
    fn jitdump_is_read_as_far_as_it_goes() {
        let mut dump = Vec::new();
        dump.extend(0x4a69_5444_u32.to_le_bytes());
        dump.extend(1u32.to_le_bytes());
        dump.extend(40u32.to_le_bytes());
        dump.resize(40, 0);
        let mut record = Vec::new();
        record.extend(0u32.to_le_bytes());
        record.extend(62u32.to_le_bytes());
        record.extend(0u64.to_le_bytes());
        record.extend([0; 8]);
        for value in [0x5000u64, 0x5000, 0x40, 1] {
            record.extend(value.to_le_bytes());
        }
        record.extend(b"f(int)\0");
        dump.extend(&record);
        dump.extend(&record[..20]);
        let mut names = JitNames::default();
        names.read_dump(&dump);
        assert_eq!((names.name(0x503f), names.name(0x5040)), (Some("f(int)"), None));
        names.read_dump(b"other");
    }
}
