//! `[archive]`, and what it means for `[query-log]`.

use std::path::PathBuf;
use std::time::Duration;

use super::path_of;
use super::value::{Faults, Limits};
use crate::config::archive::{Archive, ArchiveFormat, ArchiveTarget, Bucket};
use crate::config::diagnostic::Diagnostic;
use crate::config::output::{LogTarget, QueryLog};
use crate::config::place::{Place, Placed};
use crate::config::spec::ArchiveSpec;
use crate::config::table::Single;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const PIB: u64 = 1 << 50;

/// `[archive]`. `kept` is where `[query-log]` says how many rolled files the server keeps, if it does.
pub(super) fn archive(
    given: Option<Placed<Single<ArchiveSpec>>>,
    log: &mut QueryLog,
    kept: Option<Place>,
    faults: &mut Faults<'_>,
) -> Option<Archive> {
    let Placed { value: Single(spec), place } = given?;
    let ArchiveSpec {
        to,
        format,
        state,
        metrics,
        every,
        local_keep,
        local_bytes,
        region,
        endpoint,
        storage_class,
        kms_key,
    } = spec;
    doubt_the_log(log, &place, faults);
    leave_rolled_files(log, kept, faults);

    let bucket_keys = [&region, &endpoint, &storage_class, &kms_key].into_iter().flatten().next().cloned();
    let mut text = |given: Option<Placed<String>>, key| given.map(|given| faults.name(given, key).value);
    let settings = Bucket {
        name: String::new(),
        prefix: String::new(),
        region: text(region, "region"),
        endpoint: text(endpoint, "endpoint"),
        storage_class: text(storage_class, "storage-class"),
        kms_key: text(kms_key, "kms-key"),
    };
    let to = to.and_then(|to| target(&to, settings, faults));
    if let (Some(ArchiveTarget::Folder(_)), Some(key)) = (&to, bucket_keys) {
        faults.push(
            Diagnostic::error(&key.place, "this says something about a bucket, and the archive is a folder")
                .with_hint("take this line away, or set to = \"s3://technova-dns-archive\""),
        );
    }
    let state = state.map_or_else(|| PathBuf::from("/var/lib/kakehashi-archive"), |given| path_of(&given));
    let metrics = metrics.map_or_else(|| state.join("kakehashi-archive.prom"), |given| path_of(&given));
    let format = format.and_then(|given| faults.word(&given, "format", &ArchiveFormat::ALL));
    let every = faults.duration(every, &Limits::of("every", SECOND, DAY));
    let local_keep = faults.duration(local_keep, &Limits::of("local-keep", Duration::ZERO, 3_660 * DAY));
    let local_bytes = faults.size(local_bytes, &Limits::of("local-bytes", MIB, PIB));
    // Nothing takes the place of a target, and a fault has said so.
    Some(Archive {
        to: to?,
        format: format.unwrap_or(ArchiveFormat::JsonGzip),
        state,
        metrics,
        every: every.unwrap_or(60 * SECOND),
        local_keep: local_keep.unwrap_or(30 * DAY),
        local_bytes: local_bytes.unwrap_or(50 * GIB),
    })
}

/// The archive takes what the log's rotation leaves.
fn doubt_the_log(log: &QueryLog, place: &Place, faults: &mut Faults<'_>) {
    let (doubt, hint) = match &log.to {
        LogTarget::Off | LogTarget::Stdout => (
            "nothing is archived: the query log does not go to a file",
            "set to = \"/var/log/kakehashi/query.log\" in [query-log]",
        ),
        LogTarget::File(_) if log.rotate.size.is_none() && log.rotate.every.is_none() => (
            "nothing is archived: the query log is never rotated",
            "set rotate-every = \"1h\" in [query-log]",
        ),
        LogTarget::File(_) => return,
    };
    faults.push(Diagnostic::warning(place, doubt).with_hint(hint));
}

/// Where there is an archive, who fills it deletes what is in it; the server would not know.
fn leave_rolled_files(log: &mut QueryLog, kept: Option<Place>, faults: &mut Faults<'_>) {
    match kept {
        None => log.rotate.keep = usize::MAX,
        Some(place) => faults.push(
            Diagnostic::warning(&place, "the server deletes rolled files by their number, archived or not")
                .with_hint("take this line away: local-keep and local-bytes of [archive] bound them"),
        ),
    }
}

fn target(to: &Placed<String>, settings: Bucket, faults: &mut Faults<'_>) -> Option<ArchiveTarget> {
    let Some(rest) = to.value.strip_prefix("s3://") else {
        if to.value.starts_with('/') || to.value.starts_with('.') {
            return Some(ArchiveTarget::Folder(path_of(to)));
        }
        let message = format!("the archive cannot be at \"{}\"", to.value);
        faults.push(Diagnostic::error(&to.place, message).with_hint(
            "it can be a bucket such as \"s3://technova-dns-archive/query-log\", or a folder such as \"/srv/archive\"",
        ));
        return None;
    };
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/').to_owned();
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if !(3..=63).contains(&name.len()) || !name.chars().all(plain) {
        let hint =
            "3 to 63 lower-case letters, digits, dots and hyphens, as in \"s3://technova-dns-archive\"";
        let message = format!("\"{name}\" is no name of a bucket");
        faults.push(Diagnostic::error(&to.place, message).with_hint(hint));
        return None;
    }
    let odd = prefix.split('/').any(|part| matches!(part, "." | "..") || part.is_empty());
    if (odd && !prefix.is_empty()) || prefix.chars().any(char::is_control) {
        let message = format!("\"{prefix}\" is no beginning of object names");
        faults.push(Diagnostic::error(&to.place, message).with_hint("write it as: query-log/kakehashi"));
        return None;
    }
    Some(ArchiveTarget::Bucket(Bucket { name: name.to_owned(), prefix, ..settings }))
}
