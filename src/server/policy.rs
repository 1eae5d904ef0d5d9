//! `[clients]` and the networks' limits → the policy of a snapshot; what limits remember outlives a reload.

use std::path::Path;
use std::sync::Arc;

use crate::config::{self, ClientLimit, Config, Diagnostic, Place};
use crate::policy::bucket::Rate;
use crate::policy::cookie::Secret;
use crate::policy::{Limit, Policy, Prefixes, Secrets, State, Unknown};

/// Keys that a file may hold: the one that makes cookies, and those before and after it.
const MOST_SECRETS: usize = 8;

/// What a reload keeps.
#[derive(Clone, Default)]
pub(super) struct Kept {
    state: Option<Arc<State>>,
    root: Option<Secret>,
}

/// The policy of a configuration.
pub(super) fn policy(config: &Config, kept: &mut Kept) -> Result<Policy, Box<Diagnostic>> {
    let clients = &config.clients;
    let state = match &kept.state {
        Some(state) => Arc::clone(state),
        None => Arc::clone(kept.state.insert(Arc::new(State::new(random()?)))),
    };
    let secrets = match (&clients.cookie_secrets, kept.root) {
        (Some((file, place)), _) => Secrets::Shared(read_secrets(file, place)?),
        (None, Some(root)) => Secrets::Own(root),
        (None, None) => Secrets::Own(*kept.root.insert(random()?)),
    };
    Ok(Policy {
        networks: config.networks.iter().map(|network| network.limit.map(limit)).collect(),
        unknown: match clients.unknown {
            config::Unknown::Refuse => Unknown::Refuse,
            config::Unknown::Drop => Unknown::Drop,
        },
        unknown_limit: limit(clients.limit),
        prefixes: Prefixes { v4: clients.prefix_v4, v6: clients.prefix_v6 },
        secrets,
        state,
    })
}

fn limit(given: ClientLimit) -> Limit {
    let ClientLimit { queries, responses, burst, slip } = given;
    let rate = |per_second: u32| Rate { per_second, burst };
    Limit { queries: queries.map(rate), responses: responses.map(rate), slip }
}

fn random() -> Result<[u8; 16], Box<Diagnostic>> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).map_err(|fault| {
        Diagnostic::error_without_place(format!("the kernel gives no random octets: {fault}"))
    })?;
    Ok(octets)
}

/// One key a line, 32 hexadecimal digits; the first makes cookies. Nothing of the file is ever shown.
fn read_secrets(file: &Path, place: &Place) -> Result<Vec<Secret>, Box<Diagnostic>> {
    let text = std::fs::read_to_string(file).map_err(|fault| {
        Diagnostic::error(place, format!("the cookie secrets {} cannot be read: {fault}", file.display()))
    })?;
    let lines = text.lines().map(str::trim).zip(1..);
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let mut secrets = Vec::new();
    for (line, number) in lines {
        let Some(secret) = secret(line) else {
            let message = format!("line {number} of the cookie secrets {} is no key", file.display());
            let hint = "a key is 32 hexadecimal digits: make one with `openssl rand -hex 16`";
            return Err(Box::new(Diagnostic::error(place, message).with_hint(hint)));
        };
        secrets.push(secret);
    }
    if secrets.is_empty() || secrets.len() > MOST_SECRETS {
        let message = format!("the cookie secrets {} hold {} keys", file.display(), secrets.len());
        let hint =
            format!("there are 1 to {MOST_SECRETS}, one a line; the first makes cookies, all are accepted");
        return Err(Box::new(Diagnostic::error(place, message).with_hint(hint)));
    }
    Ok(secrets)
}

fn secret(line: &str) -> Option<Secret> {
    let digits: &[u8; 32] = line.as_bytes().try_into().ok()?;
    let digit = |octet: u8| char::from(octet).to_digit(16);
    let mut secret = [0; 16];
    for (octet, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(secret)
}
