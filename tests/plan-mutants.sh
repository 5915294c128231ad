#!/usr/bin/env bash
# Makes every small change of the planner that cargo-mutants knows, and prints those that its tests do not notice; it fails if
# there is one. Which are no defects, and why, is written in .cargo/mutants.toml.
set -euo pipefail
cd "$(dirname "$0")/.."
cache="${ORDINAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ordinal}/cargo-mutants"
export PATH="$cache/bin:$PATH"
# Each job has a folder of its own.
unset CARGO_TARGET_DIR
if ! command -v cargo-mutants >/dev/null; then
	cargo install --quiet --locked --root "$cache" cargo-mutants@27.1.0
fi
# A loop that a change has made endless may grow as well, and take the whole machine with it.
ulimit -v 8000000
# 3 says that some did not end, so they were noticed.
cargo mutants --package ordinal-plan --test-package ordinal-plan --jobs "${JOBS:-2}" --output "$cache" || [ $? -eq 3 ]
