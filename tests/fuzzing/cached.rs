//! A kept response read back from bytes that may be anything: nothing, or a response that is written and read the same.

use kakehashi::cache::cached::{Cached, read, until, write};

pub fn run(input: &[u8]) {
    let Some(cached) = read(input) else { return };
    let ends = until(input);
    assert_eq!(ends, Some(cached.stored + cached.holds));
    let Ok(response) = &cached.outcome else { panic!("a failure is not kept as bytes") };
    assert!(response.byte_len() <= input.len());
    let mut bytes = Vec::new();
    write(&cached, response, |own, authority| bytes = [&own.concat(), authority].concat());
    assert_eq!(until(&bytes), ends);
    assert_eq!(read(&bytes).as_ref(), Some(&cached));
    touch(cached);
}

/// What the pipeline does with it.
fn touch(cached: Cached) {
    let stored = cached.stored;
    for now in [std::time::Duration::ZERO, stored, stored + cached.holds, std::time::Duration::MAX / 2] {
        let _ = (cached.is_fresh(now), cached.is_ending(now), cached.is_failure(), cached.age(now));
    }
    let Ok(mut response) = cached.outcome else { return };
    let _ = (response.min_ttl(), response.negative_ttl(), response.is_stale());
    response.map_ttl(|ttl| ttl.saturating_sub(1));
    let count = response.answer.iter().count();
    assert_eq!(count, response.answer.len());
}
