//! Tables, JSON, YAML, and colours on a terminal.

use std::{fmt::Write, io::IsTerminal};

use anyhow::Result;
use serde::Serialize;

use crate::cli::Output;

/// Columns as wide as they must be, three spaces between them, as kubectl prints them.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these titles.
    pub fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()] }
    }

    /// One more row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                write!(line, "{cell:<width$}   ")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// An object as JSON or YAML.
pub fn object<T: Serialize>(value: &T, output: Output) -> Result<String> {
    Ok(match output {
        Output::Json => serde_json::to_string_pretty(value)? + "\n",
        _ => yaml(value)?,
    })
}

/// An object as YAML.
pub fn yaml<T: Serialize>(value: &T) -> Result<String> {
    let text = serde_saphyr::to_string(value)?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

/// Something that went well, or did not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    Busy,
    Bad,
}

/// Text in a mood's colour, where somebody sees it, and wishes to.
pub fn paint(text: &str, mood: Mood) -> String {
    let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let code = match mood {
        Mood::Good => 32,
        Mood::Busy => 33,
        Mood::Bad => 31,
    };
    if colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new(&["NAME", "AGE"]);
        table.row(["web-0".into(), "7s".into()]);
        assert_eq!(table.to_string(), "NAME    AGE\nweb-0   7s\n");
    }
}
