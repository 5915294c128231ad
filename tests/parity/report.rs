//! What is printed at the end.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The sequence that it is a step of, if it is one.
    pub of: String,
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

    /// Prints sequences with their steps, every difference with its reason, and counts; with `all`, also what does not
    /// differ and is no step.
    pub fn print(&self, all: bool) {
        println!("{} {}:", self.lines.len(), self.title);
        for steps in self.lines.chunk_by(|a, b| a.of == b.of).filter(|steps| !steps[0].of.is_empty()) {
            println!("  {}", steps[0].of);
            steps.iter().for_each(|step| println!("    {:40} {}", step.title, step.mark()));
        }
        let alike = self.lines.iter().filter(|line| line.of.is_empty() && line.differences.is_empty());
        alike.filter(|_| all).for_each(|line| println!("  {}: {}", line.title, line.verdict));
        let mut by_reason = BTreeMap::<&str, Vec<String>>::new();
        for (line, difference) in self.differences() {
            let of = if line.of.is_empty() { String::new() } else { format!("{}: ", line.of) };
            let told = format!("{of}{} -- {}", line.title, difference.what);
            by_reason.entry(difference.why.as_deref().unwrap_or("UNEXPLAINED")).or_default().push(told);
        }
        for (reason, found) in by_reason {
            println!("  {reason} ({})", found.len());
            found.iter().for_each(|told| println!("    {told}"));
        }
        let mut counts = BTreeMap::<&str, usize>::new();
        self.lines.iter().for_each(|line| *counts.entry(&line.verdict).or_default() += 1);
        counts.iter().for_each(|(verdict, count)| println!("  {verdict}: {count}"));
        println!("  differences: {}, unexplained: {}", self.differences().count(), self.unexplained());
    }

    fn differences(&self) -> impl Iterator<Item = (&Line, &Difference)> {
        self.lines.iter().flat_map(|line| line.differences.iter().map(move |difference| (line, difference)))
    }
}

impl Line {
    /// "same", or the rules that allow the differences.
    fn mark(&self) -> String {
        let rule = |d: &Difference| match &d.why {
            Some(why) => why.split(':').next().unwrap_or(why).to_owned(),
            None => "DIFFERENT".to_owned(),
        };
        let rules: BTreeSet<String> = self.differences.iter().map(rule).collect();
        if rules.is_empty() { "same".to_owned() } else { rules.into_iter().collect::<Vec<_>>().join(" ") }
    }
}
