#!/usr/bin/env bash
# Runs each fuzz target for so many seconds, from the seeds here and what earlier runs found.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-60}
cache="${ORDINAL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ordinal}/fuzz"

if ! cargo +nightly --version >/dev/null 2>&1; then
	echo "fuzzing needs a nightly compiler: rustup toolchain install nightly" >&2
	exit 1
fi
export CARGO_TARGET_DIR="$cache/target" PATH="$cache/bin:$PATH"
if ! command -v cargo-fuzz >/dev/null; then
	cargo install --quiet --locked --root "$cache" cargo-fuzz@0.13.1
fi
cargo +nightly fuzz build --fuzz-dir .
for target in objects plans frames; do
	mkdir -p "$cache/corpus/$target"
	log="$cache/$target.log"
	if ! cargo +nightly fuzz run --fuzz-dir . "$target" "$cache/corpus/$target" "seeds/$target" -- \
		-max_total_time="$seconds" -timeout=10 -max_len=65536 -print_final_stats=1 >"$log" 2>&1; then
		tail -40 "$log" >&2
		echo "$target: a finding; the input is named above" >&2
		exit 1
	fi
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
	[ "${runs:-0}" -gt 0 ] || { echo "$target: nothing was run" >&2; exit 1; }
	echo "$target: $runs inputs in $seconds s, no panic"
done
