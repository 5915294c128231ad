#!/usr/bin/env bash
# Makes every small change of the planner that cargo-mutants knows, and prints those that no test notices: first its own tests are
# asked, which take a second, then those of the simulation and the operator.
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
mutants() {
	cargo mutants --package ordinal-plan --jobs "${JOBS:-2}" --output "$cache" "$@"
}
# 2 and 3 say that some were not noticed yet.
mutants --test-package ordinal-plan || [ $? -lt 4 ]
mutants --iterate --test-package ordinal-plan,ordinal-sim,ordinal
