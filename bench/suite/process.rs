//! The processes that are measured: pinned to one core, their cost read from /proc, ended when they are dropped.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a process may take to end that was asked to; callgrind has much to write then.
const END_WITHIN: Duration = Duration::from_secs(10);

/// A process of ours.
pub struct Process {
    child: Child,
}

/// What a process and its children have used so far.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// User and system, all threads.
    pub cpu: Duration,
    /// The same of the threads that are workers of ours.
    pub workers: Duration,
    /// How often a thread went to sleep.
    pub sleeps: u64,
    /// Resident now.
    pub resident_kib: u64,
}

impl Process {
    /// Starts a command on these cores; what it prints goes to `output`.
    pub fn start(cores: &str, command: &[String], folder: &Path, output: &Path) -> io::Result<Process> {
        let file = File::create(output)?;
        let child = Command::new("taskset")
            .arg("-c")
            .arg(cores)
            .args(command)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()?;
        Ok(Process { child })
    }

    /// Sends it a signal.
    pub fn signal(&self, which: Signal) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), which);
    }

    /// Waits until it ends.
    pub fn wait(&mut self) -> io::Result<()> {
        self.child.wait().map(|_| ())
    }

    /// It and its children.
    pub fn family(&self) -> Vec<u32> {
        family(self.child.id())
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// What it and its children have used.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for process in family(self.child.id()) {
            let Ok(tasks) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for task in tasks.flatten() {
                let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
                let nanos = read("schedstat").split(' ').next().and_then(|word| word.parse().ok());
                let nanos = Duration::from_nanos(nanos.unwrap_or(0));
                usage.cpu += nanos;
                if read("comm").starts_with("kkh-worker") {
                    usage.workers += nanos;
                }
                usage.sleeps += number_after(&read("status"), "voluntary_ctxt_switches:");
            }
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            usage.resident_kib += number_after(&status, "VmRSS:");
        }
        usage
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        signal(self.child.id(), Signal::SIGTERM);
        let begin = Instant::now();
        while !self.has_ended() {
            if begin.elapsed() > END_WITHIN {
                signal(self.child.id(), Signal::SIGKILL);
                let _ = self.child.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whether there is such a program.
pub fn on_path(program: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':').any(|folder| Path::new(folder).join(program).exists())
}

/// Sends a signal to a process of ours and all below it, the youngest first.
fn signal(process: u32, which: Signal) {
    for each in family(process).iter().rev() {
        let _ = kill(Pid::from_raw(each.cast_signed()), which);
    }
}

/// A process and all below it.
fn family(process: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|process| Some((process, parent(process)?)))
        .collect();
    let mut family = vec![process];
    let mut at = 0;
    while let Some(of) = family.get(at).copied() {
        family.extend(all.iter().filter(|(_, parent)| *parent == of).map(|(process, _)| *process));
        at += 1;
    }
    family
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // pid (name, which may hold anything) state ppid
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// The first number after a word at the beginning of a line.
pub fn number_after(text: &str, word: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(word))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Datagrams that processes of this network namespace have read so far.
pub fn datagrams_read() -> u64 {
    let text = fs::read_to_string("/proc/net/snmp").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp: "));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let mut pairs = names.split(' ').zip(values.split(' '));
    pairs.find(|(name, _)| *name == "InDatagrams").and_then(|(_, value)| value.parse().ok()).unwrap_or(0)
}
