//! What files tell of the host: their numbers and times, the order of names in directories, and files under /proc and
//! /sys.
//!
//! A file is its contents, mode, owner, size and time of last change, as archives keep them; a file that was changed since
//! the run began shows the time when it began, as one does that the run was given to write to. Numbers of files and file systems are given out as the guest sees them.

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::IntoRawFd;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::fstat;
use zerocopy::IntoBytes;

use super::super::arg::{Arg, Fd};
use super::super::iovec::{Iovec, UIO_MAXIOV};
use super::super::{IntoSysResult, SysResult, cpuinfo, view};
use super::system::{MEMORY, NR_PROCESSORS, RELEASE, fill_random};
use super::time::from_ns;
use super::{call, on_board};
use crate::abi::{Errno, UserAddr, UserPtr};
use crate::proc::Task;
use crate::proc::determinism::Board;
use crate::proc::determinism::clock::EPOCH;

pub(super) fn answer(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    match nr {
        libc::SYS_stat | libc::SYS_lstat | libc::SYS_fstat => Some(stat(task, nr, args, args[1])),
        libc::SYS_newfstatat => Some(stat(task, nr, args, args[2])),
        libc::SYS_statx => Some(statx(task, args)),
        libc::SYS_statfs | libc::SYS_fstatfs => Some(statfs(task, nr, args)),
        libc::SYS_getdents64 => Some(entries(task, args).into_sys_result()),
        libc::SYS_getdents => {
            task.missing(format_args!("getdents in a deterministic run: there is getdents64"));
            Some(Err(Errno::ENOSYS))
        }
        libc::SYS_open => open_made(task, args[0], args[1]),
        libc::SYS_openat => open_made(task, args[1], args[2]),
        libc::SYS_read | libc::SYS_pread64 if is_random(args[0]) => {
            Some(fill_random(task, UserAddr::new(args[1]), args[2]).into_sys_result())
        }
        libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2 if is_random(args[0]) => {
            Some(fill_buffers(task, args).into_sys_result())
        }
        libc::SYS_readlink => own_link(task, args[0], args[1], args[2]),
        libc::SYS_readlinkat => own_link(task, args[1], args[2], args[3]),
        libc::SYS_utimensat | libc::SYS_utimes | libc::SYS_utime | libc::SYS_futimesat => touch(task, nr, args),
        _ => None,
    }
}

/// Is it /dev/random or /dev/urandom?
fn is_random(fd: u64) -> bool {
    const RANDOM: u64 = 8;
    const URANDOM: u64 = 9;
    let stat = Fd::decode(fd).ok().and_then(|fd| fstat(fd.borrow().ok()?).ok());
    stat.is_some_and(|stat| {
        stat.st_mode & libc::S_IFMT == libc::S_IFCHR
            && [RANDOM, URANDOM]
                .iter()
                .any(|&minor| stat.st_rdev == libc::makedev(1, u32::try_from(minor).unwrap_or(0)))
    })
}

fn fill_buffers(task: &Task, args: &[u64; 6]) -> Result<u64, Errno> {
    let [_, from, count, ..] = *args;
    if count > UIO_MAXIOV as u64 {
        return Err(Errno::EINVAL);
    }
    let count = usize::try_from(count).map_err(|_| Errno::EINVAL)?;
    let buffers: Vec<Iovec> = task.process.mm.read_array(UserPtr::new(UserAddr::new(from)), count)?;
    buffers.iter().try_fold(0, |done, buffer| match fill_random(task, UserAddr::new(buffer.base), buffer.len) {
        Err(errno) if done == 0 => Err(errno),
        filled => Ok(done + filled.unwrap_or(0)),
    })
}

