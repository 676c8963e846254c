//! The Firefox Profiler's "processed profile" format.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use fxprof_processed_profile::{
    CategoryColor, CategoryPairHandle, CpuDelta, Frame, FrameFlags, FrameHandle, FrameInfo, ProcessHandle,
    Profile as Firefox, SamplingInterval, StackHandle, ThreadHandle, Timestamp, WeightType,
};
use serde_json::{Value, json};

use super::{Stacks, microseconds};
use crate::profile::model::{self, Event, Kind, MemorySample, Module, Process, Profile, Thread};

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    let mut value = serde_json::to_value(build(profile)).map_err(io::Error::from)?;
    add_details(&mut value, profile).ok_or(io::ErrorKind::InvalidData)?;
    serde_json::to_writer(to, &value).map_err(io::Error::from)
}

fn build(profile: &Profile) -> Firefox {
    let product = profile.command.join(" ");
    let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(profile.start);
    let mut firefox = Firefox::new(&product, start.into(), SamplingInterval::from_nanos(profile.interval.max(1)));
    firefox.set_os_name("Linux");
    firefox.set_symbolicated(true);
    let categories = Categories {
        user: firefox.add_category("User", CategoryColor::Yellow).into(),
        jit: firefox.add_category("JIT", CategoryColor::Green).into(),
        kernel: firefox.add_category("Kernel", CategoryColor::Orange).into(),
    };
    for process in profile.processes.iter().filter(|process| !process.threads.is_empty()) {
        let handle = firefox.add_process(&process.name, process.pid, time(process.start));
        if let Some(end) = process.end {
            firefox.set_process_end_time(handle, time(end));
        }
        add_memory(&mut firefox, handle, process);
        for thread in &process.threads {
            let is_main = thread.tid == process.pid;
            let handle = firefox.add_thread(handle, thread.tid, time(thread.start), is_main);
            firefox.set_thread_name(handle, &thread.name);
            firefox.set_thread_end_time(handle, time(thread.end));
            let weight = if profile.event.is_time() { WeightType::TracingMs } else { WeightType::Samples };
            firefox.set_thread_samples_weight_type(handle, weight);
            add_samples(&mut firefox, handle, profile, thread, &categories);
        }
    }
    firefox
}

/// Colours of the kinds of functions.
#[derive(Debug)]
struct Categories {
    user: CategoryPairHandle,
    jit: CategoryPairHandle,
    kernel: CategoryPairHandle,
}

fn time(ns: u64) -> Timestamp {
    Timestamp::from_nanos_since_reference(ns)
}

/// A track for each kind of memory. The format wants differences.
fn add_memory(firefox: &mut Firefox, handle: ProcessHandle, process: &Process) {
    type Amount = fn(&MemorySample) -> u64;
    let kinds: [(&str, &str, Amount); 3] = [
        ("resident", "Memory of the process", |sample| sample.resident),
        ("used", "Pages read, written or executed in an interval", |sample| sample.used),
        ("written", "Pages written in an interval", |sample| sample.written),
    ];
    for (name, description, amount) in kinds.into_iter().filter(|_| !process.memory.is_empty()) {
        let counter = firefox.add_counter(handle, name, "Memory", description);
        let mut last = 0.0;
        for sample in &process.memory {
            #[expect(clippy::cast_precision_loss, reason = "bytes of memory fit")]
            let now = amount(sample) as f64;
            firefox.add_counter_sample(counter, time(sample.time), now - last, 0);
            last = now;
        }
    }
}

fn add_samples(firefox: &mut Firefox, handle: ThreadHandle, profile: &Profile, thread: &Thread, of: &Categories) {
    let mut frames: Vec<Option<FrameHandle>> = vec![None; profile.frames.len()];
    let mut stacks: Vec<Option<StackHandle>> = vec![None; profile.stacks.len()];
    for sample in &thread.samples {
        // Callers come first in the table; those that are missing are added from the outermost on.
        let mut missing = Vec::new();
        let mut next = Some(sample.stack);
        while let Some(stack) = next.filter(|stack| stacks[*stack].is_none()) {
            missing.push(stack);
            next = profile.stacks[stack].caller;
        }
        for stack in missing.into_iter().rev() {
            let index = profile.stacks[stack].frame;
            let frame = *frames[index].get_or_insert_with(|| {
                let function = profile.function(&profile.frames[index]);
                let category_pair = match function.kind {
                    Kind::User => of.user,
                    Kind::Jit => of.jit,
                    Kind::Kernel => of.kernel,
                };
                // Each gets a row of its own, which is filled in later.
                let frame = Frame::Label(firefox.intern_string(&index.to_string()));
                firefox.intern_frame(handle, FrameInfo { frame, category_pair, flags: FrameFlags::empty() })
            });
            let caller = profile.stacks[stack].caller.and_then(|caller| stacks[caller]);
            stacks[stack] = Some(firefox.intern_stack(handle, caller, frame));
        }
        let cpu = match profile.event {
            Event::Cpu => CpuDelta::from_nanos(sample.weight),
            Event::Wall | Event::Faults => CpuDelta::ZERO,
        };
        let weight = if profile.event.is_time() { microseconds(sample.weight) } else { sample.weight };
        let weight = i32::try_from(weight).unwrap_or(i32::MAX);
        firefox.add_sample(handle, time(sample.time), stacks[sample.stack], cpu, weight);
    }
}

