//! Each format, read by what others have made to read it, or by itself alone: nothing here knows how it was written.

use std::collections::BTreeSet;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

use super::Shares;
use crate::invocation::Finished;
use crate::machine::find_program;

/// Reads one format.
#[derive(Debug)]
pub(super) struct Reader {
    /// What it is called.
    pub(super) name: &'static str,
    /// What the format is called.
    pub(super) format: &'static str,
    /// The programs that it takes.
    pub(super) tools: &'static [&'static str],
    /// Reads the file `profile` of a run.
    pub(super) read: fn(&Finished) -> Result<Shares, Failed>,
}

pub(super) const READERS: &[Reader] = &[
    Reader { name: "folded", format: "folded", tools: &[], read: folded },
    Reader { name: "flamegraph", format: "flamegraph", tools: &[], read: flamegraph },
    Reader { name: "perf_script", format: "perf-script", tools: &[], read: perf_script },
    Reader { name: "speedscope", format: "speedscope", tools: &[], read: speedscope },
    Reader { name: "speedscope_by_its_schema", format: "speedscope", tools: &["ajv", "speedscope"], read: by_schema },
    Reader { name: "firefox", format: "firefox", tools: &[], read: firefox },
    Reader { name: "firefox_by_its_profiler", format: "firefox", tools: &["profiler-cli"], read: profiler_cli },
    Reader { name: "pprof", format: "pprof", tools: &["go"], read: pprof },
    Reader { name: "callgrind", format: "callgrind", tools: &["callgrind_annotate"], read: callgrind },
];

/// Sums of stacks, whose functions count once each.
#[derive(Debug, Default)]
struct Sums {
    all: f64,
    by_function: Shares,
}

impl Sums {
    fn add<'a>(&mut self, stack: impl Iterator<Item = &'a str>, weight: f64) {
        self.all += weight;
        for name in stack.collect::<BTreeSet<_>>() {
            *self.by_function.entry(name.to_owned()).or_default() += weight;
        }
    }

    fn shares(mut self) -> Shares {
        self.by_function.values_mut().for_each(|weight| *weight *= 100.0 / self.all);
        self.by_function
    }
}

fn text(run: &Finished) -> Result<String, Failed> {
    Ok(String::from_utf8(run.read("profile")?).map_err(|error| error.to_string())?)
}

fn folded(run: &Finished) -> Result<Shares, Failed> {
    let mut sums = Sums::default();
    for line in text(run)?.lines() {
        let (stack, weight) = line.rsplit_once(' ').ok_or("no weight")?;
        sums.add(stack.split(';'), weight.parse()?);
    }
    Ok(sums.shares())
}

/// Each box says its function and its share: `<title>half (600,000 us, 50.01%)</title>`.
fn flamegraph(run: &Finished) -> Result<Shares, Failed> {
    let mut shares = Shares::new();
    let svg = text(run)?;
    for title in svg.split("<title>").skip(1).filter_map(|rest| rest.split("</title>").next()) {
        let (name, rest) = title.rsplit_once(" (").ok_or("no share")?;
        let share = rest.rsplit_once(", ").and_then(|(_, share)| share.strip_suffix("%)")).ok_or("no per cent")?;
        // The boxes of a recursion lie above each other; the lowest, and widest, is the whole.
        let share: f64 = share.parse()?;
        let known = shares.entry(name.to_owned()).or_insert(0.0);
        *known = known.max(share);
    }
    Ok(shares)
}

/// Blocks of `comm pid/tid time: period event:` and lines of `address name (module)`.
fn perf_script(run: &Finished) -> Result<Shares, Failed> {
    let mut sums = Sums::default();
    for block in text(run)?.split("\n\n").filter(|block| !block.trim().is_empty()) {
        let mut lines = block.lines();
        let header = lines.next().ok_or("empty")?;
        let period = header.split(": ").nth(1).and_then(|rest| rest.split_whitespace().next()).ok_or("no period")?;
        let name = |line: &'_ str| {
            let (_, rest) = line.trim_start().split_once(' ')?;
            Some(rest.rsplit_once(" (")?.0.to_owned())
        };
        let names = lines.map(name).collect::<Option<Vec<_>>>().ok_or("no frame")?;
        sums.add(names.iter().map(String::as_str), period.parse()?);
    }
    Ok(sums.shares())
}

/// As `src/lib/file-format-spec.ts` of speedscope says.
fn speedscope(run: &Finished) -> Result<Shares, Failed> {
    let value: Value = serde_json::from_str(&text(run)?)?;
    let array = |value: &Value| value.as_array().cloned().ok_or_else(|| Failed::from("no array"));
    if value["$schema"] != "https://www.speedscope.app/file-format-schema.json" {
        return Err("another schema".into());
    }
    let frames = array(&value["shared"]["frames"])?;
    let mut sums = Sums::default();
    for profile in array(&value["profiles"])? {
        let (samples, weights) = (array(&profile["samples"])?, array(&profile["weights"])?);
        let is_known = matches!(profile["unit"].as_str(), Some("nanoseconds" | "none"));
        if profile["type"] != "sampled" || !is_known || samples.len() != weights.len() {
            return Err("no sampled profile".into());
        }
        for (sample, weight) in samples.iter().zip(&weights) {
            let mut names = Vec::new();
            for index in array(sample)? {
                let index = usize::try_from(index.as_u64().ok_or("no index")?)?;
                names.push(frames[index]["name"].as_str().ok_or("no name")?);
            }
            sums.add(names.into_iter(), weight.as_f64().ok_or("no weight")?);
        }
    }
    Ok(sums.shares())
}

