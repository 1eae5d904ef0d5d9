//! Queries that wait for one response at a time, as nearly all misses do: the question is sent from the batch that brought
//! the query, and when its response lands it is the answer as it is ([`straight`]), or the walk is made again, with that in
//! hand. No task, no timer.
//!
//! Whatever one response does not settle (silence, a failure, a question that somebody else is asking already, iteration
//! from the root) becomes a task and goes on from where it stands.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::task::spawn_local;

use super::Worker;
use super::fetch::{conclude, fetched, landed_or_stale, said};
use super::finish::{self, Asked, Keep};
use super::step::{InHand, Wanted};
use super::straight;
use crate::cache::{Cached, Flight, Held};
use crate::exchange::{Gathering, Landed};
use crate::policy::Ticket;
use crate::query::{Failure, Now, Path};
use crate::route::{Caps, Target};
use crate::upstream::{First, Unsettled};
use crate::wire::Request;
use crate::wire::request::Parsed;

/// Responses that a query waits for in the lane. Longer chains go on as a task, where their length is bounded.
const MOST_HOPS: usize = 4;

/// Whether a query goes by the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// It does: [`Worker::take_landed`] will tell of it.
    Underway,
    /// It does not: [`Worker::resolve`] is to be asked.
    Task,
}

/// What became of a query of the lane.
pub enum Landing {
    /// The reply is written.
    Reply,
    /// It takes longer: this gives the reply.
    Later(Pin<Box<dyn Future<Output = Option<Vec<u8>>>>>),
    /// It gets no reply.
    Silence,
}

/// A query, and what was fetched for it so far.
pub(super) struct Trip {
    /// What its sender is known by; nobody waits for what is fetched anew.
    ticket: Option<usize>,
    packet: SmallVec<[u8; 128]>,
    path: Path,
    now: Now,
    in_hand: Vec<InHand>,
    /// Its place among those of its client's prefix.
    share: Option<Ticket>,
    /// What it waits for.
    waits_for: Option<Underway>,
}

impl Trip {
    fn lands(mut self: Box<Self>) -> Option<(Box<Trip>, Underway)> {
        let underway = self.waits_for.take()?;
        Some((self, underway))
    }

    fn of_nobody(path: Path, now: Now) -> Box<Trip> {
        let (packet, in_hand) = (SmallVec::new(), Vec::new());
        Box::new(Trip { ticket: None, packet, path, now, in_hand, share: None, waits_for: None })
    }
}

/// What is asked.
struct Leg {
    wanted: Box<Wanted>,
    caps: Caps,
}

/// A question on its way.
struct Underway {
    leg: Leg,
    held: Held,
    first: First,
}

/// The query at hand. A panic costs it its reply, and must not cost its sender's place too.
struct InHandOf<'a> {
    worker: &'a Worker,
    ticket: Option<usize>,
}

impl Drop for InHandOf<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.worker.lost.borrow_mut().extend(self.ticket);
        }
    }
}

impl Worker {
    /// Sends what the query that was admitted last has to wait for, and keeps the query under `ticket`.
    pub fn begin(&self, packet: &[u8], path: &Path, now: Now, ticket: usize) -> Begin {
        let Some(wanted) = self.wanted.take() else { return Begin::Task };
        let mut trip = self.spare_trips.take().unwrap_or_else(|| Trip::of_nobody(*path, now));
        (trip.ticket, trip.path, trip.now) = (Some(ticket), *path, now);
        trip.packet.extend_from_slice(packet);
        trip.share = Some(self.take_share(path));
        match self.launch(trip, wanted, now) {
            Ok(()) => Begin::Underway,
            Err(_) => Begin::Task,
        }
    }

    /// Has what is sent for a batch leave together.
    pub fn gather(&self) -> Gathering {
        self.exchange.gather()
    }

    /// Waits until there is something to take. Only for whoever has taken all that there was: it tells of what is new.
    pub async fn landed(&self) {
        self.exchange.landed().await;
    }

    /// How many responses are waited for in the lane.
    pub fn in_lane(&self) -> usize {
        self.pending.borrow().len()
    }

