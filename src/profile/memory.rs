//! How the processes of a run used their memory: by mapping, over time.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::model::MemorySample;
use super::samples::Process;
use crate::abi::PAGE_SIZE;
use crate::proc::sampling::{Area, AreaUse};

const KIB_OF_PAGE: u64 = PAGE_SIZE / 1024;

/// One measurement of a process. Mappings of which there is nothing new are not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Measurement {
    /// When the one before it was made (CLOCK_MONOTONIC, ns).
    pub(super) since: u64,
    /// When it was made.
    pub(super) time: u64,
    pub(super) areas: Vec<AreaUse>,
}

/// The memory of a process, from one execve(2) to the next.
#[derive(Clone, Debug, Default)]
struct ProcessMemory {
    pid: u32,
    /// The path of its program.
    name: String,
    image: u64,
    measurements: Vec<Measurement>,
    areas: HashMap<u64, Area>,
}

/// The memory of all processes.
#[derive(Debug, Default)]
pub struct Memory {
    /// By the process's index.
    processes: BTreeMap<usize, ProcessMemory>,
    /// Names of areas, by the number of the memory.
    areas: HashMap<u64, HashMap<u64, Area>>,
    /// When the profile began (CLOCK_MONOTONIC, ns).
    pub(super) start: u64,
    /// Between two measurements, in ns.
    pub(super) interval: u64,
}

/// A mapping in one interval.
#[derive(Clone, Copy, Debug)]
struct Row<'a> {
    area: &'a Area,
    pages: AreaUse,
}

impl Memory {
    pub(super) fn name(&mut self, image: u64, number: u64, area: Area) {
        self.areas.entry(image).or_default().insert(number, area);
    }

    /// Adds what was measured in the process with the index `process`, which uses the memory `image`.
    pub(super) fn add(&mut self, process: usize, image: u64, measurement: Measurement) {
        let new = || ProcessMemory { image, ..ProcessMemory::default() };
        self.processes.entry(process).or_insert_with(new).measurements.push(measurement);
    }

    /// Gives processes their names, and each the names of its areas.
    pub(super) fn finish(&mut self, processes: &[Process]) {
        for (index, memory) in &mut self.processes {
            memory.areas = self.areas.get(&memory.image).cloned().unwrap_or_default();
            if let Some(process) = processes.get(*index) {
                memory.pid = process.pid;
                memory.name = String::from_utf8_lossy(&process.name).into_owned();
            }
        }
    }

    fn processes(&self) -> impl Iterator<Item = &ProcessMemory> {
        self.processes.values()
    }

    /// How much memory the process with the index `process` used, in order.
    pub(super) fn totals(&self, process: usize) -> Vec<MemorySample> {
        self.processes.get(&process).map_or_else(Vec::new, |memory| memory.totals(self.start))
    }

    /// How much memory each process used: its id, and when the profile began (CLOCK_MONOTONIC, ns).
    pub(super) fn samples(&self) -> impl Iterator<Item = (u32, u64, MemorySample)> {
        let of_process = |memory: &ProcessMemory| (memory.pid, memory.totals(self.start));
        let all = self.processes().map(of_process);
        all.flat_map(move |(pid, samples)| samples.into_iter().map(move |sample| (pid, self.start, sample)))
    }

    /// How many measurements there are.
    pub fn nr_measurements(&self) -> usize {
        self.processes().map(|process| process.measurements.len()).sum()
    }

    /// The bytes of a file called `path`: JSON if the name says so, else a table of lines; compressed if it ends in `.gz`.
    pub fn encode(&self, command: &[String], path: &Path) -> io::Result<Vec<u8>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let mut bytes = Vec::new();
        if plain.ends_with(".json") {
            self.write_json(command, &mut bytes)?;
        } else {
            self.write_table(&mut bytes)?;
        }
        if plain.len() == name.len() {
            return Ok(bytes);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(&bytes)?;
        encoder.finish()
    }

