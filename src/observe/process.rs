//! What the kernel says about this process, under the names that every Prometheus client uses.

use std::fs;
use std::time::SystemTime;

/// The process now; what cannot be read is left out.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessReading {
    /// Processor time, user and system, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Resident memory in octets.
    pub resident_bytes: Option<u64>,
    /// Virtual memory in octets.
    pub virtual_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open file descriptors.
    pub open_fds: Option<u64>,
    /// The limit of them.
    pub max_fds: Option<u64>,
}

/// Linux counts processor time for user space in hundredths of a second on every architecture we build for, whatever
/// its timer does.
const TICKS: f64 = 100.0;

/// Reads /proc/self; systemd's `ProcSubset=pid` leaves all of it.
pub fn read() -> ProcessReading {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let kib = |key| field(&status, key).map(|kib| kib * 1024);
    ProcessReading {
        cpu_seconds: fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat)),
        resident_bytes: kib("VmRSS:"),
        virtual_bytes: kib("VmSize:"),
        threads: field(&status, "Threads:"),
        open_fds: fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count() as u64),
        max_fds: field(&limits, "Max open files"),
    }
}

/// Seconds since 1970.
pub(super) fn unix_seconds(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The number behind `key` at the beginning of a line.
fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.split_whitespace().next()?.parse().ok()
}

/// proc(5): utime and stime are fields 14 and 15; the second field, in parentheses, may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11).map(str::parse::<f64>);
    Some((fields.next()?.ok()? + fields.next()?.ok()?) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_moves_no_field() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 9 1 1";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let process = read();
        assert!(process.resident_bytes > Some(0) && process.virtual_bytes > process.resident_bytes);
        assert!(process.threads > Some(0) && process.open_fds > Some(0) && process.max_fds > Some(0));
        assert!(process.cpu_seconds.is_some());
    }
}
