//! The report for machines. Times are in ns, sizes in bytes.

use serde_json::{Map, Value, json};

use super::text::call_name;
use super::{Report, Shares, Snapshot};
use crate::proc::ExitStatus;
use crate::proc::counting::{CAUSES, Calls, Counts, ProcessTotals, Tally};

/// What the members mean, for `--help`.
pub const SCHEMA: &str = "\
Members of the JSON object (times in ns, sizes in bytes, null for what is not known):
  version           1
  command           [WORD]
  status            {code} or {signal}
  wall              since the start, or the last reset of the counters
  total             COUNTS
  processes         [COUNTS with pid, name, is_alive, threads: THREADS]
                    THREADS: [COUNTS with tid, name]
  dumps             [{wall, total, processes}]: snapshots
  exit_costs        {system_call, page_fault}: to leave and enter guest mode
  context_switches  {voluntary, involuntary}
  peak_memory       of the largest process
  hardware          {NAME: {count} or {error}}
  lost_threads      how many threads were not counted
  not_counted       [NAME] of calls that the guest may have answered itself
COUNTS:
  lifetime          guest + syscalls + faults + runner
  guest             in guest mode; entering: estimated part of it
  syscalls, faults  answering them
  runner            all else
  exits             {CAUSE: {count, time}}
  answered          {count, time}: calls by another thread, without exits
  calls             [{nr, name, count, errors, time, mean, p99, longest}]
  peak_memory, guest_peak_memory";

impl Report {
    /// As JSON, with a line's end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut object = self.snapshot(&self.whole);
        object.extend(members(json!({
            "version": 1,
            "command": self.command,
            "status": match self.status {
                ExitStatus::Code(code) => json!({ "code": code }),
                ExitStatus::Signal(signal) => json!({ "signal": signal }),
            },
            "dumps": self.dumps.iter().map(|dump| self.snapshot(dump)).collect::<Vec<_>>(),
            "exit_costs": self.exit_costs.map(|costs| json!({
                "system_call": nanos(costs.syscall), "page_fault": nanos(costs.page_fault),
            })),
            "context_switches": self.context_switches.map(|(voluntary, involuntary)| json!({
                "voluntary": voluntary, "involuntary": involuntary,
            })),
            "peak_memory": self.peak_memory,
            "hardware": self.hardware.iter().map(|counted| (counted.name.to_owned(), match &counted.count {
                Ok(count) => json!({ "count": count }),
                Err(error) => json!({ "error": error }),
            })).collect::<Map<_, _>>(),
            "not_counted": self.not_counted,
            "lost_threads": self.lost_threads,
        })));
        let mut bytes = Value::Object(object).to_string().into_bytes();
        bytes.push(b'\n');
        bytes
    }

    fn snapshot(&self, snapshot: &Snapshot) -> Map<String, Value> {
        members(json!({
            "wall": snapshot.wall,
            "total": self.counts(&snapshot.total()),
            "processes": snapshot.processes.iter().map(|process| self.process(process)).collect::<Vec<_>>(),
        }))
    }

    fn process(&self, process: &ProcessTotals) -> Map<String, Value> {
        let threads = process.threads.iter().map(|thread| {
            let mut object = self.counts(&thread.counts);
            object.extend(members(json!({ "tid": thread.tid, "name": String::from_utf8_lossy(&thread.name) })));
            object
        });
        let mut object = self.counts(&process.counts);
        object.extend(members(json!({
            "pid": process.pid,
            "name": String::from_utf8_lossy(&process.name),
            "is_alive": process.is_alive,
            "threads": threads.collect::<Vec<_>>(),
        })));
        object
    }

    fn counts(&self, counts: &Counts) -> Map<String, Value> {
        let shares = Shares::of(counts, self.exit_costs.as_ref());
        let tally = |tally: &Tally| json!({ "count": tally.count, "time": tally.time });
        let exits = CAUSES.iter().zip(&counts.exits).map(|(cause, exits)| ((*cause).to_owned(), tally(exits)));
        let known = |bytes| if bytes == 0 { Value::Null } else { json!(bytes) };
        members(json!({
            "lifetime": counts.lifetime,
            "guest": shares.guest,
            "entering": shares.entering,
            "syscalls": shares.syscalls,
            "faults": shares.faults,
            "runner": shares.runner,
            "exits": exits.collect::<Map<_, _>>(),
            "answered": tally(&counts.answered),
            "calls": counts.calls.iter().map(|(nr, calls)| call(*nr, calls)).collect::<Vec<_>>(),
            "peak_memory": known(counts.peak),
            "guest_peak_memory": known(counts.guest_peak),
        }))
    }
}

fn call(nr: u32, calls: &Calls) -> Value {
    let Calls { count, errors, time, longest, .. } = *calls;
    json!({
        "nr": nr, "name": call_name(nr), "count": count, "errors": errors, "time": time,
        "mean": time / count.max(1), "p99": calls.p99(), "longest": longest,
    })
}

fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
