//! Events of a timeline, as they stand in a thread's ring.

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The system call of this number was answered.
    Syscall(u32),
    /// A page fault was.
    PageFault {
        /// Where (GVA).
        addr: u64,
        /// Its error code.
        code: u32,
    },
    /// A signal came.
    Signal,
    /// Somebody set a mark.
    Mark,
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// When it began (clock of the run, ns).
    pub at: u64,
    /// How long it took, in ns.
    pub time: u64,
    /// What it was.
    pub kind: Kind,
    /// Arguments and result of a call, with a line's end between them; a name.
    pub text: &'a str,
}

/// Bytes of what stands before the text: its length, when, how long, and three words for the kind.
const HEAD_LEN: usize = 48;
/// Most bytes of a text.
const MOST_TEXT: usize = 4096;

impl<'a> Event<'a> {
    /// For the ring: a multiple of eight bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let most = (0..=MOST_TEXT.min(self.text.len())).rev().find(|&at| self.text.is_char_boundary(at));
        let text = &self.text[..most.unwrap_or(0)];
        let kind = match self.kind {
            Kind::Syscall(nr) => [0, nr.into(), 0],
            Kind::PageFault { addr, code } => [1, addr, code.into()],
            Kind::Signal => [2, 0, 0],
            Kind::Mark => [3, 0, 0],
        };
        let words = [text.len() as u64, self.at, self.time].into_iter().chain(kind);
        let mut bytes: Vec<u8> = words.flat_map(u64::to_ne_bytes).collect();
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    /// The first event of `bytes`, and what follows it.
    pub fn split(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (head, rest) = bytes.split_at_checked(HEAD_LEN)?;
        let mut words = head.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_ne_bytes));
        let mut next = || words.next().unwrap_or(0);
        let (len, at, time, kind) = (usize::try_from(next()).ok()?, next(), next(), [next(), next(), next()]);
        let text = std::str::from_utf8(rest.get(..len)?).ok()?;
        let kind = match kind {
            [0, nr, _] => Kind::Syscall(u32::try_from(nr).ok()?),
            [1, addr, code] => Kind::PageFault { addr, code: u32::try_from(code).ok()? },
            [2, ..] => Kind::Signal,
            [3, ..] => Kind::Mark,
            _ => return None,
        };
        Some((Self { at, time, kind, text }, rest.get(len.next_multiple_of(8)..)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let events = [
            Event { at: 1, time: 2, kind: Kind::Syscall(257), text: "AT_FDCWD, \"a\"\n3" },
            Event { at: 3, time: 4, kind: Kind::PageFault { addr: 5, code: 6 }, text: "" },
            Event { at: 7, time: 0, kind: Kind::Signal, text: "SIGUSR1" },
            Event { at: 8, time: 0, kind: Kind::Mark, text: "exactly8" },
        ];
        let bytes: Vec<u8> = events.iter().flat_map(Event::to_bytes).collect();
        let mut rest = &bytes[..];
        for event in events {
            let (read, behind) = Event::split(rest).unwrap();
            assert_eq!(read, event);
            rest = behind;
        }
        assert_eq!(Event::split(rest), None);
        assert_eq!(Event::split(&bytes[..50]), None);
        let long = "ä".repeat(MOST_TEXT);
        let cut = Event { text: &long, ..events[3] }.to_bytes();
        assert_eq!(Event::split(&cut).map(|(event, _)| event.text.len()), Some(MOST_TEXT));
    }
}
