//! `maps`, `smaps` and `smaps_rollup` (the kernel's `fs/proc/task_mmu.c`).
//!
//! Each guest mapping is a host mapping of the same kind. So the host's own text says which file is behind it, what its
//! name has become, and how much of it is in memory; the guest's record says where it lies and what it allows.

use std::io::Write;

use crate::abi::PageRange;
use crate::abi::mman::Prot;
use crate::mm::AddressSpace;
use crate::mm::vma::{Backing, Vma, VmaName};
use crate::sys::copy::Hva;

/// `maps`, of the host's `maps`.
pub(super) fn maps(mm: &AddressSpace, host: &[u8]) -> Vec<u8> {
    let host = HostVma::parse_all(host);
    let mut text = Vec::new();
    for (range, vma) in mm.vmas() {
        Shown::new(mm, range, &vma, &host).write_header(&mut text);
    }
    vsyscall(&host).into_iter().for_each(|vma| vma.write_to(&mut text));
    text
}

/// `smaps`, of the host's `smaps`.
pub(super) fn smaps(mm: &AddressSpace, host: &[u8]) -> Vec<u8> {
    let host = HostVma::parse_all(host);
    let mut text = Vec::new();
    for (range, vma) in mm.vmas() {
        let shown = Shown::new(mm, range, &vma, &host);
        shown.write_header(&mut text);
        shown.write_details(&mut text, &host);
    }
    vsyscall(&host).into_iter().for_each(|vma| vma.write_to(&mut text));
    text
}

/// `smaps_rollup`: the sums of the host's `smaps`.
pub(super) fn rollup(mm: &AddressSpace, host: &[u8]) -> Vec<u8> {
    let host = HostVma::parse_all(host);
    let vmas = mm.vmas();
    let (Some((first, _)), Some((last, _))) = (vmas.first(), vmas.last()) else { return Vec::new() };
    let mut sums = Sums::default();
    for (range, vma) in &vmas {
        sums.add_mapping(&Shown::new(mm, *range, vma, &host).sums());
    }
    let mut text = Vec::new();
    let header = format!("{:08x}-{:08x} ---p 00000000 00:00 0", first.start(), last.end());
    write_named(&mut text, &header, b"[rollup]");
    sums.write_to(&mut text);
    text
}

/// The path of the file behind the host mapping at `hva`, of the host's `maps`.
pub(in crate::proc) fn path_at(host: &[u8], hva: Hva) -> Option<Vec<u8>> {
    let vmas = HostVma::parse_all(host);
    let vma = vmas.iter().find(|vma| (vma.start..vma.end).contains(&hva))?;
    vma.name.starts_with(b"/").then(|| vma.name.to_vec())
}

/// What the host's `smaps` says of guest mappings.
#[derive(Debug)]
pub(in crate::proc) struct Smaps<'a>(Vec<HostVma<'a>>);

/// A guest mapping in the host's `smaps`.
#[derive(Debug)]
pub(in crate::proc) struct Found {
    /// As `maps` shows it.
    pub(in crate::proc) name: Vec<u8>,
    /// Bytes of it that are in memory.
    pub(in crate::proc) resident: u64,
}

impl<'a> Smaps<'a> {
    /// Takes the host's text apart.
    pub(in crate::proc) fn parse(text: &'a [u8]) -> Self {
        Self(HostVma::parse_all(text))
    }

    /// The guest mapping `vma` at `range`.
    pub(in crate::proc) fn find(&self, mm: &AddressSpace, range: PageRange, vma: &Vma) -> Found {
        let shown = Shown::new(mm, range, vma, &self.0);
        let is_whole = shown.behind.iter().all(|(host, len)| host.end - host.start == *len);
        // Of private memory the host may have made one mapping out of several.
        let resident = if is_whole || vma.backing != Backing::Anonymous {
            shown.sums().of("Rss") * 1024
        } else {
            mm.resident_len(range)
        };
        Found { name: shown.name(), resident }
    }
}

