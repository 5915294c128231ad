//! Results as a picture: Ordinal's part of what the built-in needs, row by row.

use std::{fmt::Write, path::Path};

use anyhow::{Context, Result};

use crate::{
    results::{Measure, Results},
    table::{ratio, times},
};

const MEASURES: [(&str, &str, Measure); 4] = [
    ("time", "#4c78a8", Measure::Seconds),
    ("calls", "#f58518", Measure::Calls),
    ("CPU", "#54a24b", Measure::Cpu),
    ("memory", "#b279a2", Measure::Resident),
];

const NAMES: f64 = 270.0;
/// The width of "as much as the built-in".
const WHOLE: f64 = 320.0;
/// Longer bars are cut; their figures are not.
const LONGEST: f64 = 1.4;
const BAR: f64 = 11.0;
const GAP: f64 = 10.0;
const TOP: f64 = 56.0;

/// Draws it into a file.
pub fn draw(results: &Results, file: &Path) -> Result<()> {
    std::fs::write(file, svg(results)).with_context(|| format!("cannot write {}", file.display()))
}

fn svg(results: &Results) -> String {
    let mut bars = String::new();
    let mut y = TOP;
    for name in results.names() {
        let figures = MEASURES.iter().filter_map(|(_, colour, m)| Some((colour, ratio(results, name, *m)?)));
        let figures: Vec<_> = figures.collect();
        if figures.is_empty() {
            continue;
        }
        let middle = y + BAR * figures.len() as f64 / 2.0 + 4.0;
        text(&mut bars, NAMES - 8.0, middle, "end", name);
        for (colour, ratio) in figures {
            let width = (ratio.min(LONGEST) * WHOLE).max(1.0);
            let _ = writeln!(
                bars,
                r#"<rect x="{NAMES}" y="{y}" width="{width:.1}" height="{:.1}" fill="{colour}"/>"#,
                BAR - 1.0
            );
            text(&mut bars, NAMES + width + 4.0, y + BAR - 2.0, "start", &times(ratio));
            y += BAR;
        }
        y += GAP;
    }
    let (width, height) = (NAMES + LONGEST * WHOLE + 60.0, y + GAP);
    let line = NAMES + WHOLE;
    let mut head = String::new();
    text(&mut head, 8.0, 18.0, "start", "What Ordinal needs where the built-in StatefulSet controller needs 1");
    let mut x = NAMES;
    for (title, colour, _) in MEASURES {
        let _ = writeln!(head, r#"<rect x="{x}" y="30" width="10" height="10" fill="{colour}"/>"#);
        text(&mut head, x + 14.0, 39.0, "start", title);
        x += 80.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         {head}{bars}<line x1=\"{line}\" x2=\"{line}\" y1=\"{TOP}\" y2=\"{y}\" stroke=\"black\" stroke-dasharray=\"3\"/>\n\
         </svg>\n"
    )
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#);
}
