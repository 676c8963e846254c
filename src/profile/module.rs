//! The ELF files that code comes from.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use addr2line::gimli::{BaseAddresses, CieOrFde, EhFrame, LittleEndian, UnwindSection};
use framehop::ExplicitModuleSectionInfo;
use object::read::{ReadCache, ReadRef};
use object::{Object, ObjectSection, ObjectSegment};

use crate::sys::vdso::HostVdso;

/// Bytes that unwinders and modules share.
pub(super) type Bytes = Arc<[u8]>;

/// A file with code, or the vDSO.
#[derive(Debug)]
pub(super) struct Module {
    /// As the guest named it.
    pub(super) path: PathBuf,
    /// Where it can be read; nothing for the vDSO, or if it is gone or another one.
    pub(super) file: Option<PathBuf>,
    /// Its build id, if it has one.
    pub(super) build_id: Option<Vec<u8>>,
    /// Its bytes, if there is no file.
    pub(super) image: Option<Vec<u8>>,
    segments: Vec<Segment>,
    sections: ExplicitModuleSectionInfo<Bytes>,
}

/// A part of the file that is mapped.
#[derive(Clone, Copy, Debug)]
struct Segment {
    offset: u64,
    len: u64,
    address: u64,
}

impl Module {
    /// The file `path` as the process `pid` sees it; without content if it is no longer the one of this `id`.
    pub(super) fn of_file(path: &Path, id: (u64, u64), pid: u32) -> Self {
        let seen = Path::new("/proc").join(format!("{pid}/root{}", path.display()));
        let is_it = |path: &Path| std::fs::metadata(path).is_ok_and(|meta| (meta.dev(), meta.ino()) == id);
        let places = [path.to_owned(), seen];
        let mut module = Self::empty(path.to_owned());
        // The second one is there only as long as the process is.
        if let Some(place) = places.into_iter().find(|place| is_it(place))
            && let Ok(file) = File::open(&place)
        {
            module.read(&ReadCache::new(file));
            module.file = Some(place);
        }
        module
    }

    /// The vDSO, which is the recorder's too.
    pub(super) fn vdso() -> Self {
        let mut module = Self::empty("[vdso]".into());
        if let Some(vdso) = HostVdso::find() {
            module.read(&vdso.image[..]);
            module.image = Some(vdso.image);
        }
        module
    }

    fn empty(path: PathBuf) -> Self {
        let sections = ExplicitModuleSectionInfo::default();
        Self { path, file: None, build_id: None, image: None, segments: Vec::new(), sections }
    }

    fn read<'a>(&mut self, data: impl ReadRef<'a>) {
        let Ok(object) = object::File::parse(data) else { return };
        self.build_id = object.build_id().ok().flatten().map(<[u8]>::to_vec);
        self.segments = object
            .segments()
            .map(|segment| {
                let (offset, len) = segment.file_range();
                Segment { offset, len, address: segment.address() }
            })
            .collect();
        let range = |name: &str| {
            let section = object.section_by_name(name)?;
            Some(section.address()..section.address() + section.size())
        };
        let data = |name: &str| {
            let data = object.section_by_name(name)?.uncompressed_data().ok()?;
            (!data.is_empty()).then(|| Bytes::from(&*data))
        };
        self.sections = ExplicitModuleSectionInfo {
            base_svma: 0,
            text_svma: range(".text"),
            got_svma: range(".got"),
            eh_frame_svma: range(".eh_frame"),
            eh_frame: data(".eh_frame"),
            eh_frame_hdr_svma: range(".eh_frame_hdr"),
            eh_frame_hdr: data(".eh_frame_hdr"),
            debug_frame: data(".debug_frame"),
            ..ExplicitModuleSectionInfo::default()
        };
    }

    /// What is added to the file's addresses when its byte at `offset` is mapped at `start`.
    pub(super) fn bias(&self, start: u64, offset: u64) -> u64 {
        let is_inside = |segment: &&Segment| {
            // Whole pages are mapped, though the segment begins within one.
            let first = segment.offset & !(crate::abi::PAGE_SIZE - 1);
            (first..segment.offset + segment.len).contains(&offset)
        };
        // Of two that share a page, the one that begins in it is meant.
        let address = match self.segments.iter().rev().find(is_inside) {
            Some(segment) => segment.address.wrapping_add(offset.wrapping_sub(segment.offset)),
            None => offset,
        };
        start.wrapping_sub(address)
    }

    /// Where its functions begin and end, as the unwind tables say, in order.
    pub(super) fn functions(&self) -> Vec<(u64, u64)> {
        let (Some(data), Some(range)) = (&self.sections.eh_frame, &self.sections.eh_frame_svma) else {
            return Vec::new();
        };
        let eh_frame = EhFrame::new(data, LittleEndian);
        let text = self.sections.text_svma.as_ref().map_or(0, |text| text.start);
        let bases = BaseAddresses::default().set_eh_frame(range.start).set_text(text);
        let mut entries = eh_frame.entries(&bases);
        let mut functions = Vec::new();
        while let Ok(Some(entry)) = entries.next() {
            if let CieOrFde::Fde(entry) = entry
                && let Ok(entry) = entry.parse(EhFrame::cie_from_offset)
            {
                functions.push((entry.initial_address(), entry.end_address()));
            }
        }
        functions.sort_unstable();
        functions
    }

    /// For the unwinder.
    pub(super) fn unwind_info(&self, start: u64, end: u64, bias: u64) -> framehop::Module<Bytes> {
        framehop::Module::new(self.path.display().to_string(), start..end, bias, self.sections.clone())
    }
}
