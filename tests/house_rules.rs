//! Rules of this repository that neither the compiler nor clippy checks.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer (ARCHITECTURE.md): one uses its own layer or a lower one. `error` is as high as the errors it
/// wraps.
const LAYERS: [&[&str]; 7] = [
    &["abi", "x86"],
    &["vm", "sys"],
    &["mm"],
    &["loader", "signal", "error"],
    &["proc"],
    &["syscall"],
    &["runner", "profile", "reference", "lib", "main", "cli", "output", "record", "reverse", "stat", "trace", "verify"],
];

/// The files that may contain `unsafe`. Each does; a new one needs a reason that a reviewer believes.
const UNSAFE_FILES: &[&str] = &[
    "src/main.rs",
    "src/mm/arena.rs",
    "src/mm/map.rs",
    "src/mm/remap.rs",
    "src/mm/segment.rs",
    "src/mm/user.rs",
    "src/sys/call.rs",
    "src/sys/capture.rs",
    "src/sys/clone.rs",
    "src/sys/copy.rs",
    "src/sys/descriptor.rs",
    "src/sys/environ.rs",
    "src/sys/exec.rs",
    "src/sys/map.rs",
    "src/sys/perf.rs",
    "src/sys/signal.rs",
    "src/sys/thread.rs",
    "src/syscall/arg.rs",
    "src/syscall/host.rs",
    "src/vm/doctor/routines.rs",
    "src/vm/kick.rs",
    "src/vm/landing.rs",
    "src/vm/machine.rs",
    "src/vm/startup.rs",
    "src/vm/stubs.rs",
    "src/vm/vcpu.rs",
    "src/x86/tsc.rs",
    "src/x86/xstate.rs",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["common", "util", "utils", "base", "helper", "helpers", "misc", "types"];

/// What library code does without: the guest cannot make the runner panic, and stdout is the guest's.
const FORBIDDEN_WORDS: [&str; 7] = ["println!", "print!", "dbg!", ".unwrap()", ".expect(", "todo!", "unimplemented!"];

const MOST_LINES: usize = 800;

#[test]
fn modules_use_their_own_layer_or_a_lower_one() {
    let mut complaints = Vec::new();
    for file in library() {
        let module = file.module();
        let Some(own) = layer(&module) else {
            complaints.push(format!("{}: module `{module}` has no layer", file.name));
            continue;
        };
        for used in crate_paths(&file.code) {
            match layer(&used) {
                Some(other) if other > own => {
                    complaints.push(format!("{}: `{module}` (layer {own}) uses `{used}` (layer {other})", file.name))
                }
                Some(_) => {}
                None => complaints.push(format!("{}: `crate::{used}` has no layer", file.name)),
            }
        }
    }
    none(&complaints);
}

#[test]
fn unsafe_stays_in_its_files() {
    let listed: BTreeSet<String> = UNSAFE_FILES.iter().map(|&name| name.to_owned()).collect();
    let found: BTreeSet<String> = library()
        .into_iter()
        .filter(|file| words(&file.code).any(|word| word == "unsafe"))
        .map(|file| file.name)
        .collect();
    let mut complaints: Vec<String> = found.difference(&listed).map(|name| format!("{name} is not listed")).collect();
    complaints.extend(listed.difference(&found).map(|name| format!("{name} is listed and has no `unsafe`")));
    none(&complaints);
}

#[test]
fn unsafe_says_why_it_is_sound() {
    const NEAR: usize = 12;
    let mut complaints = Vec::new();
    for file in library() {
        let text: Vec<&str> = file.text.lines().collect();
        let is_unsafe = |line: &str| words(line).any(|word| word == "unsafe") && !line.contains("unsafe extern");
        for (index, line) in file.code.lines().enumerate().filter(|(_, line)| is_unsafe(line)) {
            let before = &text[index.saturating_sub(NEAR)..=index];
            if !before.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety")) {
                complaints.push(format!("{}:{}: {}", file.name, index + 1, line.trim()));
            }
        }
    }
    none(&complaints);
}

#[test]
fn library_code_neither_panics_nor_prints() {
    let mut complaints = Vec::new();
    for file in library().iter().filter(|file| !file.is_test()) {
        let code = without_tests(&file.code);
        for (index, line) in code.lines().enumerate() {
            let found = FORBIDDEN_WORDS.iter().find(|word| line.contains(*word) && !is_part_of_a_word(line, word));
            if let Some(word) = found {
                complaints.push(format!("{}:{}: {word}", file.name, index + 1));
            }
        }
    }
    none(&complaints);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = ["TO".to_owned() + "DO", "FIX".to_owned() + "ME"];
    let is_marked = |file: &Source| words(&file.text).any(|word| marks.iter().any(|mark| mark == word));
    none(&sources().into_iter().filter(is_marked).map(|file| file.name).collect::<Vec<_>>());
}

#[test]
fn files_fit_a_reader() {
    let long = |file: &Source| file.text.lines().count() > MOST_LINES;
    none(&sources().iter().filter(|file| long(file)).map(|file| file.name.clone()).collect::<Vec<_>>());
}

