//! Whom to ask first, second …: a pure function of what is known of the servers.

use std::time::Duration;

use smallvec::SmallVec;

use crate::health::State;

/// How queries are spread over the servers of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn.
    RoundRobin,
    /// The one that answers fastest.
    Fastest,
    /// The first that is up, in the configuration's order.
    Ordered,
}

impl Balance {
    /// As the configuration writes it.
    pub fn text(self) -> &'static str {
        match self {
            Balance::RoundRobin => "round-robin",
            Balance::Fastest => "fastest",
            Balance::Ordered => "ordered",
        }
    }
}

/// A server's part in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Asked whenever it is there.
    Primary,
    /// Asked when no primary is.
    Backup,
}

/// Whether a server may have its whole part of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It may.
    Done,
    /// It came back a moment ago, and this query is not for it yet.
    Slow,
}

/// What is known of a server.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Its part.
    pub role: Role,
    /// Whether it answers.
    pub state: State,
    /// Whether it came back a moment ago.
    pub start: Start,
    /// How fast.
    pub latency: Option<Duration>,
}

/// What is known of all servers of a group.
pub type Candidates = SmallVec<[Candidate; 4]>;

/// A server's place in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which server.
    pub server: usize,
    /// Whether an answer is expected of it.
    pub hope: Hope,
}

/// Whether an answer is expected of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hope {
    /// It answers, or did until lately.
    Fair,
    /// It is down; one never knows.
    Faint,
}

/// The servers in the order in which to ask them.
pub type Order = SmallVec<[Place; 4]>;

/// Of so many queries one goes to a server that was not the fastest: else its time would never be measured again.
const EXPLORE: usize = 64;

/// Up before suspect before down, primaries before backups; but a suspect primary before any backup, as one lost packet
/// must not move the load, and down ones last of all, as a server that is believed dead may yet be all there is.
pub fn order(balance: Balance, candidates: &[Candidate], turn: usize) -> Order {
    let mut order = Order::new();
    if let [only] = candidates {
        order.push(Place { server: 0, hope: hope(rank(only)) });
        return order;
    }
    let mut next = candidates.iter().map(rank).min();
    while let Some(rank_now) = next {
        let first = order.len();
        let of_rank = candidates.iter().enumerate().filter(|(_, candidate)| rank(candidate) == rank_now);
        let hope = hope(rank_now);
        order.extend(of_rank.map(|(server, _)| Place { server, hope }));
        arrange(balance, candidates, &mut order[first..], turn);
        next = candidates.iter().map(rank).filter(|rank| *rank > rank_now).min();
    }
    order
}

const RANKS: usize = 7;

fn hope(rank: usize) -> Hope {
    if rank < RANKS - 2 { Hope::Fair } else { Hope::Faint }
}

fn rank(candidate: &Candidate) -> usize {
    match (candidate.state, candidate.role, candidate.start) {
        (State::Up, Role::Primary, Start::Done) => 0,
        (State::Suspect, Role::Primary, _) => 1,
        // Backups are for when no primary is healthy, and this one is.
        (State::Up, Role::Primary, Start::Slow) => 2,
        (State::Up, Role::Backup, _) => 3,
        (State::Suspect, Role::Backup, _) => 4,
        (State::Down, Role::Primary, _) => 5,
        (State::Down, Role::Backup, _) => 6,
    }
}

fn arrange(balance: Balance, candidates: &[Candidate], places: &mut [Place], turn: usize) {
    if places.len() < 2 {
        return;
    }
    match balance {
        Balance::Ordered => {}
        Balance::RoundRobin => places.rotate_left(turn % places.len()),
        // One that was never measured comes first and is measured.
        Balance::Fastest => {
            places.sort_by_key(|place| candidates[place.server].latency);
            if turn % EXPLORE == EXPLORE - 1 {
                let other = 1 + turn / EXPLORE % (places.len() - 1);
                places[..=other].rotate_right(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Role::{Backup, Primary};
    use State::{Down, Suspect, Up};

    fn asked(balance: Balance, servers: &[(Role, State, u64)], turn: usize) -> Vec<usize> {
        let candidate = |(role, state, millis): &(Role, State, u64)| Candidate {
            role: *role,
            state: *state,
            start: Start::Done,
            latency: (*millis > 0).then(|| Duration::from_millis(*millis)),
        };
        let candidates: Candidates = servers.iter().map(candidate).collect();
        order(balance, &candidates, turn).iter().map(|place| place.server).collect()
    }

    #[test]
    fn the_states_and_roles_are_asked_in_this_order() {
        let servers = [
            (Backup, Down, 0),
            (Primary, Down, 0),
            (Backup, Suspect, 0),
            (Backup, Up, 0),
            (Primary, Suspect, 0),
            (Primary, Up, 0),
        ];
        assert_eq!(asked(Balance::Ordered, &servers, 0), [5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn a_backup_comes_first_only_when_every_primary_is_down() {
        let with = |first, second| {
            asked(Balance::Ordered, &[(Primary, first, 0), (Primary, second, 0), (Backup, Up, 0)], 0)[0]
        };
        assert_eq!(with(Suspect, Suspect), 0);
        assert_eq!(with(Down, Suspect), 1);
        assert_eq!(with(Down, Down), 2);
    }

    #[test]
    fn round_robin_gives_each_primary_that_is_up_its_turn() {
        let all_up = [(Primary, Up, 0), (Primary, Up, 0), (Primary, Up, 0), (Backup, Up, 0)];
        let firsts: Vec<_> = (0..6).map(|turn| asked(Balance::RoundRobin, &all_up, turn)[0]).collect();
        assert_eq!(firsts, [0, 1, 2, 0, 1, 2]);
        let one_down = [(Primary, Up, 0), (Primary, Down, 0), (Primary, Up, 0)];
        let firsts: Vec<_> = (0..4).map(|turn| asked(Balance::RoundRobin, &one_down, turn)[0]).collect();
        assert_eq!(firsts, [0, 2, 0, 2]);
    }

    #[test]
    fn one_that_has_just_come_back_leaves_some_queries_to_those_that_are_up() {
        let first = |others: [(Role, State); 2]| {
            let back = Candidate { role: Primary, state: Up, start: Start::Slow, latency: None };
            let other = |(role, state)| Candidate { role, state, start: Start::Done, latency: None };
            order(Balance::Ordered, &[back, other(others[0]), other(others[1])], 0)[0].server
        };
        assert_eq!(first([(Primary, Up), (Backup, Up)]), 1);
        assert_eq!(first([(Primary, Suspect), (Backup, Up)]), 1);
        assert_eq!(first([(Primary, Down), (Backup, Up)]), 0, "a backup is not for that");
    }

    #[test]
    fn fastest_prefers_the_fastest_but_keeps_an_eye_on_the_others() {
        let servers = [(Primary, Up, 30), (Primary, Up, 2), (Primary, Up, 9)];
        assert_eq!(asked(Balance::Fastest, &servers, 0), [1, 2, 0]);
        let mut shares = [0; 3];
        (0..EXPLORE * 10).for_each(|turn| shares[asked(Balance::Fastest, &servers, turn)[0]] += 1);
        assert_eq!(shares, [5, EXPLORE * 10 - 10, 5]);
        assert_eq!(asked(Balance::Fastest, &[(Primary, Up, 2), (Primary, Up, 0)], 0)[0], 1);
    }
}
