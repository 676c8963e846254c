//! The programs of a Debian system, dynamic, forking and threaded: the scripts of `tests/programs`, natively and under
//! kvm-se.
//!
//! A script is one test, called `real::NAME`. It starts with its description and then says, in comments too:
//!
//! | line | meaning |
//! |---|---|
//! | `# needs COMMAND...` | the test is skipped without them |
//! | `# seconds N` | the time limit, of each of its two runs; 60 unless said |
//! | `# only ci` | run by `.ci/run`: the test is called `real::ci::NAME`, and ignored unless asked for |
//! | `# only long` | run by `.ci/long`: the same with `long` |
//!
//! Both runs are in the same folder, empty at first, so that nothing need be forgiven: output, status and files are
//! equal to the byte. What differs from run to run, like pids and times, a script does not print and does not leave.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed, Trial};

use crate::compare::{same_behaviour, same_files};
use crate::invocation::{Finished, Invocation};
use crate::machine::{Outcome, find_program, kvm_trial, not_installed, package, time_limit};

/// The shell of the scripts, itself a guest.
const SHELL: &str = "/bin/bash";

/// A script, with what it says of itself.
#[derive(Debug)]
struct Script {
    path: PathBuf,
    needs: Vec<String>,
    seconds: u64,
    only: Option<String>,
}

/// One test a script. There are none where the package is not.
pub(crate) fn trials() -> Result<Vec<Trial>, String> {
    let folder = package().join("tests/programs");
    let Ok(entries) = fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "sh"));
    paths.sort();
    paths.iter().map(|path| Ok(Script::read(path)?.trial())).collect()
}

impl Script {
    fn read(path: &Path) -> Result<Self, String> {
        let in_file = |error: String| format!("{}: {error}", path.display());
        let text = fs::read_to_string(path).map_err(|error| in_file(error.to_string()))?;
        let mut script = Self { path: path.into(), needs: Vec::new(), seconds: 60, only: None };
        for line in text.lines().map_while(|line| line.strip_prefix("# ")) {
            match line.split_once(' ') {
                Some(("needs", commands)) => script.needs = commands.split(' ').map(str::to_owned).collect(),
                Some(("seconds", number)) => {
                    script.seconds = number.parse().map_err(|_| in_file(format!("seconds {number}?")))?;
                }
                Some(("only", step)) => script.only = Some(step.to_owned()),
                _ => {}
            }
        }
        Ok(script)
    }

    fn trial(self) -> Trial {
        let name = self.path.file_stem().unwrap_or_default().to_string_lossy();
        let group = self.only.as_ref().map_or_else(|| "real::".to_owned(), |step| format!("real::{step}::"));
        let is_ignored = self.only.is_some();
        kvm_trial(format!("{group}{name}"), move || self.compare()).with_ignored_flag(is_ignored)
    }

    fn compare(&self) -> Outcome {
        if let Some(missing) = self.needs.iter().find(|command| find_program(command).is_none()) {
            return not_installed(missing);
        }
        let native = self.run(Invocation::native(SHELL)?)?;
        let guest = self.run(Invocation::kvm_se()?.arg(SHELL).in_folder_of(&native)?)?;
        same_behaviour(&native, &guest)?;
        same_files(&native, &guest)?;
        Ok(Completion::Completed)
    }

    fn run(&self, invocation: Invocation) -> Result<Finished, Failed> {
        // Not the folders of what was installed by hand.
        let invocation = invocation.env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("TZ", "UTC");
        Ok(invocation.env("HOME", "/nonexistent").arg(&self.path).within(time_limit(self.seconds)).run()?)
    }
}
