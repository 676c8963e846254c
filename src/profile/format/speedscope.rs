//! speedscope's own format (`src/lib/file-format-spec.ts` there): a sampled profile for each thread.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::Stacks;
use crate::profile::model::{Process, Profile, Thread};

const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// The unit of time; page faults have none.
const NANOSECONDS: &str = "nanoseconds";

pub(super) fn write(profile: &Profile, to: &mut dyn Write) -> io::Result<()> {
    let frames: Vec<Value> = profile
        .frames
        .iter()
        .map(|frame| {
            let function = profile.function(frame);
            let mut value = json!({ "name": function.name });
            let file = if function.source.is_empty() { &function.module } else { &function.source };
            if !file.is_empty() {
                value["file"] = json!(file);
            }
            if frame.line > 0 {
                value["line"] = json!(frame.line);
            }
            value
        })
        .collect();
    let threads =
        profile.processes.iter().flat_map(|process| process.threads.iter().map(move |thread| (process, thread)));
    let profiles: Vec<Value> = threads
        .filter(|(_, thread)| !thread.samples.is_empty())
        .map(|(process, thread)| of_thread(profile, process, thread))
        .collect();
    let value = json!({
        "$schema": SCHEMA,
        "exporter": concat!("kvm-se ", env!("CARGO_PKG_VERSION")),
        "name": profile.command.join(" "),
        "shared": { "frames": frames },
        "profiles": profiles,
    });
    serde_json::to_writer(to, &value).map_err(io::Error::from)
}

fn of_thread(profile: &Profile, process: &Process, thread: &Thread) -> Value {
    let stack = |stack: usize| {
        let mut frames: Vec<_> = profile.frame_indices_of(stack).collect();
        frames.reverse();
        frames
    };
    let weights: Vec<u64> = thread.samples.iter().map(|sample| sample.weight).collect();
    json!({
        "type": "sampled",
        "name": format!("{} {}, {} {}", process.name, process.pid, thread.name, thread.tid),
        "unit": if profile.event.is_time() { NANOSECONDS } else { "none" },
        "startValue": 0,
        "endValue": weights.iter().sum::<u64>(),
        "samples": thread.samples.iter().map(|sample| stack(sample.stack)).collect::<Vec<_>>(),
        "weights": weights,
    })
}

pub(super) fn read(bytes: &[u8]) -> Option<Stacks> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    if value["$schema"] != SCHEMA {
        return None;
    }
    let frames = value["shared"]["frames"].as_array()?;
    let name = |index: &Value| {
        let frame = frames.get(usize::try_from(index.as_u64()?).ok()?)?;
        Some(frame["name"].as_str()?.to_owned())
    };
    let mut stacks = Stacks::default();
    for profile in value["profiles"].as_array()? {
        stacks.is_time = profile["unit"] == NANOSECONDS;
        for (sample, weight) in profile["samples"].as_array()?.iter().zip(profile["weights"].as_array()?) {
            let names = sample.as_array()?.iter().map(name).collect::<Option<Vec<_>>>()?;
            stacks.all.push((names, weight.as_u64()?));
        }
    }
    Some(stacks)
}
