//! The Firefox Profiler's "processed profile" format.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use fxprof_processed_profile::{
    CategoryColor, CategoryPairHandle, CpuDelta, Frame, FrameFlags, FrameHandle, FrameInfo, Profile as Firefox,
    SamplingInterval, StackHandle, ThreadHandle, Timestamp, WeightType,
};
use serde_json::{Value, json};

use super::{Stacks, microseconds};
use crate::profile::model::{Clock, Kind, Profile, Thread};

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    let mut value = serde_json::to_value(build(profile)).map_err(io::Error::from)?;
    add_details(&mut value, profile);
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
        for thread in &process.threads {
            let is_main = thread.tid == process.pid;
            let handle = firefox.add_thread(handle, thread.tid, time(thread.start), is_main);
            firefox.set_thread_name(handle, &thread.name);
            firefox.set_thread_end_time(handle, time(thread.end));
            firefox.set_thread_samples_weight_type(handle, WeightType::TracingMs);
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
                let frame = Frame::Label(firefox.intern_string(&function.name));
                firefox.intern_frame(handle, FrameInfo { frame, category_pair, flags: FrameFlags::empty() })
            });
            let caller = profile.stacks[stack].caller.and_then(|caller| stacks[caller]);
            stacks[stack] = Some(firefox.intern_stack(handle, caller, frame));
        }
        let cpu = match profile.clock {
            Clock::Cpu => CpuDelta::from_nanos(sample.weight),
            Clock::Wall => CpuDelta::ZERO,
        };
        let weight = i32::try_from(microseconds(sample.weight)).unwrap_or(i32::MAX);
        firefox.add_sample(handle, time(sample.time), stacks[sample.stack], cpu, weight);
    }
}

/// The library has whole numbers for weights, and no place for source files without symbol tables.
fn add_details(value: &mut Value, profile: &Profile) {
    let sources: HashMap<&str, &str> = profile
        .functions
        .iter()
        .filter(|function| !function.source.is_empty())
        .map(|function| (function.name.as_str(), function.source.as_str()))
        .collect();
    for thread in value.get_mut("threads").and_then(Value::as_array_mut).into_iter().flatten() {
        for weight in thread.pointer_mut("/samples/weight").and_then(Value::as_array_mut).into_iter().flatten() {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a sample fit")]
            let milliseconds = weight.as_i64().unwrap_or(0) as f64 / 1000.0;
            *weight = json!(milliseconds);
        }
        let _ = add_sources(thread, &sources);
    }
}

/// Adds the source files of functions to a thread's tables.
fn add_sources(thread: &mut Value, sources: &HashMap<&str, &str>) -> Option<()> {
    let mut strings = thread.get("stringArray")?.as_array()?.clone();
    let functions = thread.get_mut("funcTable")?;
    let names = functions.get("name")?.as_array()?.clone();
    let files = functions.get_mut("fileName")?.as_array_mut()?;
    let mut numbers = HashMap::new();
    for (name, file) in names.iter().zip(files) {
        let name = strings.get(usize::try_from(name.as_u64()?).ok()?)?.as_str()?;
        if let Some(source) = sources.get(name) {
            let number = *numbers.entry(*source).or_insert_with(|| {
                strings.push(json!(source));
                strings.len() - 1
            });
            *file = json!(number);
        }
    }
    thread["stringArray"] = Value::Array(strings);
    Some(())
}

pub(super) fn read(bytes: &[u8]) -> Option<Stacks> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let shared = value.pointer("/shared/stringArray").and_then(Value::as_array);
    let mut stacks = Stacks::new();
    for thread in value["threads"].as_array()? {
        let strings = shared.or_else(|| thread["stringArray"].as_array())?;
        let column = |path: &str| thread.pointer(path).and_then(Value::as_array);
        let (prefixes, frames) = (column("/stackTable/prefix")?, column("/stackTable/frame")?);
        let (functions, names) = (column("/frameTable/func")?, column("/funcTable/name")?);
        let index = |value: &Value| usize::try_from(value.as_u64()?).ok();
        let (samples, weights) = (column("/samples/stack")?, column("/samples/weight")?);
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
            let weight = (weight.as_f64()? * 1e6).round().max(0.0) as u64;
            stacks.push((stack_names, weight));
        }
    }
    Some(stacks)
}
