//! What the cache holds as a file, so that a restart is warm: written at a stop, read at a start.
//!
//! What is read is believed no more than what comes from the network: each entry is read as if it might be anything, the
//! whole is checked by its sum, and a file that is not whole, or of another time, is left unread.

use std::io::{self, Read, Write};
use std::time::Duration;

use super::cached::{self, Cached};
use super::response::{ResponseCache, ResponseKey};
use crate::query::Now;

/// What the file begins with: name and version of its form.
const MAGIC: &[u8; 16] = b"kakehashi-cache3";
/// The longest key: route, bits, type and name.
const MOST_KEY: usize = 16 + 1 + 2 + 255;
/// The longest value. None is kept that is longer than a chunk of the store.
const MOST_VALUE: usize = 1 << 17;
/// Older files hold nothing that is still worth having.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it was not written by this version of the cache")]
    Magic,
    /// It comes from the future, or from long ago.
    #[error("it was written {0} seconds ago by this machine's clock")]
    Age(i64),
    /// It is not whole.
    #[error("it is damaged: the sum of what it holds is not the one it ends with")]
    Sum,
}

/// Writes what still holds, up to so many octets; says how many entries.
pub fn write(cache: &ResponseCache, now: Now, limit: u64, to: &mut impl Write) -> io::Result<u64> {
    let mut file = Summed { inner: to, sum: crc32fast::Hasher::new() };
    file.write_all(MAGIC)?;
    file.write_all(&now.unix_micros.to_le_bytes())?;
    let (mut left, mut count, mut outcome) = (limit, 0, Ok(()));
    cache.for_each(|key, own, authority| {
        let size = 6 + key.len() + own.len() + authority.len();
        let is_fresh = cached::until(own).is_some_and(|until| now.monotonic < until);
        if outcome.is_ok() && is_fresh && size as u64 <= left {
            left -= size as u64;
            count += 1;
            outcome = write_entry(&mut file, key, own, authority, now);
        }
    });
    outcome?;
    file.write_all(&[0; 6])?;
    let sum = file.sum.finalize();
    to.write_all(&sum.to_le_bytes())?;
    Ok(count)
}

fn write_entry(file: &mut impl Write, key: &[u8], own: &[u8], authority: &[u8], now: Now) -> io::Result<()> {
    file.write_all(&(key.len() as u16).to_le_bytes())?;
    file.write_all(&((own.len() + authority.len()) as u32).to_le_bytes())?;
    file.write_all(key)?;
    // Another process has another clock: what is written is the age.
    let (stored, rest) = own.split_at(cached::STORED);
    let stored = stored.first_chunk().map_or(0, |stored| u64::from_le_bytes(*stored));
    let age = (now.monotonic.as_micros() as u64).saturating_sub(stored);
    file.write_all(&age.to_le_bytes())?;
    file.write_all(rest)?;
    file.write_all(authority)
}

/// Reads a file into the cache; says how many of its entries still hold. Nothing of a damaged file is kept.
pub fn read(cache: &ResponseCache, now: Now, from: &mut impl Read) -> Result<u64, Fault> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes)?;
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or(Fault::Magic)?;
    let rest = content.strip_prefix(MAGIC).ok_or(Fault::Magic)?;
    if crc32fast::hash(content) != u32::from_le_bytes(*sum) {
        return Err(Fault::Sum);
    }
    let (written, mut rest) = rest.split_first_chunk::<8>().ok_or(Fault::Sum)?;
    let written = u64::from_le_bytes(*written);
    let since = now.unix_micros.checked_sub(written).map(Duration::from_micros);
    let seconds = (now.unix_micros / 1_000_000).cast_signed() - (written / 1_000_000).cast_signed();
    let since = since.filter(|since| *since < OLDEST).ok_or(Fault::Age(seconds))?;
    let mut count = 0;
    while let Some((key, value, after)) = entry(rest) {
        rest = after;
        if let Some(cached) = aged(value, since, now.monotonic) {
            cache.put(&ResponseKey::read(key), &cached);
            count += 1;
        }
    }
    Ok(count)
}

/// The next entry, and what is behind it.
fn entry(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let ([k0, k1, v0, v1, v2, v3], rest) = bytes.split_first_chunk::<6>()?;
    let key = usize::from(u16::from_le_bytes([*k0, *k1]));
    let value = u32::from_le_bytes([*v0, *v1, *v2, *v3]) as usize;
    if key == 0 || key > MOST_KEY || value > MOST_VALUE {
        return None;
    }
    let (key, rest) = rest.split_at_checked(key)?;
    let (value, rest) = rest.split_at_checked(value)?;
    Some((key, value, rest))
}

