//! What was looked at, and how it is: a line each, with what belongs to it indented below.

use crate::output::{Mood, paint};

/// One finding.
#[derive(Clone, PartialEq, Eq)]
pub struct Finding {
    pub mood: Mood,
    text: String,
    details: Vec<String>,
}

impl Finding {
    fn new(mood: Mood, text: impl Into<String>) -> Self {
        Self { mood, text: text.into(), details: Vec::new() }
    }

    /// With lines below it.
    pub fn with(mut self, details: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.details.extend(details.into_iter().map(Into::into));
        self
    }

    pub fn is_bad(&self) -> bool {
        self.mood == Mood::Bad
    }
}

pub fn good(text: impl Into<String>) -> Finding {
    Finding::new(Mood::Good, text)
}

pub fn unsure(text: impl Into<String>) -> Finding {
    Finding::new(Mood::Busy, text)
}

pub fn bad(text: impl Into<String>) -> Finding {
    Finding::new(Mood::Bad, text)
}

/// What shall be so, and why it is not, if it is not; then what to do.
pub fn check(what: &str, problems: &[String], next: &str) -> Finding {
    if problems.is_empty() {
        return good(what);
    }
    bad(format!("not so: {what}")).with(problems).with([format!("next: {next}")])
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = match self.mood {
            Mood::Good => "ok  ",
            Mood::Busy => "note",
            Mood::Bad => "bad ",
        };
        writeln!(f, "{} {}", paint(mark, self.mood), self.text)?;
        self.details.iter().try_for_each(|line| writeln!(f, "       {line}"))
    }
}

/// Prints them, and returns how many are bad.
pub fn print(findings: &[Finding]) -> usize {
    findings.iter().for_each(|finding| print!("{finding}"));
    findings.iter().filter(|finding| finding.is_bad()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_fails_tells_why_and_what_next() {
        assert_eq!(check("it is settled", &[], "wait").to_string(), "ok   it is settled\n");
        let failed = check("it is settled", &["1 of 2 pods are ready".into()], "wait");
        assert_eq!(failed.to_string(), "bad  not so: it is settled\n       1 of 2 pods are ready\n       next: wait\n");
    }
}
