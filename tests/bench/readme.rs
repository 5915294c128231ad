//! README's table, made from results and never by hand.

use anyhow::{Context, Result};
use ordinal_tests::{binaries::repository, twins::Kind};

use crate::{
    contestant::name,
    results::{Measure, Results},
    table::number,
};

const BEGIN: &str = "<!-- make bench-readme writes from here -->";
const END: &str = "<!-- to here -->";

const COLUMNS: [(&str, Measure); 4] = [
    ("time s", Measure::Seconds),
    ("calls", Measure::Calls),
    ("CPU ms", Measure::Cpu),
    ("memory MB", Measure::Resident),
];

/// Replaces what stands between the two marks.
pub fn write(results: &Results) -> Result<()> {
    let path = repository().join("README.md");
    let told = || format!("cannot update {}", path.display());
    let text = std::fs::read_to_string(&path).with_context(told)?;
    let updated = between(&text, &table(results)).with_context(|| format!("no {BEGIN:?} and {END:?} in README.md"))?;
    std::fs::write(&path, updated).with_context(told)
}

fn between(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

fn table(results: &Results) -> String {
    let titles: Vec<_> = COLUMNS.iter().map(|(title, _)| *title).collect();
    let mut lines = vec![format!("| built-in → Ordinal | {} |", titles.join(" | ")), "|---".repeat(5) + "|"];
    for row in results.names() {
        let cells = COLUMNS.map(|(_, measure)| {
            let median = |kind| results.spread(row, name(kind), measure).map(|spread| number(spread.median));
            let pair = median(Kind::Native).zip(median(Kind::Ours));
            pair.map(|(theirs, ours)| format!("{theirs} → {ours}")).unwrap_or_default()
        });
        lines.push(format!("| {row} | {} |", cells.join(" | ")));
    }
    let Results { machine, repetitions, commit, .. } = results;
    let date = results.at.strftime("%F");
    format!("{}\n\nMedians of {repetitions} on {machine}; {commit}, {date}.\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(between(&text, "new\n"), Some(format!("a\n{BEGIN}\nnew\n{END}\nb\n")));
        assert_eq!(between("nothing", "new"), None);
    }
}
