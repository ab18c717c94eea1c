# Sourced by demo.sh and showcase.sh: steps that say how long all of it still takes, and what both do.

concord=.build/release/concord
data=data/emoji
say() { printf '\n==> %s\n' "$*"; }

# The steps still to come, in order, as NAME=SECONDS: what each takes on two cores.
planned=()
# How much longer than planned things take here, in percent: guessed from the number of cores, then measured.
cores=$(getconf _NPROCESSORS_ONLN)
pace=$((cores < 2 ? 200 : cores > 8 ? 30 : 40 + 120 / cores))
done_planned=0 done_measured=0
ticker=

plan() { planned=("$@"); } # NAME=SECONDS…

# Seconds until the end of all steps, for a step that has been running for so long.
remaining() { # SECONDS
    local entry first=1 expected total=0
    for entry in "${planned[@]}"; do
        expected=${entry#*=}
        # Downloads do not depend on the cores.
        [ "${entry%%=*}" = setup ] || expected=$((expected * pace / 100))
        # One that takes longer than planned is taken to be four fifths done.
        [ $first = 0 ] || expected=$((expected - $1 > $1 / 4 ? expected - $1 : $1 / 4 + 5))
        first=0 total=$((total + expected))
    done
    echo $total
}

clock() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); } # SECONDS

left() { printf '%s gone, about %s left' "$(clock $SECONDS)" "$(clock "$(remaining "$1")")"; } # SECONDS

stop_ticker() { [ -z "$ticker" ] || kill "$ticker" 2>/dev/null || true; ticker=; }
trap stop_ticker EXIT

# Runs the next step of the plan, and says every half minute how long it all still takes.
step() { # NAME TEXT COMMAND…
    local name=$1 text=$2 began=$SECONDS
    shift 2
    while [ "${planned[0]%%=*}" != "$name" ]; do planned=("${planned[@]:1}"); done
    say "$text ($(left 0))"
    (while sleep 30 >/dev/null; do printf '    (%s)\n' "$(left $((SECONDS - began)))"; done) 2>/dev/null &
    ticker=$!
    "$@"
    stop_ticker
    if [ "$name" != setup ]; then
        done_planned=$((done_planned + ${planned[0]#*=})) done_measured=$((done_measured + SECONDS - began))
        # What was there already tells nothing about the rest.
        [ $done_measured -lt $((done_planned / 4)) ] || pace=$((100 * done_measured / done_planned))
    fi
    planned=("${planned[@]:1}")
}

draw() {
    if compgen -G "$data/captions.*" >/dev/null; then
        echo "They are in $data already"
    else
        "$concord" dataset emoji --output "$data"
    fi
}

# Trains into a folder, or goes on, or uses what is there: the report is the last thing that training writes.
train() { # RECIPE RUN
    if [ -f "$2/report.html" ]; then
        echo "Using the trained model in $2 (FRESH=1 trains it anew)"
    elif [ -d "$2" ]; then
        echo "Resuming the training in $2"
        "$concord" train "$1" --output "$2" --resume
    else
        "$concord" train "$1" --output "$2"
    fi
}

search() { # RUN QUERY…
    local run=$1 query
    shift
    for query in "$@"; do
        printf '\n“%s”\n' "$query"
        "$concord" search --model "$run" --data "$data" --text "$query" --top 5
    done
}

# Prints a table: every query against the whole gallery.
evaluate() { # RUN
    local rows=() split language
    for split in held-out train; do
        for language in en zh; do
            rows+=("$split" "$language" "$("$concord" evaluate --model "$1" --data "$data" --split "$split" \
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
}
