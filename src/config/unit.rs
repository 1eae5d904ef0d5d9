//! Durations and sizes as the operator writes them: the unit stands in the value.

use std::time::Duration;

/// Reads `300s`, `1500ms`, `1h 30m`, `1d`. The error is a sentence's end: "… is not a duration: …".
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| match error {
        humantime::DurationError::Empty => "it is empty".to_owned(),
        humantime::DurationError::NumberExpected(_) => "a number is missing before the unit".to_owned(),
        humantime::DurationError::UnknownUnit { unit, .. } if unit.is_empty() => {
            "the unit is missing".to_owned()
        }
        humantime::DurationError::UnknownUnit { unit, .. } => format!("there is no unit `{unit}`"),
        humantime::DurationError::NumberOverflow => "the number is too large".to_owned(),
        humantime::DurationError::InvalidCharacter(at) => {
            match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(character) => format!("`{character}` does not belong there"),
                None => "it ends too early".to_owned(),
            }
        }
    })
}

/// A duration as the operator would write it.
pub(super) fn show_duration(duration: Duration) -> String {
    let (seconds, millis) = (duration.as_secs(), duration.subsec_millis());
    match (seconds, millis) {
        (0, 0) => "0s".to_owned(),
        (0, millis) => format!("{millis}ms"),
        (seconds, 0) if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        (seconds, 0) if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        (seconds, 0) => format!("{seconds}s"),
        (seconds, millis) => format!("{}ms", seconds * 1_000 + u64::from(millis)),
    }
}

/// Reads `500/s`. The error is a sentence's end: "… is not a rate: …".
pub(super) fn rate(text: &str) -> Result<u32, &'static str> {
    let Some((number, unit)) = text.split_once('/') else { return Err("the unit is missing") };
    if unit.trim() != "s" {
        return Err("the unit is /s");
    }
    number.trim().parse().map_err(|_| "it must begin with a whole number")
}

/// Reads `5%`, `0.5%` as a fraction. The error is a sentence's end: "… is not a share: …".
pub(super) fn share(text: &str) -> Result<f64, &'static str> {
    let number = text.trim().strip_suffix('%').ok_or("the unit % is missing")?;
    let percent: f64 = number.trim().parse().map_err(|_| "it must begin with a number")?;
    if (0.0..=100.0).contains(&percent) { Ok(percent / 100.0) } else { Err("it can be 0% to 100%") }
}

const KIB: u64 = 1 << 10;
const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", KIB),
    ("MiB", KIB * KIB),
    ("GiB", KIB * KIB * KIB),
    ("TiB", KIB * KIB * KIB * KIB),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Reads `512MiB`, `8 MiB`, `1GB`, `65536B`. The error is a sentence's end: "… is not a size: …".
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    if number.is_empty() {
        return Err("it must begin with a whole number".to_owned());
    }
    if unit.is_empty() {
        return Err("the unit is missing".to_owned());
    }
    if unit.starts_with('.') {
        return Err("only whole numbers are read; take the next smaller unit".to_owned());
    }
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        return Err(match meant {
            Some((name, _)) => format!("there is no unit `{unit}`; `{name}` is meant?"),
            None => format!("there is no unit `{unit}`"),
        });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(|| "the number is too large".to_owned())
}

/// A size as the operator would write it.
pub(super) fn show_size(bytes: u64) -> String {
    let fitting =
        UNITS[..5].iter().rev().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    match fitting {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        assert_eq!(duration("300s"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("1500ms"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("1d"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5_400)));
    }

    #[test]
    fn a_duration_without_its_unit_says_so() {
        assert_eq!(duration("300"), Err("the unit is missing".to_owned()));
        assert_eq!(duration("3 parsecs"), Err("there is no unit `parsecs`".to_owned()));
        assert_eq!(duration("s"), Err("a number is missing before the unit".to_owned()));
        assert_eq!(duration(""), Err("it is empty".to_owned()));
        assert_eq!(duration("-5s"), Err("a number is missing before the unit".to_owned()));
    }

    #[test]
    fn rates_are_read_as_written() {
        assert_eq!((rate("500/s"), rate("5 / s")), (Ok(500), Ok(5)));
        assert_eq!(rate("500"), Err("the unit is missing"));
        assert_eq!(rate("500/m"), Err("the unit is /s"));
        assert_eq!(rate("-1/s"), Err("it must begin with a whole number"));
    }

    #[test]
    fn shares_are_fractions_of_a_hundred() {
        assert_eq!((share("5%"), share("0.5 %"), share("100%")), (Ok(0.05), Ok(0.005), Ok(1.0)));
        assert_eq!(share("5"), Err("the unit % is missing"));
        for wrong in ["-1%", "101%", "NaN%", "inf%"] {
            assert_eq!(share(wrong), Err("it can be 0% to 100%"), "{wrong}");
        }
    }

    #[test]
    fn sizes_count_in_1024_and_in_1000() {
        assert_eq!(size("512MiB"), Ok(536_870_912));
        assert_eq!(size("8 MiB"), Ok(8_388_608));
        assert_eq!(size("1GB"), Ok(1_000_000_000));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(size("100B"), Ok(100));
    }

    #[test]
    fn a_wrong_size_says_what_is_wrong() {
        assert_eq!(size("512"), Err("the unit is missing".to_owned()));
        assert_eq!(size("512mib"), Err("there is no unit `mib`; `MiB` is meant?".to_owned()));
        assert_eq!(size("lots"), Err("it must begin with a whole number".to_owned()));
        assert_eq!(size("1.5GiB"), Err("only whole numbers are read; take the next smaller unit".to_owned()));
        assert_eq!(size("99999999999TiB"), Err("the number is too large".to_owned()));
    }

    #[test]
    fn what_is_shown_can_be_read_again() {
        for text in ["300s", "1500ms", "1h", "2d", "90s"] {
            assert_eq!(show_duration(duration(text).unwrap_or_default()), text);
        }
        for text in ["512MiB", "64KiB", "3B", "1TiB"] {
            assert_eq!(show_size(size(text).unwrap_or_default()), text);
        }
    }
}
