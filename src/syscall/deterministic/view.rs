//! What /proc/self tells of the host beside the guest: numbers of processes and files, and what the kernel counts.

use super::on_board;
use crate::proc::Task;
use crate::proc::view::View;

/// `text` of `view` without what tells of the host, in a deterministic run.
pub(in crate::syscall) fn without_host(task: &Task, view: View, text: Vec<u8>) -> Vec<u8> {
    if task.on_board().is_none() {
        return text;
    }
    let text = String::from_utf8_lossy(&text);
    let shown = match view {
        View::Maps => lines(&text, |line| mapping(task, line)),
        View::Smaps | View::SmapsRollup => lines(&text, |line| counted_mapping(task, line)),
        View::Stat => stat(task, &text),
        View::Statm => "0 0 0 0 0 0 0\n".to_owned(),
        View::Status => lines(&text, |line| status(task, line)),
        _ => text.into_owned(),
    };
    shown.into_bytes()
}

fn lines(text: &str, mut shown: impl FnMut(&str) -> Option<String>) -> String {
    text.lines().filter_map(|line| shown(line).map(|line| line + "\n")).collect()
}

/// `start-end rights offset device inode name`: device and inode become the guest's.
fn mapping(task: &Task, line: &str) -> Option<String> {
    let mut fields = line.splitn(6, ' ');
    let (range, rights, offset) = (fields.next()?, fields.next()?, fields.next()?);
    let (device, inode) = (fields.next()?, fields.next()?);
    let name = fields.next().unwrap_or_default().trim_start();
    let number = inode.parse().unwrap_or(0);
    let (board, _) = on_board(task).ok()?;
    let (major, minor) = device.split_once(':')?;
    let [major, minor] = [major, minor].map(|part| u32::from_str_radix(part, 16).unwrap_or(0));
    let shown = if number == 0 { 0 } else { board.file_number(libc::makedev(major, minor), number) };
    let head = format!("{range} {rights} {offset} 00:00 {shown}");
    Some(if name.is_empty() { head } else { format!("{head:<72} {name}") })
}

/// Lines of /proc/self/smaps: what is in memory is the host's affair.
fn counted_mapping(task: &Task, line: &str) -> Option<String> {
    match line.split_once(':') {
        Some((name, _)) if name.chars().all(|c| c.is_ascii_alphabetic() || c == '_') => match name {
            "Size" | "KernelPageSize" | "MMUPageSize" | "VmFlags" => Some(line.to_owned()),
            _ if line.ends_with("kB") => Some(format!("{name}: {:>18} kB", 0)),
            _ => Some(line.to_owned()),
        },
        _ => mapping(task, line),
    }
}

/// proc_pid_stat(5): ids are the guest's, and the kernel's counts and times are 0.
fn stat(task: &Task, text: &str) -> String {
    /// Places behind the name: state, parent, group, session, terminal, its group.
    const IDS: [usize; 3] = [1, 2, 3];
    const COUNTS: [std::ops::Range<usize>; 3] = [4..6, 7..15, 18..20];
    const RSS: usize = 21;
    const LAST: std::ops::Range<usize> = 36..42;
    let Some((_, rest)) = text.rsplit_once(") ") else { return text.to_owned() };
    let name = text[..text.len() - rest.len()].split_once('(').map_or("", |(_, name)| name);
    let Some((board, seat)) = task.on_board() else { return text.to_owned() };
    let mut fields: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
    for place in IDS {
        if let Some(field) = fields.get_mut(place) {
            let id = field.parse().unwrap_or(0);
            *field = if place == 1 { board.guest_parent(seat) } else { board.guest_id(id) }.to_string();
        }
    }
    for place in COUNTS.into_iter().chain([RSS..RSS + 1, LAST]).flatten() {
        if let Some(field) = fields.get_mut(place) {
            *field = "0".to_owned();
        }
    }
    format!("{} ({name}{}\n", board.guest_tid(seat), fields.join(" "))
}

/// A line of /proc/self/status; `None` for one that a kernel with fewer options does not have.
fn status(task: &Task, line: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    let (board, seat) = on_board(task).ok()?;
    let shown = |value: i32| Some(format!("{name}:\t{value}"));
    match name {
        "Tgid" => shown(board.guest_pid(seat)),
        "Pid" => shown(board.guest_tid(seat)),
        "PPid" => shown(board.guest_parent(seat)),
        "TracerPid" => shown(board.guest_id(value.trim().parse().unwrap_or(0))),
        _ if name.starts_with("NS") || name.ends_with("_ctxt_switches") || name.contains("_allowed") => None,
        "SigQ" | "FDSize" => None,
        _ if name.starts_with("Vm") || name.starts_with("Rss") || name == "HugetlbPages" => None,
        _ => Some(line.to_owned()),
    }
}
