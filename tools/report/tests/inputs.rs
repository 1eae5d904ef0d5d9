//! All forms of log that there are, alone and mixed, whole and broken.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod common;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use common::{Ask, figures, log, run, save, text};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

#[test]
fn plain_gzip_and_zstd_are_read_together() {
    let folder = tempfile::tempdir().unwrap();
    let asks: Vec<Ask> = (0..300).map(Ask::new).collect();
    let files = [
        save(&folder, "query.log", log(&asks[..100]).as_bytes()),
        // Their names do not say what is in them.
        save(&folder, "query.log.1", &gzip(&log(&asks[100..200]))),
        save(&folder, "query.log.2", &zstd::encode_all(log(&asks[200..]).as_bytes(), 3).unwrap()),
    ];
    let found = figures(&[&files[0], &files[1], &files[2]]);
    assert_eq!(found["queries"], 300);
    assert_eq!(found["read"]["files"], 3);
    assert_eq!(found["read"]["bad"], 0);
}

#[test]
fn a_file_of_several_members_or_frames_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let part = |second| log(&[Ask::new(second)]);
    let members = [gzip(&part(0)), gzip(&part(1))].concat();
    let frames = [2, 3].map(|second| zstd::encode_all(part(second).as_bytes(), 3).unwrap()).concat();
    let files = [save(&folder, "a.json.gz", &members), save(&folder, "a.json.zst", &frames)];
    assert_eq!(figures(&[&files[0], &files[1]])["queries"], 4);
}

#[test]
fn the_archive_is_walked_and_hours_outside_the_time_are_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let hour =
        |hour: u64| format!("archive/123456789012/vpc-0abc/2026/11/24/{hour:02}/kakehashi-1a_0.json.gz");
    save(&folder, &hour(0), &gzip(&log(&[Ask::new(10), Ask::new(20)])));
    save(&folder, &hour(1), &gzip(&log(&[Ask::new(3600)])));
    save(&folder, &hour(2), b"\x1f\x8b and no gzip: were it opened, it would be told");
    save(&folder, "archive/123456789012/vpc-0abc/2026/11/24/01/.hidden", b"no log");
    save(&folder, "archive/123456789012/vpc-0abc/2026/11/24/01/a.json.gz.tmp", b"not yet a log");
    let archive = text(&folder.path().join("archive"));
    let found = figures(&["--until", "2026-11-24T02:00", &archive]);
    assert_eq!(found["queries"], 3);
    assert_eq!(found["read"]["files"], 2);
    assert_eq!(found["read"]["broken"], serde_json::json!([]));
    let found = figures(&["--since", "2026-11-24T01:00", "--until", "2026-11-24T02:00", &archive]);
    assert_eq!(found["queries"], 1);
}

#[test]
fn parquet_of_an_archive_without_a_column_of_weights_counts_as_its_lines_did() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    parquet(&path, &[(0, "A.technova.local.", "{}"), (1, "b.technova.local.", r#"{"kakehashi.sample":9}"#)]);
    let lines = save(&folder, "query.log", log(&[Ask::new(2)]).as_bytes());
    let found = figures(&[&text(&path), &lines]);
    assert_eq!(found["queries"], 1 + 9 + 1);
    assert_eq!(found["read"]["lines"], 3);
    assert_eq!(found["top_names"][0]["name"], "b.technova.local.");
    assert_eq!(found["top_names"][1]["name"], "a.technova.local.");
    let found = figures(&["--since", "2026-11-24T00:00:01", &text(&path)]);
    assert_eq!(found["queries"], 9);
}

#[test]
fn bad_lines_are_counted_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = log(&[Ask::new(0), Ask::new(1)]);
    text.push_str("{\"query_timestamp\":\"yesterday\",\"query_name\":\"a.\",\"rcode\":\"NOERROR\"}\n");
    text.push_str("not JSON\n\n[1,2]\n{\"version\":\"1.100000\"}\n");
    let mut octets = text.into_bytes();
    octets.extend_from_slice(b"{\"query_name\":\"\xff\xfe\"}\n");
    // The last one is torn in its middle, as by a full disk.
    octets.extend_from_slice(&log(&[Ask::new(2)]).as_bytes()[..100]);
    let path = save(&folder, "query.log", &octets);
    let found = figures(&[&path]);
    assert_eq!(found["queries"], 2);
    assert_eq!(found["read"]["bad"], 6);
    let done = run(&[&path]);
    assert_eq!(done.code, 0);
    assert!(done.err.contains("6 lines could not be read"), "{}", done.err);
    assert!(done.out.contains("6 lines could not be read"), "{}", done.out);
}

#[test]
fn lines_of_route_53_itself_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let line = r#"{"version":"1.100000","account_id":"111122223333","region":"us-west-1","vpc_id":"vpc-00000000000000000","query_timestamp":"2026-11-24T03:28:29Z","query_name":"example.com.","query_type":"A","query_class":"IN","rcode":"NOERROR","answers":[],"srcaddr":"10.0.0.5","srcport":"38600","transport":"UDP","srcids":{"instance":"i-0d15cd0d3adcb8d61"}}"#;
    let found = figures(&[&save(&folder, "query.log", line.as_bytes())]);
    assert_eq!(found["queries"], 1);
    assert_eq!(found["hit_ratio"], serde_json::Value::Null);
    assert_eq!(found["accounts"][0]["id"], "111122223333");
}

