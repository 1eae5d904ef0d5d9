//! (room: health)
