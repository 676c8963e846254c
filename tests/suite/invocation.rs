//! Running one command in a fresh folder, with a time limit.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::machine::{kvm_se, time_limit};
use crate::report::text;

/// A command that is to be run.
#[derive(Debug)]
pub(crate) struct Invocation {
    command: Command,
    dir: Rc<TempDir>,
    limit: Duration,
}

/// A command that has run.
#[derive(Debug)]
pub(crate) struct Finished {
    /// As a user might type it.
    pub(crate) command: String,
    /// How it ended.
    pub(crate) ending: Ending,
    /// What it wrote to stdout.
    pub(crate) stdout: Vec<u8>,
    /// What it wrote to stderr.
    pub(crate) stderr: Vec<u8>,
    /// What it left in its folder.
    pub(crate) files: Vec<LeftFile>,
    dir: Rc<TempDir>,
}

/// A file or folder that a command left.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LeftFile {
    /// Below the folder of the command.
    path: PathBuf,
    /// File type and permission bits, as in stat(2).
    mode: u32,
    /// In bytes; a folder has none.
    len: u64,
    /// The first mebibyte of a regular file that can be read.
    content: Vec<u8>,
}

/// How a command ended. Whether the kernel would have written a core file is left aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// By exit(2).
    Code(i32),
    /// By a signal.
    Signal(i32),
    /// By us, after this long.
    TimedOut(Duration),
}

impl Invocation {
    /// `program` itself.
    pub(crate) fn native(program: impl AsRef<OsStr>) -> io::Result<Self> {
        let dir = Rc::new(tempfile::tempdir()?);
        let mut command = Command::new(program);
        command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("LC_ALL", "C");
        // Its own group, so that what it leaves behind can be ended too.
        command.current_dir(dir.path()).stdin(Stdio::null()).process_group(0);
        Ok(Self { command, dir, limit: time_limit(20) })
    }

    /// kvm-se, with arguments to come.
    pub(crate) fn kvm_se() -> io::Result<Self> {
        Ok(Self { limit: time_limit(30), ..Self::native(kvm_se())? })
    }

    /// A script for sh(1), whose `$0` is kvm-se.
    pub(crate) fn shell(script: &str) -> io::Result<Self> {
        Ok(Self { limit: time_limit(30), ..Self::native("/bin/sh")?.args(["-c", script]).arg(kvm_se()) })
    }

    /// With ten times the time.
    pub(crate) fn patient(self) -> Self {
        Self { limit: self.limit * 10, ..self }
    }

    /// With this much time.
    pub(crate) fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// In the folder of a command that has run, which is emptied: for what shows the folder's name.
    pub(crate) fn in_folder_of(mut self, before: &Finished) -> io::Result<Self> {
        for entry in fs::read_dir(before.dir.path())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }?;
        }
        self.command.current_dir(before.dir.path());
        Ok(Self { dir: Rc::clone(&before.dir), ..self })
    }

    /// One more argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// More arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads from stdin.
    pub(crate) fn stdin(mut self, content: &[u8]) -> io::Result<Self> {
        let mut file = tempfile::tempfile()?;
        file.write_all(content)?;
        file.rewind()?;
        self.command.stdin(file);
        Ok(self)
    }

    /// A file in its folder, which was changed last at the same time in each: archives keep it.
    pub(crate) fn file(self, name: &str, content: &[u8]) -> io::Result<Self> {
        let mut file = File::create(self.dir.path().join(name))?;
        file.write_all(content)?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000))?;
        Ok(self)
    }

    /// An executable file in its folder.
    pub(crate) fn executable(self, name: &str, content: &[u8]) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let path = self.dir.path().join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(self)
    }

    /// Run by the user and the group of this number, who own its folder. As a rule only root can do that.
    pub(crate) fn by_user(mut self, id: u32) -> io::Result<Self> {
        chown(self.dir.path(), Some(id), Some(id))?;
        self.command.uid(id).gid(id);
        Ok(self)
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs it to its end, or to the end of its time.
    pub(crate) fn run(mut self) -> io::Result<Finished> {
        let command = shown(&self.command);
        let mut child = self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (stdout, stderr) = (child.stdout.take().map(drain), child.stderr.take().map(drain));
        let ending = wait(&mut child, self.limit)?;
        let (stdout, stderr) = (collect(stdout), collect(stderr));
        let mut files = Vec::new();
        list(self.dir.path(), Path::new(""), &mut files)?;
        files.sort();
        Ok(Finished { command, ending, stdout, stderr, files, dir: self.dir })
    }
}

