//! Quantities compared by value: `1000m` is `1`, `1Gi` is `1073741824` (O-13).

use serde_json::Value;

/// The quantity in one form for every way to write it; `None` when it is no quantity, or finer than a nano or beyond
/// what 128 bits of nanos hold, and so has to be compared as written.
pub(crate) fn canonical(value: &Value) -> Option<String> {
    parse(value).map(print)
}

/// As [`canonical`], rounded up to milli.
pub(crate) fn canonical_milli(value: &Value) -> Option<String> {
    let nanos = parse(value)?;
    Some(print(nanos.div_euclid(MILLI) * MILLI + if nanos.rem_euclid(MILLI) > 0 { MILLI } else { 0 }))
}

fn parse(value: &Value) -> Option<i128> {
    match value {
        Value::String(s) => nanos(s.trim()),
        Value::Number(n) => nanos(&n.to_string()),
        _ => None,
    }
}

fn print(nanos: i128) -> String {
    let (whole, rest) = (nanos / NANO, (nanos % NANO).abs());
    match rest {
        0 => whole.to_string(),
        _ => {
            let sign = if nanos < 0 && whole == 0 { "-" } else { "" };
            format!("{sign}{whole}.{}", format!("{rest:09}").trim_end_matches('0'))
        }
    }
}

const NANO: i128 = 1_000_000_000;
/// In nanos.
const MILLI: i128 = 1_000_000;

fn nanos(text: &str) -> Option<i128> {
    let split = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (numerator, denominator) = scale(suffix)?;
    let (sign, digits) = match number.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if (whole.is_empty() && fraction.is_empty()) || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let mantissa: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let denominator = denominator.checked_mul(10i128.checked_pow(fraction.len().try_into().ok()?)?)?;
    let scaled = mantissa.checked_mul(numerator)?.checked_mul(NANO)?;
    (scaled % denominator == 0).then_some(sign * (scaled / denominator))
}

/// What a suffix multiplies by, as a fraction.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, NANO),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (NANO, 1),
        "T" => (1_000 * NANO, 1),
        "P" => (1_000_000 * NANO, 1),
        "E" => (NANO * NANO, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10i128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn o_13_equal_quantities_have_one_form() {
        for (written, form) in [
            (json!("1000m"), "1"),
            (json!(1), "1"),
            (json!("1.0"), "1"),
            (json!("+1"), "1"),
            (json!("1e3"), "1000"),
            (json!("1E3"), "1000"),
            (json!("1k"), "1000"),
            (json!("0.1"), "0.1"),
            (json!("100m"), "0.1"),
            (json!("1Gi"), "1073741824"),
            (json!("1024Mi"), "1073741824"),
            (json!("0.5Gi"), "536870912"),
            (json!("-500m"), "-0.5"),
            (json!("0"), "0"),
            (json!("16Ei"), "18446744073709551616"),
        ] {
            assert_eq!(canonical(&written).as_deref(), Some(form), "{written}");
        }
    }

    #[test]
    fn o_13_every_suffix_counts() {
        for (written, form) in [
            ("5n", "0.000000005"),
            ("5u", "0.000005"),
            ("5m", "0.005"),
            ("5k", "5000"),
            ("5M", "5000000"),
            ("5G", "5000000000"),
            ("5T", "5000000000000"),
            ("5P", "5000000000000000"),
            ("5E", "5000000000000000000"),
            ("5Ki", "5120"),
            ("5Mi", "5242880"),
            ("5Gi", "5368709120"),
            ("5Ti", "5497558138880"),
            ("5Pi", "5629499534213120"),
            ("5Ei", "5764607523034234880"),
            ("5e2", "500"),
            ("5e-2", "0.05"),
            ("-5.5", "-5.5"),
        ] {
            assert_eq!(canonical(&json!(written)).as_deref(), Some(form), "{written}");
        }
    }

    #[test]
    fn o_13_what_is_no_quantity_stays_as_written() {
        for written in [json!("abc"), json!(""), json!("1e99"), json!("1Qi"), json!("1.2.3"), json!({}), json!("1n1")] {
            assert_eq!(canonical(&written), None, "{written}");
        }
    }
}