/// The time of the last change, in seconds and nanoseconds, as the guest sees it: nothing is left of one within the run,
/// and of pipes, sockets, devices and the files that the run writes to, which are others or in use before it begins.
fn shown_time(board: &Board, kind: u32, file: [u64; 2], [seconds, nanoseconds]: [u64; 2]) -> [u64; 2] {
    let [device, inode] = file;
    let is_kept = matches!(kind, libc::S_IFREG | libc::S_IFDIR | libc::S_IFLNK) && !board.is_given(device, inode);
    let time = seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds);
    // Before 1970 is far above.
    let is_of_run = time > board.started() && seconds < EPOCH;
    if is_of_run || !is_kept { [EPOCH, 0] } else { [seconds, nanoseconds] }
}

fn stat(task: &mut Task, nr: i64, args: &[u64; 6], to: u64) -> SysResult {
    let result = call(task, nr, args)?;
    let to = UserPtr::<[u64; 18]>::new(UserAddr::new(to));
    let mut words = task.process.mm.read(to)?;
    hide_in_stat(task, &mut words)?;
    task.process.mm.write(to, &words)?;
    Ok(result)
}

/// `struct stat` as words: device, inode, links, mode and user, group, rdev, size, block size, blocks, and six of times.
fn hide_in_stat(task: &Task, words: &mut [u64; 18]) -> Result<(), Errno> {
    const DEVICE: usize = 0;
    const INODE: usize = 1;
    const LINKS: usize = 2;
    const MODE: usize = 3;
    const SIZE: usize = 6;
    const BLOCK_SIZE: usize = 7;
    const BLOCKS: usize = 8;
    const CHANGED: usize = 11;
    let (board, _) = on_board(task)?;
    let kind = u32::try_from(words[MODE] & u64::from(libc::S_IFMT)).unwrap_or(0);
    let file = [words[DEVICE], words[INODE]];
    words[INODE] = board.file_number(words[DEVICE], words[INODE]);
    words[DEVICE] = board.file_number(words[DEVICE], u64::MAX);
    words[LINKS] = shown_links(kind, words[LINKS]);
    (words[SIZE], words[BLOCK_SIZE], words[BLOCKS]) = shown_size(kind, words[SIZE]);
    let time = shown_time(board, kind, file, [words[CHANGED], words[CHANGED + 1]]);
    for place in [9, 11, 13] {
        words[place..place + 2].copy_from_slice(&time);
    }
    Ok(())
}

/// Those of a directory tell how many are in it, as of /proc how many processes there are; 1 says that they do not.
fn shown_links(kind: u32, links: u64) -> u64 {
    if kind == libc::S_IFDIR { 1 } else { links }
}

/// Bytes, bytes of a block, and blocks of 512 bytes: how much a directory or a part of a disk takes is the file system's.
fn shown_size(kind: u32, size: u64) -> (u64, u64, u64) {
    let size = if kind == libc::S_IFDIR { 4096 } else { size };
    (size, 4096, size.div_ceil(512))
}

/// `struct statx`, whose words are named where they are used.
fn statx(task: &mut Task, args: &[u64; 6]) -> SysResult {
    let result = call(task, libc::SYS_statx, args)?;
    let to = UserPtr::<[u32; 64]>::new(UserAddr::new(args[4]));
    let mut words = task.process.mm.read(to)?;
    let (board, _) = on_board(task)?;
    let long = |words: &[u32; 64], at: usize| u64::from(words[at + 1]) << 32 | u64::from(words[at]);
    let put = |words: &mut [u32; 64], at: usize, value: u64| {
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        (words[at], words[at + 1]) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    };
    let device = libc::makedev(words[34], words[35]);
    let file = [device, long(&words, 8)];
    let inode = board.file_number(device, file[1]);
    put(&mut words, 8, inode);
    let shown_device = board.file_number(device, u64::MAX);
    (words[34], words[35]) = (0, u32::try_from(shown_device).unwrap_or(0));
    let kind = words[7] & libc::S_IFMT;
    words[4] = u32::try_from(shown_links(kind, words[4].into())).unwrap_or(0);
    let (size, block_size, blocks) = shown_size(kind, long(&words, 10));
    words[1] = u32::try_from(block_size).unwrap_or(0);
    put(&mut words, 10, size);
    put(&mut words, 12, blocks);
    let [seconds, nanoseconds] = shown_time(board, kind, file, [long(&words, 28), words[30].into()]);
    for place in [16, 20, 24, 28] {
        put(&mut words, place, seconds);
        words[place + 2] = u32::try_from(nanoseconds).unwrap_or(0);
    }
    // Mount, and what disks want, as a kernel that does not know of them leaves it.
    words[36..].fill(0);
    words[0] &= 0xfff;
    task.process.mm.write(to, &words)?;
    Ok(result)
}

