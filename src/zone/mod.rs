//! (room: zone)
