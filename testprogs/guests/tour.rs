//! A walk through Rust's standard library. Expects the file "poem" and the same on stdin.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

fn main() -> ExitCode {
    println!("arguments: {:?}", std::env::args().skip(1).collect::<Vec<_>>());
    println!("home: {:?}, nothing: {:?}", std::env::var("HOME"), std::env::var_os("NO_SUCH_VARIABLE"));
    count_words();
    collections();
    strings();
    numbers();
    files().expect("files");
    time();
    unwinding();
    eprintln!("to stderr: {}", io::Error::from_raw_os_error(22));
    ExitCode::from(17)
}

fn count_words() {
    let mut counts = HashMap::new();
    for line in io::stdin().lock().lines() {
        for word in line.expect("stdin").split_whitespace() {
            *counts.entry(word.to_owned()).or_insert(0) += 1;
        }
    }
    let mut sorted: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    sorted.sort();
    println!("{} words, repeated: {sorted:?}", counts.len());
}

fn collections() {
    let mut numbers: Vec<u64> = (0..50_000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20).collect();
    let distinct: HashSet<_> = numbers.iter().copied().collect();
    let tree: BTreeMap<_, _> = numbers.iter().map(|&n| (n % 1000, n)).collect();
    numbers.sort_unstable();
    let is_sorted = numbers.windows(2).all(|pair| pair[0] <= pair[1]);
    println!("{is_sorted} {} {:?} {:?}", distinct.len(), tree.first_key_value(), numbers.binary_search(&numbers[77]));
    let mut queue: VecDeque<_> = (0..10).collect();
    queue.rotate_left(3);
    println!("{queue:?} {}", queue.iter().sum::<i32>());
}

fn strings() {
    let text = "grüße an alle — ∀x";
    let reversed: String = text.chars().rev().collect();
    println!("{} bytes, {} characters, {reversed}, {}", text.len(), text.chars().count(), text.to_uppercase());
    let mut built = String::new();
    for i in 0..1000 {
        write!(built, "{i:x},").expect("a string");
    }
    println!("{} {:?} {:?}", built.len(), built.find("3e7"), "a=b=c".split_once('='));
    println!("{:?} {:?}", "12x".parse::<i32>(), String::from_utf8_lossy(b"bad \xff byte"));
}

fn numbers() {
    println!("{} {:e} {:?} {:.3}", 0.1 + 0.2, 1234.5_f64, f64::NAN.max(1.0), std::f64::consts::PI);
    println!("{} {} {:.12}", 2f64.sqrt(), 10f64.powi(-3), 1f64.exp().sin());
    println!("{:?} {} {:#x}", 200u8.checked_add(100), i128::MAX, u64::MAX.rotate_left(4) ^ 0xff);
}

fn files() -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open("made")?;
    file.write_all(b"first line\nsecond line\n")?;
    file.seek(SeekFrom::Start(6))?;
    file.write_all(b"LINE")?;
    file.rewind()?;
    let mut content = String::new();
    file.read_to_string(&mut content)?;
    println!("{content:?} {}", file.metadata()?.len());
    fs::create_dir_all("folder/deeper")?;
    fs::rename("made", "folder/moved")?;
    fs::copy("poem", "folder/copy")?;
    let mut names: Vec<_> = fs::read_dir("folder")?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort();
    println!("{names:?} {:?}", File::open("no/such").map_err(|error| error.kind()).err());
    println!("{} lines", BufReader::new(File::open("poem")?).lines().count());
    fs::remove_dir_all("folder/deeper")?;
    println!("{:?}", fs::remove_dir("folder").map_err(|error| error.kind()));
    Ok(())
}

fn time() {
    let before = Instant::now();
    std::thread::sleep(Duration::from_millis(2));
    println!("slept long enough: {}", before.elapsed() >= Duration::from_millis(2));
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    println!("after 2020: {}", since > Duration::from_secs(50 * 365 * 86_400));
}

/// A panic is caught, after the destructors on its way.
fn unwinding() {
    struct Noisy;
    impl Drop for Noisy {
        fn drop(&mut self) {
            println!("dropped");
        }
    }
    std::panic::set_hook(Box::new(|_| eprintln!("the panic hook runs")));
    let result = std::panic::catch_unwind(|| {
        let _noisy = Noisy;
        let empty: Vec<i32> = std::hint::black_box(Vec::new());
        empty[3]
    });
    println!("caught: {}", result.is_err());
}
