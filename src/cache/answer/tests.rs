//! Hits, their ends, the bound on memory.
#![allow(clippy::unwrap_used)]
use super::ahead::REST;
use super::*;

const QUESTION: &[u8] = b"\x03WWW\x05local\x00\x00\x01\x00\x01";

fn wire(marker: u8, ttl: u32) -> Vec<u8> {
    let mut wire = vec![0, 0, 0x80, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    wire.extend(QUESTION.to_ascii_lowercase());
    wire.extend([0xC0, 12, 0, 1, 0, 1]);
    wire.extend(ttl.to_be_bytes());
    wire.extend([0, 4, 10, 0, 0, marker]);
    wire
}

fn finished(wire: &[u8], seconds: u64) -> Finished<'_> {
    let origin = Origin { route: Some(3), server: None, rcode: 0, ede: None };
    let least = Duration::from_secs(seconds);
    Finished { wire, ttls: &[33], turn: None, ttl: Ttl::CountDown, least, stamps: SmallVec::new(), origin }
}

fn client() -> Client {
    Client { id: 0x1234, flags: 0x0100, limit: 512 }
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_hit_is_addressed_to_its_client_and_its_ttl_counts_down_to_its_end() {
    let (mut cache, mut out) = (AnswerCache::new(100_000), Vec::new());
    let lower = QUESTION.to_ascii_lowercase();
    let key = Key::new(7, 0, &lower).unwrap();
    cache.put(&key, at(100), finished(&wire(1, 60), 60));
    let upper = Key::new(7, 0, QUESTION).unwrap();
    assert_eq!(cache.get(&upper, at(110), client(), &mut out).unwrap().origin.route, Some(3));
    assert_eq!(
        (&out[..4], &out[12..27], &out[33..37]),
        (&[0x12, 0x34, 0x81, 0][..], QUESTION, &[0, 0, 0, 50][..])
    );
    assert!(cache.get(&upper, at(160), client(), &mut out).is_none(), "its time is over");
    assert_eq!(cache.counts().entries, 0);
}

#[test]
fn another_view_other_bits_or_another_question_find_nothing() {
    let (mut cache, mut out) = (AnswerCache::new(100_000), Vec::new());
    cache.put(&Key::new(7, 0, QUESTION).unwrap(), at(0), finished(&wire(1, 60), 60));
    let aaaa = [&QUESTION[..QUESTION.len() - 4], &[0, 28, 0, 1]].concat();
    for key in [Key::new(8, 0, QUESTION), Key::new(7, 1, QUESTION), Key::new(7, 0, &aaaa)] {
        assert!(cache.get(&key.unwrap(), at(1), client(), &mut out).is_none());
    }
    let small = Client { limit: 40, ..client() };
    assert!(cache.get(&Key::new(7, 0, QUESTION).unwrap(), at(1), small, &mut out).is_none());
}

#[test]
fn an_answer_of_any_length_is_given_as_it_was_kept_also_after_a_look_ahead() {
    let (mut cache, mut out) = (AnswerCache::new(64 << 20), Vec::new());
    let key = |view| Key::new(view, 0, QUESTION).unwrap();
    let long = |view: u32| [wire(view as u8, 60), vec![view as u8; view as usize]].concat();
    let lengths = 0..1_500;
    for view in lengths.clone() {
        cache.put(&key(view), at(0), finished(&long(view), 60));
    }
    let client = Client { limit: 4_096, ..client() };
    let ahead = |cache: &mut AnswerCache, views: std::ops::Range<u32>| {
        cache.foresee(views.map(key));
        cache.approach()
    };
    assert_eq!(ahead(&mut cache, 1_480..1_544), 20);
    assert_eq!(ahead(&mut cache, 1_490..1_554), 10);
    let found: Vec<usize> = (0..REST + 2).map(|_| ahead(&mut cache, 0..64)).collect();
    assert_eq!(found.iter().filter(|found| **found == 64).count(), 2, "after one in vain it rests a while");
    for view in lengths {
        cache.get(&key(view), at(10), client, &mut out).unwrap();
        let mut expected = long(view);
        patch::address(&mut expected, client.id, client.flags, QUESTION);
        patch::age(&mut expected, [33], 10);
        assert_eq!(out, expected, "{view}");
    }
}

#[test]
fn what_a_look_ahead_has_found_goes_to_its_own_key_whatever_happens_in_between() {
    let (mut cache, mut out) = (AnswerCache::new(64 << 20), Vec::new());
    let key = |view| Key::new(view, 0, QUESTION).unwrap();
    let put = |cache: &mut AnswerCache, view: u32, marker: u8| {
        cache.put(&key(view), at(0), finished(&wire(marker, 60), 60));
    };
    (0..2_000).for_each(|view| put(&mut cache, view, view as u8));
    let mut marker = |cache: &mut AnswerCache, view| {
        cache.get(&key(view), at(1), client(), &mut out).map(|_| out[out.len() - 1])
    };
    let asked = [
        // As foreseen; with one, two and many turned away; in another order; others altogether.
        (0..64).collect::<Vec<u32>>(),
        (0..64).filter(|view| view % 5 > 0).collect(),
        (0..64).filter(|view| view % 5 > 1).collect(),
        (50..64).collect(),
        (0..64).rev().collect(),
        (1_000..1_064).collect(),
    ];
    for views in asked {
        cache.foresee((0..64).map(key));
        assert_eq!(cache.approach(), 64);
        for view in views {
            assert_eq!(marker(&mut cache, view), Some(view as u8), "{view}");
        }
    }
    cache.foresee((0..64).map(key));
    assert_eq!(cache.approach(), 64);
    put(&mut cache, 0, 0xFF);
    assert_eq!(marker(&mut cache, 0), Some(0xFF), "it has another answer now");
    cache.clear();
    (1_000..2_000).for_each(|view| put(&mut cache, view, 0xEE));
    assert_eq!(marker(&mut cache, 1), None, "its place is another's now");
    assert_eq!(marker(&mut cache, 1_002), Some(0xEE));
}

#[test]
fn a_changed_zone_ends_its_answers() {
    let (mut cache, mut out) = (AnswerCache::new(100_000), Vec::new());
    let generation = Arc::new(AtomicU64::new(1));
    let key = Key::new(7, 0, QUESTION).unwrap();
    let wire = wire(1, 60);
    let stamps = SmallVec::from_iter([(generation.clone(), 1)]);
    cache.put(&key, at(0), Finished { stamps, ttl: Ttl::Constant, ..finished(&wire, 60) });
    assert!(cache.get(&key, at(59), client(), &mut out).is_some());
    assert_eq!(&out[33..37], &[0, 0, 0, 60]);
    generation.store(2, Ordering::Release);
    assert!(cache.get(&key, at(59), client(), &mut out).is_none());
}

#[test]
fn small_answers_leave_no_room_behind_that_large_ones_take_again() {
    let capacity = 8 << 20;
    let mut cache = AnswerCache::new(capacity);
    for view in 0..60_000 {
        cache.put(&Key::new(view, 0, QUESTION).unwrap(), at(0), finished(&wire(1, 60), 60));
    }
    let large = [wire(1, 60), vec![0; 1_000]].concat();
    for view in 0..60_000 {
        cache.put(&Key::new(view, 1, QUESTION).unwrap(), at(0), finished(&large, 60));
        if view % 500 == 0 {
            let held = cache.entries.len() * size_of::<Option<Entry>>();
            let entries = (0..cache.entries.len()).filter_map(|at| cache.entries.get(at));
            let apart: usize =
                entries.filter(|entry| entry.bytes.spilled()).map(|entry| entry.bytes.len()).sum();
            assert!(held + apart <= capacity * 6 / 5, "{held} and {apart} after {view}");
        }
    }
}

#[test]
fn its_size_is_bounded_and_what_is_used_stays() {
    let (mut cache, mut out) = (AnswerCache::new(20_000), Vec::new());
    let hot = Key::new(0, 0, QUESTION).unwrap();
    cache.put(&hot, at(0), finished(&wire(1, 60), 60));
    for view in 1..5_000 {
        cache.put(&Key::new(view, 0, QUESTION).unwrap(), at(0), finished(&wire(1, 60), 60));
        assert!(cache.counts().bytes <= 20_000);
        assert!(cache.get(&hot, at(0), client(), &mut out).is_some());
    }
    assert!(cache.counts().evictions > 4_000 && cache.counts().entries > 10);
}
