//! Commands of gdb's `monitor`: one for its user, and what the front of a run that can go back asks of its runner.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd};

use super::target::Guest;
use crate::abi::UserAddr;
use crate::loader::eh_frame;
use crate::proc::replay::{Goal, Position, Progress};
use crate::proc::view;
use crate::x86::code;

/// Most bytes of a function that are looked at.
const MOST_CODE: u64 = 1 << 20;

/// What users are told of `monitor`.
pub(super) const COMMANDS: &str = "maps: show the memory map\n";

impl MonitorCmd for Guest {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), io::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        let (word, rest) = command.split_once(' ').unwrap_or((&command, ""));
        let number = || rest.trim().parse::<u64>().unwrap_or(u64::MAX);
        let answer = match word {
            // As `info proc mappings`, which asks for a file that is not the program's.
            "maps" => String::from_utf8_lossy(&view::memory_map(&self.process)).into_owned(),
            _ if self.board().is_none() => COMMANDS.to_owned(),
            "state" => self.state(),
            "call" => self.call_before(i32::try_from(number()).unwrap_or(0)),
            "digest" => self.debugger().digest_before(number()).to_string(),
            "before" => self.before(rest),
            "break" => self.change_goal(|goal| goal.breaks.extend([number()])),
            "from" => self.change_goal(|goal| goal.from = number()),
            "count" => self.change_goal(|goal| goal.counted = Some(number())),
            "watch" => self.change_goal(|goal| goal.watched.extend(pair(rest))),
            "go" => self.go(rest),
            _ => String::new(),
        };
        out.write_raw(answer.as_bytes());
        Ok(())
    }
}

fn pair(text: &str) -> Option<(u64, u64)> {
    let (first, second) = text.split_once(' ')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

fn text(position: Option<Position>) -> String {
    position.map_or_else(String::new, |position| position.to_string())
}

impl Guest {
    fn change_goal(&mut self, change: impl FnOnce(&mut Goal)) -> String {
        change(&mut self.goal);
        String::new()
    }

    fn go(&mut self, to: &str) -> String {
        let Ok(at) = to.parse() else { return "no place".to_owned() };
        let goal = Goal { at, ..std::mem::take(&mut self.goal) };
        self.debugger().send_to(goal);
        String::new()
    }

    /// Lines of a word and a value.
    fn state(&self) -> String {
        let debugger = self.debugger();
        let way = debugger.way();
        let mut lines: BTreeMap<&str, String> = BTreeMap::new();
        lines.insert("position", text(debugger.position()));
        lines.insert("thread", self.shown(debugger.owner()).to_string());
        lines.insert("events", self.board().map_or(0, |board| board.events_counted()).to_string());
        lines.insert("arrived", u8::from(way.progress == Progress::Arrived).to_string());
        lines.insert("missing", way.missing.to_string());
        lines.insert("altered", u8::from(debugger.is_altered()).to_string());
        lines.insert("processes", self.board().map_or(1, |board| board.nr_processes()).to_string());
        lines.insert("arrivals", way.last.as_ref().map_or(way.arrivals, |last| last.arrivals).to_string());
        lines.insert("arrivals-of-event", way.arrivals.to_string());
        lines
            .insert("next", way.last.as_ref().and_then(|last| last.next).map_or_else(String::new, |at| at.to_string()));
        lines.insert("last-steps", way.last.as_ref().map_or(0, |last| last.steps).to_string());
        lines.insert("last", text(way.last.map(|last| last.at)));
        if let Some(change) = way.change {
            lines.insert("change", change.from.to_string());
            lines.insert("change-end", text(change.end));
            lines.insert("change-steps", change.steps.to_string());
        }
        lines.into_iter().fold(String::new(), |mut all, (word, value)| {
            let _ = writeln!(all, "{word} {value}");
            all
        })
    }

    fn call_before(&self, shown: i32) -> String {
        text(self.debugger().call_before(self.host_tid(shown)))
    }

    /// Where control may come from to an address, where the stack pointer is as given: instructions, by address.
    fn before(&self, rest: &str) -> String {
        let Some((at, rsp)) = pair(rest) else { return String::new() };
        let mut found = self.predecessors(at, at);
        let mut word = [0; 8];
        if self.function_around(at).is_some_and(|(start, _)| start == at)
            && self.process.mm.copy_in(UserAddr::new(rsp), &mut word).is_ok()
        {
            // It was called from before the address that it returns to.
            let back = u64::from_le_bytes(word);
            found.extend(self.predecessors(back, back.wrapping_sub(1)));
        }
        found.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")
    }

    fn predecessors(&self, at: u64, inside: u64) -> Vec<u64> {
        self.function_around(inside).map_or_else(Vec::new, |(start, code)| code::predecessors(&code, start, at))
    }

    fn function_around(&self, at: u64) -> Option<(u64, Vec<u8>)> {
        let mm = &self.process.mm;
        let function = eh_frame::function_around(mm, mm.image_at(UserAddr::new(at))?, at)?;
        let mut code = vec![0; usize::try_from((function.end - function.start).min(MOST_CODE)).ok()?];
        let len = mm.original_code(function.start, &mut code);
        code.truncate(len);
        Some((function.start, code))
    }
}
