//! What is in flight for each client prefix, and how its answers are let go.

use std::rc::Rc;
use std::time::Duration;

use super::lane::Landing;
use super::{Snapshot, Worker};
use crate::policy::{Leaving, Measure, Ticket};
use crate::query::{Now, Path, Transport};

impl Worker {
    /// Whether the client's prefix may have one more in flight; if not, that is counted.
    pub(super) fn has_share(&self, path: &Path, snapshot: &Snapshot) -> bool {
        let policy = &snapshot.policy;
        let has_room = self.shares.has_room(policy.prefixes.of(path.client.ip()));
        if !has_room {
            policy.state.count(Measure::ShareRefused);
        }
        has_room
    }

    /// Takes a place for a query in flight.
    pub(super) fn take_share(&self, path: &Path) -> Ticket {
        self.shares.take(self.snapshot().policy.prefixes.of(path.client.ip()))
    }

    /// Lets the answer to a datagram that arrived then go now, or later if it piled up with others.
    pub(super) fn let_go(
        self: &Rc<Self>,
        share: Option<Ticket>,
        path: &Path,
        [arrived, now]: [Now; 2],
        asked: usize,
        out: &mut Vec<u8>,
    ) -> Landing {
        if out.is_empty() {
            return Landing::Silence;
        }
        let wait = self.hold_back(share.as_ref(), path, [arrived, now], asked, out);
        if wait.is_zero() {
            return Landing::Reply;
        }
        let reply = std::mem::take(out);
        Landing::Later(Box::pin(async move {
            tokio::time::sleep(wait).await;
            drop(share);
            Some(reply)
        }))
    }

    /// The same in a task.
    pub(super) async fn let_go_later(
        &self,
        share: Option<Ticket>,
        path: Path,
        arrived: Now,
        asked: usize,
        reply: Vec<u8>,
    ) -> Option<Vec<u8>> {
        if reply.is_empty() {
            return None;
        }
        let wait = self.hold_back(share.as_ref(), &path, [arrived, self.now()], asked, &reply);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        drop(share);
        Some(reply)
    }

    fn hold_back(
        &self,
        share: Option<&Ticket>,
        path: &Path,
        [arrived, now]: [Now; 2],
        asked: usize,
        reply: &[u8],
    ) -> Duration {
        let Some(share) = share.filter(|_| path.transport == Transport::Udp) else { return Duration::ZERO };
        let (arrived, now) = (arrived.monotonic, now.monotonic);
        let wait = share.hold_back(&Leaving { arrived, now, asked, answer: reply.len() });
        if !wait.is_zero() {
            self.snapshot().policy.state.count(Measure::HeldBack);
        }
        wait
    }
}
