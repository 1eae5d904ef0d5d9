//! Health checks: one thread beside the workers, one task a server of every group in force.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, WeakUnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::build::Inventory;
use crate::config;
use crate::listen::clock;
use crate::upstream::{Balance, Check, Cookies, Group, Rate, Spec};
use crate::wire::{Name, RType};

/// The thread that probes.
pub(super) struct Probing {
    watch: UnboundedSender<Vec<Arc<Group>>>,
    thread: JoinHandle<()>,
}

impl Probing {
    /// Starts it, with nothing to probe yet.
    pub(super) fn start() -> io::Result<Probing> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Unbounded, but only a reload sends into it.
        let (watch, orders) = unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("kkh-health".into())
            .spawn(move || runtime.block_on(run(orders)))?;
        Ok(Probing { watch, thread })
    }

    /// For whoever changes what is probed.
    pub(super) fn watching(&self) -> Watching {
        Watching(self.watch.downgrade())
    }

    /// Ends it.
    pub(super) fn stop(self) {
        drop(self.watch);
        if self.thread.join().is_err() {
            tracing::error!("the health check thread panicked");
        }
    }
}

/// A handle to say what is probed. It does not keep the thread alive.
pub(super) struct Watching(WeakUnboundedSender<Vec<Arc<Group>>>);

impl Watching {
    /// From now on the groups of this inventory are probed, and no others. A group that was probed before goes on
    /// without a new first probe.
    pub(super) fn groups(&self, inventory: &Inventory) {
        // It fails only if the thread has ended, which `stop` alone makes it do.
        let _ = self.0.upgrade().map(|watch| watch.send(inventory.groups().cloned().collect()));
    }
}

async fn run(mut orders: UnboundedReceiver<Vec<Arc<Group>>>) {
    let mut watched: HashMap<*const Group, (Arc<Group>, JoinSet<()>)> = HashMap::new();
    while let Some(groups) = orders.recv().await {
        let mut next = HashMap::new();
        for group in groups {
            let entry = watched.remove(&Arc::as_ptr(&group)).unwrap_or_else(|| {
                let mut tasks = JoinSet::new();
                for prober in group.probers() {
                    tasks.spawn(prober.run(clock::now));
                }
                (Arc::clone(&group), tasks)
            });
            next.insert(Arc::as_ptr(&group), entry);
        }
        // What is left is no longer in force; its tasks end with their set.
        watched = next;
    }
}

/// The group that an upstream of the configuration describes.
pub(super) fn group(upstream: &config::Upstream, rate: Option<Arc<Rate>>, before: Option<&Group>) -> Group {
    let config::Upstream {
        name,
        servers,
        backups,
        balance,
        source_v4,
        source_v6,
        try_timeout,
        deadline,
        max_qps: _,
        max_in_flight,
        cookies,
        health_check,
        place: _,
    } = upstream;
    let spec = Spec {
        name: name.clone(),
        primaries: servers.clone(),
        backups: backups.clone(),
        balance: match balance {
            config::Balance::RoundRobin => Balance::RoundRobin,
            config::Balance::Fastest => Balance::Fastest,
            config::Balance::Ordered => Balance::Ordered,
        },
        source_v4: *source_v4,
        source_v6: *source_v6,
        try_timeout: *try_timeout,
        deadline: *deadline,
        max_in_flight: *max_in_flight,
        rate,
        cookies: if *cookies { Cookies::On } else { Cookies::Off },
        check: health_check.as_ref().map_or(Check::Off, check),
    };
    Group::new(spec, before)
}

/// The configuration has checked name and type; what could not be read would ask for the root's servers.
fn check(check: &config::HealthCheck) -> Check {
    let count = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
    Check::Query {
        qname: check.qname.parse().unwrap_or_else(|_| Name::root()),
        qtype: check.qtype.parse().unwrap_or(RType::NS),
        interval: check.interval,
        fall: count(check.fall),
        rise: count(check.rise),
    }
}
