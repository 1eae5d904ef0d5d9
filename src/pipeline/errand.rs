//! What an operator wants of every worker: it does it on its own thread, and says what came of it.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cache::Forget;

/// Errands that may wait for a worker; more come only when one does not turn any more.
const WAITING: usize = 16;

/// The workers' inboxes.
#[derive(Default)]
pub(super) struct Errands(Mutex<Vec<SyncSender<Errand>>>);

/// One order to one worker.
#[derive(Clone)]
pub(super) struct Errand {
    order: Arc<Forget>,
    done: Sender<u64>,
}

/// What the workers will say.
pub struct Receipt {
    workers: usize,
    done: Receiver<u64>,
}

impl Errands {
    /// The inbox of one more worker.
    pub fn enlist(&self) -> Receiver<Errand> {
        let (inbox, errands) = sync_channel(WAITING);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(inbox);
        errands
    }

    /// Gives an order to every worker that there is.
    pub fn send(&self, order: Forget) -> Receipt {
        let (done, said) = channel();
        let errand = Errand { order: Arc::new(order), done };
        let mut inboxes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A worker that has ended has no cache any more; one whose inbox is full is waited for in vain, and that is said.
        inboxes.retain(|inbox| !matches!(inbox.try_send(errand.clone()), Err(TrySendError::Disconnected(_))));
        Receipt { workers: inboxes.len(), done: said }
    }
}

impl Errand {
    /// What is to be forgotten.
    pub fn order(&self) -> &Forget {
        &self.order
    }

    /// Says how many entries went.
    pub fn report(&self, entries: u64) {
        // Whoever asked may have lost patience.
        let _ = self.done.send(entries);
    }
}

impl Receipt {
    /// Waits for the workers, for each no longer than `patience`: how many entries went, and how many workers did not
    /// answer.
    pub fn wait(self, patience: Duration) -> (u64, usize) {
        let mut entries = 0;
        for said in 0..self.workers {
            match self.done.recv_timeout(patience) {
                Ok(more) => entries += more,
                Err(_) => return (entries, self.workers - said),
            }
        }
        (entries, 0)
    }
}