    /// What became of the next query of which there is news, by its ticket; its reply is written into `out`. If this
    /// panics, that query gets no reply, which the next call tells.
    pub fn take_landed(self: &Rc<Self>, out: &mut Vec<u8>) -> Option<(usize, Landing)> {
        if let Some(ticket) = self.lost.borrow_mut().pop() {
            return Some((ticket, Landing::Silence));
        }
        self.refresh();
        loop {
            let landed = self.next_landed()?;
            let trip = self.pending.borrow_mut().try_remove(landed.token as usize);
            let Some((trip, Underway { leg, held, first })) = trip.and_then(Trip::lands) else {
                self.exchange.dismiss(landed);
                continue;
            };
            // Set free, for others to ask, if this ends in a panic.
            let lead = self.shared.flights.take_up(held, &leg.wanted.key);
            let ticket = trip.ticket;
            let _in_hand = InHandOf { worker: self, ticket };
            let now = self.lately();
            let landing = match first.land(&leg.wanted.ask, landed.landing, &self.exchange) {
                Ok((response, server)) => {
                    let mut cached = fetched((Ok(response), Some(server)), now.monotonic);
                    conclude(self, &self.snapshot(), &leg.wanted.key, &mut cached, &leg.caps);
                    lead.land(&cached);
                    if ticket.is_some() {
                        self.arrive(trip, Some((leg.wanted, cached)), now, out)
                    } else {
                        None
                    }
                }
                Err(unsettled) => {
                    let held = lead.hold();
                    self.remain(trip, leg, held, unsettled, now, out)
                }
            };
            if let (Some(ticket), Some(landing)) = (ticket, landing) {
                return Some((ticket, landing));
            }
        }
    }

    /// Goes on with what one response did not settle.
    #[cold]
    fn remain(
        self: &Rc<Self>,
        mut trip: Box<Trip>,
        leg: Leg,
        held: Held,
        unsettled: Box<Unsettled>,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Option<Landing> {
        // Set free, for others to ask, if this ends in a panic.
        let key = leg.wanted.key.clone();
        let lead = self.shared.flights.take_up(held, &key);
        let nobodys = |trip: &Trip| Trip::of_nobody(trip.path, trip.now);
        if let Some(stale) = self.stand_in(&trip, &leg, now) {
            // Who waited has waited long enough; the source is still listened to, for the next.
            spawn_local(Rc::clone(self).go_on(nobodys(&trip), leg, lead.hold(), unsettled));
            trip.in_hand.push(stale);
            return self.arrive(trip, None, now, out);
        }
        if trip.ticket.is_none() {
            spawn_local(Rc::clone(self).go_on(trip, leg, lead.hold(), unsettled));
            return None;
        }
        if self.may_be_stale(&leg, now) {
            // It may have to be stood in for before it comes. It is listened to for all who wait then.
            let nobodys = nobodys(&trip);
            let later = Rc::clone(self).stand_by(trip, &leg);
            spawn_local(Rc::clone(self).go_on(nobodys, leg, lead.hold(), unsettled));
            return Some(Landing::Later(Box::pin(later)));
        }
        Some(Landing::Later(Box::pin(Rc::clone(self).go_on(trip, leg, lead.hold(), unsettled))))
    }

    fn next_landed(&self) -> Option<Landed> {
        let mut landed = self.landed.borrow_mut();
        if landed.is_empty() {
            self.reading.ends();
            self.exchange.take_landed(&mut landed);
        }
        landed.pop_front()
    }

    /// Fetches something that nobody waits for.
    pub(super) fn refetch(&self, asked: &Asked<'_>, wanted: Box<Wanted>) {
        let trip = Trip::of_nobody(*asked.path, asked.now);
        // If it cannot be sent now, the next who asks sends it.
        let _ = self.launch(trip, wanted, asked.now);
    }

    /// What may stand in for the response, if its client has waited long enough.
    fn stand_in(&self, trip: &Trip, leg: &Leg, now: Now) -> Option<InHand> {
        let keeping = self.snapshot().keeping;
        let waited = now.monotonic.saturating_sub(trip.now.monotonic);
        if trip.ticket.is_none() || waited < keeping.stale_after {
            return None;
        }
        let (key, routes) = (leg.wanted.key.clone(), leg.wanted.routes.clone());
        let responses = &self.shared.responses;
        let cached = responses.stand_in(&key, now.monotonic, keeping.serve_stale, leg.caps.failure_ttl)?;
        Some(InHand { key, cached, routes })
    }

    fn may_be_stale(&self, leg: &Leg, now: Now) -> bool {
        let longest = self.snapshot().keeping.serve_stale;
        self.shared.responses.can_stand_in(&leg.wanted.key, now.monotonic, longest)
    }

    /// Waits for what others fetch, or until something has to stand in for it.
    fn stand_by(
        self: Rc<Self>,
        trip: Box<Trip>,
        leg: &Leg,
    ) -> impl Future<Output = Option<Vec<u8>>> + 'static {
        let (key, routes, caps) = (leg.wanted.key.clone(), leg.wanted.routes.clone(), leg.caps);
        let (keeping, arrived) = (self.snapshot().keeping, trip.now.monotonic);
        let flight = match self.shared.flights.join(&key) {
            Flight::Wait(landing) => Some(landing),
            // Nobody fetches it: the walk does.
            Flight::Lead(_) => None,
        };
        async move {
            let mut trip = trip;
            if let Some(landing) = flight
                && let Some(cached) = landed_or_stale(&self, keeping, (&key, caps), landing, arrived).await
            {
                trip.in_hand.push(InHand { key, cached, routes });
            }
            self.resolve_trip(trip).await
        }
    }

