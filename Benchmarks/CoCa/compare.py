#!/usr/bin/env python3
"""coca_ViT-B-32 with Concord and open_clip: training steps and captions, from the same random weights and inputs.

Usage: .peers/bin/python Benchmarks/CoCa/compare.py [--threads 2] [--batch 16] [--rounds 2] [--json]
                                                    [--parts training generation]
Each side runs in a process of its own, one after the other, so that a drift of the machine's speed meets both. All is in
float32. Captions to train on are random tokens as many as captions of COCO have; and once as long as the context.
Both sides must come to the same losses at the first step, and to the same captions.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / "Benchmarks/.build/release/coca-benchmark"
SCRIPT = ROOT / "Benchmarks/CoCa/open_clip_coca.py"
SIDES = {"open_clip": [sys.executable, SCRIPT], "concord": [CONCORD]}
GIBIBYTE = 1 << 30
LENGTHS = [8, 16, 30, 32, 64]
GENERATED = 30


def run(command, *options):
    command = [str(part) for part in (*command, *options)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr}")
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def training(folder, captions, rounds, threads):
    """Samples a second, the peak of memory, and the losses of the first step, which is not timed: it allocates."""
    steps = {side: [] for side in SIDES}
    losses = {}
    for _ in range(rounds):
        for side, command in SIDES.items():
            first, *rest = run(command, "train", "--folder", folder, "--captions", captions, "--threads", threads)
            losses[side] = {key: first[key] for key in ("contrastive", "caption")}
            steps[side] += rest
    return {side: {"seconds": statistics.median(step["seconds"] for step in steps[side]),
                   "peak": max(step["peak"] for step in steps[side]), "firstLosses": losses[side]} for side in SIDES}


def generation(folder, beams, lengths, batch, threads):
    results = {side: run(command, "generate", "--folder", folder, "--beams", beams, "--batch", batch, "--threads",
                         threads, "--lengths", *lengths) for side, command in SIDES.items()}
    return {length: {side: entries[index] for side, entries in results.items()}
            for index, length in enumerate(lengths)}


def ratio(sides, key="seconds"):
    return sides["open_clip"][key] / sides["concord"][key]


def print_training(results, batch):
    print(f"\nTraining, a batch of {batch}, AdamW included")
    print(f"{'captions':<10} {'open_clip':>17} {'Concord':>17} {'ratio':>7}   {'peak':>9} {'':>9}   losses at first step")
    for captions, sides in results.items():
        rates = {side: batch / values["seconds"] for side, values in sides.items()}
        peaks = {side: values["peak"] / GIBIBYTE for side, values in sides.items()}
        losses = " | ".join(" + 2 · ".join(f"{values['firstLosses'][key]:.5f}" for key in ("contrastive", "caption"))
                            for values in sides.values())
        print(f"{captions:<10} {rates['open_clip']:>7.2f} samples/s {rates['concord']:>7.2f} samples/s "
              f"{ratio(sides):>6.2f}×   {peaks['open_clip']:>5.2f} GiB {peaks['concord']:>5.2f} GiB   {losses}")


def print_generation(title, results, batch):
    print(f"\n{title}, {batch} pictures, the image tower included")
    print(f"{'new tokens':<10} {'open_clip':>19} {'Concord':>19} {'ratio':>7}   {'a token':>11} {'':>11}   "
          f"{'image tower':>9} {'':>9}   {'peak':>9} {'':>9}   same captions")
    for length, sides in results.items():
        rates = {side: batch / values["seconds"] for side, values in sides.items()}
        steps = {side: (values["seconds"] - values["imageSeconds"]) / length * 1e3 for side, values in sides.items()}
        images = {side: values["imageSeconds"] for side, values in sides.items()}
        peaks = {side: values["peak"] / GIBIBYTE for side, values in sides.items()}
        same = sum(a == b for a, b in zip(sides["open_clip"]["tokens"], sides["concord"]["tokens"]))
        print(f"{length:<10} {rates['open_clip']:>8.3f} captions/s {rates['concord']:>8.3f} captions/s "
              f"{ratio(sides):>6.1f}×   {steps['open_clip']:>8.1f} ms {steps['concord']:>8.1f} ms   "
              f"{images['open_clip']:>7.2f} s {images['concord']:>9.2f} s   "
              f"{peaks['open_clip']:>5.2f} GiB {peaks['concord']:>5.2f} GiB   {same} of {batch}")


def disagreements(report):
    """What the two sides did not compute alike, as sentences."""
    found = []
    for captions, sides in report.get("training", {}).items():
        for key in ("contrastive", "caption"):
            theirs, ours = (sides[side]["firstLosses"][key] for side in SIDES)
            if abs(theirs - ours) > 1e-5 * abs(theirs):
                found.append(f"the {key} loss of {captions} captions is {theirs} and {ours}")
    for name in ("greedy", "beam"):
        for length, sides in report.get(name, {}).items():
            theirs, ours = (sides[side]["logProbabilities"] for side in SIDES)
            worst = max(abs(a - b) / abs(a) for a, b in zip(theirs, ours))
            # Where two continuations are as likely to the last bits, rounding decides, and the tokens may differ.
            if worst > 1e-4:
                found.append(f"log-probabilities of {length} tokens ({name}) differ by {worst:.1e}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16, help="of a training step")
    parser.add_argument("--steps", type=int, default=2, help="timed steps of a round of training")
    parser.add_argument("--rounds", type=int, default=2, help="of training")
    parser.add_argument("--pictures", type=int, default=8, help="that are captioned at once")
    parser.add_argument("--beams", type=int, default=6)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="new tokens of greedy captions")
    parser.add_argument("--parts", nargs="+", choices=("training", "generation"), default=["training", "generation"])
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    arguments = parser.parse_args()
    report = {"threads": arguments.threads, "batch": arguments.batch, "pictures": arguments.pictures,
              "beams": arguments.beams}
    show = (lambda *_: None) if arguments.json else (lambda call, *values: call(*values))
    with tempfile.TemporaryDirectory() as folder:
        report["captions"] = run(SIDES["open_clip"], "prepare", "--folder", folder, "--batch",
                                 max(arguments.batch, arguments.pictures), "--steps", arguments.steps)[0]
        show(print, f"coca_ViT-B-32, random weights, float32, {arguments.threads} threads; short captions have "
             f"{report['captions']['mean']:.1f} tokens on average and at most {report['captions']['longest']} in a batch, "
             "full ones 76")
        if "training" in arguments.parts:
            report["training"] = {captions: training(folder, captions, arguments.rounds, arguments.threads)
                                  for captions in ("short", "full")}
            show(print_training, report["training"], arguments.batch)
        if "generation" in arguments.parts:
            report["greedy"] = generation(folder, 1, arguments.lengths, arguments.pictures, arguments.threads)
            show(print_generation, "Greedy captions", report["greedy"], arguments.pictures)
            report["beam"] = generation(folder, arguments.beams, [GENERATED], arguments.pictures, arguments.threads)
            show(print_generation, f"Captions by {arguments.beams} beams", report["beam"], arguments.pictures)
    if arguments.json:
        print(json.dumps(report))
    if found := disagreements(report):
        sys.exit("\n".join(["The two sides do not compute the same:", *found]))


if __name__ == "__main__":
    main()
