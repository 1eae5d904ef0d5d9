//! The query log cannot be written: no answer waits for it, what is dropped is counted, and it is said once.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::load::ask_in_turn;
use crate::process::{PLANNING, Server, Site};
use crate::{PATIENCE, wait};

const QUESTIONS: usize = 20_000;
const LINES: &str = "kakehashi_query_log_lines_total";
const QUEUE_FULL: &str = "kakehashi_query_log_dropped_total{reason=\"queue-full\"}";
const WRITE_FAILED: &str = "kakehashi_query_log_dropped_total{reason=\"write-failed\"}";

/// With a short queue, so that it is soon full, and this target.
fn site(target: &str) -> Site {
    let site = Site::new("127.0.0.1:0", "", "");
    let log = site.path("query.log").display().to_string();
    let target = if target == "stdout" { target.to_owned() } else { site.path(target).display().to_string() };
    site.replace("main.toml", &format!("\"{log}\""), &format!("\"{target}\"\nqueue = \"1MiB\""));
    site
}

/// Every question is answered; gives how fast.
fn all_answered(server: &Server) -> String {
    let (said, how_fast) = ask_in_turn(server.dns, QUESTIONS, |_| PLANNING.to_owned());
    assert_eq!(said, [("10.0.30.100".to_owned(), QUESTIONS)].into());
    how_fast
}

fn warnings(said: &[String]) -> Vec<&String> {
    said.iter().filter(|line| line.contains("WARN") || line.contains("ERROR")).collect()
}

/// What the same load does with a log that can be written.
fn all_is_well() {
    let server = site("query.log").start();
    println!("    log in order: {}", all_answered(&server));
    server.terminate();
}

pub fn full_disk() {
    all_is_well();
    let site = site("disk/query.log");
    let disk = site.path("disk");
    std::fs::create_dir(&disk).unwrap();
    // A disk that only the server sees, and that goes with it.
    let mount = "mount -t tmpfs -o size=64k tmpfs \"$0\" && exec \"$@\"";
    let mut command = site.command_through(&[
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        mount,
        disk.to_str().unwrap(),
    ]);
    let mut server = Server::start(&mut command);
    println!("    disk full: {}", all_answered(&server));
    let (lines, dropped) = (server.metric(LINES), server.metric(QUEUE_FULL));
    println!("    {lines} lines written, {dropped} dropped as the queue was full, of {QUESTIONS}");
    assert!(lines > 0.0 && dropped > 0.0 && lines + dropped <= QUESTIONS as f64);

    // Seen as the server sees its files.
    let log = PathBuf::from(format!("/proc/{}/root{}", server.pid(), disk.join("query.log").display()));
    assert!(std::fs::metadata(&log).unwrap().len() > 60 << 10, "the disk was full");
    let pid = server.pid().to_string();
    let grow = ["--target", &pid, "--mount", "mount", "-o", "remount,size=64m", disk.to_str().unwrap()];
    assert!(Command::new("nsenter").args(grow).status().unwrap().success());
    server.until_says("the query log is written again");
    let warnings = warnings(&server.said);
    println!("    said: {warnings:?}");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("answers go on, lines may be lost"), "{warnings:?}");

    // What had waited is written, the line that the full disk cut among it: written or counted, nothing is missing.
    let (whole, dropped) = wait::until("every answer is a line or a drop", PATIENCE, || {
        let text = std::fs::read_to_string(&log).unwrap();
        let whole =
            text.lines().map_while(|line| serde_json::from_str::<serde_json::Value>(line).ok()).count();
        let dropped = (server.metric(QUEUE_FULL) + server.metric(WRITE_FAILED)) as usize;
        (whole + dropped == QUESTIONS).then_some((whole, dropped))
    });
    println!("    {whole} whole lines in the file in the end, {dropped} dropped");
    server.terminate();
}

pub fn unread_pipe() {
    all_is_well();
    let site = site("stdout");
    // With a watchdog of two seconds it looks after its threads each second.
    let mut server = Server::start(site.command().stdout(Stdio::piped()).env("WATCHDOG_USEC", "2000000"));
    println!("    nobody reads: {}", all_answered(&server));
    let (lines, dropped) = (server.metric(LINES), server.metric(QUEUE_FULL) + server.metric(WRITE_FAILED));
    println!("    {lines} lines written, {dropped} dropped, of {QUESTIONS}");
    assert!(dropped > 0.0 && lines + dropped <= QUESTIONS as f64);
    server.until_says("the query log hangs in a write; answers go on, lines are dropped and counted");
    println!("    and after that: {}", all_answered(&server));
    // It ends, too, though the log thread hangs in its write.
    let said = server.terminate();
    println!("    said: {:?}", warnings(&said));
    assert_eq!(said.iter().filter(|line| line.contains("answers go on")).count(), 1, "{said:?}");
}
