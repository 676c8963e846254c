use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Barrier, Condvar, Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("panic") => panic!("on purpose"),
        Some("abort") => std::process::abort(),
        Some("overflow") => println!("{}", deep(1)),
        _ => {}
    }
    locks();
    channels();
    panics();
    sockets();
    processes();
    std::process::exit(6);
}

#[inline(never)]
fn deep(n: u64) -> u64 {
    let page = [n; 100];
    std::hint::black_box(&page);
    if n == 0 { 0 } else { deep(n + 1) + page[n as usize % 100] }
}

fn locks() {
    let count = Arc::new(AtomicUsize::new(0));
    let map = Arc::new(RwLock::new(HashMap::new()));
    let barrier = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|n| {
            let (count, map, barrier) = (count.clone(), map.clone(), barrier.clone());
            thread::Builder::new().name(format!("worker {n}")).spawn(move || {
                barrier.wait();
                for i in 0..500 {
                    count.fetch_add(i, Ordering::Relaxed);
                    *map.write().unwrap().entry(i % 10).or_insert(0) += n;
                }
                thread::current().name().map(str::to_owned)
            }).unwrap()
        })
        .collect();
    let names: Vec<_> = threads.into_iter().map(|t| t.join().unwrap().unwrap()).collect();
    println!("{} {:?} {}", count.load(Ordering::SeqCst), map.read().unwrap()[&3], names.join(","));
    let pair = Arc::new((Mutex::new(0), Condvar::new()));
    let other = pair.clone();
    let ping = thread::spawn(move || {
        for n in 0..200 {
            let mut turn = other.0.lock().unwrap();
            while *turn % 2 == 0 {
                turn = other.1.wait(turn).unwrap();
            }
            *turn += 1;
            other.1.notify_one();
            drop(turn);
            std::hint::black_box(n);
        }
    });
    for _ in 0..200 {
        let mut turn = pair.1.wait_while(pair.0.lock().unwrap(), |turn| *turn % 2 == 1).unwrap();
        *turn += 1;
        pair.1.notify_one();
    }
    ping.join().unwrap();
    println!("{}", pair.0.lock().unwrap());
    let begin = Instant::now();
    let waited = pair.1.wait_timeout(pair.0.lock().unwrap(), Duration::from_millis(20)).unwrap();
    println!("{} {}", waited.1.timed_out(), begin.elapsed() >= Duration::from_millis(20));
    let many: Vec<_> = (0..100).map(|n| thread::spawn(move || n * n)).collect();
    println!("{}", many.into_iter().map(|t| t.join().unwrap()).sum::<i32>());
    let mut numbers: Vec<u32> = (0..10_000).map(|n| n * 7919 % 10_007).collect();
    thread::scope(|scope| numbers.chunks_mut(2500).for_each(|part| { scope.spawn(|| part.sort()); }));
    println!("{:?}", &numbers[..5]);
}

fn channels() {
    let (sender, receiver) = mpsc::sync_channel(4);
    for n in 0..4 {
        let sender = sender.clone();
        thread::spawn(move || (0..250).for_each(|i| sender.send(n * 1000 + i).unwrap()));
    }
    drop(sender);
    let all: Vec<i32> = receiver.iter().collect();
    println!("{} {}", all.len(), all.iter().sum::<i32>());
}

fn panics() {
    std::panic::set_hook(Box::new(|_| {}));
    let results: Vec<_> = (0..10).map(|n| thread::spawn(move || if n % 2 == 0 { panic!("{n}") })).map(|t| t.join()).collect();
    println!("{} panicked", results.iter().filter(|r| r.is_err()).count());
    println!("{:?}", std::panic::catch_unwind(|| Vec::<i32>::new()[3]).is_err());
}

fn sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        for stream in listener.incoming().take(10) {
            thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                stream.write_all(text.to_uppercase().as_bytes()).unwrap();
            });
        }
    });
    let clients: Vec<_> = (0..10)
        .map(|n| {
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                write!(stream, "client {n}").unwrap();
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                text
            })
        })
        .collect();
    let answers: Vec<_> = clients.into_iter().map(|c| c.join().unwrap()).collect();
    server.join().unwrap();
    println!("{}", answers.join(" "));
}

fn processes() {
    let children: Vec<_> = (0..4)
        .map(|n| thread::spawn(move || Command::new("sh").args(["-c", &format!("exit {n}")]).status().unwrap().code()))
        .collect();
    println!("{:?}", children.into_iter().map(|c| c.join().unwrap()).collect::<Vec<_>>());
    let mut child = Command::new("tr").args(["a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"piped").unwrap();
    println!("{}", String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout));
    println!("{:?}", Command::new("nosuch").spawn().map(|_| ()).unwrap_err().kind());
    let mut sleeper = Command::new("sleep").arg("100").spawn().unwrap();
    sleeper.kill().unwrap();
    println!("{}", sleeper.wait().unwrap());
}
