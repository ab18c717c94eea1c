#!/usr/bin/env bash
# From nothing to a trained, evaluated model that answers searches, meant for a quarter of an hour on two cores: sets up,
# builds `concord`, draws the emoji data, trains a CLIP, searches, and evaluates on combinations that the model has never seen.
# What is there already is used again; FRESH=1 draws and trains anew. `make showcase` is the long one.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/steps.sh

run=runs/emoji-demo
plan setup=45 build=470 data=15 training=80 search=12 evaluation=20
[ "${FRESH:-0}" != 1 ] || rm -rf "$data" "$run"

step setup "Installing what is missing" scripts/setup.sh
step build "Building concord" swift build -c release --product concord
step data "Drawing the emoji and writing their captions" draw
step training "Training a small CLIP" train recipes/emoji-demo.yaml "$run"
step search "Searching" search "$run" "woman firefighter, medium skin tone" "cat face" "红苹果"
printf '\nFirst results after %s\n' "$(clock $SECONDS)"
step evaluation "Evaluating: every query against the whole gallery" evaluate "$run"

cat <<EOF

Done in $(clock $SECONDS). The report: $PWD/$run/report.html
Search yourself:   $concord search --model $run --data $data --text "cat face"
Train longer, caption, export, serve:   make showcase
EOF
