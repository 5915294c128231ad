//! `make mutants`: the suite must be able to fail. Each deliberate defect of the operator is put into a copy of the source, one at
//! a time, and some test has to fail for it; which one is printed. Before that the same tests pass without it.

mod list;

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, ExitCode, Output, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use ordinal_tests::binaries::{cargo_variables, repository};

use list::{ALL, Judge, Mutant};

/// A defect that keeps a test from ever ending shows nothing: it is to be replaced.
const LONGEST: &str = "20m";

/// Puts defects into the operator, and sees that the tests find them.
#[derive(Parser)]
#[command(name = "mutants")]
struct Args {
    /// Only defects with this in their description or file.
    #[arg(long, value_name = "PART")]
    only: Option<String>,
    /// Name the defects, and do nothing.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let part = args.only.as_deref().unwrap_or_default();
    let mutants: Vec<&Mutant> = ALL.iter().filter(|m| m.what.contains(part) || m.file.contains(part)).collect();
    ensure!(!mutants.is_empty(), "no defect has {part:?} in its description or file; --list names them");
    if args.list {
        mutants.iter().for_each(|mutant| println!("{}: {}", mutant.file, mutant.what));
        return Ok(());
    }
    let copy = Copy::make()?;
    for judge in mutants.iter().map(|mutant| mutant.judge).collect::<BTreeSet<_>>() {
        let verdict = copy.judge(judge)?;
        ensure!(verdict == Verdict::Passed, "without any defect {judge:?} says {verdict:?}");
    }
    let mut missed = Vec::new();
    for (number, mutant) in mutants.iter().enumerate() {
        let begun = Instant::now();
        let told = match copy.with(mutant, || copy.judge(mutant.judge))? {
            Ok(Verdict::Failed(tests)) if tests.len() > 1 => format!("{} and {} more", tests[0], tests.len() - 1),
            Ok(Verdict::Failed(tests)) => tests.concat(),
            other => {
                missed.push(mutant.what);
                other.map_or_else(|error| format!("NOTHING SHOWN: {error:#}"), |_| "NOT CAUGHT".to_owned())
            }
        };
        let (place, seconds) = (format!("{}/{}", number + 1, mutants.len()), begun.elapsed().as_secs());
        println!("[{place}] {} ({}): {told} ({seconds} s)", mutant.what, mutant.file);
    }
    ensure!(missed.is_empty(), "{} of {} defects were not caught: {}", missed.len(), mutants.len(), missed.join("; "));
    println!("{} defects, all caught", mutants.len());
    Ok(())
}

/// What came of a run of tests.
#[derive(Debug, PartialEq)]
enum Verdict {
    Passed,
    /// With the tests that failed, or the plan.
    Failed(Vec<String>),
}

/// A copy of the source that defects are put into.
struct Copy {
    tree: PathBuf,
    /// Where it is built, once for all.
    target: PathBuf,
}

impl Copy {
    /// Files that are the same stay as they are, so that nothing is built without need.
    fn make() -> Result<Self> {
        let base = repository().join("target/mutants");
        let copy = Self { tree: base.join("source"), target: base.join("target") };
        let listed = Command::new("git")
            .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
            .current_dir(repository())
            .output()
            .context("git cannot list the files")?;
        ensure!(listed.status.success(), "git cannot list the files: {}", String::from_utf8_lossy(&listed.stderr));
        let names = String::from_utf8(listed.stdout)?;
        for name in names.split_terminator('\0') {
            let (from, to) = (repository().join(name), copy.tree.join(name));
            // A file that git knows may have been deleted.
            if !from.is_file() {
                continue;
            }
            if fs::read(&to).ok() != Some(fs::read(&from)?) {
                fs::create_dir_all(to.parent().context("a file has a folder")?)?;
                fs::copy(&from, &to).with_context(|| format!("cannot copy {name}"))?;
            }
        }
        Ok(copy)
    }

    /// Does something while a defect is there.
    ///
    /// # Errors
    /// When the source could not be changed, or changed back: what follows would tell nothing.
    fn with<T>(&self, mutant: &Mutant, act: impl FnOnce() -> T) -> Result<T> {
        let file = self.tree.join(mutant.file);
        let text = fs::read_to_string(&file).with_context(|| mutant.file.to_owned())?;
        let places = text.matches(mutant.from).count();
        ensure!(places == 1, "{} has {places} places like {:?}: bring the list up to date", mutant.file, mutant.from);
        fs::write(&file, text.replace(mutant.from, mutant.to))?;
        let done = act();
        fs::write(&file, text)?;
        Ok(done)
    }

    fn judge(&self, judge: Judge) -> Result<Verdict> {
        let test = |args: &[&str]| self.cargo(&[&["test", "--locked", "--no-fail-fast"], args].concat());
        match judge {
            Judge::Simulated => {
                verdict(&test(&["--package", "ordinal-plan", "--package", "ordinal-sim", "--lib", "--test", "rules"])?)
            }
            Judge::Operator => verdict(&test(&["--package", "ordinal", "--bins"])?),
            Judge::Live(name) => verdict(&test(&["--package", "ordinal-tests", "--test", "live", "--", name])?),
            Judge::Plan(plan) => {
                let faults = ["run", "--quiet", "--locked", "--package", "ordinal-tests", "--bin", "faults", "--"];
                let output = self.cargo(&[&faults[..], &["--plan", plan, "--quiet", "3"]].concat())?;
                if output.status.success() {
                    return Ok(Verdict::Passed);
                }
                compiles(&output)?;
                let text = String::from_utf8_lossy(&output.stderr);
                let judged = text.contains("replay it:") || text.contains("without faults");
                ensure!(judged, "the plan was not played:\n{}", tail(&text, 30));
                Ok(Verdict::Failed(vec![format!("make faults PLAN=\"{plan}\"")]))
            }
        }
    }

    fn cargo(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new("timeout");
        cargo_variables().for_each(|name| _ = command.env_remove(name));
        command.args(["--kill-after=10", LONGEST]).arg(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let command = command.args(args).current_dir(&self.tree).env("CARGO_TARGET_DIR", &self.target);
        let output = command.stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot run cargo {}", args.join(" ")))?;
        ensure!(output.status.code() != Some(124), "cargo {} has not ended within {LONGEST}", args.join(" "));
        Ok(output)
    }
}

fn verdict(output: &Output) -> Result<Verdict> {
    if output.status.success() {
        return Ok(Verdict::Passed);
    }
    compiles(output)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failed = |line: &str| Some(line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?.to_owned());
    let tests: Vec<String> = text.lines().filter_map(failed).collect();
    ensure!(!tests.is_empty(), "no test has failed, and yet:\n{}", tail(&text, 30));
    Ok(Verdict::Failed(tests))
}

/// A defect that does not compile shows nothing.
fn compiles(output: &Output) -> Result<()> {
    let text = String::from_utf8_lossy(&output.stderr);
    if text.contains("could not compile") || text.contains("cannot build the operator") {
        bail!("it does not compile:\n{}", tail(&text, 30));
    }
    Ok(())
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_has_its_place_in_the_source() {
        for mutant in ALL {
            let text = fs::read_to_string(repository().join(mutant.file)).expect(mutant.file);
            let places = text.matches(mutant.from).count();
            assert_eq!(places, 1, "{}: {:?}", mutant.file, mutant.from);
        }
    }

    #[test]
    fn there_are_enough_of_them() {
        assert!(ALL.len() >= 25);
        assert!(ALL.iter().all(|mutant| mutant.file.starts_with("src/") && mutant.from != mutant.to));
    }
}
