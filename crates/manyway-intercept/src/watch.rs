//! Looks after held connects: killed programs, closed sockets, signals, send timeouts.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::handler::Handler;
use crate::held::Held;

/// How soon a program's signal, timeout or death is noticed.
const INTERVAL: Duration = Duration::from_millis(25);

#[derive(Debug, Default)]
struct State {
    held: Vec<Weak<Held>>,
    stopped: bool,
}

/// The list of held connects and the bell for the thread that watches them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    state: Mutex<State>,
    bell: Condvar,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, held: &Arc<Held>) {
        let mut state = self.lock();
        state.held.push(Arc::downgrade(held));
        if state.held.len() == 1 {
            self.bell.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.bell.notify_one();
    }

    /// Runs until [`stop`](Self::stop); asleep while nothing is held.
    pub(crate) fn run(&self, handler: &dyn Handler) {
        let mut state = self.lock();
        loop {
            state = self
                .bell
                .wait_while(state, |state| state.held.is_empty() && !state.stopped)
                .unwrap_or_else(PoisonError::into_inner);
            // Most are decided within one interval and never looked at.
            state = self
                .bell
                .wait_timeout_while(state, INTERVAL, |state| !state.stopped)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if state.stopped {
                return;
            }
            state.held.retain(|held| held.strong_count() > 0);
            let held: Vec<_> = state.held.iter().filter_map(Weak::upgrade).collect();
            drop(state);
            for held in held {
                if held.watch() {
                    handler.on_cancelled(held.cookie);
                }
            }
            state = self.lock();
        }
    }
}
