//! Names from the network can do nothing to the terminal or the page, whatever is in the log.
#![allow(clippy::unwrap_used)] // in a test a failed unwrap is a failed test

mod common;

use common::{Ask, log, run, save, text};

/// Clears the screen, sets the title, turns text round, opens tags and leaves attributes.
const NAME: &str =
    "\u{1b}[2j\u{1b}]0;owned\u{7}\u{202e}\u{9b}31m<script>alert(1)</script>\"onload='x'&amp;.example.\r\n";

fn hostile() -> Vec<Ask> {
    let ask = |rcode| Ask { name: NAME.to_owned(), client: NAME.to_owned(), rcode, ..Ask::new(0) };
    vec![ask("NOERROR"), ask("NXDOMAIN"), ask("SERVFAIL"), ask(NAME)]
}

#[test]
fn a_name_cannot_move_the_cursor() {
    let folder = tempfile::tempdir().unwrap();
    let mut octets = log(&hostile()).into_bytes();
    octets.extend_from_slice(b"\x1b[2J no JSON\n");
    let path = save(&folder, "query\u{1b}[31m.log", &octets);
    for arguments in [
        vec![path.as_str()],
        vec!["--sql", "SELECT query_name, srcaddr, rcode AS \"\u{1b}[2j\" FROM queries", &path],
    ] {
        let done = run(&arguments);
        assert_eq!(done.code, 0, "{}", done.err);
        for text in [&done.out, &done.err] {
            let odd =
                text.chars().find(|letter| *letter != '\n' && (letter.is_control() || *letter == '\u{202e}'));
            assert_eq!(odd, None, "{text}");
        }
        assert!(done.out.contains("\\u{1b}[2j"), "{}", done.out);
    }
}

#[test]
fn a_name_is_text_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "query.log", log(&hostile()).as_bytes());
    let page = text(&folder.path().join("page.html"));
    assert_eq!(run(&["--html", &page, &path]).code, 0);
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;onload=&#39;x&#39;&amp;amp;.example."));
    for raw in ["<script", "\"onload", "'x'", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(raw), "{raw:?} is on the page");
    }
}

#[test]
fn the_page_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(
        &folder,
        "query.log",
        log(&(0..5000).map(|nth| Ask::new(nth * 100)).collect::<Vec<_>>()).as_bytes(),
    );
    let page = text(&folder.path().join("page.html"));
    assert_eq!(run(&["--html", &page, &path]).code, 0);
    let page = std::fs::read_to_string(page).unwrap();
    for reference in ["http:", "https:", "src=", "href=", "url(", "@import", "<link", "<script"] {
        assert!(!page.contains(reference), "{reference} is on the page");
    }
    assert!(
        page.contains("Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"")
    );
    assert!(page.contains("prefers-color-scheme:dark"));
    for title in [
        "Queries over time",
        "Hit ratio over time",
        "Latency by source",
        "Load by day, its trend, and capacity",
    ] {
        assert!(page.contains(&format!("<title>{title}")), "no chart: {title}");
    }
}
