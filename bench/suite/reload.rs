//! Reloads one after the other while something else goes on: SIGHUP, wait until the server says that it is done, again.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::stand::Running;

/// Between one reload and the next, so that the server is also seen at rest.
const PAUSE: Duration = Duration::from_millis(200);

/// Reloads a server again and again while `load` runs. An error if none came to its end.
pub fn during<T>(running: &Running, load: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let over = AtomicBool::new(false);
    let (loaded, reloads) = thread::scope(|scope| {
        let reloading = scope.spawn(|| again_and_again(running, &over));
        let loaded = load();
        over.store(true, Ordering::Relaxed);
        (loaded, reloading.join())
    });
    match reloads {
        Ok(0) | Err(_) => Err(io::Error::other("the server was not reloaded")),
        Ok(count) => {
            println!("{:13} {count} reloads", "");
            loaded
        }
    }
}

/// How many reloads came to their end.
fn again_and_again(running: &Running, over: &AtomicBool) -> usize {
    let before = said(running);
    let mut done = 0;
    while !over.load(Ordering::Relaxed) {
        running.process.signal(Signal::SIGHUP);
        while said(running) == before + done && !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        done = said(running) - before;
        thread::sleep(PAUSE);
    }
    done
}

/// How often the server said that it reloaded.
fn said(running: &Running) -> usize {
    let text = fs::read_to_string(running.folder.join("output")).unwrap_or_default();
    text.lines().filter(|line| line.contains("reloaded ")).count()
}
