//! One worker's share of the street: its answers, its sockets towards upstreams, its place in the log.

use std::cell::{Cell, Ref, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;
use tokio::task::spawn_local;

use super::errand::{Errand, Mail, TRACED, TracedEvent};
use super::finish::{self, Asked, Keep};
use super::lane::Trip;
use super::reading::Reading;
use super::snapshot::{Prefetch, Shared, Snapshot};
use super::spare::Spare;
use super::step::{Host, InHand, Means, Patience, Wanted};
use super::straight;
use super::walk::{Question, Walked, walk};
use crate::cache::answer::{self, End, Key};
use crate::cache::{AnswerCache, PublishedCounts};
use crate::exchange::{Exchange, Landed};
use crate::observe::Recorder;
use crate::policy::{self, Decision, Pass, Shares};
use crate::query::{Event, Failure, Now, Path};
use crate::wire::Request;
use crate::wire::request::Parsed;

/// Where a worker reads the time: given by the edge that made it, so that tests can turn it.
pub type Clock = Box<dyn Fn() -> Now>;

/// What is to be done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// The reply is written.
    Reply,
    /// It gets no reply.
    Drop,
    /// A source has to be waited for: give it to [`Worker::resolve`].
    Resolve,
}

/// A worker.
pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) exchange: Exchange,
    pub(super) answers: RefCell<AnswerCache>,
    /// TTL offsets of the message being written.
    pub(super) scratch: RefCell<Vec<u16>>,
    /// What the query that was admitted last has to wait for.
    pub(super) wanted: RefCell<Option<Box<Wanted>>>,
    /// What something stood in for, in the walk at hand.
    pub(super) stood_in_for: RefCell<Option<Box<Wanted>>>,
    /// Queries that wait for a response of the lane.
    pub(super) pending: RefCell<Slab<Box<Trip>>>,
    /// What was taken from the exchange and not looked at yet.
    pub(super) landed: RefCell<VecDeque<Landed>>,
    pub(super) spare_trips: Spare<Trip>,
    pub(super) spare_wanted: Spare<Wanted>,
    /// Tickets of the lane whose query a panic has ended, until they are told of.
    pub(super) lost: RefCell<Vec<usize>>,
    /// What is in flight, by client prefix.
    pub(super) shares: Rc<Shares>,
    snapshot: RefCell<Arc<Snapshot>>,
    generation: Cell<u64>,
    installed: Cell<u64>,
    mail: Mail,
    own: Weak<Worker>,
    /// What became of a question that was traced.
    pub(super) traced: RefCell<Option<TracedEvent>>,
    recorder: RefCell<Recorder>,
    clock: Clock,
    pub(super) reading: Reading,
    turns: Cell<u16>,
    counts: Arc<PublishedCounts>,
}

/// What a worker is made of, beside what all share.
pub struct Outfit {
    /// Its sockets towards upstreams.
    pub exchange: Exchange,
    /// How many bytes its answer cache holds.
    pub answer_size: usize,
    /// Queries that may be in flight at once.
    pub max_in_flight: usize,
    /// Where its answer cache's counts are published.
    pub counts: Arc<PublishedCounts>,
    /// Its place in log and metrics.
    pub recorder: Recorder,
    /// Its time.
    pub clock: Clock,
}

impl Worker {
    /// A worker on what all share.
    pub fn new(shared: Arc<Shared>, outfit: Outfit) -> Rc<Worker> {
        let (generation, installed) = (shared.generation(), shared.installed());
        let snapshot = Arc::clone(&*shared.snapshot());
        let Outfit { mut exchange, answer_size, max_in_flight, counts, mut recorder, clock } = outfit;
        recorder.set_directory(Arc::clone(&snapshot.directory));
        exchange.hear_while(recorder.passages_wanted());
        Rc::new_cyclic(|own| Worker {
            own: Weak::clone(own),
            traced: RefCell::default(),
            mail: shared.enlist(),
            shared,
            exchange,
            counts,
            answers: RefCell::new(AnswerCache::new(answer_size)),
            scratch: RefCell::new(Vec::with_capacity(64)),
            wanted: RefCell::default(),
            stood_in_for: RefCell::default(),
            pending: RefCell::default(),
            landed: RefCell::default(),
            spare_trips: Spare::default(),
            spare_wanted: Spare::default(),
            lost: RefCell::default(),
            shares: Shares::new(max_in_flight),
            snapshot: RefCell::new(snapshot),
            generation: Cell::new(generation),
            installed: Cell::new(installed),
            recorder: RefCell::new(recorder),
            clock,
            reading: Reading::default(),
            turns: Cell::new(0),
        })
    }

