//! Records of the log: what the recorder must know about processes and their memory.

/// Code that was mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The memory that it was mapped in.
    pub image: u64,
    /// When (CLOCK_MONOTONIC, ns).
    pub time: u64,
    /// Where (GVA).
    pub start: u64,
    /// One behind its last byte.
    pub end: u64,
    /// Offset of its first byte in the file.
    pub offset: u64,
    /// `st_dev` of the file, 0 without one.
    pub dev: u64,
    /// `st_ino` of the file.
    pub ino: u64,
    /// Path of the file; empty for memory without one.
    pub path: Vec<u8>,
}

/// A mapping as a measurement of memory names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Area {
    /// Where it starts (GVA); where it ends if it grows down.
    pub at: u64,
    /// Offset of its first byte in its file when it was first seen.
    pub offset: u64,
    /// Does what is written reach the object behind it?
    pub is_shared: bool,
    /// As /proc/PID/maps shows it; empty for anonymous memory without a name.
    pub name: Vec<u8>,
}

/// How an area was used for a time, in pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AreaUse {
    /// Number of the area.
    pub area: u64,
    /// Where it starts at the end of that time (GVA).
    pub start: u64,
    /// Its length then, 0 if it is gone.
    pub pages: u64,
    /// What of it is in memory then.
    pub resident: u64,
    /// Pages that user code has read, written or executed.
    pub used: u64,
    /// Those that it has written.
    pub written: u64,
    /// Those that it has used for the first time.
    pub first: u64,
}

impl AreaUse {
    /// Words of one in the log.
    const LEN: usize = 7;

    fn to_words(self) -> [u64; Self::LEN] {
        [self.area, self.start, self.pages, self.resident, self.used, self.written, self.first]
    }

    fn of([area, start, pages, resident, used, written, first]: [u64; Self::LEN]) -> Self {
        Self { area, start, pages, resident, used, written, first }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The process `pid` begins to execute a program, in fresh memory of the number `image`.
    Image {
        /// Number of its memory.
        image: u64,
        /// The process.
        pid: u32,
        /// When.
        time: u64,
        /// The program.
        name: Vec<u8>,
    },
    /// The process `pid` was forked: its memory is a copy.
    Copied {
        /// Of this memory.
        from: u64,
        /// Its number.
        image: u64,
        /// The process.
        pid: u32,
        /// When.
        time: u64,
    },
    /// Code was mapped.
    Mapped(Mapping),
    /// A process has ended.
    Ended {
        /// Which.
        pid: u32,
        /// When.
        time: u64,
    },
    /// An area is called by the number `number` from now on.
    Area {
        /// In this memory.
        image: u64,
        /// Its number there.
        number: u64,
        /// What it is.
        area: Area,
    },
    /// How memory was used from `since` to `time`. Areas of which there is nothing new are not in it.
    Used {
        /// Which memory.
        image: u64,
        /// The process.
        pid: u32,
        /// CLOCK_MONOTONIC, ns.
        since: u64,
        /// Likewise.
        time: u64,
        /// Its areas.
        areas: Vec<AreaUse>,
    },
}

impl Record {
    /// As it stands in the log.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (words, tail): (Vec<u64>, &[u8]) = match self {
            Self::Image { image, pid, time, name } => (vec![0, *image, (*pid).into(), *time], name),
            Self::Copied { from, image, pid, time } => (vec![1, *from, *image, (*pid).into(), *time], &[]),
            Self::Mapped(Mapping { image, time, start, end, offset, dev, ino, path }) => {
                (vec![2, *image, *time, *start, *end, *offset, *dev, *ino], path)
            }
            Self::Ended { pid, time } => (vec![3, (*pid).into(), *time], &[]),
            Self::Area { image, number, area: Area { at, offset, is_shared, name } } => {
                (vec![4, *image, *number, *at, *offset, (*is_shared).into()], name)
            }
            Self::Used { image, pid, since, time, areas } => {
                let head = [5, *image, (*pid).into(), *since, *time];
                (head.into_iter().chain(areas.iter().flat_map(|area| area.to_words())).collect(), &[])
            }
        };
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
        bytes.extend_from_slice(tail);
        bytes
    }

    /// The record that `bytes` are, if they are one.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = words::<1>(bytes)?;
        Some(match kind {
            [0] => {
                let ([image, pid, time], name) = words(rest)?;
                Self::Image { image, pid: u32::try_from(pid).ok()?, time, name: name.to_vec() }
            }
            [1] => {
                let ([from, image, pid, time], _) = words(rest)?;
                Self::Copied { from, image, pid: u32::try_from(pid).ok()?, time }
            }
            [2] => {
                let ([image, time, start, end, offset, dev, ino], path) = words(rest)?;
                Self::Mapped(Mapping { image, time, start, end, offset, dev, ino, path: path.to_vec() })
            }
            [3] => {
                let ([pid, time], _) = words(rest)?;
                Self::Ended { pid: u32::try_from(pid).ok()?, time }
            }
            [4] => {
                let ([image, number, at, offset, is_shared], name) = words(rest)?;
                let area = Area { at, offset, is_shared: is_shared != 0, name: name.to_vec() };
                Self::Area { image, number, area }
            }
            [5] => {
                let ([image, pid, since, time], mut rest) = words(rest)?;
                let mut areas = Vec::new();
                while let Some((area, behind)) = words(rest) {
                    areas.push(AreaUse::of(area));
                    rest = behind;
                }
                Self::Used { image, pid: u32::try_from(pid).ok()?, since, time, areas }
            }
            _ => return None,
        })
    }
}

fn words<const N: usize>(mut bytes: &[u8]) -> Option<([u64; N], &[u8])> {
    let mut words = [0; N];
    for word in &mut words {
        let (head, rest) = bytes.split_first_chunk()?;
        *word = u64::from_ne_bytes(*head);
        bytes = rest;
    }
    Some((words, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mapping = Mapping { image: 1, time: 2, start: 3, end: 4, offset: 5, dev: 6, ino: 7, path: b"/a".to_vec() };
        for record in [
            Record::Image { image: 1, pid: 2, time: 3, name: b"prog".to_vec() },
            Record::Copied { from: 1, image: 2, pid: 3, time: 4 },
            Record::Mapped(mapping),
            Record::Mapped(Mapping::default()),
            Record::Ended { pid: 1, time: 2 },
            Record::Area {
                image: 1,
                number: 2,
                area: Area { at: 3, offset: 4, is_shared: true, name: b"[a]".to_vec() },
            },
            Record::Used {
                image: 1,
                pid: 2,
                since: 3,
                time: 4,
                areas: vec![AreaUse::of([1, 2, 3, 4, 5, 6, 7]), AreaUse::of([8, 9, 10, 11, 12, 13, 14])],
            },
        ] {
            let bytes = record.to_bytes();
            assert_eq!(Record::of(&bytes), Some(record));
            assert_eq!(Record::of(&bytes[..12]), None);
        }
    }
}