    fn write_table(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(
            to,
            "start_ms\tend_ms\tpid\tsize_kib\tresident_kib\tused_kib\twritten_kib\tnew_kib\taddress\tmapping"
        )?;
        for process in self.processes() {
            process.each(|measurement, rows| {
                let (since, time) = (self.ms(measurement.since), self.ms(measurement.time));
                for Row { area, pages } in rows {
                    write!(to, "{since:.3}\t{time:.3}\t{}", process.pid)?;
                    for pages in [pages.pages, pages.resident, pages.used, pages.written, pages.first] {
                        write!(to, "\t{}", pages * KIB_OF_PAGE)?;
                    }
                    writeln!(to, "\t{:#x}\t{}", pages.start, area_name(area))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn write_json(&self, command: &[String], to: &mut dyn Write) -> io::Result<()> {
        let mut processes = Vec::new();
        for process in self.processes() {
            let mut intervals = Vec::new();
            process.each(|measurement, rows| {
                let mappings: Vec<Value> = rows.iter().map(row).collect();
                intervals.push(json!({
                    "start_ms": self.ms(measurement.since),
                    "end_ms": self.ms(measurement.time),
                    "mappings": mappings,
                }));
                Ok(())
            })?;
            processes.push(json!({ "pid": process.pid, "program": process.name, "intervals": intervals }));
        }
        let interval = self.ms(self.start + self.interval);
        let all = json!({
            "command": command,
            "page_size": PAGE_SIZE,
            "interval_ms": interval,
            "processes": processes,
        });
        serde_json::to_writer(&mut *to, &all).map_err(io::Error::from)?;
        writeln!(to)
    }

    /// Since the start of the profile, in ms.
    fn ms(&self, time: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "nanoseconds of 100 days fit")]
        let ns = time.saturating_sub(self.start) as f64;
        ns / 1e6
    }
}

fn row(Row { area, pages }: &Row<'_>) -> Value {
    json!({
        "name": area_name(area),
        "address": format!("{:#x}", pages.start),
        "offset": area.offset,
        "shared": area.is_shared,
        "pages": pages.pages,
        "resident": pages.resident,
        "used": pages.used,
        "written": pages.written,
        "new": pages.first,
    })
}

fn area_name(area: &Area) -> String {
    if area.name.is_empty() { "[anon]".to_owned() } else { String::from_utf8_lossy(&area.name).into_owned() }
}

impl ProcessMemory {
    /// Calls `act` with each measurement and all mappings of which there is something in memory then, or was used in it.
    fn each(&self, mut act: impl FnMut(&Measurement, &[Row<'_>]) -> io::Result<()>) -> io::Result<()> {
        let mut now = BTreeMap::<u64, AreaUse>::new();
        let nameless = Area::default();
        for measurement in &self.measurements {
            for area in now.values_mut() {
                (area.used, area.written, area.first) = (0, 0, 0);
            }
            for area in &measurement.areas {
                now.insert(area.area, *area);
            }
            let mut rows: Vec<Row<'_>> = now
                .values()
                .filter(|area| area.used > 0 || area.resident > 0)
                .map(|area| Row { area: self.areas.get(&area.area).unwrap_or(&nameless), pages: *area })
                .collect();
            rows.sort_by_key(|row| row.pages.start);
            act(measurement, &rows)?;
            now.retain(|_, area| area.pages > 0);
        }
        Ok(())
    }

    /// What each measurement found in all.
    fn totals(&self, start: u64) -> Vec<MemorySample> {
        let mut totals = Vec::new();
        // It cannot fail: nothing is written.
        let _ = self.each(|measurement, rows| {
            let sum = |pages: fn(&AreaUse) -> u64| rows.iter().map(|row| pages(&row.pages)).sum::<u64>() * PAGE_SIZE;
            totals.push(MemorySample {
                time: measurement.time.saturating_sub(start),
                resident: sum(|pages| pages.resident),
                used: sum(|pages| pages.used),
                written: sum(|pages| pages.written),
            });
            Ok(())
        });
        totals
    }
}
