//! Static programs of Debian, and of other libraries and languages than the test programs'.

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed, Trial};

use crate::compare::{same_behaviour, same_files};
use crate::invocation::{Finished, Invocation};
use crate::machine::{Outcome, find_program, kvm_trial, not_installed};
use crate::program::Program;

/// Text for applets to work on.
const POEM: &str = "\
The quick brown fox jumps over the lazy dog
pack my box with five dozen liquor jugs
\tsphinx of black quartz, judge my vow

The quick brown fox jumps over the lazy dog
how vexingly quick daft zebras jump 1024 7 33
";

/// Applets of busybox: name of the test, arguments. Each gets [`POEM`] on stdin and in the file `poem`.
const APPLETS: &[(&str, &[&str])] = &[
    ("awk", &["awk", "{ n += NF; w[$1]++ } END { print NR, n, w[\"The\"]; printf \"%.3f %s\\n\", 22/7, toupper($1) }"]),
    ("base64", &["base64", "poem"]),
    ("basename", &["basename", "/usr/lib/library.so.1", ".so.1"]),
    ("cat", &["cat", "-n", "poem", "-"]),
    ("chmod", &["chmod", "-v", "640", "poem"]),
    ("cksum", &["cksum", "poem"]),
    ("cmp", &["cmp", "poem", "/dev/null"]),
    ("comm", &["comm", "poem", "poem"]),
    ("cp", &["cp", "-p", "poem", "copy"]),
    ("cut", &["cut", "-d ", "-f2-3", "poem"]),
    ("date", &["date", "-u", "-d", "@1000000000", "+%F %T %j"]),
    ("dc", &["dc", "-e", "20 k 2 v p"]),
    ("dd", &["dd", "if=poem", "of=copy", "bs=7", "skip=1", "count=3", "status=none"]),
    ("diff", &["diff", "-u", "poem", "/dev/null"]),
    ("dirname", &["dirname", "/usr/lib/library.so.1"]),
    ("du", &["du", "-a", "poem"]),
    ("env", &["env"]),
    ("expand", &["expand", "-t", "4", "poem"]),
    ("expr", &["expr", "17", "*", "(", "3", "+", "4", ")"]),
    ("factor", &["factor", "1234567890123456789"]),
    ("false", &["false"]),
    ("find", &["find", ".", "-name", "p*", "-size", "-2"]),
    ("fold", &["fold", "-w", "10", "poem"]),
    ("grep", &["grep", "-n", "-i", "-E", "^the|[0-9]{4}"]),
    ("gzip", &["gzip", "-9", "poem"]),
    ("head", &["head", "-n", "2"]),
    ("hexdump", &["hexdump", "-C", "poem"]),
    ("id", &["id"]),
    ("link", &["ln", "-s", "poem", "alias"]),
    ("ls", &["ls", "-l", "-n", "/proc/self/fd/../../../etc/passwd"]),
    ("md5sum", &["md5sum", "poem"]),
    ("missing_file", &["cat", "no/such/file"]),
    ("mkdir", &["mkdir", "-p", "a/b/c/d"]),
    ("mv", &["mv", "poem", "moved"]),
    ("nl", &["nl", "poem"]),
    ("no_such_applet", &["no-such-applet"]),
    ("od", &["od", "-A", "x", "-t", "x2", "poem"]),
    ("paste", &["paste", "-d:", "poem", "poem"]),
    ("printf", &["printf", "%05d|%-8s|%x|%b\\n", "42", "left", "255", "a\\tb"]),
    ("readlink", &["readlink", "-f", "/proc/self/cwd/../."]),
    ("rev", &["rev"]),
    ("rm", &["rm", "poem"]),
    ("sed", &["sed", "-n", "-e", "s/\\(quick\\) \\([a-z]*\\)/\\2 \\1/gp", "-e", "$="]),
    ("seq", &["seq", "-w", "1", "3", "100"]),
    ("sha256sum", &["sha256sum", "poem"]),
    ("sha512sum", &["sha512sum", "poem"]),
    ("sleep", &["sleep", "0.05"]),
    ("sort", &["sort", "-r", "-k", "2", "poem"]),
    ("split", &["split", "-l", "2", "poem", "part."]),
    ("stat", &["stat", "-c", "%n %s %F %a %h", "poem"]),
    ("strings", &["strings", "poem"]),
    ("tac", &["tac", "poem"]),
    ("tail", &["tail", "-n", "+3", "poem"]),
    ("tar", &["tar", "-c", "-v", "-f", "all.tar", "poem"]),
    ("tee", &["tee", "one", "two"]),
    ("test", &["test", "-s", "poem", "-a", "!", "-d", "poem"]),
    ("touch", &["touch", "-d", "2001-02-03 04:05:06", "poem"]),
    ("tr", &["tr", "a-z", "A-Z"]),
    ("truncate", &["truncate", "-s", "100000", "poem"]),
    ("uname", &["uname", "-a"]),
    ("uniq", &["uniq", "-c", "poem"]),
    ("unlink", &["unlink", "poem"]),
    ("wc", &["wc", "poem"]),
    ("xxd", &["xxd", "poem"]),
];

