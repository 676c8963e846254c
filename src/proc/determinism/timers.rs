//! Timers of a process in virtual time: setitimer(2), timer_create(2), timerfd_create(2).

use crate::signal::held::SigInfo;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerKind {
    /// The one of this number of setitimer(2).
    Interval(i32),
    /// By its number of timer_create(2).
    Posix(i32),
    /// The descriptor of timerfd_create(2).
    Descriptor(i32),
}

/// A timer.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    /// Which.
    pub kind: TimerKind,
    /// The clock it was made for.
    pub clock: i32,
    /// When it ends next (ns of virtual time), if it is set.
    pub deadline: Option<u64>,
    /// How long after that again, or 0 (ns).
    pub interval: u64,
    /// What is sent then, to the process or, as the guest numbers them, to a thread.
    pub signal: Option<(SigInfo, Option<i32>)>,
    /// How often it ended before its last signal was seen.
    pub overrun: i32,
}

impl Timer {
    /// The one of the number `which` of setitimer(2), which sends SIGALRM, SIGVTALRM or SIGPROF.
    pub fn of_interval(which: i32, deadline: Option<u64>, interval: u64) -> Self {
        const SI_KERNEL: i32 = 0x80;
        let signal = [libc::SIGALRM, libc::SIGVTALRM, libc::SIGPROF][usize::try_from(which).unwrap_or(0).min(2)];
        let signal = Some((SigInfo::sent(signal, SI_KERNEL, 0, 0), None));
        Self { kind: TimerKind::Interval(which), clock: 0, deadline, interval, signal, overrun: 0 }
    }
}

/// All of a process.
#[derive(Debug, Default)]
pub struct Timers {
    list: Vec<Timer>,
    next: i32,
}

impl Timers {
    /// Those of setitimer(2) that are set, which stay over execve(2), as numbers.
    pub fn intervals(&self) -> Vec<u64> {
        let words = |timer: &Timer| match (timer.kind, timer.deadline) {
            (TimerKind::Interval(which), Some(deadline)) => {
                Some([u64::from(which.unsigned_abs()), deadline, timer.interval])
            }
            _ => None,
        };
        self.list.iter().filter_map(words).flatten().collect()
    }

    /// What [`Self::intervals`] was called on, without the others.
    pub fn of_intervals(words: &[u64]) -> Self {
        let timer = |&[which, deadline, interval]: &[u64; 3]| {
            Timer::of_interval(i32::try_from(which).unwrap_or(0), Some(deadline), interval)
        };
        Self { list: words.as_chunks().0.iter().map(timer).collect(), next: 0 }
    }

    /// A number for timer_create(2).
    pub fn next_number(&mut self) -> i32 {
        self.next += 1;
        self.next - 1
    }

    /// Forgets all of them: a child has none.
    pub fn clear(&mut self) {
        self.list.clear();
    }

    /// The timer `kind`.
    pub fn find(&mut self, kind: TimerKind) -> Option<&mut Timer> {
        self.list.iter_mut().find(|timer| timer.kind == kind)
    }

    /// Adds one, in place of an older one of that kind.
    pub fn put(&mut self, timer: Timer) {
        self.remove(timer.kind);
        self.list.push(timer);
    }

    /// Removes one; returns whether it was there.
    pub fn remove(&mut self, kind: TimerKind) -> bool {
        let before = self.list.len();
        self.list.retain(|timer| timer.kind != kind);
        self.list.len() != before
    }

    /// When the first one ends, or `u64::MAX`.
    pub fn next_deadline(&self) -> u64 {
        self.list.iter().filter_map(|timer| timer.deadline).min().unwrap_or(u64::MAX)
    }

    /// Takes one that has ended by `now`, and sets it anew if it repeats; also how often it has ended since.
    pub fn take_due(&mut self, now: u64) -> Option<(Timer, u64)> {
        let timer = self.list.iter_mut().filter(|timer| timer.deadline.is_some_and(|deadline| deadline <= now));
        let timer = timer.min_by_key(|timer| timer.deadline)?;
        let deadline = timer.deadline?;
        let times = (now - deadline).checked_div(timer.interval).map_or(1, |more| more + 1);
        timer.deadline = (timer.interval != 0).then(|| deadline + times * timer.interval);
        timer.overrun = i32::try_from(times - 1).unwrap_or(i32::MAX);
        Some((*timer, times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_end_in_order_and_repeat() {
        let timer = |kind, deadline, interval| Timer {
            kind,
            clock: 0,
            deadline: Some(deadline),
            interval,
            signal: None,
            overrun: 0,
        };
        let mut timers = Timers::default();
        assert_eq!(timers.next_deadline(), u64::MAX);
        timers.put(timer(TimerKind::Interval(0), 50, 10));
        timers.put(timer(TimerKind::Posix(0), 40, 0));
        assert!(timers.take_due(39).is_none());
        assert_eq!(timers.take_due(75).map(|(timer, times)| (timer.kind, times)), Some((TimerKind::Posix(0), 1)));
        assert_eq!(timers.take_due(75).map(|(timer, times)| (timer.kind, times)), Some((TimerKind::Interval(0), 3)));
        assert_eq!(timers.next_deadline(), 80);
        let kept = Timers::of_intervals(&timers.intervals());
        assert_eq!((kept.list.len(), kept.next_deadline(), kept.list[0].interval), (1, 80, 10));
        assert!(timers.remove(TimerKind::Interval(0)) && !timers.remove(TimerKind::Interval(0)));
    }
}
