//! What this process was started with, and random bytes.

#![expect(unsafe_code, reason = "reads `environ` of the C library")]

use std::ffi::{CStr, c_char};

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The environment, entry for entry.
pub fn environment() -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    // SAFETY: `environ` is a null-terminated array of strings; only one thread runs when this is called.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            entries.push(CStr::from_ptr(*next).to_bytes().to_vec());
            next = next.add(1);
        }
    }
    entries
}

/// Random bytes of the kernel's.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: the kernel writes at most N bytes. Early in boot it may have none, which is no reason to stop.
    let _ = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), N, libc::GRND_NONBLOCK) };
    bytes
}

/// Random numbers of the kernel's.
pub fn random_words() -> [u64; 4] {
    std::array::from_fn(|_| u64::from_ne_bytes(random_bytes()))
}
