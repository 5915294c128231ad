//! docs/walkthrough.md, played as it is written: what it shows under each command is what happens.
//! `UPDATE_WALKTHROUGH=1` writes what happened into it instead.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ordinal_tests::binaries::{built, repository};
use tokio::process::Command;

use crate::{place::Need, scene::Scene};

use super::Story;

pub const STORY: Story = Story {
    name: "walkthrough",
    tells: "docs/walkthrough.md shows what happens",
    needs: &[Need::OwnNodes],
    play: |scene| Box::pin(play(scene)),
};

const PAGE: &str = "docs/walkthrough.md";

async fn play(scene: &Scene) -> Result<()> {
    let path = repository().join(PAGE);
    let page = std::fs::read_to_string(&path).with_context(|| format!("cannot read {PAGE}"))?;
    let tools = [scene.place().kubectl().program().to_owned(), built("kubectl-ordinal").await?];
    let update = std::env::var_os("UPDATE_WALKTHROUGH").is_some();
    let mut played = String::new();
    for piece in pieces(&page) {
        match piece {
            Piece::Text(text) => played.push_str(&text),
            Piece::Command { typed, shown } => {
                let printed = run(&typed, scene.place().kubeconfig(), &tools).await?;
                ensure!(
                    update || shape(&printed) == shape(&shown),
                    "{PAGE} is not what happens\n$ {typed}\nit shows:\n{shown}\nand this was printed:\n{printed}"
                );
                played.push_str(&format!("$ {typed}\n{printed}"));
            }
        }
    }
    if update {
        std::fs::write(&path, played).with_context(|| format!("cannot write {PAGE}"))?;
    }
    Ok(())
}

enum Piece {
    Text(String),
    /// A command in a block ```console, without its prompt, and what stands under it.
    Command {
        typed: String,
        shown: String,
    },
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut in_console = false;
    let mut continued = false;
    for line in page.lines() {
        let fence = line.starts_with("```");
        if fence {
            in_console = line == "```console";
        }
        let in_block = in_console && !fence;
        if let Some(typed) = line.strip_prefix("$ ").filter(|_| in_block) {
            pieces.push(Piece::Command { typed: typed.to_owned(), shown: String::new() });
        } else if let Some(Piece::Command { typed, shown }) = pieces.last_mut().filter(|_| in_block) {
            if continued { *typed += &format!("\n{line}") } else { *shown += &format!("{line}\n") }
        } else {
            pieces.push(Piece::Text(format!("{line}\n")));
        }
        continued = in_console && line.ends_with('\\') && matches!(pieces.last(), Some(Piece::Command { .. }));
    }
    pieces
}

/// What a shell in the root of the checkout prints, whatever its exit code: the page shows failures too.
async fn run(typed: &str, kubeconfig: &Path, tools: &[PathBuf]) -> Result<String> {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let ours = tools.iter().filter_map(|tool| tool.parent()).map(Path::to_owned);
    let path = std::env::join_paths(ours.chain(std::env::split_paths(&usual)))?;
    let output = Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{typed}")])
        .current_dir(repository())
        .env("PATH", path)
        .env("KUBECONFIG", kubeconfig)
        .env("KUBECACHEDIR", kubeconfig.with_file_name("kubectl-cache"))
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run bash")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" })
}

/// What is the same each time: all but ages, nodes, and the names of volumes that the cluster made.
fn shape(text: &str) -> Vec<Vec<&str>> {
    let is_age = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(['s', 'm', 'h'])
            && word.chars().all(|c| c.is_ascii_digit() || "smh".contains(c))
    };
    let differs = |word: &str| is_age(word) || word.starts_with("pvc-") || word.starts_with("node");
    text.lines().map(|line| line.split_whitespace().filter(|word| !differs(word)).collect()).collect()
}
