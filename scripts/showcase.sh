#!/usr/bin/env bash
# All that Concord does, on the data of `make demo`, in about half an hour on two cores: trains a CLIP at length, evaluates
# and searches; then trains a CoCa, captions combinations that it has never seen, exports it, and has the HTTP service
# caption one. It goes on where it was stopped, at whatever moment; FRESH=1 starts over.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/steps.sh

run=runs/emoji
captioner=runs/emoji-coca
artifacts=artifacts/emoji-coca
plan setup=90 build=440 data=15 clip=440 search=10 evaluation=30 coca=1100 captions=40 export=20 service=5
[ "${FRESH:-0}" != 1 ] || rm -rf "$data" "$run" "$captioner" "$artifacts"

captions() {
    local picture split
    for picture in 261d-1f3fe 1f469-1f3fd-200d-1f393 1f9d1-1f3fc-200d-1f9b0; do
        "$concord" caption --model "$captioner" --image "$data/images/$picture.png" --json
    done
    for split in held-out train; do
        printf '\nAll pictures, %s\n' "$split"
        "$concord" evaluate --model "$captioner" --data "$data" --split "$split" --language en --captions --strategy greedy
    done
}

export_captioner() {
    if [ -f "$artifacts/artifact.json" ] && [ "$artifacts" -nt "$captioner/model.safetensors" ]; then
        echo "It is in $artifacts already"
    else
        "$concord" export --model "$captioner" --data "$data" --output "$artifacts" --force
    fi
}

serve() {
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
                sys.exit("showcase: the service ended:\n" + server.stderr.read())
            if time.monotonic() - started > 60:
                sys.exit("showcase: the service was not ready within a minute")
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
}

build() {
    swift build -c release --product concord
    swift build -c release --product concord-server
}

step setup "Installing what is missing" scripts/setup.sh
step build "Building concord and concord-server" build
step data "Drawing the emoji and writing their captions" draw
step clip "Training a CLIP" train recipes/emoji-clip.yaml "$run"
step search "Searching" search "$run" "red apple" "woman firefighter, medium skin tone" "红苹果"
step evaluation "Evaluating: every query against the whole gallery" evaluate "$run"
step coca "Training a CoCa" train recipes/emoji-coca.yaml "$captioner"
step captions "Captioning pictures whose combination was never seen" captions
step export "Exporting the captioner" export_captioner
step service "Captioning by the service, which needs no libtorch" serve

printf '\nDone in %s. Reports: %s and %s\n' "$(clock $SECONDS)" "$PWD/$run/report.html" "$PWD/$captioner/report.html"