/// The page that every process has at the same address.
fn vsyscall<'a>(host: &'a [HostVma<'a>]) -> Option<&'a HostVma<'a>> {
    host.last().filter(|vma| vma.name == b"[vsyscall]")
}

/// A mapping of the host's as its text shows it.
#[derive(Debug)]
struct HostVma<'a> {
    start: u64,
    end: u64,
    offset: u64,
    /// Device and inode, as they stand there.
    file: &'a str,
    name: &'a [u8],
    /// The whole first line.
    line: &'a [u8],
    /// The lines that follow in `smaps`.
    details: Vec<&'a [u8]>,
}

impl<'a> HostVma<'a> {
    fn parse_all(text: &'a [u8]) -> Vec<Self> {
        let mut vmas: Vec<Self> = Vec::new();
        for line in text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match (Self::parse(line), vmas.last_mut()) {
                (Some(vma), _) => vmas.push(vma),
                (None, Some(last)) => last.details.push(line),
                (None, None) => {}
            }
        }
        vmas
    }

    fn parse(line: &'a [u8]) -> Option<Self> {
        let (start, rest) = split(line, b'-')?;
        let (end, rest) = split(rest, b' ')?;
        let (_, rest) = split(rest, b' ')?;
        let (offset, rest) = split(rest, b' ')?;
        let device_len = rest.iter().position(|&byte| byte == b' ')?;
        let file_len = device_len + 1 + rest[device_len + 1..].iter().position(|&byte| byte == b' ')?;
        Some(Self {
            start: hex(start)?,
            end: hex(end)?,
            offset: hex(offset)?,
            file: std::str::from_utf8(&rest[..file_len]).ok()?,
            name: rest[file_len..].trim_ascii_start(),
            line,
            details: Vec::new(),
        })
    }

    fn write_to(&self, text: &mut Vec<u8>) {
        for line in std::iter::once(&self.line).chain(&self.details) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
    }
}

/// The parts of `text` before and behind the first `separator`.
fn split(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|&byte| byte == separator)?;
    Some((&text[..at], &text[at + 1..]))
}

fn hex(text: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// A mapping of the guest's, and the host's behind it.
#[derive(Debug)]
struct Shown<'a> {
    range: PageRange,
    vma: &'a Vma,
    /// Each with the number of its bytes that are this mapping's.
    behind: Vec<(&'a HostVma<'a>, u64)>,
    /// Of the first byte, where there is a file.
    offset: u64,
}

impl<'a> Shown<'a> {
    fn new(mm: &AddressSpace, range: PageRange, vma: &'a Vma, host: &'a [HostVma<'a>]) -> Self {
        let mut behind = Vec::new();
        let mut offset = None;
        for run in mm.arena().runs(range.start(), range.len()) {
            let (start, end) = (run.hva, run.hva + run.len);
            let first = host.partition_point(|vma| vma.end <= start);
            for vma in host[first..].iter().take_while(|vma| vma.start < end) {
                offset.get_or_insert_with(|| vma.offset + start.saturating_sub(vma.start));
                behind.push((vma, vma.end.min(end) - vma.start.max(start)));
            }
        }
        Self { range, vma, behind, offset: offset.unwrap_or(0) }
    }

    /// The file or object behind it.
    fn object(&self) -> Option<&'a HostVma<'a>> {
        if self.vma.backing == Backing::Anonymous { None } else { self.behind.first().map(|(vma, _)| *vma) }
    }

    fn name(&self) -> Vec<u8> {
        match (&self.vma.name, self.object()) {
            (VmaName::Heap, _) => b"[heap]".to_vec(),
            (VmaName::Stack, _) => b"[stack]".to_vec(),
            (VmaName::Vdso, _) => b"[vdso]".to_vec(),
            (VmaName::Vvar, _) => b"[vvar]".to_vec(),
            (VmaName::Anon(name), _) => format!("[anon:{name}]").into_bytes(),
            (VmaName::None | VmaName::M5ops, Some(object)) => object.name.to_vec(),
            (VmaName::None | VmaName::M5ops, None) => Vec::new(),
        }
    }

    /// `show_map_vma`
    fn write_header(&self, text: &mut Vec<u8>) {
        let letter = |right: Prot, letter: char| if self.vma.prot.contains(right) { letter } else { '-' };
        let header = format!(
            "{:08x}-{:08x} {}{}{}{} {:08x} {}",
            self.range.start(),
            self.range.end(),
            letter(Prot::READ, 'r'),
            letter(Prot::WRITE, 'w'),
            letter(Prot::EXEC, 'x'),
            if self.vma.is_shared() { 's' } else { 'p' },
            self.object().map_or(0, |_| self.offset),
            self.object().map_or("00:00 0", |object| object.file),
        );
        write_named(text, &header, &self.name());
    }

    fn sums(&self) -> Sums<'a> {
        let mut sums = Sums::default();
        self.behind.iter().for_each(|(vma, len)| sums.add(vma, *len));
        sums
    }

