//! A cue: one task tells another, once, that a point has been reached.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

#[derive(Debug, Default)]
pub(super) struct Cue {
    given: AtomicBool,
    waiting: Mutex<Option<Waker>>,
}

impl Cue {
    pub(super) fn give(&self) {
        self.given.store(true, Ordering::Release);
        if let Some(waiting) = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take() {
            waiting.wake();
        }
    }

    /// Whether it has been given; if not, the task is woken when it is.
    pub(super) fn is_given(&self, context: &Context<'_>) -> bool {
        // The waker is left first, so that a cue given in between is not missed.
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        self.given.load(Ordering::Acquire)
    }
}
