//! Decisions of the built-in controller, one pass each, against the planner's: `vectors [FILE]`, gzip or plain JSON lines.
//! Exits with 1 when something differs and no rule of ours says so.

mod outcome;
mod planned;
mod report;
mod rules;
mod situation;
#[cfg(test)]
mod variations;
mod vector;
mod verdict;
mod words;

use anyhow::{Context, Result};
use flate2::bufread::MultiGzDecoder;
use report::Report;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};
use vector::Vector;

/// The file in this repository.
const OURS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/decisions.jsonl.gz");

fn main() -> Result<ExitCode> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(OURS), PathBuf::from);
    let start = Instant::now();
    let mut report = Report::default();
    for (i, line) in lines(&path)?.enumerate() {
        let place = format!("{}:{}", path.display(), i + 1);
        let line = line.with_context(|| place.clone())?;
        if line.trim().is_empty() {
            continue;
        }
        let judged = Vector::parse(&line).and_then(|vector| Ok((verdict::judge(&vector)?, vector)));
        match judged {
            Ok((verdict, vector)) => report.add(&vector, verdict),
            Err(error) => report.add_unreadable(place, format!("{error:#}")),
        }
    }
    print!("{report}");
    println!("{:.1} s", start.elapsed().as_secs_f64());
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines of a file, unpacked if it is packed.
fn lines(path: &Path) -> Result<impl Iterator<Item = std::io::Result<String>>> {
    let mut file = BufReader::new(File::open(path).with_context(|| path.display().to_string())?);
    let packed = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let text: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(text).lines())
}
