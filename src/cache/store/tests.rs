//! The store under floods, at its bounds, and against a plain map.

#![allow(clippy::unwrap_used)]
use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::FixedState;
use proptest::prelude::*;

use super::*;

fn put(store: &Store, key: &[u8], value: &[u8]) {
    store.put(FixedState::default().hash_one(key), key, &[value], b"");
}

fn get(store: &Store, key: &[u8]) -> Option<Vec<u8>> {
    store.get(FixedState::default().hash_one(key), key, |own, tail| [own, tail].concat())
}

#[test]
fn what_is_used_outlives_a_flood_and_the_size_is_kept() {
    let store = Store::new(1 << 20);
    put(&store, b"hot", b"value");
    for n in 0..200_000_u32 {
        put(&store, &n.to_be_bytes(), &[7; 100]);
        assert_eq!(get(&store, b"hot").as_deref(), Some(&b"value"[..]));
    }
    let (entries, bytes, evictions) = store.counts();
    assert!(bytes <= 1 << 20 && bytes > 900_000, "{bytes}");
    assert!(entries > 5_000 && entries + evictions == 200_001, "{entries} {evictions}");
}

#[test]
fn when_all_is_used_the_oldest_goes_all_the_same() {
    let store = Store::new(1 << 18);
    for n in 0..20_000_u32 {
        put(&store, &n.to_be_bytes(), &[7; 200]);
        assert!(get(&store, &n.to_be_bytes()).is_some());
    }
    assert!(store.counts().1 <= 1 << 18);
}

#[test]
fn what_is_too_large_is_not_kept_and_pushes_nothing_out() {
    let store = Store::new(64 << 20);
    put(&store, b"small", b"value");
    put(&store, b"large", &vec![0; CHUNK / 2]);
    assert!(get(&store, b"large").is_none() && get(&store, b"small").is_some());
}

#[test]
fn what_is_forgotten_is_gone_and_all_else_stays() {
    let store = Store::new(4 << 20);
    for n in 0..5_000_u32 {
        put(&store, &n.to_be_bytes(), &[7; 100]);
        put(&store, &n.to_be_bytes(), &[8; 100]);
    }
    let even = |key: &[u8]| key[3].is_multiple_of(2);
    assert_eq!(store.forget(even), 2_500, "each counts once, however often it was written");
    assert_eq!((store.forget(even), store.counts().0), (0, 2_500));
    for n in 0..5_000_u32 {
        assert_eq!(get(&store, &n.to_be_bytes()).is_some(), n % 2 == 1, "{n}");
    }
}

#[test]
fn what_all_values_end_with_takes_room_once_and_survives_with_each() {
    let (store, tail) = (Store::new(1 << 20), [9; 400]);
    let put = |n: u32| {
        let key = n.to_be_bytes();
        store.put(FixedState::default().hash_one(key.as_slice()), &key, &[&[7; 20]], &tail);
    };
    let whole = [&[7; 20][..], &tail].concat();
    put(0);
    for n in 1..200_000 {
        put(n);
        assert_eq!(get(&store, &[0; 4]).as_ref(), Some(&whole), "{n}");
        assert_eq!(get(&store, &n.to_be_bytes()).as_ref(), Some(&whole));
    }
    let (entries, bytes, evictions) = store.counts();
    // Each with its own tail there would be room for some two thousand.
    assert!(bytes <= 1 << 20 && entries > 10_000 && evictions > 150_000, "{entries} {bytes} {evictions}");
    store.for_each(|_, own, tail| assert_eq!([own, tail].concat(), whole));
}

proptest! {
    #[test]
    fn it_gives_back_what_was_put_last_or_nothing(
        puts in prop::collection::vec((0..600_u16, 0..900_usize, 0..70_usize), 1..4_000)
    ) {
        let store = Store::new(1 << 18);
        let mut last = HashMap::new();
        for (nth, (key, length, tail)) in puts.into_iter().enumerate() {
            let (octets, tail) = (key.to_be_bytes(), vec![tail as u8; 2 * tail]);
            let own = [&nth.to_be_bytes()[..], &vec![key as u8; length]];
            store.put(FixedState::default().hash_one(octets.as_slice()), &octets, &own, &tail);
            last.insert(key, [own[0], own[1], &tail].concat());
            let asked = (nth as u16).wrapping_mul(31) % 600;
            if let Some(found) = get(&store, &asked.to_be_bytes()) {
                prop_assert_eq!(Some(&found), last.get(&asked));
            }
        }
        let mut seen = 0;
        store.for_each(|key, own, tail| {
            let key = u16::from_be_bytes(key.try_into().unwrap());
            assert_eq!(Some(&[own, tail].concat()), last.get(&key));
            seen += 1;
        });
        prop_assert_eq!(seen, store.counts().0);
    }
}
