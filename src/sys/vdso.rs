//! The vDSO of this process: code that the kernel lends every program, and the data pages it reads (vdso(7)).

use std::ops::Range;

use goblin::elf::{Elf, SectionHeader};

use super::copy::{Hva, copy_from};

/// Where the kernel has put the vDSO of this process.
#[derive(Clone, Debug)]
pub struct HostVdso {
    /// The code, HVA.
    pub code: Range<Hva>,
    /// The data pages, HVA. They are called `[vvar]` and, from Linux 6.13 on, `[vvar_vclock]` too.
    pub data: Vec<Range<Hva>>,
    /// The bytes of the code, an ELF image.
    pub image: Vec<u8>,
}

impl HostVdso {
    /// Looks it up in `/proc/self/maps`; `None` on a kernel without.
    pub fn find() -> Option<Self> {
        let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
        let areas = |name: &str| maps.lines().filter_map(|line| area_of(line, name)).collect::<Vec<_>>();
        let code = areas("[vdso").first()?.clone();
        let mut image = vec![0; usize::try_from(code.end - code.start).ok()?];
        let len = copy_from(code.start, &mut image);
        image.truncate(len);
        Some(Self { code, data: areas("[vvar"), image })
    }

    /// Everything from the first page to the last, holes included.
    pub fn span(&self) -> Range<Hva> {
        let areas = || self.data.iter().chain([&self.code]);
        let start = areas().map(|area| area.start).min().unwrap_or(self.code.start);
        let end = areas().map(|area| area.end).max().unwrap_or(self.code.end);
        start..end
    }

    /// Bytes from the start of the code to a function of it.
    pub fn offset_of(&self, name: &str) -> Option<u64> {
        self.symbol(name).map(|(start, _)| start)
    }

    /// Where a function is in the image.
    pub fn function(&self, name: &str) -> Option<Range<usize>> {
        let (start, len) = self.symbol(name)?;
        let start = usize::try_from(start).ok()?;
        Some(start..start.checked_add(usize::try_from(len).ok()?)?)
    }

    /// Where the code is in the image that is executed: all but what the kernel has put in its place, or had to choose from.
    pub fn text(&self) -> Option<Range<usize>> {
        let elf = Elf::parse(&self.image).ok()?;
        let named = |header: &&SectionHeader| elf.shdr_strtab.get_at(header.sh_name) == Some(".text");
        elf.section_headers.iter().find(named)?.file_range()
    }

    /// Offset and length in bytes.
    fn symbol(&self, name: &str) -> Option<(u64, u64)> {
        let elf = Elf::parse(&self.image).ok()?;
        let found = elf.dynsyms.iter().find(|symbol| elf.dynstrtab.get_at(symbol.st_name) == Some(name))?;
        Some((found.st_value, found.st_size))
    }
}

/// The mapping in a line of `/proc/self/maps`, if its name begins with `name`.
fn area_of(line: &str, name: &str) -> Option<Range<Hva>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    fields.nth(4).filter(|field| field.starts_with(name))?;
    Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_found_by_the_start_of_their_name() {
        let line = "7ffc1a2b3000-7ffc1a2b5000 r--p 00000000 00:00 0                          [vvar_vclock]";
        assert_eq!(area_of(line, "[vvar"), Some(0x7ffc_1a2b_3000..0x7ffc_1a2b_5000));
        assert_eq!(area_of(line, "[vdso"), None);
        assert_eq!(area_of("7f00-7f10 rw-p 00000000 00:00 0", "[vdso"), None);
    }

    #[test]
    fn the_vdso_of_this_process_is_within_its_span() {
        let vdso = HostVdso::find().unwrap();
        let offset = vdso.offset_of("__vdso_clock_gettime").unwrap();
        assert!(vdso.code.contains(&(vdso.code.start + offset)));
        assert!(vdso.span().start <= vdso.code.start && vdso.code.end <= vdso.span().end);
        assert_eq!(vdso.offset_of("no such function"), None);
    }
}
