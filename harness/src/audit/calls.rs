//! The calls of a leg, one after the other; those that are answered late go on in the meantime.

use std::{panic::resume_unwind, sync::Arc};

use tokio::task::{JoinError, JoinSet};

use super::caller::{Called, Caller};
use crate::wire::nonce::Nonce;

/// The calls that were made, and those that are not answered yet. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Calls {
    caller: Arc<Caller>,
    made: u64,
    under_way: JoinSet<(Nonce, Called)>,
    late: Vec<(Nonce, Called)>,
}

impl Calls {
    pub(super) fn of(caller: Caller) -> Self {
        Self { caller: Arc::new(caller), made: 0, under_way: JoinSet::new(), late: Vec::new() }
    }

    /// Calls, and waits for the answer.
    pub(super) async fn answer(&mut self) -> (Nonce, Called) {
        let nonce = self.begin();
        (nonce, self.answer_to(nonce).await)
    }

    /// Calls, and waits for the answer unless this comes true before it.
    pub(super) async fn answer_unless(
        &mut self,
        given_up: impl Future<Output = ()>,
    ) -> (Nonce, Option<Called>) {
        let nonce = self.begin();
        tokio::select! {
            biased;
            called = self.answer_to(nonce) => (nonce, Some(called)),
            () = given_up => (nonce, None),
        }
    }

    /// Waits for the answer to every call that was not waited for.
    pub(super) async fn all_answered(&mut self) {
        while let Some(done) = self.under_way.join_next().await {
            self.late.push(answered(done));
        }
    }

    /// The answers to every call that was not waited for.
    pub(super) async fn late_answers(&mut self) -> Vec<(Nonce, Called)> {
        self.all_answered().await;
        std::mem::take(&mut self.late)
    }

    fn begin(&mut self) -> Nonce {
        self.made += 1;
        let (nonce, caller) = (Nonce(self.made), Arc::clone(&self.caller));
        self.under_way.spawn(async move { (nonce, caller.call(nonce).await) });
        nonce
    }

    async fn answer_to(&mut self, nonce: Nonce) -> Called {
        while let Some(done) = self.under_way.join_next().await {
            let (of, called) = answered(done);
            if of == nonce {
                return called;
            }
            self.late.push((of, called));
        }
        Called::default()
    }
}

fn answered(done: Result<(Nonce, Called), JoinError>) -> (Nonce, Called) {
    // A call that panicked: the panic is ours.
    done.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
