//! The time-stamp counter.

#![expect(unsafe_code, reason = "the `rdtsc` instruction")]

/// This CPU's counter, in cycles.
pub fn host_tsc() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction, and Linux lets user code use it unless a program asks for less.
    unsafe { std::arch::x86_64::_rdtsc() }
}
