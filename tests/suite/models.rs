//! Processors that programs are shown (`--cpu`).

use libtest_mimic::{Completion, Trial};

use crate::invocation::{Ending, Finished, Invocation};
use crate::machine::{Outcome, find_program, kvm_trial, not_installed};
use crate::program::Program;
use crate::report::text;

/// All but the host's, weakest first; gem5's is another branch.
const MODELS: [&str; 5] = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4", "gem5"];

/// Instructions of `levels.c` that not all of these have, and who has them.
const INSTRUCTIONS: [(&str, &[&str]); 27] = [
    ("addsubps", &["x86-64-v2", "x86-64-v3", "x86-64-v4", "gem5"]),
    ("pshufb", &["x86-64-v2", "x86-64-v3", "x86-64-v4", "gem5"]),
    ("cmpxchg16b", &["x86-64-v2", "x86-64-v3", "x86-64-v4"]),
    ("lahf", &["x86-64-v2", "x86-64-v3", "x86-64-v4", "gem5"]),
    ("popcnt", &["x86-64-v2", "x86-64-v3", "x86-64-v4"]),
    ("pblendw", &["x86-64-v2", "x86-64-v3", "x86-64-v4"]),
    ("crc32", &["x86-64-v2", "x86-64-v3", "x86-64-v4"]),
    ("pcmpgtq", &["x86-64-v2", "x86-64-v3", "x86-64-v4"]),
    ("vxorps", &["x86-64-v3", "x86-64-v4"]),
    ("vpaddd", &["x86-64-v3", "x86-64-v4"]),
    ("andn", &["x86-64-v3", "x86-64-v4"]),
    ("rorx", &["x86-64-v3", "x86-64-v4"]),
    ("vcvtph2ps", &["x86-64-v3", "x86-64-v4"]),
    ("vfmadd213ps", &["x86-64-v3", "x86-64-v4"]),
    ("movbe", &["x86-64-v3", "x86-64-v4"]),
    ("xgetbv", &["x86-64-v3", "x86-64-v4"]),
    ("xsave", &["x86-64-v3", "x86-64-v4"]),
    ("vpaddd of zmm", &["x86-64-v4"]),
    ("vpaddd of ymm16", &["x86-64-v4"]),
    ("kandd", &["x86-64-v4"]),
    ("kmovb", &["x86-64-v4"]),
    ("vplzcntd", &["x86-64-v4"]),
    ("rdtscp", &["gem5"]),
    ("clwb", &["gem5"]),
    ("aesenc", &[]),
    ("pclmulqdq", &[]),
    ("rdfsbase", &[]),
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for model in MODELS {
        trials.push(kvm_trial(format!("models::instructions_of_{model}"), move || instructions(model)));
        trials.push(kvm_trial(format!("models::cpuid_of_{model}"), move || cpuid(model)));
        trials.push(kvm_trial(format!("models::vdso_of_{model}"), move || vdso(model)));
        trials.push(kvm_trial(format!("models::unwinding_on_{model}"), move || unwinding(model)));
    }
    trials.extend([
        kvm_trial("models::the_c_library_chooses_by_it".into(), library),
        kvm_trial("models::the_first_use_is_named".into(), first_use),
        kvm_trial("models::signal_frames".into(), frames),
        kvm_trial("models::code_made_at_run_time".into(), generated),
        kvm_trial("models::deterministic_runs".into(), deterministic),
        kvm_trial("models::layout_of_gem5".into(), layout),
        kvm_trial("models::layout_of_gem5_at_0".into(), layout_at_0),
        kvm_trial("models::programs_hand_it_on".into(), handed_on),
        kvm_trial("models::what_there_is_not_is_refused".into(), refused),
    ]);
    trials
}

/// Runs `program` of `testprogs/models` on `model`. `None` if the host is less.
fn on(model: &str, program: &str, args: &[&str]) -> Result<Option<Finished>, libtest_mimic::Failed> {
    let program = Program::model(program)?.executable()?;
    let finished = Invocation::kvm_se()?.args(["--cpu", model]).arg(program).args(args).run()?;
    let is_refused = text(&finished.stderr).contains("this machine's processor is no ");
    Ok((!is_refused).then_some(finished))
}

fn too_little() -> Outcome {
    Ok(Completion::ignored_with("the processor is less"))
}

fn expect(finished: &Finished, is_right: bool) -> Outcome {
    if is_right { Ok(Completion::Completed) } else { Err(finished.report().into()) }
}