/// The same, if the schema that comes with speedscope allows it.
fn by_schema(run: &Finished) -> Result<Shares, Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("profile.json");
    std::fs::write(&file, run.read("profile")?)?;
    let program = find_program("speedscope").ok_or("no speedscope")?.canonicalize()?;
    let package = program.ancestors().nth(2).ok_or("no package")?;
    let schema = package.join("dist/release/file-format-schema.json");
    // The schema has keywords of the tool that it was made with.
    tool(Command::new("ajv").args(["validate", "--strict=false", "-s"]).arg(schema).arg("-d").arg(file))?;
    speedscope(run)
}

/// What the Firefox Profiler itself finds in it, thread by thread.
fn profiler_cli(run: &Finished) -> Result<Shares, Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("profile.json");
    std::fs::write(&file, run.read("profile")?)?;
    let ask = |args: &[&str]| tool(Command::new("profiler-cli").env("HOME", dir.path()).args(args));
    let path = file.to_str().ok_or("no path")?;
    let found = ask(&["load", path]).and_then(|_| sums_of_threads(ask));
    // It has a process of its own.
    let _ = ask(&["stop", "--all"]);
    found
}

fn sums_of_threads(ask: impl Fn(&[&str]) -> Result<String, Failed>) -> Result<Shares, Failed> {
    let mut sums = Sums::default();
    let list: Value = serde_json::from_str(&ask(&["thread", "list", "--json"])?)?;
    for thread in list["threads"].as_array().ok_or("no threads")? {
        let handle = thread["threadHandle"].as_str().ok_or("no handle")?;
        let text = ask(&["thread", "functions", "--thread", handle, "--include-idle", "--limit", "0", "--json"])?;
        let functions: Value = serde_json::from_str(&text)?;
        for function in functions["functions"].as_array().ok_or("no functions")? {
            let name = function["name"].as_str().ok_or("no name")?;
            sums.all += function["selfSamples"].as_f64().ok_or("no weight")?;
            *sums.by_function.entry(name.to_owned()).or_default() +=
                function["totalSamples"].as_f64().ok_or("no weight")?;
        }
    }
    Ok(sums.shares())
}

/// As `docs-developer/processed-profile-format.md` of the Firefox Profiler says.
fn firefox(run: &Finished) -> Result<Shares, Failed> {
    let value: Value = serde_json::from_str(&text(run)?)?;
    let mut sums = Sums::default();
    let mut names_of_threads = BTreeSet::new();
    for thread in value["threads"].as_array().ok_or("no threads")? {
        names_of_threads.insert(thread["name"].as_str().unwrap_or_default().to_owned());
        let strings = thread.get("stringArray").unwrap_or_else(|| &value["shared"]["stringArray"]);
        let at =
            |table: &str, column: &str, index: u64| thread[table][column][usize::try_from(index).unwrap_or(0)].as_u64();
        let samples = thread["samples"]["stack"].as_array().ok_or("no samples")?;
        let weights = thread["samples"]["weight"].as_array().ok_or("no weights")?;
        for (stack, weight) in samples.iter().zip(weights) {
            let mut names = Vec::new();
            let mut next = stack.as_u64();
            while let Some(stack) = next {
                let frame = at("stackTable", "frame", stack).ok_or("no frame")?;
                let function = at("frameTable", "func", frame).ok_or("no function")?;
                let name = at("funcTable", "name", function).ok_or("no name")?;
                names.push(strings[usize::try_from(name)?].as_str().ok_or("no string")?);
                next = at("stackTable", "prefix", stack);
            }
            sums.add(names.into_iter(), weight.as_f64().ok_or("no weight")?);
        }
    }
    if !names_of_threads.contains("second") {
        return Err(format!("no thread is called second: {names_of_threads:?}").into());
    }
    Ok(sums.shares())
}

fn tool(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Lines of `flat flat% sum% cum cum% name`.
fn pprof(run: &Finished) -> Result<Shares, Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("profile.pb.gz");
    std::fs::write(&file, run.read("profile")?)?;
    let mut command = Command::new("go");
    command.env("HOME", dir.path()).args(["tool", "pprof", "-top", "-cum", "-nodefraction=0", "-nodecount=1000"]);
    let mut shares = Shares::new();
    for line in tool(command.arg(&file))?.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [_, _, _, _, share, name, ..] = fields[..]
            && let Some(share) = share.strip_suffix('%').and_then(|share| share.parse().ok())
        {
            shares.insert(name.to_owned(), share);
        }
    }
    Ok(shares)
}

/// Lines of `cost (share%) file:function [object]`.
fn callgrind(run: &Finished) -> Result<Shares, Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("callgrind.out.1");
    std::fs::write(&file, run.read("profile")?)?;
    let mut command = Command::new("callgrind_annotate");
    command.args(["--inclusive=yes", "--threshold=100", "--auto=no"]).arg(&file);
    let mut shares = Shares::new();
    for line in tool(&mut command)?.lines() {
        let Some((cost, name)) = line.split_once("%)") else { continue };
        let share = cost.rsplit_once('(').and_then(|(_, share)| share.trim().parse().ok());
        let name = name.split(" [").next().and_then(|name| name.rsplit_once(':'));
        if let (Some(share), Some((_, name))) = (share, name) {
            shares.insert(name.trim().to_owned(), share);
        }
    }
    Ok(shares)
}