/// What was written so long ago, if it still holds.
fn aged(value: &[u8], since: Duration, now: Duration) -> Option<Cached> {
    // Its clock began when it was stored, so that is its age when it was written.
    let cached = cached::read(value)?;
    let age = cached.stored.checked_add(since)?;
    let holds = cached.holds.checked_sub(age).filter(|left| !left.is_zero())?;
    // Rounded up: no TTL gets longer by a restart.
    let seconds = u32::try_from(age.as_secs() + 1).ok()?;
    let mut outcome = cached.outcome;
    if let Ok(response) = &mut outcome {
        response.map_ttl(|ttl| ttl.saturating_sub(seconds));
    }
    Some(Cached { outcome, stored: now, holds, ..cached })
}

/// A writer that sums what is written.
struct Summed<'w, W> {
    inner: &'w mut W,
    sum: crc32fast::Hasher,
}

impl<W: Write> Write for Summed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::query::Response;
    use crate::wire::{Name, RType, RecordRef};

    fn at(monotonic: u64, unix: u64) -> Now {
        Now { monotonic: Duration::from_secs(monotonic), unix_micros: unix * 1_000_000 }
    }

    fn name(n: u32) -> Name {
        format!("h{n}.technova.local").parse().unwrap()
    }

    fn key(n: u32) -> ResponseKey {
        ResponseKey::new(7, 0, name(n).as_ref(), RType::A)
    }

    /// Of names that hold for ten seconds times their number.
    fn cache(now: Now) -> ResponseCache {
        let cache = ResponseCache::new(1 << 20);
        for n in 1..=6 {
            let mut response = Response::default();
            let (name, rdata) = (name(n), [10, 0, 0, n as u8]);
            let record =
                RecordRef { owner: name.as_ref(), rtype: RType::A, class: 1, ttl: 10 * n, rdata: &rdata };
            response.answer.push(record);
            let holds = Duration::from_secs(10 * u64::from(n));
            cache.put(&key(n), &Cached { outcome: Ok(response), server: None, stored: now.monotonic, holds });
        }
        cache
    }

    fn written() -> Vec<u8> {
        let mut file = Vec::new();
        assert_eq!(write(&cache(at(100, 5_000)), at(105, 5_005), u64::MAX, &mut file).unwrap(), 6);
        file
    }

    #[test]
    fn another_process_finds_what_still_holds_and_no_ttl_is_longer() {
        let (cache, now) = (ResponseCache::new(1 << 20), at(1, 5_020));
        assert_eq!(
            read(&cache, now, &mut written().as_slice()).unwrap(),
            4,
            "of 10 and 20 seconds the time is over"
        );
        let ttl = |n| Some(cache.get(&key(n), now.monotonic)?.outcome.ok()?.min_ttl());
        assert_eq!([1, 2, 3, 6].map(|n| ttl(n).flatten()), [None, None, Some(9), Some(39)]);
        let later = now.monotonic + Duration::from_secs(10);
        assert!(cache.get(&key(3), later).is_none() && cache.get(&key(4), later).is_some());
    }

    #[test]
    fn a_damaged_file_is_left_unread_wherever_it_is_damaged() {
        let whole = written();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            let cut = &whole[..at];
            for bytes in [&damaged[..], cut] {
                let cache = ResponseCache::new(1 << 20);
                assert!(read(&cache, super::tests::at(1, 5_006), &mut &*bytes).is_err(), "octet {at}");
                assert_eq!(cache.counts().entries, 0);
            }
        }
    }

    #[test]
    fn a_file_of_another_day_or_of_the_future_is_left_unread() {
        for unix in [5_004, 5_005 + 24 * 3_600] {
            let cache = ResponseCache::new(1 << 20);
            assert!(matches!(read(&cache, at(1, unix), &mut written().as_slice()), Err(Fault::Age(_))));
        }
    }

    #[test]
    fn it_is_no_longer_than_allowed() {
        let mut file = Vec::new();
        let count = write(&cache(at(100, 5_000)), at(105, 5_005), 300, &mut file).unwrap();
        assert!((1..6).contains(&count) && file.len() < 300 + 40, "{count} {}", file.len());
        let cache = ResponseCache::new(1 << 20);
        assert_eq!(read(&cache, at(1, 5_005), &mut file.as_slice()).unwrap_or(0), count);
    }
}