#[test]
fn a_file_that_ends_early_gives_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let whole = gzip(&log(&(0..10_000).map(Ask::new).collect::<Vec<_>>()));
    let path = save(&folder, "query.log.gz", &whole[..whole.len() / 2]);
    let found = figures(&[&path]);
    let queries = found["queries"].as_u64().unwrap();
    assert!((1000..10_000).contains(&queries), "{queries}");
    assert_eq!(found["read"]["broken"].as_array().unwrap().len(), 1);
    assert!(run(&[&path]).err.contains("Not read to its end"));
}

#[test]
fn a_line_without_end_is_one_of_few_bad_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut octets = vec![b'a'; 9 << 20];
    octets.push(b'\n');
    octets.extend_from_slice(log(&[Ask::new(0)]).as_bytes());
    let found = figures(&[&save(&folder, "query.log", &octets)]);
    assert_eq!(found["queries"], 1);
    assert!((1..=3).contains(&found["read"]["bad"].as_u64().unwrap()));
}

#[test]
fn nothing_is_reported_as_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "query.log", b"");
    let page = text(&folder.path().join("page.html"));
    let done = run(&["--html", &page, &path]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("No query in 1 file"), "{}", done.out);
    assert!(std::fs::read_to_string(&page).unwrap().contains("No query in 1 file"));
    assert_eq!(figures(&[&path])["queries"], 0);
    assert_eq!(run(&["--sql", "SELECT srcaddr FROM queries", &path]).out, "srcaddr\n(0 rows)\n");
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let done = run(&["/nowhere/query.log"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.starts_with("/nowhere/query.log: "), "{}", done.err);
}

fn gzip(text: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(text.as_bytes()).unwrap();
    writer.finish().unwrap()
}

/// A file with some of the archive's columns: seconds after the start of 2026-11-24, QNAME, other keys.
fn parquet(path: &Path, rows: &[(i64, &str, &str)]) {
    let schema = "message queries { required int64 asked_at (TIMESTAMP(MICROS,true)); optional binary query_name (STRING); \
                  optional binary rcode (STRING); optional binary other (STRING); }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let times: Vec<i64> = rows.iter().map(|row| (1_795_478_400 + row.0) * 1_000_000).collect();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&times, None, None).unwrap();
    column.close().unwrap();
    let columns: [Vec<&str>; 3] = [
        rows.iter().map(|row| row.1).collect(),
        rows.iter().map(|_| "NOERROR").collect(),
        rows.iter().map(|row| row.2).collect(),
    ];
    for texts in columns {
        let texts: Vec<ByteArray> = texts.into_iter().map(ByteArray::from).collect();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<ByteArrayType>().write_batch(&texts, Some(&vec![1; texts.len()]), None).unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}