/// What is free changes with what others do: nothing is used, and the number is that of the guest's.
fn statfs(task: &mut Task, nr: i64, args: &[u64; 6]) -> SysResult {
    const BLOCKS: u64 = 1 << 24;
    let result = call(task, nr, args)?;
    let to = UserPtr::<[u64; 15]>::new(UserAddr::new(args[1]));
    let mut words = task.process.mm.read(to)?;
    (words[2], words[3], words[4], words[5], words[6]) = (BLOCKS, BLOCKS / 2, BLOCKS / 2, BLOCKS, BLOCKS / 2);
    words[7] = 0;
    task.process.mm.write(to, &words)?;
    Ok(result)
}

/// An entry as the guest gets it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: Vec<u8>,
    inode: u64,
    kind: u8,
}

/// Bytes before the name in `struct linux_dirent64`.
const ENTRY_HEAD: usize = 19;

/// Sorted by name. The position of the descriptor is the number of the next entry.
fn entries(task: &mut Task, args: &[u64; 6]) -> Result<u64, Errno> {
    let [raw_fd, to, len, ..] = *args;
    let fd = Fd::decode(raw_fd)?;
    let position = nix::unistd::lseek(fd.borrow()?, 0, nix::unistd::Whence::SeekCur)?;
    let determinism = task.process.clone();
    let mut folders = determinism.determinism.as_ref().ok_or(Errno::ENOSYS)?.folders();
    let place = usize::try_from(position).map_err(|_| Errno::EINVAL)?;
    if place == 0 || !folders.contains_key(&fd.raw()) {
        let read = read_all(task, fd)?;
        folders.insert(fd.raw(), read);
    }
    let Some(all) = folders.get(&fd.raw()) else { return Err(Errno::ENOTDIR) };
    let (mut bytes, mut next) = (Vec::new(), place);
    while let Some((name, inode, kind)) = all.get(next) {
        let record = (ENTRY_HEAD + name.len() + 1).next_multiple_of(8);
        if bytes.len() + record > usize::try_from(len).unwrap_or(usize::MAX) {
            break;
        }
        next += 1;
        let start = bytes.len();
        bytes.extend(inode.to_le_bytes());
        bytes.extend((next as u64).to_le_bytes());
        bytes.extend(u16::try_from(record).unwrap_or(0).to_le_bytes());
        bytes.push(*kind);
        bytes.extend(name);
        bytes.resize(start + record, 0);
    }
    if bytes.is_empty() && next < all.len() {
        return Err(Errno::EINVAL);
    }
    task.process.mm.copy_out(UserAddr::new(to), &bytes)?;
    let end = i64::try_from(next).unwrap_or(i64::MAX);
    nix::unistd::lseek(fd.borrow()?, end, nix::unistd::Whence::SeekSet)?;
    Ok(bytes.len() as u64)
}

/// All entries of the host, read from the start.
fn read_all(task: &mut Task, fd: Fd) -> Result<Vec<(Vec<u8>, u64, u8)>, Errno> {
    nix::unistd::lseek(fd.borrow()?, 0, nix::unistd::Whence::SeekSet)?;
    let device = fstat(fd.borrow()?)?.st_dev;
    let mut all = parse(&view::all_entries(task, fd)?);
    all.sort();
    let (board, _) = on_board(task)?;
    Ok(all.into_iter().map(|entry| (entry.name, board.file_number(device, entry.inode), entry.kind)).collect())
}

