//! Reloads one after the other while something else goes on: SIGHUP, wait until the server says that it is done, again.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::load::Until;
use super::stand::Running;

/// Between one reload and the next, so that the server is also seen at rest.
const PAUSE: Duration = Duration::from_millis(200);
/// How many reloads there are at least, and how long they are waited for.
const LEAST: usize = 2;
const LONGEST: Duration = Duration::from_secs(30);

/// Reloads a server again and again while `load` runs. An error if it does not reload.
pub fn during<T>(
    running: &Running,
    length: Duration,
    load: impl FnOnce(Until<'_>) -> io::Result<T>,
) -> io::Result<T> {
    let enough = AtomicBool::new(false);
    let (loaded, reloads) = thread::scope(|scope| {
        let reloading = scope.spawn(|| again_and_again(running, length, &enough));
        (load(Until::Said(&enough)), reloading.join())
    });
    match reloads {
        Ok(count) if count >= LEAST => {
            println!("{:13} {count} reloads", "");
            loaded
        }
        _ => Err(io::Error::other("the server does not reload")),
    }
}

/// Says when it is enough. How many reloads came to their end.
fn again_and_again(running: &Running, length: Duration, enough: &AtomicBool) -> usize {
    let (begin, before) = (Instant::now(), said(running));
    let mut done = 0;
    while done < LEAST || begin.elapsed() < length {
        running.process.signal(Signal::SIGHUP);
        while said(running) == before + done {
            if begin.elapsed() > LONGEST {
                enough.store(true, Ordering::Relaxed);
                return done;
            }
            thread::sleep(Duration::from_millis(10));
        }
        done = said(running) - before;
        thread::sleep(PAUSE);
    }
    enough.store(true, Ordering::Relaxed);
    done
}

/// How often the server said that it reloaded.
fn said(running: &Running) -> usize {
    let text = fs::read_to_string(running.folder.join("output")).unwrap_or_default();
    text.lines().filter(|line| line.contains("reloaded ")).count()
}
