//! What is measured: one line or two for each row of the table.

use std::path::Path;

use crate::run::Sample;
use crate::{floor, workload};

/// What a row measures.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) program: Program,
    /// Its arguments, parted by blanks.
    pub(crate) arguments: &'static str,
    pub(crate) figure: Figure,
    /// What a bare KVM loop takes for one exit of the kind that the row is made of, in nanoseconds.
    pub(crate) floor: Option<fn() -> Sample>,
    /// One exit and nothing else: compared with the floor, it shows what kvm-se adds.
    pub(crate) is_one_exit: bool,
    /// What kvm-se is told before the program, parted by blanks. qemu-user has none of it.
    pub(crate) options: &'static str,
    /// It starts programs, which qemu-user leaves to the host's kernel.
    pub(crate) starts_programs: bool,
    /// Makes what the program needs in the folder that it is run in.
    pub(crate) prepare: Option<fn(&Path)>,
    /// The file of that folder that is its standard input.
    pub(crate) input: Option<&'static str>,
    /// The file of that folder that is removed before each run.
    pub(crate) output: Option<&'static str>,
}

/// Where a row's program comes from.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// Built from this source below `testprogs/`.
    Static(&'static str),
    /// The same, with the dynamic loader.
    Dynamic(&'static str),
    /// One of the machine's.
    Installed(&'static str),
}

/// Where a row's figure comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Figure {
    /// The program prints it: nanoseconds an operation.
    Printed,
    /// Milliseconds from start to exit.
    WholeRun,
}

impl Row {
    const fn printed(name: &'static str, unit: &'static str, source: &'static str, arguments: &'static str) -> Self {
        Self {
            name,
            unit,
            program: Program::Static(source),
            arguments,
            figure: Figure::Printed,
            floor: None,
            is_one_exit: false,
            options: "",
            starts_programs: false,
            prepare: None,
            input: None,
            output: None,
        }
    }

    /// A row of system calls, which are compared with the cheapest way there and back.
    const fn calls(name: &'static str, unit: &'static str, source: &'static str, arguments: &'static str) -> Self {
        Self::printed(name, unit, source, arguments).floor(floor::syscall_round_trip)
    }

    const fn whole_run(name: &'static str, program: Program, arguments: &'static str) -> Self {
        Self { program, figure: Figure::WholeRun, ..Self::printed(name, "ms", "", arguments) }
    }

    const fn floor(self, floor: fn() -> Sample) -> Self {
        Self { floor: Some(floor), ..self }
    }

    const fn one_exit(self) -> Self {
        Self { is_one_exit: true, ..self }
    }

    const fn options(self, options: &'static str) -> Self {
        Self { options, ..self }
    }

    const fn starts_programs(self) -> Self {
        Self { starts_programs: true, ..self }
    }

    const fn prepare(self, prepare: fn(&Path)) -> Self {
        Self { prepare: Some(prepare), ..self }
    }

    const fn input(self, file: &'static str) -> Self {
        Self { input: Some(file), ..self }
    }

    const fn output(self, file: &'static str) -> Self {
        Self { output: Some(file), ..self }
    }
}

/// All rows. What costs an exit a round is repeated some thousand times, so that no row takes longer than a second
/// where an exit costs 35 us.
#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    // Code that does not leave the guest.
    Row::printed("integer", "ns/round", "bench/integer_loop.c", "100000000"),
    Row::printed("float", "ns/round", "bench/float_loop.c", "30000000"),
    Row::printed("AVX", "ns/round", "bench/avx_loop.c", "100000000"),
    Row::printed("pointer chase over 1 GiB", "ns/read", "bench/pointer_chase.c", "2000000"),
    Row::printed("STREAM-like copy", "ns/MiB", "bench/copy.c", "8"),

    // Small system calls.
    Row::printed("clock_gettime of libc", "ns/call", "bench/system_call.c", "libc-clock_gettime 5000000"),
    Row::calls("clock_gettime, raw", "ns/call", "bench/system_call.c", "clock_gettime 5000"),
    Row::calls("getppid", "ns/call", "bench/system_call.c", "getppid 5000").one_exit(),
    Row::calls("getpid", "ns/call", "bench/system_call.c", "getpid 20000"),
    Row::calls("gettid", "ns/call", "bench/system_call.c", "gettid 20000"),
    Row::calls("getuid", "ns/call", "bench/system_call.c", "getuid 20000"),
    Row::calls("sigprocmask", "ns/call", "bench/system_call.c", "sigprocmask 5000"),

    // What tools add.
    Row::printed("instruction, traced", "ns/instr", "bench/instructions.c", "1000")
        .options("trace --quiet --output /dev/null --roi instructions").floor(floor::step_round_trip).one_exit(),

    // Memory.
    Row::printed("page fault with an exit", "ns/fault", "bench/page_fault_exit.c", "2000")
        .floor(floor::page_fault_round_trip).one_exit(),
    Row::printed("first touch of 1 GiB", "ns/page", "bench/first_touch.c", "262144"),
    Row::calls("mmap, touch, munmap", "ns/round", "bench/mapping.c", "mmap 3000"),
    Row::calls("mprotect there and back", "ns/round", "bench/mapping.c", "mprotect 2000"),
    Row::calls("brk growth by 64 KiB", "ns/round", "bench/mapping.c", "brk 3000"),

    // Files.
    Row::calls("read of 1 byte, /dev/zero", "ns/call", "bench/transfer.c", "read /dev/zero 1 5000"),
    Row::calls("read of 1 MiB, file", "ns/call", "bench/transfer.c", "read blob 1048576 500"),
    Row::calls("write of 1 byte, /dev/null", "ns/call", "bench/transfer.c", "write /dev/null 1 5000"),
    Row::calls("write of 1 byte, file", "ns/call", "bench/transfer.c", "write blob 1 5000"),
    Row::calls("write of 1 MiB, file", "ns/call", "bench/transfer.c", "write blob 1048576 500"),
    Row::calls("pread of 4 KiB, cached file", "ns/call", "bench/transfer.c", "pread blob 4096 5000"),
    Row::calls("stat of 1,000 files", "ns/call", "bench/file.c", "stat 5000"),
    Row::calls("fstat", "ns/call", "bench/file.c", "fstat 5000"),
    Row::calls("open, close", "ns/round", "bench/file.c", "open 3000"),

    // Threads, processes, signals.
    Row::calls("pipe ping-pong, threads", "ns/round", "bench/ping_pong.c", "pipe-threads 1000"),
    Row::calls("pipe ping-pong, processes", "ns/round", "bench/ping_pong.c", "pipe-processes 1000"),
    Row::calls("futex ping-pong", "ns/round", "bench/ping_pong.c", "futex 1000"),
    Row::calls("signal round trip", "ns/round", "bench/signal.c", "5000"),
    Row::calls("thread create, join", "ns/round", "bench/start.c", "thread 1000"),
    Row::calls("fork, wait", "ns/round", "bench/start.c", "fork 50"),
    Row::calls("posix_spawn of true", "ns/round", "bench/start.c", "posix_spawn 30").starts_programs(),

    // Programs, start to exit.
    Row::whole_run("static hello", Program::Static("cpu/hello.S"), ""),
    Row::whole_run("dynamic hello", Program::Dynamic("bench/dynamic_hello.c"), ""),
    Row::whole_run("python3 -c pass", Program::Installed("python3"), "-c pass"),
    Row::whole_run("sqlite, 200,000 inserts", Program::Installed("sqlite3"), "inserts.db")
        .prepare(workload::sql_script).input("inserts.sql").output("inserts.db"),
    Row::whole_run("gcc -O2 of 200 functions", Program::Installed("gcc"), "-O2 -c -o compiled.o compiled.c")
        .prepare(workload::c_source).output("compiled.o").starts_programs(),
    Row::whole_run("git status, 5,000 files", Program::Installed("git"), "-C tree status --porcelain")
        .prepare(workload::git_tree),
    Row::whole_run("find over /usr", Program::Installed("find"), "/usr -name nothing"),
];