#[test]
fn names_say_what_is_inside() {
    let is_empty = |name: &str| {
        Path::new(name).components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            EMPTY_NAMES.contains(&part.split('.').next().unwrap_or_default())
        })
    };
    none(&sources().into_iter().map(|file| file.name).filter(|name| is_empty(name)).collect::<Vec<_>>());
}

#[test]
fn dependencies_have_reasons() {
    let manifest = read(&package().join("Cargo.toml"));
    let mut complaints = Vec::new();
    let (mut section, mut before) = ("", "");
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && line.contains(" = ") && !before.starts_with("# ") {
            complaints.push(format!("Cargo.toml: no line says why: {line}"));
        }
        before = line;
    }
    none(&complaints);
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut complaints = Vec::new();
    for file in files_below(&package()).into_iter().filter(|file| has_extension(file, &["md"])) {
        let folder = file.parent().unwrap_or(&file).to_owned();
        for target in read(&file).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !path.is_empty() && !folder.join(path).exists() {
                complaints.push(format!("{}: {target}", file.display()));
            }
        }
    }
    none(&complaints);
}

/// A source file.
#[derive(Debug)]
struct Source {
    /// Its path below the package.
    name: String,
    text: String,
    /// The text without comments, strings and characters, line for line.
    code: String,
}

impl Source {
    /// The module directly below the crate's root that it belongs to.
    fn module(&self) -> String {
        let first = self.name.trim_start_matches("src/").split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs").to_owned()
    }

    fn is_test(&self) -> bool {
        self.name.ends_with("tests.rs") || self.name.contains("/tests/")
    }
}

fn library() -> Vec<Source> {
    sources().into_iter().filter(|file| file.name.starts_with("src/")).collect()
}

fn sources() -> Vec<Source> {
    let root = package();
    let is_source = |path: &PathBuf| has_extension(path, &["rs", "c", "h", "S"]) || path.ends_with("run");
    let files = files_below(&root).into_iter().filter(is_source);
    files
        .map(|path| {
            let text = read(&path);
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            let code = if has_extension(&path, &["rs"]) { without_comments(&text) } else { text.clone() };
            Source { name, text, code }
        })
        .collect()
}

fn package() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// All files of the package, but what is built or belongs to git.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for entry in entries.unwrap_or_else(|error| panic!("{}: {error}", dir.display())) {
        let path = entry.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "target" && name != ".git" {
            files.extend(files_below(&path));
        } else if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension().is_some_and(|extension| extensions.iter().any(|one| extension == *one))
}

fn none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn layer(module: &str) -> Option<usize> {
    // Re-exported by the root.
    let module = if module == "Error" { "error" } else { module };
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The first names of all paths that start at `crate`.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => names.extend(words(rest).next().map(str::to_owned)),
            Some(group) => names.extend(names_of_group(group)),
        }
    }
    names
}

/// The first name of each path of `a::b, c::{d, e}, f}…`.
fn names_of_group(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (place, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                names.extend(words(&group[start..place]).next().map(str::to_owned));
                start = place + 1;
                if letter == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    names
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

fn is_part_of_a_word(line: &str, word: &str) -> bool {
    let before = line.find(word).and_then(|place| line[..place].chars().next_back());
    before.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '_') && !word.starts_with('.')
}

/// `code` up to its tests, which stand last in a file.
fn without_tests(code: &str) -> &str {
    code.find("#[cfg(test)]\nmod ").map_or(code, |place| &code[..place])
}

/// Rust source with comments and the insides of literals left out, and its lines kept.
fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let len = literal_or_comment_len(rest);
        if len == 0 {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            code.extend(rest[..len].chars().filter(|&letter| letter == '\n'));
            rest = &rest[len..];
        }
    }
    code
}

/// Length of the comment or literal that `rest` starts with, 0 if it starts with neither.
fn literal_or_comment_len(rest: &str) -> usize {
    let until = |start: usize, end: &str| rest[start..].find(end).map_or(rest.len(), |place| start + place + end.len());
    if rest.starts_with("//") {
        return until(2, "\n") - 1;
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    if rest.starts_with("r#\"") {
        return until(3, "\"#");
    }
    if rest.starts_with('"') {
        return quoted_len(rest, '"');
    }
    // A lifetime has no closing quote.
    let is_char = rest.starts_with("'\\") || (rest.starts_with('\'') && rest.chars().nth(2) == Some('\''));
    if is_char { quoted_len(rest, '\'') } else { 0 }
}

fn quoted_len(rest: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (place, letter) in rest.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            letter if letter == quote => return place + 1,
            _ => {}
        }
    }
    rest.len()
}

#[test]
fn reads_paths_and_leaves_out_comments() {
    let code = without_comments(
        "use crate::{a::b, c::{d, e}, f}; // crate::no\nlet s = \"crate::no\"; crate::g::h('\"', 'x');",
    );
    assert_eq!(crate_paths(&code).into_iter().collect::<Vec<_>>(), ["a", "c", "f", "g"]);
    assert_eq!(code.lines().count(), 2);
}