    /// Answers what can be answered at once. No lock, no system call, and on a cached answer no allocation.
    pub fn admit(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> Admit {
        match self.decide(packet, path, now, out) {
            // A limit has left nothing of the reply.
            Admit::Reply if out.is_empty() => Admit::Drop,
            decided => decided,
        }
    }

    fn decide(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> Admit {
        self.refresh();
        self.reading.belongs_to(now);
        let request = match Request::parse(packet) {
            // Nobody can be answered on port 0.
            _ if path.client.port() == 0 => return Admit::Drop,
            Parsed::Query(request) => request,
            Parsed::Reject(head, code) => {
                finish::reject(self, packet, &head, code, path, now, out);
                return Admit::Reply;
            }
            Parsed::Silence => return Admit::Drop,
        };
        // Borrowed, not cloned: the count of an `Arc` that all workers share would travel between their cores.
        let snapshot = self.snapshot.borrow();
        let asked = Asked::new(&request, path, now, &snapshot);
        let Some(known) = asked.client else {
            if !snapshot.policy.drops_unknown() {
                finish::refuse(self, &asked, Failure::NoNetwork, out);
            }
            return Admit::Reply;
        };
        match snapshot.policy.query(known.network, path, asked.cookie.as_ref(), now) {
            Pass::Whole => {}
            Pass::Cut => {
                finish::cut(self, &asked, out);
                return Admit::Reply;
            }
            Pass::Silence => return Admit::Drop,
        }
        match policy::judge(&request) {
            Decision::Answer => {}
            Decision::Identify => {
                finish::identity(self, &asked, out);
                return Admit::Reply;
            }
            Decision::Refuse(failure) => {
                finish::refuse(self, &asked, failure, out);
                return Admit::Reply;
            }
        }
        if self.cached(&snapshot, &asked, known.view, out) {
            return Admit::Reply;
        }
        self.reading.ends();
        let Err(wanted) = self.answer_at_once(&snapshot, &asked, known.view, now, &[], out) else {
            return Admit::Reply;
        };
        if !self.has_share(path, &snapshot) {
            finish::refuse(self, &asked, Failure::ShareTaken, out);
            return Admit::Reply;
        }
        *self.wanted.borrow_mut() = Some(wanted);
        Admit::Resolve
    }

    /// Answers with what is at hand.
    pub(super) fn answer_at_once(
        &self,
        snapshot: &Snapshot,
        asked: &Asked<'_>,
        view: u32,
        now: Now,
        in_hand: &[InHand],
        out: &mut Vec<u8>,
    ) -> Result<(), Box<Wanted>> {
        if in_hand.is_empty()
            && let Some((response, trace)) =
                straight::begin(self, snapshot, view, asked.request, now.monotonic)?
        {
            finish::answer(self, asked, (&response, &trace), Keep::Yes, out);
            return Ok(());
        }
        let question = Question::of(asked.request);
        let means = Means::at_once(now, asked.path, in_hand);
        // With no patience the walk never waits, so one poll ends it.
        let walked = pin!(walk(self, snapshot, view, &question, means));
        match walked.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(Ok(Walked { response, trace }))) => {
                finish::answer(self, asked, (&response, &trace), Keep::Yes, out);
            }
            Poll::Ready(Ok(Err(failed))) => finish::failure(self, asked, &failed, out),
            Poll::Ready(Err(wanted)) => return Err(wanted),
            Poll::Pending => unreachable!("a walk without patience does not wait"),
        }
        self.stood_in_for.take().into_iter().for_each(|wanted| self.refetch(asked, wanted));
        Ok(())
    }