/// What it has is executed, and all else is SIGILL.
fn instructions(model: &str) -> Outcome {
    let Some(finished) = on(model, "levels", &[])? else { return too_little() };
    let mut expected = "addpd: executed\nrdsspq: executed\n".to_owned();
    for (name, models) in INSTRUCTIONS {
        let is_there = models.contains(&model);
        expected += &format!("{name}: {}\n", if is_there { "executed" } else { "SIGILL" });
    }
    let has_bits = ["x86-64-v3", "x86-64-v4"].contains(&model);
    expected += if has_bits { "lzcnt: executed\ntzcnt: executed\n" } else { "lzcnt: as bsr\ntzcnt: as bsf\n" };
    let message = format!(" in main is no instruction of {model}\n");
    let stderr = text(&finished.stderr);
    expect(&finished, text(&finished.stdout) == expected && stderr.ends_with(&message) && stderr.lines().count() == 1)
}

/// The compiler's unwinder asks for a shadow stack on every processor.
fn unwinding(model: &str) -> Outcome {
    let native = Invocation::native(Program::model("unwinding")?.executable()?)?.run()?;
    let Some(finished) = on(model, "unwinding", &[])? else { return too_little() };
    expect(&native, text(&native.stdout) == "raised, and nobody caught it\n")?;
    expect(&finished, finished.ending == native.ending && finished.stdout == native.stdout)
}

/// As natively, where the processor is the host's.
fn vdso(model: &str) -> Outcome {
    let native = Invocation::native(Program::model("vdso")?.executable()?)?.run()?;
    let Some(finished) = on(model, "vdso", &[])? else { return too_little() };
    expect(&native, native.ending == Ending::Code(0) && native.stdout.ends_with(b"where it is: 1\n"))?;
    expect(&finished, finished.stdout == native.stdout && finished.stderr.is_empty())
}

/// Everything that tells of the processor tells the same.
fn cpuid(model: &str) -> Outcome {
    let Some(finished) = on(model, "cpuid", &[])? else { return too_little() };
    let [features, structured, extended] = match model {
        "x86-64" => ["00060fb1 00000800 00000000 078bfbff", "0", "00060fb1 00000000 00000000 2193fbff"],
        "x86-64-v2" => ["00060fb1 00000800 00982201 078bfbff", "0", "00060fb1 00000000 00000001 2193fbff"],
        "x86-64-v3" => ["00060fb1 00000800 3cd83201 078bfbff", "128", "00060fb1 00000000 00000021 2193fbff"],
        "x86-64-v4" => ["00060fb1 00000800 3cd83201 078bfbff", "d0030128", "00060fb1 00000000 00000021 2193fbff"],
        _ => ["00020f51 00000805 00000209 efdbfbff", "1800000", "00020f51 00000405 00020001 2bd3fbff"],
    };
    let (vendor, name) = match model {
        "gem5" => ("HygonGenuine", "Fake gem5 x86_64 CPU"),
        model => ("AuthenticAMD", model),
    };
    let xcr0 = match model {
        "x86-64-v3" => "xcr0 0 7",
        "x86-64-v4" => "xcr0 0 e7",
        _ => "no xsave",
    };
    let stdout = text(&finished.stdout);
    let lines: Vec<&str> = stdout.lines().collect();
    let has = |line: &str| lines.contains(&line);
    let is_right = has(&format!("vendor {vendor}"))
        && has(&format!("1.0: {features}"))
        && has(&format!("7.0: 00000000 {structured:0>8} 00000000 00000000"))
        && has("7.1: 00000000 00000000 00000000 00000000")
        && has("b.0: 00000000 00000000 00000000 00000000")
        && has("40000000.0: 00000000 00000000 00000000 00000000")
        && has(&format!("80000001.0: {extended}"))
        && has(&format!("name {name}"))
        && has(xcr0)
        && has("hwcap 78bfbff hwcap2 0 platform x86_64");
    let flags: Vec<&str> =
        stdout.lines().find(|line| line.starts_with("flags")).unwrap_or_default().split(' ').collect();
    let flag = |name: &str| flags.contains(&name);
    let at_least = |level: &str| {
        MODELS[..4].iter().position(|known| *known == model) >= MODELS.iter().position(|known| *known == level)
    };
    let is_level = model != "gem5";
    let are_flags_right = flag("sse2")
        && flag("lm")
        && !flag("aes")
        && flag("ssse3") == (!is_level || at_least("x86-64-v2"))
        && flag("sse4_2") == (is_level && at_least("x86-64-v2"))
        && flag("avx2") == (is_level && at_least("x86-64-v3"))
        && flag("avx512vl") == (is_level && at_least("x86-64-v4"))
        && flag("clwb") != is_level;
    expect(&finished, is_right && are_flags_right)
}

