//! Calls that another thread answers while their vCPU waits for them inside the guest.
//!
//! The thread that drives the vCPU and the one that answers exclude each other. The door to the vCPU's pad is open while
//! that is in guest mode, and only then does the other thread take a call in; to shut it is to wait for the answer.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::landing::{Pad, Posted};
use super::system::SystemMemory;

/// For how long the thread that drives the vCPU waits for an answer before it has the other one hurry.
const GRACE: Duration = Duration::from_millis(2);

/// The door to one vCPU's pad.
pub struct Door {
    pad: Pad,
    state: Mutex<State>,
    /// An answer has been given.
    answered: Condvar,
}

#[derive(Default)]
struct State {
    is_open: bool,
    /// The other thread is at a call.
    is_answering: bool,
    /// How often it was opened.
    stay: u64,
    /// Has the other thread give up what it waits for.
    hurry: Option<Hurry>,
}

type Hurry = Box<dyn Fn() + Send>;

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("pad", &self.pad).finish_non_exhaustive()
    }
}

impl Door {
    pub(super) fn new(pad: Pad) -> Self {
        Self { pad, state: Mutex::default(), answered: Condvar::new() }
    }

    /// Has `hurry` make the other thread give up a call that it waits in: what it answers was not to wait, but another
    /// thread of the guest's may have made it.
    pub fn set_hurry(&self, hurry: impl Fn() + Send + 'static) {
        self.lock().hurry = Some(Box::new(hurry));
    }

    /// The vCPU is about to enter guest mode.
    pub(super) fn open(&self) {
        let mut state = self.lock();
        state.is_open = true;
        state.stay += 1;
    }

    /// The vCPU has left guest mode. What was taken in is answered when this returns.
    pub(super) fn shut(&self) {
        let mut state = self.lock();
        state.is_open = false;
        if state.is_answering {
            self.wait_for_answer(state);
        }
    }

    #[cold]
    fn wait_for_answer(&self, mut state: MutexGuard<'_, State>) {
        while state.is_answering {
            let (next, timeout) = self.answered.wait_timeout(state, GRACE).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out()
                && state.is_answering
                && let Some(hurry) = &state.hurry
            {
                hurry();
            }
        }
    }

    /// Has calls wait for so many turns; 0 for none.
    pub fn set_patience(&self, turns: u64, system: &SystemMemory) {
        self.pad.set_patience(turns, system);
    }

    /// Answers the call that waits, if one does; returns whether it did. What `answer` refuses leaves the guest. It is
    /// told, too, the how manieth stay in guest mode this is: during one stay nobody else makes calls for the vCPU.
    pub fn answer(&self, system: &SystemMemory, answer: impl FnOnce(Posted, u64) -> Option<u64>) -> bool {
        if self.pad.posted(system).is_none() {
            return false;
        }
        let mut state = self.lock();
        // Meanwhile the runner may have answered it.
        let Some(posted) = state.is_open.then(|| self.pad.posted(system)).flatten() else { return false };
        state.is_answering = true;
        let stay = state.stay;
        drop(state);
        let result = answer(posted, stay);
        let mut state = self.lock();
        self.pad.settle(result, system);
        state.is_answering = false;
        if !state.is_open {
            self.answered.notify_one();
        }
        result.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::super::landing::Landing;
    use super::*;

    fn door() -> (Door, SystemMemory) {
        let system = SystemMemory::new().unwrap();
        let words = system.allocate_page().unwrap();
        (Door::new(Pad::new(0, words, Landing::Ring3, None).unwrap()), system)
    }

    #[test]
    fn a_call_is_answered_once_while_the_door_is_open() {
        let (door, system) = door();
        let answer = || door.answer(&system, |posted, _| Some(posted.nr));
        door.open();
        assert!(!answer(), "there is none");
        door.shut();
        door.pad.post(39, &system);
        assert!(!answer());
        door.open();
        assert!(answer() && !answer());
        door.pad.post(40, &system);
        assert!(!door.answer(&system, |_, _| None), "refused");
        assert!(!answer(), "and not asked for again");
    }

    #[test]
    fn to_shut_the_door_is_to_wait_for_the_answer() {
        let (door, system) = door();
        let (begun, has_begun) = channel();
        let (go_on, may_go_on) = channel();
        door.open();
        door.pad.post(39, &system);
        thread::scope(|scope| {
            let answer = move |_, _| {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap();
                Some(0)
            };
            let answering = scope.spawn(|| door.answer(&system, answer));
            has_begun.recv().unwrap();
            let shutting = scope.spawn(|| door.shut());
            thread::yield_now();
            assert!(!shutting.is_finished());
            go_on.send(()).unwrap();
            shutting.join().unwrap();
            assert!(door.pad.posted(&system).is_none(), "it is answered");
            assert!(answering.join().unwrap());
        });
    }
}
