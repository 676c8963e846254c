//! `--timeline`: system calls, faults and signals as a Chrome trace, which ui.perfetto.dev and chrome://tracing show.
//!
//! The format is the array form of "Trace Event Format", written as events come: what was written is a whole file but for
//! its last bracket, which readers do without.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::proc::counting::{Event, Kind, Slot};
use crate::profile::memory::Memory;
use crate::profile::model::MemorySample;
use crate::syscall::table;
use crate::x86::PageFaultCode;

/// Bytes that are written at once.
const BLOCK: usize = 64 << 10;
/// What is kept back no longer than this, so that little is lost if kvm-se is killed.
const OFTEN: Duration = Duration::from_millis(200);

/// A timeline that is being written.
#[derive(Debug)]
pub(super) struct Timeline {
    to: Sink,
    /// Whole events that were not written yet.
    block: Vec<u8>,
    written_at: Instant,
    /// Is there an event?
    is_begun: bool,
    /// Time 0 (clock of the run, ns).
    start: u64,
    /// Threads that were named, by number, and how.
    names: HashMap<u64, Vec<u8>>,
    error: Option<io::Error>,
}

#[derive(Debug)]
enum Sink {
    Plain(File),
    Compressed(GzEncoder<File>),
}

impl Sink {
    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Compressed(encoder) => encoder,
        }
    }
}

/// The file of a timeline that has not begun; to drop it writes nothing.
#[derive(Debug)]
pub struct TimelineFile {
    file: File,
    is_compressed: bool,
}

impl TimelineFile {
    /// Makes the file `path` an empty one. It will be compressed if it is called `.gz`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
        Ok(Self { file: File::create(path)?, is_compressed })
    }

    /// Begins the timeline. Times are shown as those since `start`.
    pub(super) fn begin(self, start: u64) -> Timeline {
        let to = if self.is_compressed {
            Sink::Compressed(GzEncoder::new(self.file, Compression::default()))
        } else {
            Sink::Plain(self.file)
        };
        let (block, written_at, names) = (Vec::new(), Instant::now(), HashMap::new());
        Timeline { to, block, written_at, is_begun: false, start, names, error: None }
    }
}

impl Timeline {
    /// Takes all events of a thread.
    pub(super) fn take(&mut self, slot: &Slot<'_>) {
        self.name(slot);
        let events = slot.take_events();
        let mut rest = &events[..];
        while let Some((event, behind)) = Event::split(rest) {
            self.event(slot, &event);
            rest = behind;
        }
    }

    /// Says what the thread and its process are called, if that is news.
    fn name(&mut self, slot: &Slot<'_>) {
        let name = slot.name();
        if self.names.get(&slot.serial()) == Some(&name) {
            return;
        }
        let (pid, tid) = (slot.pid().as_raw(), slot.tid().as_raw());
        let args = json!({ "name": String::from_utf8_lossy(&name) });
        let mut say = |what| self.push(&json!({ "name": what, "ph": "M", "pid": pid, "tid": tid, "args": args }));
        if pid == tid {
            say("process_name");
        }
        say("thread_name");
        self.names.insert(slot.serial(), name);
    }

    /// A thread has ended.
    pub(super) fn forget(&mut self, slot: &Slot<'_>) {
        self.names.remove(&slot.serial());
    }