/// The dynamic loader names the folders for variants that it would search.
fn library() -> Outcome {
    const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
    if !std::path::Path::new(LOADER).is_file() {
        return not_installed(LOADER);
    }
    for (number, model) in [(1, "x86-64"), (2, "x86-64-v2"), (3, "x86-64-v3"), (4, "x86-64-v4"), (1, "gem5")] {
        let finished = Invocation::kvm_se()?.args(["--cpu", model, LOADER, "--help"]).run()?;
        if text(&finished.stderr).contains("this machine's processor is no ") {
            continue;
        }
        let stdout = text(&finished.stdout);
        let is_searched = |level: u32| stdout.contains(&format!("x86-64-v{level} (supported, searched)"));
        expect(
            &finished,
            finished.ending == Ending::Code(0) && (2..=4).all(|level| is_searched(level) == (level <= number)),
        )?;
    }
    Ok(Completion::Completed)
}

/// What the library chooses for one processor runs on it. What it chooses for the host's is stopped on one that lacks AVX.
fn first_use() -> Outcome {
    let Some(on_host) = on("host", "memcpy", &[])? else { return too_little() };
    let of_host = text(&on_host.stdout).trim().to_owned();
    expect(&on_host, on_host.ending == Ending::Code(0))?;
    for model in MODELS {
        let Some(chosen) = on(model, "memcpy", &[])? else { continue };
        expect(&chosen, chosen.ending == Ending::Code(0) && chosen.stderr.is_empty())?;
    }
    let Some(stopped) = on("x86-64-v2", "memcpy", &[&of_host])? else { return too_little() };
    let stdout = text(&stopped.stdout);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    if stdout.trim() == of_host && !cpuinfo.contains(" avx") {
        return Ok(Completion::ignored_with("the host's processor has no AVX that the library would use"));
    }
    let stderr = text(&stopped.stderr);
    let is_named = stderr.starts_with("kvm-se: v")
        && stderr.contains(" in __mem")
        && stderr.contains("is no instruction of x86-64-v2");
    expect(&stopped, stopped.ending == Ending::Signal(libc::SIGILL) && is_named)
}

fn frames() -> Outcome {
    for (model, state) in [
        ("x86-64-v2", "512 bytes"),
        ("x86-64-v3", "features 7 in more than 512 bytes"),
        ("x86-64-v4", "features e7 in more than 512 bytes"),
    ] {
        let Some(finished) = on(model, "in_a_frame", &[])? else { continue };
        expect(&finished, text(&finished.stdout) == format!("{state}\nkept 1\n"))?;
    }
    Ok(Completion::Completed)
}

/// Code that is made, changed and moved is looked at, and data beside it stays as it is.
fn generated() -> Outcome {
    let Some(host) = on("host", "generated", &[])? else { return too_little() };
    let Some(finished) = on("x86-64-v2", "generated", &[])? else { return too_little() };
    let stdout = text(&host.stdout);
    expect(
        &host,
        stdout.lines().count() == 7 && stdout.lines().all(|line| line.ends_with(": executed") || line == "data: kept"),
    )?;
    expect(&finished, text(&finished.stdout) == stdout.replace("executed", "SIGILL"))
}

/// Each run is alike, and another processor is another run.
fn deterministic() -> Outcome {
    let program = Program::model("cpuid")?.executable()?;
    let verify =
        |model| Invocation::kvm_se()?.patient().args(["verify", "-n", "3", "--cpu", model]).arg(&program).run();
    let (v2, gem5) = (verify("x86-64-v2")?, verify("gem5")?);
    let digest = |run: &Finished| text(&run.stdout).lines().next().map(str::to_owned);
    let is_alike = |run: &Finished| text(&run.stdout).starts_with("3 runs alike: digest ");
    expect(&v2, is_alike(&v2))?;
    expect(&gem5, is_alike(&gem5) && digest(&v2) != digest(&gem5))?;
    let one = Invocation::kvm_se()?.args(["--deterministic", "--cpu", "x86-64-v2"]).arg(&program).run()?;
    expect(&one, text(&one.stdout).contains("\nname x86-64-v2\n") && text(&one.stdout).contains(" sse4_2"))
}

