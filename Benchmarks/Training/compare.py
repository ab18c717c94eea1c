#!/usr/bin/env python3
"""Training speed of Concord and open_clip on ViT-B/32: the same token ids, batch, threads and precision, in turn.

Usage: .peers/bin/python Benchmarks/Training/compare.py [--threads 2] [--batch 32] [--rounds 2] [--steps 3] [--company 2]
Each round runs one side after the other in a process of its own, so that a drift of the machine's speed meets both.
With --company, each runs alone and beside so many processes that never rest; the table says how much slower that is.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Support"))
from company import company  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / "Benchmarks/.build/release/training-benchmark"


def run(command):
    lines = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout
    return [json.loads(line)["seconds"] for line in lines.splitlines() if line.startswith("{")]


def has_bfloat16():
    """Whether the processor computes in bfloat16; libtorch's fallback takes many minutes a step at batch 32."""
    try:
        flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return True
    return any(flag in flags for flag in ("avx512_bf16", "amx_bf16", "bf16"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=ROOT / "data/emoji/captions.jsonl")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--company", type=int, default=0)
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    arguments = parser.parse_args()

    captions = [caption["text"] for line in open(arguments.data) for caption in json.loads(line)["captions"]
                if caption["language"] == "en" and caption["kind"] == "name"]
    script = ROOT / "Benchmarks/Training/open_clip_training.py"
    with tempfile.TemporaryDirectory() as folder:
        text_file, id_file = pathlib.Path(folder, "captions.json"), pathlib.Path(folder, "ids.json")
        text_file.write_text(json.dumps(captions))
        subprocess.run([sys.executable, script, "--captions", text_file, "--tokenize-to", id_file], check=True)
        print(f"ViT-B/32, batch {arguments.batch}, {arguments.threads} threads, emoji names in English")
        print(f"{'precision':<10} {'beside':<8} {'open_clip':>16} {'Concord':>16} {'ratio':>8}")
        crowds = [0, arguments.company] if arguments.company else [0]
        for precision in arguments.precisions:
            is_slow = precision == "bfloat16" and not has_bfloat16()
            batch, steps, rounds = (4, 1, 1) if is_slow else (arguments.batch, arguments.steps, arguments.rounds)
            common = ["--batch", batch, "--threads", arguments.threads, "--steps", steps, "--precision", precision]
            sides = {
                "open_clip": [sys.executable, script, "--captions", text_file], "concord": [CONCORD, "--ids", id_file]}
            seconds = {(side, crowd): [] for side in sides for crowd in crowds}
            for _ in range(rounds):
                for crowd in crowds:
                    with company(crowd):
                        for side, command in sides.items():
                            seconds[side, crowd] += run(command + common)
            rates = {key: batch / statistics.median(found) for key, found in seconds.items()}
            for crowd in crowds:
                peer, own = rates["open_clip", crowd], rates["concord", crowd]
                print(f"{precision:<10} {crowd or 'nothing':<8} {peer:>8.2f} images/s {own:>7.2f} images/s {own / peer:>7.2f}×"
                      + (f"  (batch {batch}: this processor has no bfloat16 instructions)" if is_slow else ""), flush=True)
            if arguments.company:
                slower = {side: rates[side, 0] / rates[side, arguments.company] for side in sides}
                print(f"  open_clip becomes {slower['open_clip']:.2f}× slower, Concord {slower['concord']:.2f}×: "
                      f"{slower['concord'] / slower['open_clip']:.2f}×", flush=True)


if __name__ == "__main__":
    main()
