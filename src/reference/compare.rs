//! Are two runs alike, and if not, where do they part?

use std::fmt;

use xxhash_rust::xxh3::Xxh3Default;
use zerocopy::IntoBytes;

use crate::abi::Errno;
use crate::proc::ExitStatus;
use crate::proc::determinism::record::{Event, Kind, register_name};
use crate::syscall::table;

/// What a run showed and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunResult {
    /// How the program ended.
    pub status: ExitStatus,
    /// What it wrote to stdout.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub stderr: Vec<u8>,
    /// What it did.
    pub events: Vec<Event>,
}

impl RunResult {
    /// One number for all of it.
    pub fn digest(&self) -> u64 {
        let mut hash = Xxh3Default::new();
        let (kind, number) = match self.status {
            ExitStatus::Code(code) => (0, i32::from(code)),
            ExitStatus::Signal(signal) => (1, signal),
        };
        hash.update([kind, number].as_bytes());
        for bytes in [&self.stdout, &self.stderr] {
            hash.update((bytes.len() as u64).as_bytes());
            hash.update(bytes);
        }
        hash.update(self.events.as_slice().as_bytes());
        hash.digest()
    }

    /// How many events there are of `kind`.
    pub fn count(&self, kind: Kind) -> usize {
        self.events.iter().filter(|event| event.kind() == kind).count()
    }

    /// Where `other` parts from it first: in what it did, for that is what the rest follows from.
    pub fn first_difference(&self, other: &Self) -> Option<Difference> {
        if self == other {
            return None;
        }
        let pairs = self.events.iter().zip(&other.events);
        let common = pairs.take_while(|(one, another)| one == another).count();
        let at = |run: &Self| {
            run.events.get(common).map_or_else(|| "its end".to_owned(), |event| run.describe(common, event))
        };
        if common < self.events.len().max(other.events.len()) {
            return Some(Difference { one: at(self), other: at(other) });
        }
        let shown = |run: &Self, place: Option<usize>| match place {
            Some(place) => format!("byte {place} of its output is {:?}", run.stdout.get(place).copied()),
            None => format!("its end is {}, after {} bytes on stderr", status(run.status), run.stderr.len()),
        };
        let place = first_unequal(&self.stdout, &other.stdout);
        Some(Difference { one: shown(self, place), other: shown(other, place) })
    }

    fn describe(&self, place: usize, event: &Event) -> String {
        let thread = event.thread;
        match event.kind() {
            Kind::Call => {
                let name = table::entry(event.what).map_or("an unknown call", |entry| entry.name);
                let number = self.events[..place].iter().filter(|event| event.kind() == Kind::Call).count() + 1;
                let digest = event.digest;
                format!(
                    "system call {number} is {name} = {} of thread {thread} (arguments {digest:016x})",
                    result(event.value)
                )
            }
            Kind::Register => {
                let register = register_name(event.what).unwrap_or("a register");
                format!("{register} is {:#x} at the end of thread {thread}", event.value)
            }
            Kind::Page => {
                format!("the page at {:#x} holds {:016x} at the end of thread {thread}", event.what, event.value)
            }
            Kind::LeftCode => format!("code at {:#x} was left as it is", event.what),
        }
    }
}

fn first_unequal(one: &[u8], other: &[u8]) -> Option<usize> {
    let common = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    (common < one.len().max(other.len())).then_some(common)
}

fn status(status: ExitStatus) -> String {
    match status {
        ExitStatus::Code(code) => format!("status {code}"),
        ExitStatus::Signal(signal) => format!("signal {signal}"),
    }
}

fn result(value: u64) -> String {
    match Errno::check(value) {
        Ok(value) => format!("{value:#x}"),
        Err(errno) => errno.to_string(),
    }
}

/// Where two runs part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    one: String,
    other: String,
}

impl Difference {
    /// In words, of the runs of these numbers.
    pub fn of_runs(&self, one: usize, other: usize) -> impl fmt::Display {
        format!("in run {one} {}, in run {other} {}", self.one, self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proc::determinism::Board;

    fn run(results: &[u64]) -> RunResult {
        let board = Board::new(0).unwrap();
        for result in results {
            board.record_call(1000, 39, (&[0; 6], 0x1000), *result);
        }
        RunResult {
            status: ExitStatus::Code(0),
            stdout: b"out".to_vec(),
            stderr: Vec::new(),
            events: board.recorded().unwrap(),
        }
    }

    #[test]
    fn the_first_call_that_differs_is_named() {
        let (one, other) = (run(&[1, 2, 3]), run(&[1, u64::MAX - 10, 3]));
        assert_eq!(one.first_difference(&run(&[1, 2, 3])), None);
        assert_eq!(one.digest(), run(&[1, 2, 3]).digest());
        assert_ne!(one.digest(), other.digest());
        let text = one.first_difference(&other).unwrap().of_runs(1, 4).to_string();
        assert!(text.starts_with("in run 1 system call 2 is getpid = 0x2 of thread 1000"), "{text}");
        assert!(text.contains("in run 4 system call 2 is getpid = EAGAIN"), "{text}");
        let text = one.first_difference(&run(&[1, 2])).unwrap().of_runs(1, 2).to_string();
        assert!(text.ends_with("in run 2 its end"), "{text}");
    }

    #[test]
    fn output_alone_can_differ() {
        let mut other = run(&[1]);
        other.stdout = b"oup".to_vec();
        assert_eq!(run(&[1]).first_difference(&other).unwrap().one, "byte 2 of its output is Some(116)");
        other = RunResult { status: ExitStatus::Signal(6), ..run(&[1]) };
        assert_eq!(run(&[1]).first_difference(&other).unwrap().other, "its end is signal 6, after 0 bytes on stderr");
    }
}
