//! The zones of the configuration, as status and metrics tell of them.

use crate::control::status::ZoneStatus;
use crate::pipeline::Snapshot;
use crate::route::{Target, Visible};

/// What is told of a zone.
pub(super) struct ZoneFacts {
    pub origin: String,
    pub serial: u32,
    pub records: u64,
}

/// The zones of the configuration; those that are built in have nothing to tell.
pub(super) fn own_zones(snapshot: &Snapshot) -> impl Iterator<Item = (String, ZoneFacts)> {
    snapshot.table.routes().filter(|spec| spec.visible != Visible::WhereForwarded).filter_map(|spec| {
        let Target::Zone(number) = spec.target else { return None };
        let zone = snapshot.zones[number as usize].zone();
        let facts = ZoneFacts {
            origin: zone.origin().to_string(),
            serial: zone.serial(),
            records: zone.record_count() as u64,
        };
        Some((spec.label.clone(), facts))
    })
}

/// As the status document has them.
pub(super) fn zones(snapshot: &Snapshot) -> Vec<ZoneStatus> {
    own_zones(snapshot)
        .map(|(name, zone)| ZoneStatus {
            name,
            origin: zone.origin,
            serial: zone.serial,
            records: zone.records,
        })
        .collect()
}