fn parse(mut bytes: &[u8]) -> Vec<Entry> {
    let mut entries = Vec::new();
    while let Some((head, _)) = bytes.split_first_chunk::<ENTRY_HEAD>() {
        let [i0, i1, i2, i3, i4, i5, i6, i7, .., l0, l1, kind] = *head;
        let len = usize::from(u16::from_le_bytes([l0, l1]));
        let Some((record, rest)) = bytes.split_at_checked(len).filter(|_| len > ENTRY_HEAD) else { break };
        let name = record[ENTRY_HEAD..].split(|&byte| byte == 0).next().unwrap_or_default().to_vec();
        entries.push(Entry { name, inode: u64::from_le_bytes([i0, i1, i2, i3, i4, i5, i6, i7]), kind });
        bytes = rest;
    }
    entries
}

/// `/proc/self` and `/proc/thread-self` lead to numbers.
fn own_link(task: &Task, path: u64, to: u64, len: u64) -> Option<SysResult> {
    let path = task.process.mm.read_string(UserAddr::new(path), 32, Errno::ENAMETOOLONG).ok()?;
    let (board, seat) = task.on_board()?;
    let (process, thread) = (board.guest_pid(seat), board.guest_tid(seat));
    let text = match path.as_slice() {
        b"/proc/self" => process.to_string(),
        b"/proc/thread-self" => format!("{process}/task/{thread}"),
        _ => return None,
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(text.len());
    if len == 0 {
        return Some(Err(Errno::EINVAL));
    }
    let copied = task.process.mm.copy_out(UserAddr::new(to), &text.as_bytes()[..len]);
    Some(copied.map(|()| len as u64).into_sys_result())
}

/// "Now" is virtual.
fn touch(task: &mut Task, nr: i64, args: &[u64; 6]) -> Option<SysResult> {
    if nr != libc::SYS_utimensat {
        task.missing(format_args!("utime and its kin in a deterministic run: there is utimensat"));
        return Some(Err(Errno::ENOSYS));
    }
    let times = UserPtr::<[u64; 4]>::new(UserAddr::new(args[2]));
    let times = if times.is_null() { Ok([0, UTIME_NOW, 0, UTIME_NOW]) } else { task.process.mm.read(times) };
    Some(times.and_then(|times| set_times(task, args, times)).into_sys_result())
}

const UTIME_NOW: u64 = libc::UTIME_NOW.cast_unsigned();

fn set_times(task: &mut Task, args: &[u64; 6], mut times: [u64; 4]) -> Result<u64, Errno> {
    use super::super::host::{HostArg, args as host_args};
    let now = from_ns(on_board(task)?.0.read(libc::CLOCK_REALTIME));
    for time in times.as_chunks_mut::<2>().0 {
        if time[1] == UTIME_NOW {
            *time = now;
        }
    }
    let dir = Fd::decode(args[0])?;
    if args[1] == 0 {
        return task.host(libc::SYS_utimensat, host_args![dir, 0u64, HostArg::In(times.as_bytes()), args[3]]);
    }
    let path = task.process.mm.read_string(UserAddr::new(args[1]), 4096, Errno::ENAMETOOLONG)?;
    let path = std::ffi::CString::new(path).map_err(|_| Errno::EINVAL)?;
    task.host(libc::SYS_utimensat, host_args![dir, path.as_c_str(), HostArg::In(times.as_bytes()), args[3]])
}

/// Files that tell of the host are made here, as the same on every one.
fn open_made(task: &mut Task, path: u64, flags: u64) -> Option<SysResult> {
    if flags & libc::O_ACCMODE as u64 != 0 {
        return None;
    }
    let path = task.process.mm.read_string(UserAddr::new(path), 256, Errno::ENAMETOOLONG).ok()?;
    let text = made(task, &path)?;
    Some(descriptor_of(text.as_bytes(), flags & libc::O_CLOEXEC as u64 != 0).into_sys_result())
}

fn made(task: &Task, path: &[u8]) -> Option<String> {
    let (board, _) = task.on_board()?;
    let [seconds, rest] = from_ns(board.tsc());
    let kib = MEMORY >> 10;
    let model = task.process.mm.machine().model();
    Some(match path {
        b"/proc/uptime" => format!("{seconds}.{:02} {seconds}.00\n", rest / 10_000_000),
        b"/proc/loadavg" => "0.00 0.00 0.00 1/1 1000\n".to_owned(),
        b"/proc/meminfo" => format!(
            "MemTotal: {kib:>15} kB\nMemFree: {:>16} kB\nMemAvailable: {:>11} kB\nBuffers: {:>16} kB\nCached: {:>17} kB\n\
             SwapTotal: {:>14} kB\nSwapFree: {:>15} kB\n",
            kib / 2,
            kib / 2,
            0,
            0,
            0,
            0
        ),
        b"/proc/stat" => {
            let line = |name: &str| format!("{name} 0 0 0 {} 0 0 0 0 0 0\n", seconds * 100);
            let processors = (0..NR_PROCESSORS).map(|number| line(&format!("cpu{number}")));
            let btime = EPOCH - crate::proc::determinism::clock::UPTIME;
            format!("{}{}intr 0\nctxt 0\nbtime {btime}\nprocesses 1\n", line("cpu "), processors.collect::<String>())
        }
        b"/proc/cpuinfo" if model.is_fixed() => (0..NR_PROCESSORS)
            .map(|number| {
                let fields = cpuinfo::fields(model).map(|(name, value)| format!("{name:<9}\t: {value}\n"));
                format!("processor\t: {number}\n{}cpu MHz\t\t: 1000.000\n\n", fields.concat())
            })
            .collect(),
        b"/proc/cpuinfo" => (0..NR_PROCESSORS)
            .map(|number| {
                format!("processor\t: {number}\nvendor_id\t: kvm-se\nmodel name\t: kvm-se\ncpu MHz\t\t: 1000.000\n\n")
            })
            .collect(),
        b"/proc/version" => format!("Linux version {RELEASE} #1 SMP\n"),
        b"/proc/sys/kernel/osrelease" => format!("{RELEASE}\n"),
        b"/proc/sys/kernel/hostname" => "kvm-se\n".to_owned(),
        b"/proc/sys/kernel/random/uuid" | b"/proc/sys/kernel/random/boot_id" => uuid(task)?,
        b"/sys/devices/system/cpu/online"
        | b"/sys/devices/system/cpu/possible"
        | b"/sys/devices/system/cpu/present" => {
            format!("0-{}\n", NR_PROCESSORS - 1)
        }
        _ => return None,
    })
}

fn uuid(task: &Task) -> Option<String> {
    let mut bytes = [0u8; 16];
    task.on_board()?.0.fill_random(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("{}-{}-4{}-a{}-{}\n", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]))
}

