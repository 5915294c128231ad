//! Ordinals and the names made from them (S-2.1, S-2.6, S-3.3).

use std::fmt::Write;

/// What a pod's name says about where it belongs (S-2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Parsed {
    /// Length of the parent's name; absent when the name has no `-<digits>` tail.
    parent_len: Option<usize>,
    /// The ordinal; absent too when the digits do not fit 32 bits.
    pub ordinal: Option<i32>,
}

/// Splits a name at its last `-` that is followed by digits up to the end.
pub fn parse(name: &str) -> Parsed {
    match name.rsplit_once('-') {
        Some((parent, digits)) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            Parsed { parent_len: Some(parent.len()), ordinal: digits.parse().ok() }
        }
        _ => Parsed::default(),
    }
}

impl Parsed {
    /// The parent's name within `name`, the name that was parsed; empty when it has none.
    pub fn parent<'a>(&self, name: &'a str) -> &'a str {
        self.parent_len.and_then(|n| name.get(..n)).unwrap_or_default()
    }
}

/// The pod of an ordinal: `<set>-<ordinal>`.
pub fn pod(set: &str, ordinal: i32) -> String {
    numbered(&[set], ordinal)
}

/// The claim of a template and an ordinal: `<template>-<set>-<ordinal>` (S-2.6).
pub fn claim(template: &str, set: &str, ordinal: i32) -> String {
    numbered(&[template, set], ordinal)
}

/// The parts and the number, with dashes between: in one piece of memory, for they are made by the thousand.
fn numbered(parts: &[&str], ordinal: i32) -> String {
    const MOST_DIGITS: usize = 10;
    let mut name = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum::<usize>() + MOST_DIGITS);
    for part in parts {
        name.push_str(part);
        name.push('-');
    }
    let _ = write!(name, "{ordinal}"); // a String takes whatever is written
    name
}

/// Whether `name` is that of the pod of `ordinal`, told without making the name.
pub fn is_pod(name: &str, set: &str, ordinal: i32) -> bool {
    name.strip_prefix(set).and_then(|rest| rest.strip_prefix('-')).and_then(decimal) == Some(ordinal)
}

/// The template and the ordinal of a claim of this set; `None` for names that no claim of it has.
pub fn parse_claim<'a>(name: &'a str, set: &str) -> Option<(&'a str, i32)> {
    let (rest, digits) = name.rsplit_once('-')?;
    let template = rest.strip_suffix(set)?.strip_suffix('-')?;
    Some((template, decimal(digits)?))
}

/// Whether `name` is that of the claim of `template` and `ordinal`, told without making the name.
pub fn is_claim(name: &str, template: &str, set: &str, ordinal: i32) -> bool {
    pod_of_claim(name, template).is_some_and(|pod| is_pod(pod, set, ordinal))
}

/// The pod's name within the name of a claim of `template`.
pub(crate) fn pod_of_claim<'a>(claim: &'a str, template: &str) -> Option<&'a str> {
    claim.strip_prefix(template)?.strip_prefix('-')
}

/// The revision with a hash: set names are cut so that the whole stays a DNS subdomain (S-3.3).
pub fn revision(set: &str, hash: &str) -> String {
    /// 253, less a dash and room for a hash: the native cut.
    const LONGEST_PREFIX: usize = 223;
    let mut end = set.len().min(LONGEST_PREFIX);
    while !set.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash}", &set[..end])
}

/// The number that these digits are the only way to write.
pub(crate) fn decimal(digits: &str) -> Option<i32> {
    let canonical = digits == "0" || matches!(digits.as_bytes().first(), Some(b'1'..=b'9'));
    canonical.then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_2_1_name_is_split_at_the_last_dash_before_digits() {
        let cases = [
            ("web-0", "web", Some(0)),
            ("web-1-2", "web-1", Some(2)),
            ("web-01", "web", Some(1)),
            ("web-2147483647", "web", Some(i32::MAX)),
            ("web-99999999999", "web", None),
            ("web", "", None),
            ("web-", "", None),
            ("web-1a", "", None),
            ("web-+1", "", None),
            ("-1", "", Some(1)),
            ("", "", None),
        ];
        for (name, parent, ordinal) in cases {
            let parsed = parse(name);
            assert_eq!((parsed.parent(name), parsed.ordinal), (parent, ordinal), "{name:?}");
        }
    }

    #[test]
    fn s_2_7_only_the_unpadded_name_is_canonical() {
        assert!(is_pod("web-1", "web", 1) && is_pod("web-0", "web", 0) && is_pod("a-1-10", "a-1", 10));
        for other in ["web-01", "web-00", "web-+1", "web-2", "web1", "web-", "wex-1"] {
            assert!(!is_pod(other, "web", 1), "{other}");
        }
    }

    #[test]
    fn s_2_6_claim_name_joins_template_set_and_ordinal() {
        assert_eq!(claim("data", "web", 3), "data-web-3");
        assert!(is_claim("data-web-3", "data", "web", 3));
        assert!(!is_claim("data-web-3", "data", "web", 4) && !is_claim("dat-web-3", "data", "web", 3));
        assert_eq!(parse_claim("data-web-3", "web"), Some(("data", 3)));
        assert_eq!(parse_claim("a-web-web-10", "web"), Some(("a-web", 10)));
        for other in ["data-web-03", "data-web-", "data-wex-3", "dataweb-3", "web-3", "data-web-99999999999"] {
            assert_eq!(parse_claim(other, "web"), None, "{other}");
        }
    }

    #[test]
    fn s_3_3_long_set_names_are_cut_in_revision_names() {
        assert_eq!(revision("web", "abc"), "web-abc");
        assert_eq!(revision(&"x".repeat(300), "abc").len(), 223 + 4);
    }

    #[test]
    fn s_3_3_a_name_that_nobody_should_have_let_in_is_cut_between_its_letters() {
        assert_eq!(revision(&"é".repeat(300), "abc"), format!("{}-abc", "é".repeat(111)));
    }
}
