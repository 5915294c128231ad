//! What is printed at the end.

use std::collections::BTreeMap;

/// One thing in which the two kinds differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: String,
    /// The rule that allows it, with a short reason.
    pub why: Option<String>,
}

/// What came of one comparison.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was compared.
    pub title: String,
    /// What it came to, in a word or two; lines are counted by it.
    pub verdict: String,
    /// In what they differ.
    pub differences: Vec<Difference>,
}

/// Comparisons of one sort.
pub struct Table {
    /// What was compared.
    pub title: &'static str,
    /// One per comparison.
    pub lines: Vec<Line>,
}

impl Table {
    /// Differences that no rule allows.
    pub fn unexplained(&self) -> usize {
        self.differences().filter(|(_, difference)| difference.why.is_none()).count()
    }

    /// Prints counts, and every difference with its reason; with `all`, also the lines without one.
    pub fn print(&self, all: bool) {
        println!("{} {}:", self.lines.len(), self.title);
        let mut counts = BTreeMap::<&str, usize>::new();
        for line in &self.lines {
            *counts.entry(&line.verdict).or_default() += 1;
            if all && line.differences.is_empty() {
                println!("  {}: {}", line.title, line.verdict);
            }
        }
        let mut by_reason = BTreeMap::<&str, Vec<(&Line, &Difference)>>::new();
        for (line, difference) in self.differences() {
            by_reason.entry(difference.why.as_deref().unwrap_or("UNEXPLAINED")).or_default().push((line, difference));
        }
        for (reason, found) in by_reason {
            println!("  {reason} ({})", found.len());
            for (line, difference) in found {
                println!("    {} -- {}", line.title, difference.what);
            }
        }
        for (verdict, count) in counts {
            println!("  {verdict}: {count}");
        }
        println!("  differences: {}, unexplained: {}", self.differences().count(), self.unexplained());
    }

    fn differences(&self) -> impl Iterator<Item = (&Line, &Difference)> {
        self.lines.iter().flat_map(|line| line.differences.iter().map(move |difference| (line, difference)))
    }
}
