//! Durations and ages, as kubectl writes them.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use tokio::time::Instant;

/// No `--timeout`.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);

/// When a `--timeout` is over; 0 waits for ever.
pub fn deadline(timeout: Duration) -> Instant {
    Instant::now() + if timeout.is_zero() { FOR_EVER } else { timeout.min(FOR_EVER) }
}

/// Reads 90s, 5m, 1h30m, or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration such as 90s, 5m or 1h30m");
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut total, mut digits) = (0_u64, String::new());
    for c in text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            _ => return Err(wrong()),
        };
        let number: u64 = std::mem::take(&mut digits).parse().map_err(|_| wrong())?;
        total = number.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
    }
    if digits.is_empty() && !text.is_empty() { Ok(Duration::from_secs(total)) } else { Err(wrong()) }
}

/// How long ago something was: 7s, 3m20s, 5h, 12d.
pub fn age(since: Option<&Time>, now: Timestamp) -> String {
    since.map_or_else(|| "<unknown>".to_owned(), |since| span(now.duration_since(since.0).as_secs()))
}

/// A number of seconds: 7s, 3m20s, 5h, 12d.
pub fn span(seconds: i64) -> String {
    let s = seconds.max(0);
    let two = |big: i64, unit: &str, small: i64, other: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{other}") }
    };
    match s {
        0..120 => format!("{s}s"),
        120..600 => two(s / 60, "m", s % 60, "s"),
        600..10_800 => format!("{}m", s / 60),
        10_800..28_800 => two(s / 3_600, "h", s % 3_600 / 60, "m"),
        28_800..172_800 => format!("{}h", s / 3_600),
        172_800..691_200 => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
        _ => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubectl_reads_them() {
        for (text, seconds) in [("0", 0), ("30", 30), ("90s", 90), ("5m", 300), ("1h30m", 5_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "5x", "-1s", "1h30", "99999999999999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages_are_written_as_kubectl_writes_them() {
        let cases =
            [(7, "7s"), (119, "119s"), (200, "3m20s"), (240, "4m"), (3_600, "60m"), (18_000, "5h"), (1_036_800, "12d")];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text);
        }
    }
}
