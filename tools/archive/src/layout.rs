//! The archive's layout: what a piece is called.

use jiff::Timestamp;

use crate::line::Owner;

/// What all pieces of a rolled file are called after.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The server's id.
    pub node: String,
    /// The rolled file's name.
    pub rolled: String,
    /// The SHA-256 of what is in it, in hexadecimal digits.
    pub hash: String,
}

impl Origin {
    /// The object name of the rolled file's `nth` piece, which is an owner's.
    pub fn piece(&self, owner: &Owner, nth: u32, extension: &str) -> String {
        let account = plain(&owner.account, "no-account");
        let vpc = plain(&owner.vpc, "no-vpc");
        format!("{account}/{vpc}/{}/{}_{nth:06}.{extension}", hour(owner.hour), self.stem())
    }

    /// The object name of the rolled file's `nth` piece, which has no line of the schema.
    pub fn unparsed(&self, nth: u32) -> String {
        format!("unparsed/{}_{nth:06}.log.gz", self.stem())
    }

    /// What tells the rolled file from all others, and says something to who reads it.
    pub fn stem(&self) -> String {
        let short: String = self.hash.chars().take(16).collect();
        format!("{}_{}_{short}", plain(&self.node, "no-node"), plain(&self.rolled, "no-name"))
    }
}

/// `2026/11/24/01`
pub fn hour(hours: i64) -> String {
    let time = Timestamp::from_second(hours.saturating_mul(3_600)).unwrap_or_default();
    time.strftime("%Y/%m/%d/%H").to_string()
}

/// A text as one step of a path: a log may come from anywhere, and must not choose where it is written.
fn plain(text: &str, empty: &str) -> String {
    /// Names of files end at 255 octets, and three of these stand in one.
    const LONGEST: usize = 64;
    if text.is_empty() {
        return empty.to_owned();
    }
    let mut plain = String::new();
    for octet in text.bytes().take(LONGEST) {
        match octet {
            // No step is `.` or `..`, and no file is hidden.
            b'.' if plain.is_empty() => plain.push_str("=2E"),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => plain.push(char::from(octet)),
            _ => plain.push_str(&format!("={octet:02X}")),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Origin {
        Origin {
            node: "kakehashi-1a".to_owned(),
            rolled: "query.log.20261124-020000".to_owned(),
            hash: "0123456789abcdef0123".to_owned(),
        }
    }

    fn owner(account: &str, vpc: &str) -> Owner {
        Owner { account: account.to_owned(), vpc: vpc.to_owned(), hour: 1_795_482_000 / 3_600 }
    }

    #[test]
    fn a_piece_lies_where_the_design_wants_it() {
        assert_eq!(
            origin().piece(&owner("123456789012", "vpc-0abc"), 1, "json.gz"),
            "123456789012/vpc-0abc/2026/11/24/01/kakehashi-1a_query.log.20261124-020000_0123456789abcdef_000001.json.gz"
        );
    }

    #[test]
    fn who_is_unknown_has_a_place_of_his_own() {
        assert!(origin().piece(&owner("", ""), 1, "parquet").starts_with("no-account/no-vpc/2026/11/24/01/"));
    }

    #[test]
    fn a_line_does_not_choose_where_it_is_written() {
        let name = origin().piece(&owner("..", "../../etc/passwd\n"), 1, "json.gz");
        assert!(name.starts_with("=2E./=2E.=2F..=2Fetc=2Fpasswd=0A/2026/"), "{name}");
        assert!(origin().piece(&owner(&"a".repeat(5_000), "v"), 1, "x").len() < 255);
    }
}
