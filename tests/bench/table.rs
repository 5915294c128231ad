//! Results on a terminal.

use std::collections::BTreeMap;

use ordinal_tests::twins::Kind;

use crate::{
    contestant::name,
    results::{Measure, Results, Row},
    statistics::Spread,
};

const COLUMNS: [(&str, Measure); 10] = [
    ("time s", Measure::Seconds),
    ("longest", Measure::WorstSeconds),
    ("calls", Measure::Calls),
    ("events", Measure::Events),
    ("errors", Measure::Errors),
    ("CPU ms", Measure::Cpu),
    ("server ms", Measure::Server),
    ("memory MB", Measure::Resident),
    ("peak MB", Measure::Peak),
    ("strangers", Measure::Others),
];

/// Prints everything.
pub fn print(results: &Results) {
    println!("{} at {}, {}, nodes {}", results.machine, results.at.strftime("%F %R"), results.commit, results.nodes);
    println!(
        "Median of {}, and range. Calls (events and errors among them) and CPU per pod where",
        results.repetitions
    );
    println!("a number of pods is given; strangers: CPUs that other work on the machine took meanwhile.\n");
    let mut lines = vec![std::iter::once(String::new()).chain(COLUMNS.map(|(title, _)| title.to_owned())).collect()];
    for row in results.names() {
        lines.push(vec![title(results, row)]);
        for kind in [Kind::Native, Kind::Ours] {
            let cells =
                COLUMNS.map(|(_, measure)| results.spread(row, name(kind), measure).map(told).unwrap_or_default());
            lines.push(std::iter::once(format!("  {}", name(kind))).chain(cells).collect());
        }
        let cells = COLUMNS.map(|(_, measure)| ratio(results, row, measure).map(times).unwrap_or_default());
        lines.push(std::iter::once("  ratio".to_owned()).chain(cells).collect());
    }
    print_aligned(&lines);
    println!("\nRequests, per pod where a number of pods is given:");
    each(results, requests);
    println!("\nCPU seconds of each process:");
    each(results, |row| row.cpu.iter().map(|(process, seconds)| format!("{process} {seconds:.1}")).collect());
}

/// Ordinal's median by the built-in's, where that is more than nothing.
pub fn ratio(results: &Results, row: &str, measure: Measure) -> Option<f64> {
    if matches!(measure, Measure::Others | Measure::Events | Measure::Errors) {
        return None;
    }
    let median = |kind| results.spread(row, name(kind), measure).map(|spread| spread.median);
    let (theirs, ours) = (median(Kind::Native)?, median(Kind::Ours)?);
    (theirs > 0.0).then(|| ours / theirs)
}

/// A ratio in words.
pub fn times(ratio: f64) -> String {
    format!("{ratio:.2}×")
}

/// A number with as many digits as mean something.
pub fn number(n: f64) -> String {
    match n {
        0.0 => "0".to_owned(),
        n if n < 0.1 => format!("{n:.3}"),
        n if n < 10.0 => format!("{n:.2}"),
        n if n < 100.0 => format!("{n:.1}"),
        n => format!("{n:.0}"),
    }
}

fn told(Spread { median, min, max }: Spread) -> String {
    if min == max { number(median) } else { format!("{} ({}–{})", number(median), number(min), number(max)) }
}

fn title(results: &Results, name: &str) -> String {
    match results.rows.iter().find(|row| row.name == name).map_or(0, |row| row.pods) {
        0 => name.to_owned(),
        pods => format!("{name}, {pods} pods"),
    }
}

/// One line per row and contestant, from the first repetition that there is.
fn each(results: &Results, words: impl Fn(&Row) -> Vec<String>) {
    for row in results.names() {
        for kind in [Kind::Native, Kind::Ours] {
            if let Some(first) = results.of(row, name(kind)).next() {
                println!("  {row}, {}: {}", name(kind), words(first).join(", "));
            }
        }
    }
}

fn requests(row: &Row) -> Vec<String> {
    let pods = f64::from(row.pods.max(1));
    let told = |calls: &BTreeMap<String, u32>| -> Vec<String> {
        calls.iter().map(|(what, count)| format!("{} {what}", number(f64::from(*count) / pods))).collect()
    };
    [told(&row.cost.calls), told(&row.cost.events), told(&row.cost.errors)].concat()
}

fn print_aligned(lines: &[Vec<String>]) {
    let length = |cell: &String| cell.chars().count();
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    // A line of one cell is a title and may be as long as it likes.
    let cells = |column: usize| lines.iter().filter(|line| line.len() > 1).filter_map(move |line| line.get(column));
    let widths: Vec<usize> = (0..columns).map(|column| cells(column).map(length).max().unwrap_or(0)).collect();
    for line in lines {
        let padded = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", padded.collect::<Vec<_>>().join("  ").trim_end());
    }
}