impl Finished {
    /// A file that it left in its folder.
    pub(crate) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.dir.path().join(name))
    }

    /// Where a file is that it left, however large.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// All there is to say about it.
    pub(crate) fn report(&self) -> String {
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        format!("{}--- stdout\n{stdout}--- stderr\n{stderr}---\n", self.circumstances())
    }

    /// What was run where, and how it ended.
    pub(crate) fn circumstances(&self) -> String {
        let files: Vec<String> = self.files.iter().map(LeftFile::to_string).collect();
        let folder = self.dir.path().display();
        format!("command: {}\nfolder:  {folder} with [{}]\nstatus:  {}\n", self.command, files.join(", "), self.ending)
    }
}

impl std::fmt::Display for LeftFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:o}, {})", self.path.display(), self.mode, self.len)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "{signal}"),
                Err(_) => write!(f, "signal {number}"),
            },
            Self::TimedOut(limit) => write!(f, "not ended after {limit:?}"),
        }
    }
}

impl From<ExitStatus> for Ending {
    fn from(status: ExitStatus) -> Self {
        match status.signal() {
            Some(signal) => Self::Signal(signal),
            None => Self::Code(status.code().unwrap_or(-1)),
        }
    }
}

/// Waits for `child`; ends it and its descendants when its time is over.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Ending> {
    const SHORTEST_PAUSE: Duration = Duration::from_micros(200);
    const LONGEST_PAUSE: Duration = Duration::from_millis(10);
    let started = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.into());
        }
        if started.elapsed() > limit {
            let group = i32::try_from(child.id()).map_err(io::Error::other)?;
            killpg(Pid::from_raw(group), Signal::SIGKILL)?;
            child.kill()?;
            child.wait()?;
            return Ok(Ending::TimedOut(limit));
        }
        thread::sleep(pause);
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Reads a pipe to its end in a thread of its own.
fn drain(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut content = Vec::new();
        let _ = pipe.read_to_end(&mut content);
        let _ = sender.send(content);
    });
    receiver
}

/// What was read. A descendant that lives on and holds the pipe costs the output, not the test run.
fn collect(drained: Option<Receiver<Vec<u8>>>) -> Vec<u8> {
    let content = drained.map(|receiver| receiver.recv_timeout(Duration::from_secs(30)));
    content.and_then(Result::ok).unwrap_or_else(|| b"(a descendant keeps the pipe open)\n".to_vec())
}

fn list(dir: &Path, below: &Path, files: &mut Vec<LeftFile>) -> io::Result<()> {
    const MOST_READ: u64 = 1 << 20;
    // A user without privileges can leave what he cannot read.
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let (path, meta) = (below.join(entry.file_name()), entry.metadata()?);
        let mut content = Vec::new();
        if meta.is_dir() {
            list(&entry.path(), &path, files)?;
        } else if meta.is_file()
            && let Ok(file) = File::open(entry.path())
        {
            file.take(MOST_READ).read_to_end(&mut content)?;
        }
        files.push(LeftFile { path, mode: meta.mode(), len: if meta.is_dir() { 0 } else { meta.len() }, content });
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.iter().map(|word| text(word.as_encoded_bytes())).collect::<Vec<_>>().join(" ")
}