/// A descriptor of the guest's that these bytes are read from.
pub(in crate::syscall) fn descriptor_of(text: &[u8], is_closed_on_exec: bool) -> Result<u64, Errno> {
    let flags = if is_closed_on_exec { MFdFlags::MFD_CLOEXEC } else { MFdFlags::empty() };
    let mut file = std::fs::File::from(memfd_create(c"kvm-se", flags)?);
    file.write_all(text)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(u64::try_from(file.into_raw_fd()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_the_kernel_writes_them() {
        let mut bytes = Vec::new();
        for (inode, name) in [(7u64, "b"), (9, "a-long-name")] {
            let len = (ENTRY_HEAD + name.len() + 1).next_multiple_of(8);
            let start = bytes.len();
            bytes.extend(inode.to_le_bytes());
            bytes.extend([0; 8]);
            bytes.extend(u16::try_from(len).unwrap().to_le_bytes());
            bytes.push(8);
            bytes.extend(name.as_bytes());
            bytes.resize(start + len, 0);
        }
        let entries = parse(&bytes);
        assert_eq!(
            entries.iter().map(|entry| (entry.inode, entry.name.as_slice())).collect::<Vec<_>>(),
            [(7, b"b".as_slice()), (9, b"a-long-name")]
        );
        assert!(parse(&bytes[..20]).is_empty(), "cut off");
    }
}
