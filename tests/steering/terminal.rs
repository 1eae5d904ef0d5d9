//! `top` on a terminal: a pseudo-terminal, what is written to it, and the keys that are pressed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};

use nix::pty::{Winsize, openpty};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};

use crate::client::ask;
use crate::process::PLANNING;
use crate::{PATIENCE, SOCKET, Site, plain_site, start};

const TAKEN: &str = "\x1b[?1049h\x1b[?25l";
const GIVEN_BACK: &str = "\x1b[?25h\x1b[?1049l";

/// A terminal with `top` on it.
struct Terminal {
    keys: File,
    end: OwnedFd,
    before: Termios,
    top: Child,
    pieces: Receiver<String>,
    said: String,
}

impl Terminal {
    fn start(site: &Site, rows: u16, columns: u16) -> Terminal {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let before = tcgetattr(&pair.slave).unwrap();
        let end = || pair.slave.try_clone().unwrap();
        let mut top = Command::new(env!("CARGO_BIN_EXE_kakehashi"));
        top.args(["top", "--socket", SOCKET]).current_dir(site.path(""));
        let top = top.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let (mut screen, (sender, pieces)) = (File::from(pair.master.try_clone().unwrap()), channel());
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = screen.read(&mut buffer) {
                if sender.send(String::from_utf8_lossy(&buffer[..count]).into_owned()).is_err() {
                    return;
                }
            }
        });
        Terminal { keys: pair.master.into(), end: pair.slave, before, top, pieces, said: String::new() }
    }

    /// Reads until it is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        while !is_so(&self.said) {
            let Ok(piece) = self.pieces.recv_timeout(PATIENCE) else { panic!("not {what}: {:?}", self.said) };
            self.said += &piece;
        }
    }

    /// The whole frames so far.
    fn frames(&self) -> Vec<&str> {
        self.said.split("\x1b[H").skip(1).filter(|frame| frame.contains("\x1b[J")).collect()
    }

    fn press(&mut self, key: u8) {
        self.keys.write_all(&[key]).unwrap();
    }

    /// Waits for the end of `top`, and sees that the terminal is as it was. What was said after that.
    fn given_back(&mut self, code: i32) -> String {
        assert_eq!(self.top.wait().unwrap().code(), Some(code));
        self.until("given back", |said| said.contains(GIVEN_BACK));
        assert_eq!(tcgetattr(self.end.as_fd()).unwrap(), self.before);
        self.said.split_once(GIVEN_BACK).unwrap().1.to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.top.kill();
        let _ = self.top.wait();
    }
}

#[test]
fn top_lives_on_a_page_of_its_own_until_q_or_ctrl_c_and_gives_the_terminal_back() {
    let site = plain_site();
    let server = start(&site);
    for (key, rows, columns) in [(b'q', 24, 80), (3, 6, 30)] {
        let mut terminal = Terminal::start(&site, rows, columns);
        terminal.until("a first frame", |said| said.contains("\x1b[J"));
        assert!(terminal.said.starts_with(TAKEN), "{:?}", terminal.said);
        let modes = tcgetattr(&terminal.end).unwrap().local_flags;
        assert!(!modes.intersects(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG));
        // Without a query the rate falls to nothing, and with one it is something again.
        terminal
            .until("a frame without queries", |said| said.contains("\x1b[H") && said.contains("\n0 q/s "));
        (0..20).for_each(|_| assert_eq!(ask(server.dns, PLANNING), "10.0.30.100"));
        let still = terminal.frames().len();
        terminal.until("two frames more", |said| said.matches("\x1b[J").count() >= still + 2);
        let frames = terminal.frames();
        let rate = |frame: &str| -> f64 {
            let line = frame.lines().find(|line| line.contains(" q/s ")).unwrap();
            line.split(' ').next().unwrap().parse().unwrap()
        };
        assert!(frames[still..].iter().any(|frame| rate(frame) > 0.0), "{frames:?}");
        for frame in &frames {
            assert!(frame.starts_with("kakehashi-test  ") && frame.contains("q quits"), "{frame:?}");
            assert!(frame.lines().count() <= usize::from(rows), "{frame:?}");
        }
        terminal.press(key);
        assert_eq!(terminal.given_back(0), "", "nothing is left on the terminal");
    }
}

#[test]
fn where_the_server_ends_under_top_the_terminal_is_given_back_and_then_it_is_told() {
    let site = plain_site();
    let server = start(&site);
    let mut terminal = Terminal::start(&site, 24, 80);
    terminal.until("a first frame", |said| said.contains("\x1b[J"));
    server.terminate();
    let mut after = terminal.given_back(1);
    if after.is_empty() {
        terminal.until("told", |said| said.ends_with("names it\r\n"));
        after = terminal.said.split_once(GIVEN_BACK).unwrap().1.to_owned();
    }
    assert!(after.contains("no server takes commands"), "{after:?}");
}
