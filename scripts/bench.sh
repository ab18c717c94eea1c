#!/usr/bin/env bash
# Prints the speed of Concord and of the peers a user would pick, measured in one run on this machine.
# `make bench` calls it, after building Concord and the peers' environment.
set -euo pipefail
cd "$(dirname "$0")/.."

swift build -c release --package-path Benchmarks
swift build -c release --product concord-server
compgen -G "data/emoji/captions.*" >/dev/null || .build/release/concord dataset emoji --output data/emoji

printf '\n==> Execution plans of the losses\n'
.build/release/PlanMatrix
.build/release/PlanMatrix --runs --worlds 1 --worlds 2 --worlds 3 --worlds 4
for benchmark in Images Audio Checkpoints Training Losses Cached CoCa Serving; do
    printf '\n==> %s\n' "$benchmark"
    .peers/bin/python "Benchmarks/$benchmark/compare.py"
done
