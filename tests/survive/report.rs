//! The table of what was wanted and what was measured, and the bounds that decide.

use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

static ROWS: Mutex<Vec<[String; 3]>> = Mutex::new(Vec::new());

/// A time fails the test beyond twice what is wanted and this: other work may run on this machine.
const SLACK: Duration = Duration::from_millis(250);

/// A line of the table.
pub fn row(case: impl Display, wanted: impl Display, measured: impl Display) {
    let line = [case.to_string(), wanted.to_string(), measured.to_string()];
    ROWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(line);
}

/// A time that should be at most `wanted`: a line of the table, and a failure where it is far beyond.
pub fn within(case: &str, wanted: Duration, measured: Duration) {
    row(case, format!("≤ {}", span(wanted)), span(measured));
    let bound = if strict() { wanted } else { wanted * 2 + SLACK };
    assert!(measured <= bound, "{case}: {measured:?}, wanted is {wanted:?}");
}

/// An amount that may be at most `wanted`: a line of the table, and a failure where it is more.
pub fn at_most<T: PartialOrd + Display + Copy>(case: &str, wanted: T, measured: T) {
    row(case, format!("≤ {wanted}"), measured);
    assert!(measured <= wanted, "{case}: {measured}, at most {wanted} is wanted");
}

/// Memory that may grow by at most `wanted` octets: a line of the table. Where the machine is short of time, what is in
/// flight at once counts too; so a failure only beyond twice that, unless the bounds are to be strict.
pub fn grown_at_most(case: &str, wanted: u64, measured: u64) {
    let millions = |octets: u64| format!("{:.1} MB", octets as f64 / 1e6);
    row(case, format!("≤ {}", millions(wanted)), millions(measured));
    let bound = if strict() { wanted } else { 2 * wanted };
    assert!(measured <= bound, "{case}: {measured}, at most {bound} is wanted");
}

/// A share that must be at least `wanted`, of 1: a line of the table, and a failure where it is less.
pub fn share(case: &str, wanted: f64, measured: f64) {
    row(case, format!("≥ {} %", wanted * 100.0), format!("{:.2} %", measured * 100.0));
    assert!(measured >= wanted, "{case}: {measured:.4}, at least {wanted} is wanted");
}

/// Whether the bounds are the exact ones.
pub fn strict() -> bool {
    std::env::var_os("SURVIVE_STRICT").is_some()
}

/// A time as people read it.
pub fn span(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds >= 1.0 => format!("{seconds:.2} s"),
        seconds if seconds >= 0.02 => format!("{:.0} ms", seconds * 1e3),
        seconds => format!("{:.2} ms", seconds * 1e3),
    }
}

/// Prints the table.
pub fn print() {
    let rows = ROWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if rows.is_empty() {
        return;
    }
    println!("| case | wanted | measured |\n|---|---|---|");
    for [case, wanted, measured] in rows.iter() {
        println!("| {case} | {wanted} | {measured} |");
    }
    println!();
}
