//! Help that teaches, completions for every shell, and 2 for words that make no sense.

use super::kakehashi;

#[test]
fn the_help_of_each_command_says_what_an_operator_needs() {
    for (command, words) in [
        (&["--help"][..], &["demo", "check", "explain", "serve", "Exit codes: 0 done, 1 not done"][..]),
        (&["serve", "--help"], &["SIGHUP", "or not at all", "SIGUSR1", "SIGTERM", "RUST_LOG", "Example:"]),
        (&["check", "--help"], &["line and column", "--strict", "systemctl reload", "Example:"]),
        (&["check-zone", "--help"], &["RFC 1035", "Example:", "technova.internal"]),
        (&["explain", "--help"], &["No packet is sent", "--json", "TTL caps", "SRV", "PTR", "[default: A]"]),
        (&["demo", "--help"], &["no root", "--once", "--port", "5300", "ctrl-c"]),
        (&["completions", "--help"], &["bash", "zsh", "fish", "/etc/bash_completion.d/kakehashi"]),
    ] {
        let said = kakehashi(command);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{command:?}");
        for word in words {
            assert!(said.out.contains(word), "{command:?} does not say {word:?}:\n{}", said.out);
        }
        let widest = said.out.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{command:?} has a line of {widest:?} columns");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let said = kakehashi(&["--version"]);
    assert_eq!(
        (said.code, said.out),
        (Some(0), concat!("kakehashi ", env!("CARGO_PKG_VERSION"), "\n").to_owned())
    );
}

#[test]
fn every_shell_gets_completions_for_every_command() {
    for (shell, begins) in [
        ("bash", "_kakehashi() {"),
        ("zsh", "#compdef kakehashi"),
        ("fish", "# Print an optspec"),
        ("elvish", "\nuse builtin"),
        ("powershell", "\nusing namespace"),
    ] {
        let said = kakehashi(&["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{shell}");
        assert!(said.out.starts_with(begins), "{shell} begins with {:?}", said.out.lines().next());
        for command in ["serve", "check", "check-zone", "explain", "demo", "strict"] {
            assert!(said.out.contains(command), "{shell} has no {command}");
        }
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_is_wrong() {
    for (words, reason) in [
        (&[][..], "Usage: kakehashi <COMMAND>"),
        (&["serv"], "unrecognized subcommand 'serv'"),
        (&["serve"], "--config <FILE>"),
        (&["check", "--config", "a.toml", "--socket", "x"], "unexpected argument '--socket'"),
        (&["check", "--config"], "a value is required"),
        (&["check", "--config", "a.toml", "--loud"], "unexpected argument '--loud'"),
        (&["check-zone", "technova..internal", "x"], "a label is empty"),
        (&["explain", "-c", "a.toml", "10.0.300.1", "x"], "invalid IP address"),
        (&["explain", "-c", "a.toml", "10.0.30.1", "x", "AAAAA"], "AAAAA is no record type"),
        (&["demo", "--port", "65535"], "65535 is not in 1..=65530"),
        (&["demo", "--port", "0"], "0 is not in 1..=65530"),
        (&["completions", "csh"], "possible values: bash"),
    ] {
        let said = kakehashi(words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}");
        assert!(said.err.contains(reason), "{words:?}: {}", said.err);
    }
}
