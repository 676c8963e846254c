//! pprof's `profile.proto` (github.com/google/pprof, `proto/profile.proto`).

use std::collections::HashMap;
use std::io::{self, Write};

use prost::Message;

use super::Stacks;
use crate::profile::model::Profile as Model;

#[derive(Clone, PartialEq, Message)]
struct Profile {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(message, optional, tag = "11")]
    period_type: Option<ValueType>,
    #[prost(int64, tag = "12")]
    period: i64,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    r#type: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    str: i64,
    #[prost(int64, tag = "3")]
    num: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    #[prost(int64, tag = "6")]
    build_id: i64,
    #[prost(bool, tag = "7")]
    has_functions: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(uint64, tag = "3")]
    address: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// The unit of time.
const NANOSECONDS: &str = "nanoseconds";

/// The table of strings, whose first one is empty.
#[derive(Debug)]
struct Strings {
    numbers: HashMap<String, i64>,
    all: Vec<String>,
}

impl Strings {
    fn new() -> Self {
        Self { numbers: HashMap::from([(String::new(), 0)]), all: vec![String::new()] }
    }

    fn number(&mut self, string: &str) -> i64 {
        if let Some(number) = self.numbers.get(string) {
            return *number;
        }
        let number = signed(self.all.len() as u64);
        self.all.push(string.to_owned());
        self.numbers.insert(string.to_owned(), number);
        number
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Ids begin at 1.
fn id(index: usize) -> u64 {
    index as u64 + 1
}

pub(super) fn write(profile: &Model, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(&message(profile).encode_to_vec())
}

fn message(profile: &Model) -> Profile {
    let mut strings = Strings::new();
    let mut kind = |name: &str, unit: &str| ValueType { r#type: strings.number(name), unit: strings.number(unit) };
    let unit = if profile.event.is_time() { NANOSECONDS } else { "count" };
    let (samples, weight) = (kind("samples", "count"), kind(profile.event.name(), unit));
    let mappings: HashMap<&str, u64> =
        profile.modules.iter().enumerate().map(|(index, module)| (module.path.as_str(), id(index))).collect();
    let mapping = |(index, module): (usize, &crate::profile::model::Module)| Mapping {
        id: id(index),
        filename: strings.number(&module.path),
        build_id: strings.number(&module.build_id),
        has_functions: true,
    };
    let mapping: Vec<Mapping> = profile.modules.iter().enumerate().map(mapping).collect();
    let function = |(index, function): (usize, &crate::profile::model::Function)| {
        let name = strings.number(&function.name);
        Function { id: id(index), name, system_name: name, filename: strings.number(&function.source) }
    };
    let function: Vec<Function> = profile.functions.iter().enumerate().map(function).collect();
    let location = profile.frames.iter().enumerate().map(|(index, frame)| Location {
        id: id(index),
        mapping_id: mappings.get(profile.function(frame).module.as_str()).copied().unwrap_or(0),
        address: frame.address,
        line: vec![Line { function_id: id(frame.function), line: frame.line.into() }],
    });
    let keys = ["process", "pid", "thread", "tid"].map(|key| strings.number(key));
    let sample = profile.sums().into_iter().map(|sum| {
        let process = &profile.processes[sum.process];
        let thread = &process.threads[sum.thread];
        let mut location_id = Vec::new();
        let mut next = profile.stacks.get(sum.stack);
        while let Some(stack) = next {
            location_id.push(id(stack.frame));
            next = stack.caller.and_then(|caller| profile.stacks.get(caller));
        }
        let text = |key, string: i64| Label { key, str: string, num: 0 };
        let number = |key, number: u32| Label { key, str: 0, num: number.into() };
        let label = vec![
            text(keys[0], strings.number(&process.name)),
            number(keys[1], process.pid),
            text(keys[2], strings.number(&thread.name)),
            number(keys[3], thread.tid),
        ];
        Sample { location_id, value: vec![signed(sum.samples), signed(sum.weight)], label }
    });
    let sample: Vec<Sample> = sample.collect();
    Profile {
        sample_type: vec![samples, weight],
        sample,
        mapping,
        location: location.collect(),
        function,
        time_nanos: signed(profile.start),
        duration_nanos: signed(profile.duration),
        period_type: Some(weight),
        period: if profile.event.is_time() { signed(profile.interval) } else { 1 },
        default_sample_type: weight.r#type,
        string_table: strings.all,
    }
}

pub(super) fn read(bytes: &[u8]) -> Option<Stacks> {
    let profile = Profile::decode(bytes).ok()?;
    if profile.sample_type.len() != 2 {
        return None;
    }
    let names: HashMap<u64, &String> = profile
        .function
        .iter()
        .filter_map(|function| Some((function.id, profile.string_table.get(usize::try_from(function.name).ok()?)?)))
        .collect();
    let locations: HashMap<u64, &Vec<Line>> =
        profile.location.iter().map(|location| (location.id, &location.line)).collect();
    let stack = |sample: &Sample| {
        let mut stack = Vec::new();
        for id in sample.location_id.iter().rev() {
            for line in locations.get(id)?.iter().rev() {
                stack.push((*names.get(&line.function_id)?).clone());
            }
        }
        Some((stack, u64::try_from(*sample.value.get(1)?).ok()?))
    };
    let unit = profile.string_table.get(usize::try_from(profile.sample_type[1].unit).ok()?)?;
    Some(Stacks { is_time: unit == NANOSECONDS, all: profile.sample.iter().map(stack).collect::<Option<_>>()? })
}
