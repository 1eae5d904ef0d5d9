//! From specs to the model: what the operator wrote, judged value by value.
//!
//! Each function takes a spec apart completely (a new key cannot be forgotten here: the destructuring would not
//! compile) and returns a model item even where something is wrong with it, so that one fault does not make
//! others out of nothing. Whether the model may be used is decided at the end, by the list of faults.

mod clients;
mod control;
mod detect;
mod network;
mod output;
mod route;
mod server;
mod upstream;
mod value;

use std::path::PathBuf;
use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::model::{CacheCaps, Config, SpecialUse};
use super::place::{Placed, Source};
use super::source::{Spec, resolve};
use value::Faults;

/// The configuration that the specs describe, to be used only if no fault is an error.
pub(super) fn lower(spec: Spec, sources: Vec<Arc<Source>>, faults: &mut Vec<Diagnostic>) -> Config {
    let Spec {
        special_use_names,
        node,
        listen,
        cache,
        clients,
        query_log,
        control,
        apply,
        detect,
        dnstap,
        log,
        networks,
        upstreams,
        rules,
        zones,
    } = spec;
    let faults = &mut Faults::new(faults);

    let node = server::node(node, faults);
    let listen = server::listen(listen, faults);
    let cache = server::cache(cache, faults);
    let clients = clients::clients(clients, faults);
    let control = control::control(control, faults);
    let apply = control::apply(apply, faults);
    let detect = detect::detect(detect, faults);
    let log = output::log(log, faults);
    let special_use_names = match special_use_names {
        Some(Placed { value: false, .. }) => SpecialUse::Forward,
        _ => SpecialUse::Serve,
    };
    let networks = network::networks(networks, clients.limit, faults);
    let upstreams = upstream::upstreams(upstreams, &listen.dns, faults);
    let caps = CacheCaps {
        max_ttl: cache.max_ttl,
        max_negative_ttl: cache.max_negative_ttl,
        failure_ttl: cache.failure_ttl,
    };
    let routes = route::routes(zones, rules, &route::Surroundings::new(&networks, &upstreams, caps), faults);
    let known = output::Known { networks: &networks, routes: &routes };
    let query_log = output::query_log(query_log, &known, faults);
    let dnstap = output::dnstap(dnstap, &known, faults);

    Config {
        node,
        listen,
        cache,
        clients,
        query_log,
        control,
        apply,
        detect,
        dnstap,
        log,
        special_use_names,
        networks,
        upstreams,
        routes,
        sources,
    }
}

/// A path that the text names, from the folder of the text.
fn path_of(named: &Placed<String>) -> PathBuf {
    resolve(named.place.source().folder(), &named.value)
}
