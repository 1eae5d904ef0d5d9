//! (room: recurse)