    fn launch(&self, trip: Box<Trip>, wanted: Box<Wanted>, now: Now) -> Result<(), Box<Trip>> {
        let snapshot = self.snapshot();
        let spec = snapshot.table.route(wanted.route);
        let Target::Forward(group) = spec.target else { return Err(trip) };
        if trip.in_hand.len() == MOST_HOPS {
            return Err(trip);
        }
        let shared = &self.shared;
        let Flight::Lead(lead) = shared.flights.join(&wanted.key) else { return Err(trip) };
        // What was not known a moment ago may have landed at another worker.
        if trip.ticket.is_some()
            && shared.flights.ended(&wanted.key) != wanted.ended
            && shared.responses.knows(&wanted.key, now.monotonic)
        {
            return Err(trip);
        }
        let mut pending = self.pending.borrow_mut();
        let place = pending.vacant_entry();
        let group = &snapshot.groups[group as usize];
        let Some(first) = group.launch(&wanted.ask, &self.exchange, now, place.key() as u64) else {
            return Err(trip);
        };
        let held = lead.hold();
        shared.responses.count_miss();
        let mut trip = trip;
        trip.waits_for = Some(Underway { leg: Leg { wanted, caps: spec.caps }, held, first });
        place.insert(trip);
        Ok(())
    }

    /// Answers with what has come, or walks again with that and what was in hand. `None`: it waits for the next.
    fn arrive(
        self: &Rc<Self>,
        mut trip: Box<Trip>,
        news: Option<(Box<Wanted>, Cached)>,
        now: Now,
        out: &mut Vec<u8>,
    ) -> Option<Landing> {
        let Parsed::Query(request) = Request::parse(&trip.packet) else { return Some(Landing::Silence) };
        let snapshot = self.snapshot();
        let asked = Asked::new(&request, &trip.path, trip.now, &snapshot);
        let Some(known) = asked.client else {
            // A reload took its network away since it was admitted.
            finish::refuse(self, &asked, Failure::NoNetwork, out);
            return Some(Landing::Reply);
        };
        let mut is_answered = false;
        if let Some((wanted, mut cached)) = news {
            let trace = straight::end(&snapshot, &request, now.monotonic, &wanted.routes, &mut cached);
            if let (Some(trace), Ok(response)) = (trace, &cached.outcome) {
                finish::answer(self, &asked, (response, &trace), Keep::Yes, out);
                self.spare_wanted.give(wanted);
                is_answered = true;
            } else {
                let Wanted { key, routes, .. } = *wanted;
                trip.in_hand.push(InHand { key, cached, routes });
            }
        }
        let outcome = if is_answered {
            Ok(())
        } else {
            self.answer_at_once(&snapshot, &asked, known.view, now, &trip.in_hand, out)
        };
        let Err(wanted) = outcome else {
            let (arrived, asked, share) = (trip.now, trip.packet.len(), trip.share.take());
            let landing = self.let_go(share, &trip.path, [arrived, now], asked, out);
            trip.in_hand.clear();
            trip.packet.clear();
            if trip.packet.spilled() {
                trip.packet = SmallVec::new();
            }
            self.spare_trips.give(trip);
            return Some(landing);
        };
        let trip = self.launch(trip, wanted, now).err()?;
        Some(Landing::Later(Box::pin(Rc::clone(self).resolve_trip(trip))))
    }

    async fn go_on(
        self: Rc<Self>,
        trip: Box<Trip>,
        leg: Leg,
        held: Held,
        unsettled: Box<Unsettled>,
    ) -> Option<Vec<u8>> {
        let mut trip = trip;
        let Leg { wanted, caps } = leg;
        let shared = Arc::clone(&self.shared);
        // Set free if this task is ended.
        let lead = shared.flights.take_up(held, &wanted.key);
        let group = Arc::clone(unsettled.group());
        let said = said(&group, unsettled.go_on(&wanted.ask, &self.exchange).await);
        let snapshot = Arc::clone(&*self.snapshot());
        let mut cached = fetched(said, self.now().monotonic);
        conclude(&self, &snapshot, &wanted.key, &mut cached, &caps);
        lead.land(&cached);
        trip.ticket?;
        trip.in_hand.push(InHand { key: wanted.key, cached, routes: wanted.routes });
        self.resolve_trip(trip).await
    }

    async fn resolve_trip(self: Rc<Self>, trip: Box<Trip>) -> Option<Vec<u8>> {
        let Trip { packet, path, now, in_hand, share, .. } = *trip;
        let asked = packet.len();
        let reply = Rc::clone(&self).resolve_with(packet.into_boxed_slice(), path, now, &in_hand).await?;
        self.let_go_later(share, path, now, asked, reply).await
    }
}
