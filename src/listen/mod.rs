//! (room: listen)
