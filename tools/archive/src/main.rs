//! `kakehashi-archive`: rolled query logs → the archive's layout, in a directory or an object store.

fn main() {}
