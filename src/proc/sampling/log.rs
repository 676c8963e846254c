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
        ] {
            let bytes = record.to_bytes();
            assert_eq!(Record::of(&bytes), Some(record));
            assert_eq!(Record::of(&bytes[..12]), None);
        }
    }
}