/// What gem5's syscall emulation gives a program, as shared facts of its source say.
fn layout() -> Outcome {
    const EXPECTED: &str = "argc 3 below ./p, environment 1
file name is argv[0]: 1
stack 7ffffffff000, argc at a multiple of 16: 1
SYSINFO_EHDR: ffffffffff600000
HWCAP: 78bfbff
PAGESZ: 1000
CLKTCK: 64
PHDR: in the image 1
PHENT: 38
PHNUM: PHNUM
BASE: 0
FLAGS: 0
ENTRY: in the image 1
UID: 64
EUID: 64
GID: 64
EGID: 64
SECURE: 0
RANDOM: zeros 1
EXECFN: argv 1
PLATFORM: x86_64, above RANDOM
image 400000
break behind the image
mmap 7ffff7ffe000
Linux sim.gem5.org 5.1.0 #1 Mon Aug 18 11:32:15 EDT 2003 x86_64
ids 100 100 100 100, 100 100 100 100 100 100
setuid(100) 0 setuid(0) -1
pid 100 parent 0 group 100
vsyscall 48 60 c9, 0 1
the same clock: 1
";
    let program = Program::model("layout")?.executable()?;
    let run = |options: &[&str]| {
        let run = Invocation::kvm_se()?.args(["--layout=gem5", "--argv0", "./p", "--env", "A=1"]).args(options);
        run.arg(&program).args(["one", "two"]).run()
    };
    let shown = |run: &Finished| -> String {
        let is_count = |line: &&str| line.starts_with("PHNUM: ");
        text(&run.stdout)
            .lines()
            .map(|line| if is_count(&line) { "PHNUM: PHNUM\n".into() } else { format!("{line}\n") })
            .collect()
    };
    let deterministic = run(&["--deterministic"])?;
    expect(&deterministic, shown(&deterministic) == EXPECTED)?;
    // Numbers of processes are the host's in other runs.
    let own = run(&[])?;
    let without_pid =
        |text: String| text.lines().filter(|line| !line.starts_with("pid ")).collect::<Vec<_>>().join("\n");
    expect(&own, without_pid(shown(&own)) == without_pid(EXPECTED.to_owned()))?;
    let again = Invocation::kvm_se()?.args(["verify", "--layout=gem5"]).arg(&program).run()?;
    expect(&again, again.ending == Ending::Code(0))
}

/// A position-independent program lies where its headers say, and so do those that it executes.
fn layout_at_0() -> Outcome {
    let shell = "read line < /proc/self/maps; echo $line $#; exec /bin/sh -c 'read line < /proc/self/maps; echo $line; uname -r; env'";
    let Some(env) = find_program("env") else { return not_installed("env") };
    let finished =
        Invocation::kvm_se()?.args(["--layout=gem5", "--env", "PATH=/usr/bin:/bin", "/bin/sh", "-c", shell]).run()?;
    let stdout = text(&finished.stdout);
    if stdout.starts_with("00400000-") {
        return Ok(Completion::ignored_with("sh is not position-independent"));
    }
    let at_0 = stdout.lines().filter(|line| line.starts_with("00000000-")).count();
    let is_static = finished.ending == Ending::Code(0) && at_0 == 2 && env.is_file();
    expect(&finished, is_static && stdout.contains("\n5.1.0\n") && stdout.contains("\nPATH=/usr/bin:/bin\n"))
}

/// A program that is executed has the same processor, and another process.
fn handed_on() -> Outcome {
    let program = Program::model("cpuid")?.executable()?;
    let finished = Invocation::kvm_se()?
        .args(["--cpu", "x86-64-v2", "/bin/sh", "-c", "\"$0\"; exec \"$0\""])
        .arg(program)
        .run()?;
    expect(&finished, text(&finished.stdout).matches("name x86-64-v2\n").count() == 2)
}

fn refused() -> Outcome {
    let unknown = Invocation::kvm_se()?.args(["--cpu", "x86-64-v5", "/bin/true"]).run()?;
    let names = "there are host, x86-64, x86-64-v2, x86-64-v3, x86-64-v4, gem5";
    expect(&unknown, unknown.ending == Ending::Code(125) && text(&unknown.stderr).contains(names))?;
    let Some(cpuinfo) = find_program("true").and_then(|_| std::fs::read_to_string("/proc/cpuinfo").ok()) else {
        return not_installed("true");
    };
    let finished = Invocation::kvm_se()?.args(["--cpu", "x86-64-v4", "/bin/true"]).run()?;
    let has = ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"].iter().all(|flag| cpuinfo.contains(flag));
    let message = "kvm-se: this machine's processor is no x86-64-v4: it lacks ";
    let is_refused = finished.ending == Ending::Code(125) && text(&finished.stderr).starts_with(message);
    expect(&finished, if has { finished.ending == Ending::Code(0) } else { is_refused })
}