/// The library has whole numbers for weights, and neither source lines nor files without symbol tables.
fn add_details(value: &mut Value, profile: &Profile) -> Option<()> {
    for thread in value.get_mut("threads").and_then(Value::as_array_mut).into_iter().flatten() {
        let weights = thread.pointer_mut("/samples/weight").and_then(Value::as_array_mut);
        for weight in weights.filter(|_| profile.event.is_time()).into_iter().flatten() {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a sample fit")]
            let milliseconds = weight.as_i64().unwrap_or(0) as f64 / 1000.0;
            *weight = json!(milliseconds);
        }
        Tables::default().fill(thread, profile)?;
    }
    value["libs"] = profile.modules.iter().map(library).collect();
    Some(())
}

/// A file that code came from, as the format names it.
fn library(module: &Module) -> Value {
    let name = file_name(&module.path);
    json!({
        "name": name,
        "path": module.path,
        "debugName": name,
        "debugPath": module.path,
        "breakpadId": breakpad_id(&module.build_id),
        "codeId": if module.build_id.is_empty() { Value::Null } else { json!(module.build_id) },
        "arch": null,
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The first 16 bytes of a build id, as a GUID whose first three numbers are little-endian, and a zero.
fn breakpad_id(build_id: &str) -> String {
    let byte = |index: usize| build_id.get(2 * index..2 * index + 2).unwrap_or("00");
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.into_iter().map(byte).collect::<String>().to_uppercase() + "0"
}

/// Tables of a thread, without what nothing refers to.
#[derive(Debug, Default)]
struct Tables {
    strings: Vec<String>,
    numbers: HashMap<String, usize>,
    /// Indices of the name and of the source file among the strings, and of the resource.
    functions: Vec<(usize, Option<usize>, Option<usize>)>,
    /// Which of them a function of the profile is.
    function_rows: HashMap<usize, usize>,
    /// Index of the module, and of its name among the strings.
    resources: Vec<(usize, usize)>,
}

impl Tables {
    /// Gives the thread functions, lines and files for its frames, which are called by their numbers so far.
    fn fill(&mut self, thread: &mut Value, profile: &Profile) -> Option<()> {
        let index = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let labels = thread["stringArray"].as_array()?;
        let (of_frames, of_functions) =
            (thread["frameTable"]["func"].as_array()?, thread["funcTable"]["name"].as_array()?);
        let frame = |row: &Value| {
            let label = labels.get(index(of_functions.get(index(row)?)?)?)?;
            profile.frames.get(label.as_str()?.parse::<usize>().ok()?)
        };
        let frames = of_frames.iter().map(frame).collect::<Option<Vec<_>>>()?;
        let rows: Vec<usize> = frames.iter().map(|frame| self.function(frame.function, profile)).collect();
        let line = |line: u32| if line == 0 { Value::Null } else { json!(line) };
        let address = |frame: &model::Frame| {
            if profile.function(frame).module.is_empty() { json!(-1) } else { json!(frame.address) }
        };
        let table = &mut thread["frameTable"];
        table["func"] = json!(rows);
        table["line"] = frames.iter().map(|frame| line(frame.line)).collect();
        table["address"] = frames.iter().map(|frame| address(frame)).collect();
        thread["funcTable"] = self.function_table();
        thread["resourceTable"] = self.resource_table();
        thread["stringArray"] = json!(self.strings);
        Some(())
    }

    fn function_table(&self) -> Value {
        let none = |value: Value| vec![value; self.functions.len()];
        let resource = |(_, _, resource): &(_, _, Option<usize>)| resource.map_or(json!(-1), |row| json!(row));
        json!({
            "length": self.functions.len(),
            "name": self.functions.iter().map(|(name, ..)| *name).collect::<Vec<_>>(),
            "fileName": self.functions.iter().map(|(_, file, _)| *file).collect::<Vec<_>>(),
            "resource": self.functions.iter().map(resource).collect::<Vec<_>>(),
            "lineNumber": none(Value::Null),
            "columnNumber": none(Value::Null),
            "isJS": none(json!(false)),
            "relevantForJS": none(json!(false)),
        })
    }

    fn resource_table(&self) -> Value {
        const LIBRARY: u32 = 1;
        json!({
            "length": self.resources.len(),
            "lib": self.resources.iter().map(|(module, _)| *module).collect::<Vec<_>>(),
            "name": self.resources.iter().map(|(_, name)| *name).collect::<Vec<_>>(),
            "host": vec![Value::Null; self.resources.len()],
            "type": vec![LIBRARY; self.resources.len()],
        })
    }

    /// The row of the function with the index `function` in the profile.
    fn function(&mut self, function: usize, profile: &Profile) -> usize {
        if let Some(row) = self.function_rows.get(&function) {
            return *row;
        }
        let of = &profile.functions[function];
        let name = self.string(&of.name);
        let source = (!of.source.is_empty()).then(|| self.string(&of.source));
        let module = profile.modules.iter().position(|module| module.path == of.module);
        let resource = module.map(|module| self.resource(module, profile));
        self.functions.push((name, source, resource));
        self.function_rows.insert(function, self.functions.len() - 1);
        self.functions.len() - 1
    }

    fn resource(&mut self, module: usize, profile: &Profile) -> usize {
        if let Some(row) = self.resources.iter().position(|resource| resource.0 == module) {
            return row;
        }
        let name = self.string(file_name(&profile.modules[module].path));
        self.resources.push((module, name));
        self.resources.len() - 1
    }

    fn string(&mut self, string: &str) -> usize {
        if let Some(number) = self.numbers.get(string) {
            return *number;
        }
        self.strings.push(string.to_owned());
        self.numbers.insert(string.to_owned(), self.strings.len() - 1);
        self.strings.len() - 1
    }
}

pub(super) fn read(bytes: &[u8]) -> Option<Stacks> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let shared = value.pointer("/shared/stringArray").and_then(Value::as_array);
    let mut stacks = Stacks::default();
    for thread in value["threads"].as_array()? {
        let strings = shared.or_else(|| thread["stringArray"].as_array())?;
        let column = |path: &str| thread.pointer(path).and_then(Value::as_array);
        let (prefixes, frames) = (column("/stackTable/prefix")?, column("/stackTable/frame")?);
        let (functions, names) = (column("/frameTable/func")?, column("/funcTable/name")?);
        let index = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let (samples, weights) = (column("/samples/stack")?, column("/samples/weight")?);
        stacks.is_time = thread.pointer("/samples/weightType").is_some_and(|kind| kind == "tracing-ms");
        let unit = if stacks.is_time { 1e6 } else { 1.0 };
        for (stack, weight) in samples.iter().zip(weights) {
            let mut stack_names = Vec::new();
            let mut next = index(stack);
            while let Some(stack) = next {
                let function = index(functions.get(index(frames.get(stack)?)?)?)?;
                let name = strings.get(index(names.get(function)?)?)?;
                stack_names.push(name.as_str()?.to_owned());
                next = index(prefixes.get(stack)?).filter(|prefix| *prefix < stack);
            }
            stack_names.reverse();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds, not negative")]
            let weight = (weight.as_f64()? * unit).round().max(0.0) as u64;
            stacks.all.push((stack_names, weight));
        }
    }
    Some(stacks)
}

#[cfg(test)]
mod tests {
    use super::super::tests::profile;
    use super::*;

    #[test]
    fn frames_have_lines_and_files() {
        let mut bytes = Vec::new();
        write(&profile(), &mut bytes).unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&value["libs"][0]["path"], &value["libs"][0]["codeId"]), (&json!("/bin/prog"), &json!("ab12")));
        assert_eq!(value["libs"][0]["breakpadId"], format!("000012AB{:025}", 0));
        let thread = &value["threads"][0];
        let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
        let string = |index: &Value| thread["stringArray"][number(index)].clone();
        let functions = &thread["funcTable"];
        let rows: Vec<(Value, Value, Value, Value)> = (0..3)
            .map(|frame| {
                let table = &thread["frameTable"];
                let row = number(&table["func"][frame]);
                let name = string(&functions["name"][row]);
                (
                    name,
                    table["line"][frame].clone(),
                    table["address"][frame].clone(),
                    functions["resource"][row].clone(),
                )
            })
            .collect();
        assert_eq!(rows[0], (json!("main"), json!(10), json!(0x100a), json!(0)));
        assert_eq!(rows[2], (json!("[syscall read]"), Value::Null, json!(-1), json!(-1)));
        assert_eq!(string(&functions["fileName"][0]), "a.c");
        assert_eq!(string(&thread["resourceTable"]["name"][0]), "prog");
    }
}
