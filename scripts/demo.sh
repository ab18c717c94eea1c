#!/usr/bin/env bash
# From nothing to trained image–text models and a service: draws the emoji data, trains a CLIP, evaluates on combinations
# the model has never seen, and searches; then trains a CoCa, captions such combinations, exports it, and has the HTTP
# service caption one. What is there already is used again; FRESH=1 starts over.
set -euo pipefail
cd "$(dirname "$0")/.."

concord=.build/release/concord
data=data/emoji
run=runs/emoji
captioner=runs/emoji-coca
artifacts=artifacts/emoji-coca
say() { printf '\n==> %s\n' "$*"; }

[ -x "$concord" ] || { echo "demo: $concord is missing; run \`make demo\`" >&2; exit 1; }
[ "${FRESH:-0}" != 1 ] || rm -rf "$data" "$run" "$captioner" "$artifacts"

if compgen -G "$data/captions.*" >/dev/null; then
    say "Using the pictures and captions in $data"
else
    say "Drawing the emoji and writing their captions into $data"
    "$concord" dataset emoji --output "$data"
fi

# Trains into a folder, or goes on, or uses what is there: the report is the last thing that training writes.
train() {
    if [ -f "$2/report.html" ]; then
        say "Using the trained model in $2 (FRESH=1 trains it anew)"
    elif [ -d "$2" ]; then
        say "Resuming the training in $2"
        "$concord" train "$1" --output "$2" --resume
    else
        say "Training into $2"
        "$concord" train "$1" --output "$2"
    fi
}
train recipes/emoji-clip.yaml "$run"

for query in "red apple" "woman firefighter, medium skin tone" "红苹果"; do
    say "Searching for “$query”"
    "$concord" search --model "$run" --data "$data" --text "$query" --top 5
done

say "Evaluating: every query against the whole gallery"
rows=()
for split in held-out train; do
    for language in en zh; do
        rows+=("$split" "$language" "$("$concord" evaluate --model "$run" --data "$data" --split "$split" \
            --language "$language" --json)")
    done
done
python3 - "${rows[@]}" <<'PYTHON'
import json, sys
names = {"held-out": "held out", "train": "trained on", "en": "English", "zh": "Chinese"}
line = "{:<12} {:<9} {:<14} {:>7} {:>7} {:>7} {:>7} {:>12}"
print("\n" + line.format("pictures", "captions", "direction", "queries", "R@1", "R@5", "R@10", "median rank"))
for split, language, text in zip(*[iter(sys.argv[1:])] * 3):
    result = json.loads(text)
    for direction in ("text_to_image", "image_to_text"):
        scores = result[direction]
        recalls = ["{:.1f} %".format(100 * scores[f"recall@{k}"]) for k in (1, 5, 10)]
        print(line.format(names[split], names[language], direction.replace("_to_", " → "), result["queries"], *recalls,
                          "{:g}".format(scores["median_rank"])))
PYTHON

train recipes/emoji-coca.yaml "$captioner"
say "Captions of pictures whose combination was never seen"
for picture in 261d-1f3fe 1f469-1f3fd-200d-1f393 1f9d1-1f3fc-200d-1f9b0; do
    "$concord" caption --model "$captioner" --image "$data/images/$picture.png" --json
done
for split in held-out train; do
    say "Captions of all pictures, $split"
    "$concord" evaluate --model "$captioner" --data "$data" --split "$split" --language en --captions --strategy greedy
done

if [ -f "$artifacts/artifact.json" ] && [ "$artifacts" -nt "$captioner/model.safetensors" ]; then
    say "Using the exported captioner in $artifacts"
else
    say "Exporting the captioner into $artifacts"
    "$concord" export --model "$captioner" --data "$data" --output "$artifacts" --force
fi
say "A caption from the service, which needs no libtorch"
python3 - .build/release/concord-server "$artifacts" "$data/images/1f469-1f3fd-200d-1f393.png" <<'PYTHON'
import json, socket, subprocess, sys, time, urllib.error, urllib.request
program, artifacts, picture = sys.argv[1:]
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
started = time.monotonic()
server = subprocess.Popen([program, "--model", artifacts, "--port", str(port)], stderr=subprocess.PIPE, text=True)
address = f"http://127.0.0.1:{port}"
try:
    while True:
        try:
            urllib.request.urlopen(address + "/health/ready").close()
            break
        except OSError:
            if server.poll() is not None:
                sys.exit("demo: the service ended:\n" + server.stderr.read())
            if time.monotonic() - started > 60:
                sys.exit("demo: the service was not ready within a minute")
            time.sleep(0.005)
    print(f"ready after {time.monotonic() - started:.2f} s: {address}")
    with open(picture, "rb") as file:
        request = urllib.request.Request(address + "/generate_caption", file.read(), {"Content-Type": "image/png"})
    with urllib.request.urlopen(request) as response:
        print(f"POST /generate_caption, {picture}: {json.load(response)['caption']}")
finally:
    server.terminate()
    server.wait()
PYTHON

printf '\nReports: %s and %s\n' "$PWD/$run/report.html" "$PWD/$captioner/report.html"
