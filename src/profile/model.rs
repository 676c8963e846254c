//! The profile that all formats are made of.

/// What kind of code a function is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Of a program or a library.
    #[default]
    User,
    /// Made at run time.
    Jit,
    /// What the host kernel and the runner do for the program: a system call, a page fault.
    Kernel,
}

/// A function.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Function {
    /// Its name, demangled.
    pub name: String,
    /// The file that it was loaded from, empty if there is none.
    pub module: String,
    /// The source file, empty if it is not known.
    pub source: String,
    /// What it is.
    pub kind: Kind,
}

/// A place in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Frame {
    /// Index of the function.
    pub function: usize,
    /// The line in its source, 0 if it is not known.
    pub line: u32,
    /// The address in its module; GVA without one.
    pub address: u64,
}

/// A call stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stack {
    /// Index of the caller's stack.
    pub caller: Option<usize>,
    /// Index of the innermost frame.
    pub frame: usize,
}

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Since the start of the profile, in ns.
    pub time: u64,
    /// Index of the stack.
    pub stack: usize,
    /// What it stands for, as [`Event`] says: ns, or page faults.
    pub weight: u64,
}

/// A thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its id.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// Since the start of the profile, in ns.
    pub start: u64,
    /// Likewise.
    pub end: u64,
    /// In the order of their times.
    pub samples: Vec<Sample>,
}

/// A process, from one execve(2) to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// The name of its program.
    pub name: String,
    /// Since the start of the profile, in ns.
    pub start: u64,
    /// Likewise; none if it has not ended.
    pub end: Option<u64>,
    /// Its threads.
    pub threads: Vec<Thread>,
    /// Its memory, if that was measured, in the order of their times.
    pub memory: Vec<MemorySample>,
}

/// How much memory a process used up to a time, since the one before it. In bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemorySample {
    /// Since the start of the profile, in ns.
    pub time: u64,
    /// What of its mappings was in memory then.
    pub resident: u64,
    /// Pages that it read, wrote or executed.
    pub used: u64,
    /// Pages that it wrote.
    pub written: u64,
}

/// A file that code was loaded from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// Its path, as in [`Function::module`].
    pub path: String,
    /// Its build id in hexadecimal digits, empty if it has none.
    pub build_id: String,
}

/// What samples are of, and what they weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Processor time, in ns.
    Cpu,
    /// All time, in ns.
    Wall,
    /// Pages that user code used for the first time, which is a page fault each.
    Faults,
}

impl Event {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Wall => "wall",
            Self::Faults => "page-faults",
        }
    }

    /// Do samples weigh time?
    pub fn is_time(self) -> bool {
        self != Self::Faults
    }
}

/// A profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The command line of the program.
    pub command: Vec<String>,
    /// When it began, in ns since 1970.
    pub start: u64,
    /// How long it took, in ns.
    pub duration: u64,
    /// Time between two samples, in ns.
    pub interval: u64,
    /// What was measured.
    pub event: Event,
    /// All modules.
    pub modules: Vec<Module>,
    /// All functions.
    pub functions: Vec<Function>,
    /// All frames.
    pub frames: Vec<Frame>,
    /// All stacks; a caller's comes before it.
    pub stacks: Vec<Stack>,
    /// All processes.
    pub processes: Vec<Process>,
}

impl Profile {
    /// Indices of the frames of a stack, the innermost first.
    pub fn frame_indices_of(&self, stack: usize) -> impl Iterator<Item = usize> {
        let caller = |stack: &&Stack| stack.caller.and_then(|caller| self.stacks.get(caller));
        std::iter::successors(self.stacks.get(stack), move |stack| caller(stack)).map(|stack| stack.frame)
    }

    /// The frames of a stack, the innermost first.
    pub fn frames_of(&self, stack: usize) -> impl Iterator<Item = &Frame> {
        self.frame_indices_of(stack).filter_map(|frame| self.frames.get(frame))
    }

    /// The function of a frame.
    pub fn function(&self, frame: &Frame) -> &Function {
        &self.functions[frame.function]
    }

    /// All samples with their processes and threads.
    pub fn samples(&self) -> impl Iterator<Item = (&Process, &Thread, &Sample)> {
        self.processes.iter().flat_map(|process| {
            let threads = process.threads.iter();
            threads.flat_map(move |thread| thread.samples.iter().map(move |sample| (process, thread, sample)))
        })
    }

    /// What all samples stand for together.
    pub fn total(&self) -> u64 {
        self.samples().map(|(_, _, sample)| sample.weight).sum()
    }

    /// The weight of each stack that samples have, by process and thread: index of the process, index of the thread in
    /// it, stack, weight in ns, number of samples.
    pub fn sums(&self) -> Vec<Sum> {
        let mut sums = std::collections::BTreeMap::new();
        for (process, of_process) in self.processes.iter().enumerate() {
            for (thread, of_thread) in of_process.threads.iter().enumerate() {
                for sample in &of_thread.samples {
                    let sum: &mut (u64, u64) = sums.entry((process, thread, sample.stack)).or_default();
                    sum.0 += sample.weight;
                    sum.1 += 1;
                }
            }
        }
        let sum = |((process, thread, stack), (weight, samples))| Sum { process, thread, stack, weight, samples };
        sums.into_iter().map(sum).collect()
    }
}

/// The samples of one thread with the same stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Index of the process.
    pub process: usize,
    /// Index of the thread in it.
    pub thread: usize,
    /// Index of the stack.
    pub stack: usize,
    /// What they stand for.
    pub weight: u64,
    /// How many they are.
    pub samples: u64,
}
