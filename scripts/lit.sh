#!/usr/bin/env bash
# Trains an image tower towards a locked sentence encoder, and the same image tower together with a new text tower,
# both on the English names of emoji alone; then searches with names of pictures that neither has seen, with keywords,
# which neither was trained on, and with the unseen synonyms among these: keywords without any word of a name that was
# trained on, and of one picture alone. What is trained already is used again; FRESH=1 starts over.
set -euo pipefail
cd "$(dirname "$0")/.."

concord=.build/release/concord
data=data/emoji
say() { printf '\n==> %s\n' "$*"; }

[ -x "$concord" ] || { echo "lit: $concord is missing; run \`make lit\`" >&2; exit 1; }
scripts/minilm.sh
compgen -G "$data/captions.*" >/dev/null || "$concord" dataset emoji --output "$data"

python3 - "$data/captions.jsonl" "$data/synonyms.jsonl" <<'PYTHON'
import collections, json, re, sys
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
def captions(row, kind):
    return [c["text"] for c in row["captions"] if (c["language"], c["kind"]) == ("en", kind)]
def words(text):
    return set(re.findall(r"\w+", text.lower()))
trained = set().union(*(words(c) for row in rows if row["split"] == "train" for c in captions(row, "name")))
pictures = collections.Counter(c for row in rows for c in captions(row, "keyword"))
with open(sys.argv[2], "w", encoding="utf-8") as file:
    for row in rows:
        for c in row["captions"]:
            if (c["language"], c["kind"]) == ("en", "keyword") and pictures[c["text"]] == 1 \
                    and words(c["text"]) and not words(c["text"]) & trained:
                c["kind"] = "synonym"
        print(json.dumps(row, ensure_ascii=False), file=file)
PYTHON

rows=()
for name in emoji-lit emoji-lit-baseline; do
    run=runs/$name
    [ "${FRESH:-0}" != 1 ] || rm -rf "$run"
    # The report is the last thing that training writes.
    if [ -f "$run/report.html" ]; then
        say "Using the trained model in $run (FRESH=1 trains it anew)"
    elif [ -d "$run" ]; then
        say "Resuming the training in $run"
        "$concord" train "recipes/$name.yaml" --output "$run" --resume
    else
        say "Training into $run"
        "$concord" train "recipes/$name.yaml" --output "$run"
    fi
    for queries in "held-out name" "train name" "train keyword" "train synonym"; do
        read -r split kind <<<"$queries"
        captions=$data
        [ "$kind" != synonym ] || captions=$data/synonyms.jsonl
        rows+=("$name" "$split" "$kind" "$("$concord" evaluate --model "$run" --data "$captions" \
            --split "$split" --language en --kind "$kind" --json)")
    done
done

say "Every query against the whole gallery"
python3 - "${rows[@]}" <<'PYTHON'
import json, sys
towers = {"emoji-lit": "sentence encoder", "emoji-lit-baseline": "from nothing"}
pictures = {"held-out": "held out", "train": "trained on"}
line = "{:<17} {:<11} {:<9} {:>8} {:>8} {:>8} {:>8} {:>12}"
print("\n" + line.format("text tower", "pictures", "queries", "count", "R@1", "R@5", "R@10", "median rank"))
for name, split, kind, text in zip(*[iter(sys.argv[1:])] * 4):
    result = json.loads(text)
    scores = result["text_to_image"]
    recalls = ["{:.1f} %".format(100 * scores[f"recall@{k}"]) for k in (1, 5, 10)]
    print(line.format(towers[name], pictures[split], kind, result["queries"], *recalls,
                      "{:g}".format(scores["median_rank"])))
PYTHON
