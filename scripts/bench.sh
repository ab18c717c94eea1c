#!/usr/bin/env bash
# Prints the speed of Concord and of the peers a user would pick, measured in one run on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

[ -x .build/release/concord ] && [ -x .peers/bin/python ] || { echo "bench: run \`make bench\`" >&2; exit 1; }
for benchmark in Images Training; do
    printf '==> %s\n' "Benchmarks/$benchmark/compare.py"
    .peers/bin/python "Benchmarks/$benchmark/compare.py"
done