    /// `show_smap`. A mapping that was never accessible has none on the host: there is nothing of it in memory.
    fn write_details(&self, text: &mut Vec<u8>, host: &[HostVma<'_>]) {
        let pattern = self.behind.first().map(|(vma, _)| *vma).or_else(|| host.first());
        let sums = self.sums();
        for line in pattern.into_iter().flat_map(|vma| &vma.details) {
            match Amount::parse(line) {
                Some(Amount { key: "Size", .. }) => write_amount(text, "Size", self.range.len() / 1024),
                Some(Amount { key, kib }) if key.ends_with("PageSize") => write_amount(text, key, kib),
                Some(Amount { key, .. }) => write_amount(text, key, sums.of(key)),
                None if line.starts_with(b"VmFlags:") => self.write_flags(text, line),
                None => {
                    text.extend_from_slice(line);
                    text.push(b'\n');
                }
            }
        }
    }

    /// The host's letters, but for what only the guest's record knows.
    fn write_flags(&self, text: &mut Vec<u8>, host: &[u8]) {
        let host = String::from_utf8_lossy(host);
        text.extend_from_slice(b"VmFlags: ");
        for (right, letters) in [(Prot::READ, "rd "), (Prot::WRITE, "wr "), (Prot::EXEC, "ex ")] {
            if self.vma.prot.contains(right) {
                text.extend_from_slice(letters.as_bytes());
            }
        }
        for letters in host.split_ascii_whitespace().skip(1) {
            if matches!(letters, "rd" | "wr" | "ex") || (letters == "nr" && self.behind.is_empty()) {
                continue;
            }
            text.extend_from_slice(letters.as_bytes());
            text.push(b' ');
            if letters == "me" && self.vma.grows_down() {
                text.extend_from_slice(b"gd ");
            }
        }
        text.push(b'\n');
    }
}

/// A line with a name that begins at the column the kernel pads to (`seq_pad`); without one it ends in a blank.
fn write_named(text: &mut Vec<u8>, header: &str, name: &[u8]) {
    const NAME_COLUMN: usize = 25 + 6 * size_of::<usize>() - 1;
    text.extend_from_slice(header.as_bytes());
    if !name.is_empty() {
        text.resize(text.len() + NAME_COLUMN.saturating_sub(header.len()), b' ');
    }
    text.push(b' ');
    text.extend_from_slice(name);
    text.push(b'\n');
}

fn write_amount(text: &mut Vec<u8>, key: &str, kib: u64) {
    // Writing to a vector cannot fail.
    let _ = writeln!(text, "{:<16}{kib:>8} kB", format!("{key}:"));
}

/// A line `Key:   1 kB`.
#[derive(Clone, Copy, Debug)]
struct Amount<'a> {
    key: &'a str,
    kib: u64,
}

