//! A cache snapshot that may be anything: it is left unread, or what it holds is written and read again the same.

use std::time::Duration;

use kakehashi::cache::ResponseCache;
use kakehashi::cache::snapshot::{read, write};
use kakehashi::query::Now;

/// A cache that is made anew for each input should be small.
const SIZE: u64 = 1 << 20;
const NOW: Now = Now { monotonic: Duration::from_secs(1000), unix_micros: 1_800_000_000_000_000 };

/// The first octet is where the rest begins: with the entries of a sound file of this moment, or with the file itself.
pub fn run(input: &[u8]) {
    let Some((&from, rest)) = input.split_first() else { return };
    let file = if from & 1 == 0 { with_entries(rest) } else { rest.to_vec() };
    let cache = ResponseCache::new(SIZE);
    let Ok(count) = read(&cache, NOW, &mut &file[..]) else {
        assert_eq!(cache.counts().entries, 0, "nothing of a damaged file is kept");
        return;
    };
    let (again, kept) = (ResponseCache::new(SIZE), written(&cache));
    assert!(kept.0 <= count);
    assert_eq!(read(&again, NOW, &mut &kept.1[..]).unwrap(), kept.0);
    assert_eq!(written(&again).0, kept.0);
}

fn written(cache: &ResponseCache) -> (u64, Vec<u8>) {
    let mut file = Vec::new();
    let count = write(cache, NOW, SIZE, &mut file).unwrap();
    (count, file)
}

/// A file with these entries, its sum right.
fn with_entries(entries: &[u8]) -> Vec<u8> {
    // Name, version and time, then the end of the entries and the sum.
    let (_, mut file) = written(&ResponseCache::new(SIZE));
    file.truncate(24);
    file.extend_from_slice(entries);
    let sum = crc32fast::hash(&file);
    file.extend_from_slice(&sum.to_le_bytes());
    file
}
