//! What was measured, as it is kept in a file.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;
use ordinal_tests::{audit::Call, binaries::repository};
use serde::{Deserialize, Serialize};

use crate::{
    machine,
    meter::{CONTESTANT, is_upkeep},
    statistics::Spread,
};

/// All results of a run, and where they come from.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// When it began.
    pub at: Timestamp,
    /// The commit that was measured; with a `+` when there were changes.
    pub commit: String,
    /// What it ran on.
    pub machine: String,
    /// How often each scenario was done by each.
    pub repetitions: u32,
    /// Who played the nodes.
    pub nodes: String,
    /// One per phase, contestant and repetition.
    pub rows: Vec<Row>,
}

/// One phase of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// Phase and scenario.
    pub name: String,
    /// Whose work it was.
    pub contestant: String,
    /// Counted from 1.
    pub repetition: u32,
    /// What costs are shared by; 0 where they are not.
    pub pods: u32,
    /// Until it was done.
    pub seconds: Option<f64>,
    /// The longest, where `seconds` is the median of several.
    pub worst_seconds: Option<f64>,
    /// Its calls.
    #[serde(flatten)]
    pub cost: Cost,
    /// CPU seconds of each process.
    pub cpu: BTreeMap<String, f64>,
    /// Resident memory of the contestant at the end.
    pub resident_kib: u64,
    /// And at its most.
    pub peak_kib: u64,
    /// How many CPUs were taken by processes that have nothing to do with it.
    pub others: f64,
}

/// Calls of a contestant, as the API server has answered them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cost {
    /// By verb and resource: what was answered well, events aside.
    pub calls: BTreeMap<String, u32>,
    /// What was written of events, well or not.
    pub events: BTreeMap<String, u32>,
    /// By verb, resource and status code: what was not answered well.
    pub errors: BTreeMap<String, u32>,
    /// Watches that were renewed: in no sum.
    pub upkeep: u32,
}

impl Cost {
    /// Of some calls.
    pub fn of(calls: &[Call]) -> Self {
        let mut cost = Self::default();
        for call in calls {
            let slash = if call.object.subresource.is_empty() { "" } else { "/" };
            let what = format!("{} {}{slash}{}", call.verb, call.object.resource, call.object.subresource);
            let (group, what) = match call.answer.code {
                _ if is_upkeep(call) => {
                    cost.upkeep += 1;
                    continue;
                }
                _ if call.object.resource == "events" => (&mut cost.events, what),
                code if code >= 400 => (&mut cost.errors, format!("{what} {code}")),
                _ => (&mut cost.calls, what),
            };
            *group.entry(what).or_default() += 1;
        }
        cost
    }
}

/// A figure of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Seconds until done.
    Seconds,
    /// The longest of them.
    WorstSeconds,
    /// Calls, all of them, per pod.
    Calls,
    /// Events among them.
    Events,
    /// Errors among them.
    Errors,
    /// CPU milliseconds of the contestant, per pod.
    Cpu,
    /// CPU milliseconds of the API server, per pod.
    Server,
    /// Resident memory in MB.
    Resident,
    /// And at its most.
    Peak,
    /// CPUs that strangers took.
    Others,
}

impl Measure {
    /// The figure, if the row has it.
    pub fn of(self, row: &Row) -> Option<f64> {
        let pods = f64::from(row.pods.max(1));
        let count = |calls: &BTreeMap<String, u32>| f64::from(calls.values().sum::<u32>());
        let cpu = |process: &str| row.cpu.get(process).map(|seconds| seconds * 1000.0 / pods);
        let megabytes = |kib: u64| Some(kib as f64 * 1024.0 / 1e6);
        let Cost { calls, events, errors, .. } = &row.cost;
        match self {
            Measure::Seconds => row.seconds,
            Measure::WorstSeconds => row.worst_seconds,
            Measure::Calls => Some((count(calls) + count(events) + count(errors)) / pods),
            Measure::Events => Some(count(events) / pods),
            Measure::Errors => Some(count(errors) / pods),
            Measure::Cpu => cpu(CONTESTANT),
            Measure::Server => cpu("kube-apiserver"),
            Measure::Resident => megabytes(row.resident_kib),
            Measure::Peak => megabytes(row.peak_kib),
            Measure::Others => Some(row.others),
        }
    }
}

impl Results {
    /// None yet.
    pub fn new(repetitions: u32, kwok: bool) -> Result<Self> {
        let git = |args: &[&str]| -> Result<String> {
            let output = Command::new("git").args(args).current_dir(repository()).output().context("cannot run git")?;
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let changed = if git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty() { "" } else { "+" };
        Ok(Self {
            at: Timestamp::now(),
            commit: git(&["rev-parse", "--short", "HEAD"])? + changed,
            machine: machine::describe(),
            repetitions,
            nodes: if kwok { "kwok and kube-scheduler" } else { "bound and played by the bench" }.to_owned(),
            rows: Vec::new(),
        })
    }

    /// Goes on with earlier results in place of these, if they are of the same operator on the same machine.
    pub fn instead(self, earlier: Self) -> Result<Self> {
        let told = |r: &Self| format!("{}, {} repetitions, nodes {}", r.machine, r.repetitions, r.nodes);
        ensure!(told(&self) == told(&earlier), "they are of {}, and this is {}", told(&earlier), told(&self));
        let commit = earlier.commit.trim_end_matches('+');
        let same = ["diff", "--quiet", commit, "--", "src", "Cargo.toml"];
        let same = Command::new("git").args(same).current_dir(repository()).status().context("cannot run git")?;
        ensure!(same.success(), "they are of {commit}, and the operator is another one by now");
        Ok(earlier)
    }

    /// Whether it has all of these rows of a contestant's turn.
    pub fn has(&self, names: &[String], contestant: &str, repetition: u32) -> bool {
        names.iter().all(|name| self.of(name, contestant).any(|row| row.repetition == repetition))
    }

    /// Takes over the rows of a run.
    pub fn add(&mut self, repetition: u32, rows: Vec<Row>) {
        self.rows.extend(rows.into_iter().map(|row| Row { repetition, ..row }));
    }

    /// The names of rows, in the order in which they were measured first.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if !names.contains(&row.name.as_str()) {
                names.push(&row.name);
            }
        }
        names
    }

    /// The rows of this name that a contestant has.
    pub fn of<'a>(&'a self, name: &'a str, contestant: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.name == name && row.contestant == contestant)
    }

    /// A figure over all repetitions.
    pub fn spread(&self, name: &str, contestant: &str, measure: Measure) -> Option<Spread> {
        let figures: Vec<f64> = self.of(name, contestant).filter_map(|row| measure.of(row)).collect();
        Spread::of(&figures)
    }

    /// Writes the file; its folder.
    pub fn save(&self) -> Result<PathBuf> {
        let folder = home().join(self.at.strftime("%Y-%m-%dT%H-%M-%S").to_string());
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let file = folder.join("results.json");
        std::fs::write(&file, serde_json::to_string_pretty(self)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(folder)
    }

    /// Reads such a file.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is no results file", file.display()))
    }
}

/// The newest results file.
pub fn newest() -> Result<PathBuf> {
    let runs = std::fs::read_dir(home()).into_iter().flatten().flatten().map(|run| run.path().join("results.json"));
    runs.filter(|file| file.is_file()).max().context("there are no results yet: make bench measures")
}

/// Not committed: another machine has other figures.
fn home() -> PathBuf {
    repository().join("target/bench")
}
