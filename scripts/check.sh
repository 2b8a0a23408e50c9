#!/usr/bin/env bash
# The gate: what CI runs after the tests, and what a person runs before a commit.
#
#   scripts/check.sh
#
# Formatting, lints and documentation with warnings denied, the dependencies' licences and sources, the scripts'
# syntax, and the tests of the benchmark's arithmetic where Python is there. Installs cargo-deny on its first run.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '== %s\n' "$*"; "$@"; }
step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --workspace --no-deps --document-private-items --locked
for script in scripts/*.sh .ci/run; do step bash -n "$script"; done
if command -v python3 >/dev/null; then # the benchmark's; -B leaves no __pycache__ behind
    step python3 -B -c 'import ast, sys; [ast.parse(open(path).read(), path) for path in sys.argv[1:]]' scripts/bench/*.py
    step python3 -B -m unittest discover -q -s scripts/bench
fi
command -v cargo-deny >/dev/null || step cargo install cargo-deny --locked --version 0.18.6
step cargo deny --locked check bans licenses sources