impl<'a> Amount<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let (key, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        Some(Self { key, kib: value.strip_suffix(" kB")?.trim_start().parse().ok()? })
    }
}

/// Amounts in KiB by name, in the host's order.
#[derive(Debug, Default)]
struct Sums<'a>(Vec<(&'a str, u64)>);

impl<'a> Sums<'a> {
    fn of(&self, key: &str) -> u64 {
        self.0.iter().find(|(name, _)| *name == key).map_or(0, |(_, kib)| *kib)
    }

    fn add_amount(&mut self, key: &'a str, kib: u64) {
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, sum)) => *sum += kib,
            None => self.0.push((key, kib)),
        }
    }

    /// Adds what the host says of `vma`, of which `len` bytes count. The host may have joined mappings that are several
    /// for the guest; then this is the most that it can be.
    fn add(&mut self, vma: &HostVma<'a>, len: u64) {
        for Amount { key, kib } in vma.details.iter().filter_map(|line| Amount::parse(line)) {
            self.add_amount(key, kib.min(len / 1024));
        }
    }

    /// Adds those of one mapping, and parts of them by the kind of the memory as `smaps_rollup` does.
    fn add_mapping(&mut self, mapping: &Sums<'a>) {
        let (rss, pss, anonymous) = (mapping.of("Rss"), mapping.of("Pss"), mapping.of("Anonymous"));
        for &(key, kib) in &mapping.0 {
            if key != "Size" && !key.ends_with("PageSize") {
                self.add_amount(key, kib);
            }
            if key == "Pss_Dirty" {
                let of_anonymous = (pss * anonymous).checked_div(rss).unwrap_or(0);
                self.add_amount("Pss_Anon", of_anonymous);
                self.add_amount("Pss_File", pss - of_anonymous);
                self.add_amount("Pss_Shmem", 0);
            }
        }
    }

    fn write_to(&self, text: &mut Vec<u8>) {
        self.0.iter().for_each(|(key, kib)| write_amount(text, key, *kib));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &[u8] = b"\
7f0000000000-7f0000004000 r--p 00002000 fe:00 247030                     /usr/bin/cat (deleted)
Size:                 16 kB
KernelPageSize:        4 kB
Rss:                  12 kB
THPeligible:           0
VmFlags: rd mr mw me sd
7f0000004000-7f0000005000 rw-p 00000000 00:00 0 
Size:                  4 kB
Rss:                   4 kB
";

    #[test]
    fn host_text_is_taken_apart() {
        let vmas = HostVma::parse_all(SMAPS);
        assert_eq!(vmas.len(), 2);
        assert_eq!((vmas[0].start, vmas[0].end, vmas[0].offset), (0x7f00_0000_0000, 0x7f00_0000_4000, 0x2000));
        assert_eq!((vmas[0].file, vmas[0].name), ("fe:00 247030", b"/usr/bin/cat (deleted)".as_slice()));
        assert_eq!((vmas[1].file, vmas[1].name), ("00:00 0", b"".as_slice()));
        assert_eq!(vmas[0].details.len(), 5);
        let mut sums = Sums::default();
        vmas.iter().for_each(|vma| sums.add(vma, 8 << 10));
        assert_eq!((sums.of("Rss"), sums.of("Pss")), (12, 0));
    }

    #[test]
    fn names_begin_where_the_kernel_puts_them() {
        let mut text = Vec::new();
        write_named(&mut text, "56045f544000-56045f546000 r--p 00000000 fe:00 247030", b"/usr/bin/cat");
        write_named(&mut text, "7f0000004000-7f0000005000 rw-p 00000000 00:00 0", b"");
        write_amount(&mut text, "Rss", 12);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "56045f544000-56045f546000 r--p 00000000 fe:00 247030                     /usr/bin/cat\n\
             7f0000004000-7f0000005000 rw-p 00000000 00:00 0 \n\
             Rss:                  12 kB\n"
        );
    }
}