    /// Walks a query that has to wait for a source; gives the reply.
    pub fn resolve(
        self: Rc<Self>,
        packet: Box<[u8]>,
        path: Path,
        now: Now,
    ) -> impl Future<Output = Option<Vec<u8>>> + 'static {
        let (share, asked) = (Some(self.take_share(&path)), packet.len());
        async move {
            let reply = Rc::clone(&self).resolve_with(packet, path, now, &[]).await?;
            self.let_go_later(share, path, now, asked, reply).await
        }
    }

    /// As [`Worker::resolve`], where something has been fetched for the query already.
    pub(super) async fn resolve_with(
        self: Rc<Self>,
        packet: Box<[u8]>,
        path: Path,
        now: Now,
        in_hand: &[InHand],
    ) -> Option<Vec<u8>> {
        self.refresh();
        self.reading.ends();
        let Parsed::Query(request) = Request::parse(&packet) else { return None };
        let snapshot = Arc::clone(&*self.snapshot.borrow());
        let mut asked = Asked::new(&request, &path, now, &snapshot);
        let mut out = Vec::with_capacity(512);
        let Some(client) = asked.client else {
            // A reload took its network away since it was admitted.
            finish::refuse(&self, &asked, Failure::NoNetwork, &mut out);
            return Some(out);
        };
        let host = Host { worker: &self, snapshot: &snapshot, arrived: now.monotonic };
        let (question, means) = (Question::of(&request), Means::of(host, self.now(), &path, in_hand));
        let mut walked = walk(&self, &snapshot, client.view, &question, means).await.ok()?;
        self.reading.ends();
        let keep = if Arc::ptr_eq(&snapshot, &self.snapshot.borrow()) {
            Keep::Yes
        } else {
            // The numbers of an earlier configuration mean something else in this one.
            asked.client = self.snapshot.borrow().table.client(path.client.ip());
            walked.as_mut().map_or_else(|failed| failed.trace.forget(), |walked| walked.trace.forget());
            Keep::No
        };
        match walked {
            Ok(Walked { response, trace }) => {
                finish::answer(&self, &asked, (&response, &trace), keep, &mut out);
            }
            Err(failed) => finish::failure(&self, &asked, &failed, &mut out),
        }
        Some(out)
    }

    /// Turns a query away because too much is in flight.
    pub fn overloaded(&self, packet: &[u8], path: &Path, now: Now, out: &mut Vec<u8>) -> Admit {
        let Parsed::Query(request) = Request::parse(packet) else { return Admit::Drop };
        let asked = Asked::new(&request, path, now, &self.snapshot.borrow());
        finish::refuse(self, &asked, Failure::Overloaded, out);
        if out.is_empty() { Admit::Drop } else { Admit::Reply }
    }

    /// Between batches: hands the log its lines and the metrics their counts.
    pub fn batch_done(&self) {
        self.refresh();
        self.reading.ends();
        let mut recorder = self.recorder.borrow_mut();
        recorder.listen_to(&self.exchange, || self.now());
        recorder.flush();
        let mut answers = self.answers.borrow_mut();
        answers.sweep();
        self.counts.set(answers.counts());
    }

    /// Takes over a new configuration if there is one. Asked for every query: all workers change at the same moment.
    pub(super) fn refresh(&self) {
        let generation = self.shared.generation();
        if self.generation.replace(generation) != generation {
            self.turn();
        }
    }

    #[cold]
    fn turn(&self) {
        let installed = self.shared.installed();
        if self.installed.replace(installed) != installed {
            let current = Arc::clone(&*self.shared.snapshot());
            self.answers.borrow_mut().clear();
            self.recorder.borrow_mut().set_directory(Arc::clone(&current.directory));
            *self.snapshot.borrow_mut() = current;
        }
        for errand in self.mail.errands.try_iter() {
            match errand {
                // Whoever asked may have lost patience.
                Errand::Forget(order, done) => _ = done.send(self.answers.borrow_mut().forget(&order)),
                Errand::Trace(trace) => {
                    self.mail.listen(Weak::clone(&self.own), Worker::refresh);
                    if let Some(worker) = self.own.upgrade() {
                        spawn_local(worker.trace(trace));
                    }
                }
            }
        }
    }

    /// The time.
    pub(super) fn now(&self) -> Now {
        (self.clock)()
    }

    /// The configuration in force here.
    pub(super) fn snapshot(&self) -> Ref<'_, Arc<Snapshot>> {
        self.snapshot.borrow()
    }

    /// Records what happened.
    pub(super) fn emit(&self, event: &Event<'_>) {
        if event.path.local.port() == TRACED {
            let event = TracedEvent::of(event, &self.snapshot().directory);
            *self.traced.borrow_mut() = Some(event);
            return;
        }
        self.recorder.borrow_mut().record(event);
    }

    /// Whose turn it is among equal records.
    pub(super) fn next_turn(&self) -> u16 {
        self.turns.replace(self.turns.get().wrapping_add(1))
    }

    /// Fetches anew what makes an answer that ends soon.
    #[cold]
    fn prefetch(&self, snapshot: &Snapshot, asked: &Asked<'_>, view: u32) {
        let question = Question::of(asked.request);
        let means = Means { patience: Patience::Refresh, ..Means::at_once(asked.now, asked.path, &[]) };
        let walked = pin!(walk(self, snapshot, view, &question, means));
        if let Poll::Ready(Err(wanted)) = walked.poll(&mut Context::from_waker(Waker::noop())) {
            self.refetch(asked, wanted);
        }
    }

    fn cached(&self, snapshot: &Snapshot, asked: &Asked<'_>, view: u32, out: &mut Vec<u8>) -> bool {
        let request = asked.request;
        let Some(bits) = finish::cache_bits(request) else { return false };
        let Some(key) = Key::new(view, bits, request.question()) else { return false };
        let to = answer::Client {
            id: request.id,
            flags: request.flags,
            limit: finish::limit(asked, snapshot.udp_payload),
        };
        let Some(found) = self.answers.borrow_mut().get(&key, asked.now.monotonic, to, out) else {
            return false;
        };
        finish::conclude_cached(self, asked, &found.origin, out);
        if found.end == End::Near && snapshot.keeping.prefetch == Prefetch::On {
            self.prefetch(snapshot, asked, view);
        }
        true
    }
}
