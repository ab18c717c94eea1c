#!/usr/bin/env bash
# Builds the packages in Examples and runs them on a small model that it trains. They are built in Concord's own build
# folder, so that nothing of Concord is compiled twice.
set -euo pipefail
cd "$(dirname "$0")/.."

concord=.build/release/concord
work=.build/examples
say() { printf '\n==> %s\n' "$*"; }
fail() { printf 'examples: %s\n' "$*" >&2; exit 1; }

for example in Loss OwnModel Search Caption; do
    say "Building Examples/$example"
    # The same versions of what Concord depends on.
    cp Package.resolved "Examples/$example/"
    swift build -c release --package-path "Examples/$example" --scratch-path .build
done

say "A loss and its gradients"
.build/release/loss-example
say "A model of its own"
mkdir -p "$work"
(cd "$work" && ../release/own-model-example)

if [ ! -f "$work/artifact/artifact.json" ]; then
    say "Training a small CoCa for the others"
    rm -rf "$work/emoji" "$work/run" "$work/artifact"
    "$concord" dataset emoji --output "$work/emoji" --languages en --size 32
    "$concord" train recipes/emoji-coca.yaml --output "$work/run" --set "data.folder=$work/emoji" --set model.image_size=32 \
        --set train.epochs=1 --set train.batch_size=128
    "$concord" export --model "$work/run" --data "$work/emoji" --output "$work/artifact"
fi
pictures=("$work"/emoji/images/1f4{0,1,2}*.png)
say "A search"
.build/release/search-example "$work/run" "a cat" "${pictures[@]}" | tee "$work/search.txt"
[ "$(wc -l <"$work/search.txt")" = 5 ] || fail "the search did not find five pictures"
say "Captions without libtorch"
.build/release/caption-example "$work/artifact" "${pictures[@]:0:5}" | tee "$work/captions.txt"
[ "$(wc -l <"$work/captions.txt")" = 5 ] || fail "not every picture has a caption"
! ldd .build/release/caption-example | grep -q libtorch || fail "caption-example needs libtorch"