    fn event(&mut self, slot: &Slot<'_>, event: &Event<'_>) {
        let (name, category, args) = match event.kind {
            Kind::Syscall(nr) => {
                let (arguments, result) = event.text.split_once('\n').unwrap_or((event.text, ""));
                let name =
                    table::entry(nr.into()).map_or_else(|| format!("syscall_{nr:#x}"), |entry| entry.name.into());
                (name, "syscall", json!({ "arguments": arguments, "result": result }))
            }
            Kind::PageFault { addr, code } => {
                let code = PageFaultCode::from_bits_truncate(code);
                let (access, kind) = fault(code);
                let args = json!({ "address": format!("{addr:#x}"), "access": access, "kind": kind });
                ("page fault".to_owned(), "fault", args)
            }
            Kind::Signal => (event.text.to_owned(), "signal", json!({})),
            Kind::Mark => (event.text.to_owned(), "mark", json!({})),
        };
        let mut object = json!({
            "name": name,
            "cat": category,
            "ts": micros(event.at.saturating_sub(self.start)),
            "pid": slot.pid().as_raw(),
            "tid": slot.tid().as_raw(),
            "args": args,
        });
        let kind = match event.kind {
            Kind::Syscall(_) | Kind::PageFault { .. } => {
                object["dur"] = micros(event.time);
                "X"
            }
            Kind::Signal => {
                object["s"] = "t".into();
                "i"
            }
            Kind::Mark => {
                object["s"] = "g".into();
                "i"
            }
        };
        object["ph"] = kind.into();
        self.push(&object);
    }

    /// Adds how much memory processes used.
    pub(super) fn add_memory(&mut self, memory: &Memory) {
        for (pid, start, MemorySample { time, resident, used, written }) in memory.samples() {
            self.push(&json!({
                "name": "memory",
                "cat": "memory",
                "ph": "C",
                "ts": micros((start + time).saturating_sub(self.start)),
                "pid": pid,
                "tid": pid,
                "args": { "resident": resident, "used": used, "written": written },
            }));
        }
    }

    fn push(&mut self, event: &Value) {
        self.block.extend_from_slice(if self.is_begun { b",\n" } else { b"[\n" });
        self.is_begun = true;
        // To memory it cannot fail.
        let _ = serde_json::to_writer(&mut self.block, event);
        if self.block.len() >= BLOCK {
            self.write();
        }
    }

    /// Writes what was kept back for long enough.
    pub(super) fn write_old(&mut self) {
        if !self.block.is_empty() && self.written_at.elapsed() >= OFTEN {
            self.write();
        }
    }

    /// Writes whole events. After an error, nothing any more.
    fn write(&mut self) {
        if self.error.is_none() {
            let writer = self.to.writer();
            self.error = writer.write_all(&self.block).and_then(|()| writer.flush()).err();
        }
        self.block.clear();
        self.written_at = Instant::now();
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.block.extend_from_slice(if self.is_begun { b"\n]\n" } else { b"[]\n" });
        self.write();
        if let Some(error) = self.error {
            return Err(error);
        }
        match self.to {
            Sink::Plain(_) => Ok(()),
            Sink::Compressed(encoder) => encoder.finish().map(drop),
        }
    }
}

/// Microseconds, which the format wants, with all nanoseconds.
fn micros(nanos: u64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of 100 days fit")]
    let micros = nanos as f64 / 1e3;
    micros.into()
}

/// What kind of access it was, and why it was a fault.
fn fault(code: PageFaultCode) -> (&'static str, &'static str) {
    let access = if code.contains(PageFaultCode::FETCH) {
        "execute"
    } else if code.contains(PageFaultCode::WRITE) {
        "write"
    } else {
        "read"
    };
    (access, if code.contains(PageFaultCode::PRESENT) { "protection" } else { "not present" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        assert_eq!(micros(1_234).to_string(), "1.234");
        assert_eq!(micros(86_400_000_000_001).to_string(), "86400000000.001");
    }

    #[test]
    fn what_was_written_so_far_is_a_file_but_for_its_bracket() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.json");
        let mut timeline = TimelineFile::create(&path).unwrap().begin(0);
        timeline.push(&json!({ "name": "a\"\n" }));
        timeline.push(&json!({ "name": "b" }));
        timeline.write();
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push(']');
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        assert_eq!(events.len(), 2);
        timeline.push(&json!({ "name": "c" }));
        timeline.finish().unwrap();
        let events: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(events[2]["name"], "c");
        TimelineFile::create(&path).unwrap().begin(0).finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"[]\n");
        assert!(TimelineFile::create(Path::new("/dev/full")).unwrap().begin(0).finish().is_err());
    }
}
