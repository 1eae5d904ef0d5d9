//! The terminal while `top` has it: a page of its own, keys as they are pressed, and all of it given back at the end.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetwinsize, tcsetattr,
};

/// Another page and no cursor; and back.
const TAKE: &str = "\x1b[?1049h\x1b[?25l";
const GIVE_BACK: &str = "\x1b[?25h\x1b[?1049l";
/// What is said in the last row.
const FOOT: &str = "q quits";
/// Of a terminal that does not know its size.
const ROWS: usize = 24;
const COLUMNS: usize = 80;
/// What ctrl-c sends.
const CONTROL_C: u8 = 3;

/// The terminal; dropping it gives it back.
pub(super) struct Screen {
    before: Termios,
}

/// What whoever looks wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// To see more.
    More,
    /// To see no more.
    Quit,
}

impl Screen {
    /// Takes it; `None` where there is none, neither to read from nor to write to.
    pub(super) fn take() -> io::Result<Option<Screen>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stdout().is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(&stdin)?;
        let mut keys = before.clone();
        // Without signals ctrl-c is a key, which cannot end the program before the terminal is given back.
        keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &keys)?;
        let screen = Screen { before };
        write(TAKE)?;
        Ok(Some(screen))
    }

    /// Shows a frame in place of the last, as much of it as there is room for.
    #[allow(clippy::unused_self)] // whoever has not taken the terminal may not write all over it
    pub(super) fn show(&self, frame: &str) -> io::Result<()> {
        let (rows, columns) = match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_row > 0 && size.ws_col > 0 => (size.ws_row.into(), size.ws_col.into()),
            _ => (ROWS, COLUMNS),
        };
        write(&page(frame, rows, columns))
    }

    /// Waits for a key, so long at most; any but q and ctrl-c asks for the next frame at once.
    #[allow(clippy::unused_self)] // nor are there keys then
    pub(super) fn wait(&self, time: Duration) -> io::Result<Wish> {
        let stdin = io::stdin();
        let time = Timespec { tv_sec: time.as_secs().cast_signed(), tv_nsec: time.subsec_nanos().into() };
        let ready = match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&time)) {
            // The window has another size.
            Err(rustix::io::Errno::INTR) => 0,
            ready => ready?,
        };
        if ready == 0 {
            return Ok(Wish::More);
        }
        let mut keys = [0; 64];
        let count = rustix::io::read(&stdin, &mut keys)?;
        let quits = |key: &u8| matches!(*key, b'q' | b'Q' | CONTROL_C);
        // Nothing to read although there is something: the terminal is gone.
        Ok(if count == 0 || keys[..count].iter().any(quits) { Wish::Quit } else { Wish::More })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whoever took the terminal away has it.
        let _ = write(GIVE_BACK);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// A frame over the one before it: each line and the rest of the page is cleared behind what is written, so nothing
/// flickers.
fn page(frame: &str, rows: usize, columns: usize) -> String {
    let mut page = "\x1b[H".to_owned();
    for line in frame.lines().take(rows - 1) {
        let _ = writeln!(page, "{}\x1b[K", line.chars().take(columns).collect::<String>());
    }
    page + &FOOT.chars().take(columns).collect::<String>() + "\x1b[J"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_no_larger_than_the_terminal() {
        let frame = format!("{}\n", "über".repeat(50)).repeat(50);
        for (rows, columns) in [(24, 80), (2, 3), (1, 1)] {
            let page = page(&frame, rows, columns);
            let text = page.replace("\x1b[H", "").replace("\x1b[K", "").replace("\x1b[J", "");
            assert_eq!(text.lines().count(), rows);
            assert!(text.lines().all(|line| line.chars().count() <= columns), "{text}");
            assert!(!text.ends_with('\n'), "it would scroll");
        }
    }
}
