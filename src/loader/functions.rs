//! Where functions are in an ELF file, and what they are called.

use std::collections::BTreeSet;
use std::fs::File;

use object::elf::STT_GNU_IFUNC;
use object::{Object, ObjectSegment, ObjectSymbol, ReadCache, SymbolFlags, SymbolKind};

/// Offsets in `file` of the functions called `name`, as nm(1) prints that. None if it is no ELF file.
pub fn offsets(file: &File, name: &str) -> Vec<u64> {
    let cache = ReadCache::new(file);
    let Ok(elf) = object::File::parse(&cache) else { return Vec::new() };
    // What is chosen when the program starts has the name of the function that chooses.
    let is_chosen = |flags| matches!(flags, SymbolFlags::Elf { st_info, .. } if st_info.st_type() == STT_GNU_IFUNC);
    let all = elf.symbols().chain(elf.dynamic_symbols());
    let named = all.filter(|symbol| {
        symbol.is_definition()
            && symbol.kind() == SymbolKind::Text
            && symbol.name_bytes() == Ok(name.as_bytes())
            && !is_chosen(symbol.flags())
    });
    let offset_of = |addr: u64| {
        elf.segments().find_map(|segment| {
            let (start, len) = segment.file_range();
            let offset = addr.checked_sub(segment.address()).filter(|&offset| offset < len)?;
            Some(start + offset)
        })
    };
    let offsets: BTreeSet<u64> = named.filter_map(|symbol| offset_of(symbol.address())).collect();
    offsets.into_iter().collect()
}

/// The name of the function that is at `offset` of `file`, as nm(1) prints it.
pub fn name_at(file: &File, offset: u64) -> Option<String> {
    let cache = ReadCache::new(file);
    let elf = object::File::parse(&cache).ok()?;
    let addr = elf.segments().find_map(|segment| {
        let (start, len) = segment.file_range();
        let within = offset.checked_sub(start).filter(|&within| within < len)?;
        Some(segment.address() + within)
    })?;
    let symbols = elf.symbols().chain(elf.dynamic_symbols());
    let around = symbols.filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text);
    let around = around.filter(|symbol| addr.wrapping_sub(symbol.address()) < symbol.size());
    let name = around.max_by_key(|symbol| symbol.address())?.name_bytes().ok()?.to_vec();
    Some(String::from_utf8_lossy(&name).into_owned())
}
