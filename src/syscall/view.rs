//! Reading what the guest is shown in place of a file of the host's ([`crate::proc::view`]), and its memory by
//! `/proc/self/mem`.

use std::sync::Arc;

use zerocopy::IntoBytes;

use super::arg::Fd;
use super::deterministic::view::without_host;
use super::host::{HostArg, args};
use super::iovec::{HostIovecs, Iovec, MAX_RW_COUNT};
use super::procfs::is_runner_descriptor;
use crate::abi::{Errno, PAGE_SIZE, PageRange, TASK_SIZE, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::view::{self, ABSENT, FileId, Shown, View};

/// A call of the family of read(2) and write(2).
#[derive(Clone, Copy, Debug)]
pub(super) struct Transfer {
    buffers: Buffers,
    is_write: bool,
    /// From where; the file's position if there is none.
    offset: Option<i64>,
}

#[derive(Clone, Copy, Debug)]
enum Buffers {
    One(Iovec),
    Array(UserPtr<Iovec>, u32),
}

impl Transfer {
    /// read(2)
    pub(super) fn read(to: UserAddr, len: u64) -> Self {
        Self { buffers: Buffers::One(Iovec { base: to.raw(), len }), is_write: false, offset: None }
    }

    /// write(2)
    pub(super) fn write(from: UserAddr, len: u64) -> Self {
        Self { is_write: true, ..Self::read(from, len) }
    }

    /// readv(2)
    pub(super) fn read_pieces(iov: UserPtr<Iovec>, count: u32) -> Self {
        Self { buffers: Buffers::Array(iov, count), is_write: false, offset: None }
    }

    /// writev(2)
    pub(super) fn write_pieces(iov: UserPtr<Iovec>, count: u32) -> Self {
        Self { is_write: true, ..Self::read_pieces(iov, count) }
    }

    /// The same from `offset` on, as pread(2) does it.
    pub(super) fn at(self, offset: i64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// The same as preadv2(2) does it: from the file's position, if `offset` is -1.
    pub(super) fn at_or_current(self, offset: i64) -> Self {
        if offset == -1 { self } else { self.at(offset) }
    }

    /// The buffers. `None` if the host is to say what is wrong with them.
    fn pieces(&self, task: &Task) -> Option<Vec<Iovec>> {
        match self.buffers {
            Buffers::One(piece) => Some(vec![piece]),
            Buffers::Array(iov, count) => match task.foreign_iovecs(iov, count.into()) {
                HostIovecs::Translated(pieces) => Some(pieces),
                HostIovecs::Unreadable | HostIovecs::Invalid => None,
            },
        }
    }
}

/// Carries `transfer` out, if `fd` is a file that is shown differently.
#[inline]
pub(super) fn transfer(task: &mut Task, fd: Fd, transfer: &Transfer) -> Option<Result<u64, Errno>> {
    if !task.process.views.is_any() {
        return None;
    }
    carry_out(task, fd, transfer)
}

#[cold]
fn carry_out(task: &mut Task, fd: Fd, transfer: &Transfer) -> Option<Result<u64, Errno>> {
    let (file, shown) = find(task, fd)?;
    let is_possible = match shown.view {
        View::Memory => true,
        // The host knows why not.
        View::Descriptors | View::Process | View::Tasks => false,
        _ => !transfer.is_write,
    };
    if !is_possible {
        return None;
    }
    let pieces = transfer.pieces(task)?;
    Some(moved(task, &OpenView { fd, file, shown }, transfer, &pieces))
}

fn find(task: &mut Task, fd: Fd) -> Option<(FileId, Shown)> {
    let stat = nix::sys::stat::fstat(fd.borrow().ok()?).ok()?;
    let file = (stat.st_dev, stat.st_ino);
    let shown = task.process.views.find(file)?;
    if matches!(shown.view, View::Stat | View::Status | View::Tasks) {
        // The threads of the process are counted there.
        task.end_exitless_of_process();
    }
    Some((file, shown))
}

/// A descriptor of a file that is shown differently.
struct OpenView {
    fd: Fd,
    file: FileId,
    shown: Shown,
}

fn moved(task: &mut Task, open: &OpenView, transfer: &Transfer, pieces: &[Iovec]) -> Result<u64, Errno> {
    let start = match transfer.offset {
        Some(offset) => offset,
        None => position(task, open.fd)?,
    };
    // No bytes at all: finds out whether the descriptor and the position allow it.
    let nr = if transfer.is_write { libc::SYS_pwrite64 } else { libc::SYS_pread64 };
    task.host(nr, args![open.fd, 0, 0, start])?;
    let mut done = 0;
    for piece in pieces {
        let buffer = UserAddr::new(piece.base);
        let len = piece.len.min(MAX_RW_COUNT - done);
        let at = start.cast_unsigned().wrapping_add(done);
        match move_piece(task, open, transfer.is_write, at, buffer, len) {
            Ok(count) => {
                done += count;
                if count < len {
                    break;
                }
            }
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    if transfer.offset.is_none() && done > 0 {
        let end = start.wrapping_add(i64::try_from(done).unwrap_or(0));
        task.host(libc::SYS_lseek, args![open.fd, end, libc::SEEK_SET])?;
    }
    Ok(done)
}

fn position(task: &Task, fd: Fd) -> Result<i64, Errno> {
    Ok(task.host(libc::SYS_lseek, args![fd, 0, libc::SEEK_CUR])?.cast_signed())
}

fn move_piece(
    task: &mut Task,
    open: &OpenView,
    is_write: bool,
    at: u64,
    buffer: UserAddr,
    len: u64,
) -> Result<u64, Errno> {
    match open.shown.view {
        _ if len == 0 => Ok(0),
        View::Memory => move_memory(task, open.fd, is_write, at, buffer, len),
        View::Pagemap => read_pagemap(task, open.fd, at, buffer, len),
        _ => read_text(task, open, at, buffer, len),
    }
}

/// A part of the text; nothing behind its end. It is made anew for each reader that begins.
fn read_text(task: &mut Task, open: &OpenView, at: u64, to: UserAddr, len: u64) -> Result<u64, Errno> {
    let fd = open.fd.raw();
    let last = if at == 0 { None } else { task.process.views.last_text(open.file, fd) };
    let text = match last {
        Some(text) => text,
        None => {
            // What has come meanwhile is pending as well.
            let _ = task.signals.held();
            let host = host_text(task, open)?;
            let text = view::text(task, open.shown, &host);
            let text: Arc<[u8]> = without_host(task, open.shown.view, text).into();
            task.process.views.keep_text(open.file, fd, Some(&text));
            text
        }
    };
    let rest = usize::try_from(at).ok().and_then(|at| text.get(at..)).unwrap_or_default();
    if rest.is_empty() {
        task.process.views.keep_text(open.file, fd, None);
        return Ok(0);
    }
    let part = &rest[..rest.len().min(usize::try_from(len).unwrap_or(usize::MAX))];
    match task.process.mm.copy_out_partly(to, part) {
        0 => Err(Errno::EFAULT),
        copied => Ok(copied as u64),
    }
}

/// All that the host says, by the guest's own descriptor.
fn host_text(task: &Task, open: &OpenView) -> Result<Vec<u8>, Errno> {
    const STEP: usize = 16 << 10;
    match open.shown.view {
        // Made of the registers alone.
        View::Syscall => return Ok(Vec::new()),
        // The host's sums do not tell the guest from its runner.
        View::SmapsRollup => {
            return Ok(task.process.limits.with_descriptors(|| std::fs::read("/proc/self/smaps"))??);
        }
        _ => {}
    }
    let mut text = Vec::new();
    loop {
        let done = text.len();
        text.resize(done + STEP, 0);
        let count = task.host(libc::SYS_pread64, args![open.fd, &mut text[done..], STEP, done])?;
        text.truncate(done + usize::try_from(count).unwrap_or(0));
        if count == 0 {
            return Ok(text);
        }
    }
}

/// Moves bytes between memory at the address `at` and `buffer`, whatever the protection is (`mem_rw` in the kernel's
/// `fs/proc/base.c`). `EIO` where nothing is mapped.
fn move_memory(task: &Task, fd: Fd, is_write: bool, at: u64, buffer: UserAddr, len: u64) -> Result<u64, Errno> {
    let nr = if is_write { libc::SYS_pwrite64 } else { libc::SYS_pread64 };
    let mut done = 0;
    while done < len {
        let from = UserAddr::new(at).wrapping_add(done);
        if is_write {
            task.process.mm.before_write_by_force(from, len - done);
        }
        let run = task.process.mm.mapped_run(from, len - done).ok_or(Errno::EIO);
        let count = run
            .and_then(|(hva, len)| task.host(nr, args![fd, HostArg::Guest(buffer.wrapping_add(done), len), len, hva]));
        match count {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// One word a page (`pagemap_read` in the kernel's `fs/proc/task_mmu.c`), 0 where nothing is mapped.
fn read_pagemap(task: &Task, fd: Fd, at: u64, to: UserAddr, len: u64) -> Result<u64, Errno> {
    const WORD: u64 = size_of::<u64>() as u64;
    const STEP: u64 = 4096;
    if !at.is_multiple_of(WORD) || !len.is_multiple_of(WORD) {
        return Err(Errno::EINVAL);
    }
    let end = (at.saturating_add(len) / WORD).min(TASK_SIZE / PAGE_SIZE);
    let mut page = at / WORD;
    while page < end {
        let count = (end - page).min(STEP);
        let words = pagemap_words(task, fd, page, count)?;
        let place = to.wrapping_add((page - at / WORD) * WORD);
        task.process.mm.copy_out(place, words.as_bytes())?;
        page += count;
    }
    Ok(page.saturating_sub(at / WORD) * WORD)
}

fn pagemap_words(task: &Task, fd: Fd, first: u64, count: u64) -> Result<Vec<u64>, Errno> {
    let mut words = vec![0; usize::try_from(count).unwrap_or(0)];
    let mm = &task.process.mm;
    let range = PageRange::new(first * PAGE_SIZE, (first + count) * PAGE_SIZE);
    for part in range.into_iter().flat_map(|range| mm.mapped_parts(range)) {
        for run in mm.arena().runs(part.start(), part.len()) {
            let skipped = run.hva - mm.hva(part.start());
            let start = usize::try_from((part.start() + skipped) / PAGE_SIZE - first).unwrap_or(0);
            let run_words = &mut words[start..start + usize::try_from(run.len / PAGE_SIZE).unwrap_or(0)];
            let bytes = run_words.as_mut_bytes();
            let len = bytes.len();
            task.host(libc::SYS_pread64, args![fd, bytes, len, run.hva / PAGE_SIZE * 8])?;
        }
    }
    Ok(words)
}

/// How a directory entry is laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct EntryLayout {
    nr: i64,
    name: usize,
}

impl EntryLayout {
    /// `struct linux_dirent`
    pub(super) const OLD: Self = Self { nr: libc::SYS_getdents, name: 18 };
    /// `struct linux_dirent64`
    pub(super) const NEW: Self = Self { nr: libc::SYS_getdents64, name: 19 };
}

/// Reads a directory, if it is one that has entries which the guest does not see.
#[inline]
pub(super) fn entries(
    task: &mut Task,
    fd: Fd,
    layout: EntryLayout,
    to: UserAddr,
    len: u32,
) -> Option<Result<u64, Errno>> {
    if !task.process.views.is_any() {
        return None;
    }
    /// The entries of a directory of /proc are few.
    const MOST: u32 = 64 << 10;
    let view = find(task, fd).map(|(_, shown)| shown.view);
    let view = view.filter(|view| matches!(view, View::Descriptors | View::Process | View::Tasks))?;
    let seen = next_entries(task, fd, layout, len.min(MOST), Some(view));
    Some(seen.and_then(|seen| {
        task.process.mm.copy_out(to, &seen)?;
        Ok(seen.len() as u64)
    }))
}

/// All that are left of a directory, as `struct linux_dirent64`, without those that the guest does not see.
pub(super) fn all_entries(task: &mut Task, fd: Fd) -> Result<Vec<u8>, Errno> {
    const STEP: u32 = 64 << 10;
    let is_any = task.process.views.is_any();
    let view = if is_any { find(task, fd).map(|(_, shown)| shown.view) } else { None };
    let mut all = Vec::new();
    loop {
        let seen = next_entries(task, fd, EntryLayout::NEW, STEP, view)?;
        if seen.is_empty() {
            return Ok(all);
        }
        all.extend(seen);
    }
}

/// Is the entry `name` not for the guest in a directory that is shown as `view`?
fn is_hidden(view: Option<View>, name: &[u8]) -> bool {
    match view {
        Some(View::Descriptors) => is_runner_descriptor(name),
        Some(View::Process) => ABSENT.iter().any(|absent| absent.as_bytes() == name),
        Some(View::Tasks) => view::worker().is_some_and(|thread| thread.to_string().as_bytes() == name),
        _ => false,
    }
}

/// The next ones that are not hidden, of which there are none at the end.
fn next_entries(task: &Task, fd: Fd, layout: EntryLayout, len: u32, view: Option<View>) -> Result<Vec<u8>, Errno> {
    let mut entries = vec![0; usize::try_from(len).unwrap_or(0)];
    loop {
        let count = task.host(layout.nr, args![fd, entries.as_mut_slice(), len])?;
        let all = &entries[..usize::try_from(count).unwrap_or(0)];
        let seen = visible(all, layout, |name| is_hidden(view, name));
        if count == 0 || !seen.is_empty() {
            return Ok(seen);
        }
    }
}

/// The entries that are not hidden.
fn visible(mut entries: &[u8], layout: EntryLayout, is_hidden: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    /// Where the length of an entry stands in it.
    const LEN: usize = 16;
    let mut seen = Vec::with_capacity(entries.len());
    while let Some(&[low, high]) = entries.get(LEN..LEN + 2) {
        let len = usize::from(u16::from_ne_bytes([low, high])).clamp(layout.name, entries.len());
        let (entry, rest) = entries.split_at(len);
        let name = entry[layout.name..].split(|&byte| byte == 0).next().unwrap_or_default();
        if !is_hidden(name) {
            seen.extend_from_slice(entry);
        }
        entries = rest;
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8]) -> Vec<u8> {
        let len = (19 + name.len() + 1).next_multiple_of(8);
        let mut entry = vec![0; len];
        entry[16..18].copy_from_slice(&u16::try_from(len).unwrap().to_ne_bytes());
        entry[19..19 + name.len()].copy_from_slice(name);
        entry
    }

    #[test]
    fn hidden_entries_are_left_out() {
        let is_absent = |name: &[u8]| is_hidden(Some(View::Process), name);
        let all = [entry(b"maps"), entry(b"numa_maps"), entry(b"mem"), entry(b"map_files")].concat();
        assert_eq!(visible(&all, EntryLayout::NEW, is_absent), [entry(b"maps"), entry(b"mem")].concat());
        assert!(visible(&entry(b"map_files"), EntryLayout::NEW, is_absent).is_empty());
        assert!(visible(b"", EntryLayout::NEW, is_absent).is_empty());
    }
}