/// Scripts for the shell of busybox, with builtins alone.
const SCRIPTS: &[(&str, &str)] = &[
    (
        "arithmetic",
        "i=0; while [ $i -lt 50 ]; do i=$((i + 1)); s=$((s + i * i % 7)); done; echo $i $s $((1 << 40)) $((-7 / 2))",
    ),
    (
        "case",
        "for w in apple 42 /etc; do case $w in [0-9]*) echo number;; /*) echo path;; *) echo word $w;; esac; done",
    ),
    (
        "expansion",
        "a=archive.tar.gz; echo ${a%.*} ${a%%.*} ${a#*.} ${#a} ${b:-none} ${b:=set} $b; set -- x y z; shift; echo $# $*",
    ),
    ("functions", "f() { local n=$1; [ $n -le 1 ] && { r=1; return; }; f $((n - 1)); r=$((r * n)); }; f 15; echo $r"),
    ("here_document", "read -r first <<END\nline with $HOME and \\backslash\nEND\necho \"$first\""),
    (
        "redirections",
        "exec 3>out; echo one >&3; echo two >>out; exec 3>&-; while read -r l; do echo \"<$l>\"; done <out; echo x 2>&1 >/dev/null",
    ),
    ("directories", "cd /; pwd; cd /usr/lib; pwd; cd - ; umask 027; umask; cd /nowhere"),
    ("getopts", "set -- -a -b value rest; while getopts ab: o; do echo $o $OPTARG; done; echo $OPTIND"),
    ("exit_trap", "trap 'echo leaving $?' EXIT; exit 7"),
    ("status_of_failure", "set -e; true; false; echo not reached"),
    ("unknown_command_name", "set -u; echo $undefined"),
    ("read_fields", "while IFS=' ' read -r a b rest; do echo \"$b|$a|$rest\"; done"),
    ("syntax_error", "if then fi"),
    ("kills_itself", "kill -TERM $$; echo survived"),
];

/// All tests.
pub(crate) fn trials() -> Vec<Trial> {
    let applets = APPLETS.iter().map(|&(name, words)| ("busybox", name, words.to_vec()));
    let scripts = SCRIPTS.iter().map(|&(name, script)| ("busybox_sh", name, vec!["sh", "-c", script]));
    let busybox = applets.chain(scripts).map(|(group, name, words)| {
        kvm_trial(format!("real::{group}::{name}"), move || installed("busybox", "busybox-static", &words))
    });
    let ldconfig = ("real::ldconfig_print", ["-p"]);
    let tours = ["tour_of_glibc", "tour_of_musl", "tour_of_rust"]
        .into_iter()
        .map(|name| kvm_trial(format!("real::{name}"), move || tour(name)));
    busybox
        .chain(tours)
        .chain([kvm_trial(ldconfig.0.into(), move || installed("ldconfig", "ldconfig (libc-bin)", &ldconfig.1))])
        .collect()
}

/// A static program of the machine.
fn installed(program: &str, package: &str, words: &[&str]) -> Outcome {
    match find_program(program) {
        Some(path) if is_static(&path)? => both(&path, words),
        _ => not_installed(&format!("a static {package}")),
    }
}

/// A guest that walks through its standard library.
fn tour(name: &str) -> Outcome {
    let program = Program::guest(name)?;
    if !program.compiler().is_usable() {
        return not_installed(program.compiler().name());
    }
    both(&program.executable()?, &["poem", "second argument"])
}

fn both(program: &Path, words: &[&str]) -> Outcome {
    let native = run(Invocation::native(program)?, words)?;
    let guest = run(Invocation::kvm_se()?.arg(program), words)?;
    same_behaviour(&native, &guest)?;
    same_files(&native, &guest)?;
    Ok(Completion::Completed)
}

fn run(invocation: Invocation, words: &[&str]) -> Result<Finished, Failed> {
    let invocation = invocation.args(words).env("HOME", "/nonexistent").env("TZ", "UTC");
    Ok(invocation.file("poem", POEM.as_bytes())?.stdin(POEM.as_bytes())?.run()?)
}

/// Whether the program needs no interpreter.
fn is_static(path: &PathBuf) -> Result<bool, Failed> {
    let content = fs::read(path)?;
    Ok(goblin::elf::Elf::parse(&content)?.interpreter.is_none())
}
