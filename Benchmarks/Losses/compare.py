#!/usr/bin/env python3
"""Losses of Concord and its peers, forward and backward on the CPU: the same embeddings and threads, in turn.

Usage: .peers/bin/python Benchmarks/Losses/compare.py [--only PART…] [--large] [--plot [FILE]]
  goals     InfoNCE of the default plan at 256, 1,024 and 8,192 samples: time, and memory beyond the embeddings
  company   the same beside two processes that never rest
  counts    InfoNCE from 1,024 samples to 32,768, with --large to 131,072
  siglip    the sigmoid loss at 8,192
  triplets  batch-hard triplets at 2,048, beside PyTorch Metric Learning
  rows      Concord's blocks of 64 to 1,024 rows at 8,192
Each side runs in a process of its own. Extra memory is the peak of resident memory during the loss and its backward
pass, less what was resident just before. open_clip gets nine tenths of the machine's free memory.
--plot writes the counts as a picture, docs/images/loss-cost.svg by default.
"""
import argparse
import json
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile

import loss_plot

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Support"))
from company import company  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / "Benchmarks/.build/release/loss-benchmark"
OPEN_CLIP = [sys.executable, pathlib.Path(__file__).with_name("open_clip_loss.py")]
MEBIBYTE = 1 << 20


class OutOfMemory(Exception):
    pass


def run(command):
    """The rounds of one process."""
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if result.returncode == -signal.SIGKILL:  # the kernel, before the limit was reached
        raise OutOfMemory
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stderr[-3000:]}")
    rounds = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    if any("outOfMemory" in entry for entry in rounds):
        raise OutOfMemory
    return rounds


def summary(rounds):
    """The median time, the most memory, and what was computed."""
    return {"seconds": statistics.median(entry["seconds"] for entry in rounds),
            **{key: max(entry[key] for entry in rounds) for key in ("extra", "peak")},
            **{key: rounds[0][key] for key in ("loss", "gradientNorm", "scaleGradient")}}


class Comparison:
    """Both sides on the embeddings of one file."""

    def __init__(self, folder, arguments):
        self.folder, self.threads, self.width = pathlib.Path(folder), arguments.threads, arguments.width

    def embeddings(self, count):
        path = self.folder / f"{count}.safetensors"
        if not path.exists():
            for other in self.folder.glob("*.safetensors"):
                other.unlink()
            run(OPEN_CLIP + ["--write", path, "--count", count, "--width", self.width])
        return path

    def command(self, side, count, rounds, *options):
        return (OPEN_CLIP if side == "open_clip" else [CONCORD]) + [
            "--embeddings", self.embeddings(count), "--count", count, "--threads", self.threads,
            "--rounds", rounds, *options]

    def measure(self, count, rounds, loss="infonce", open_clip=True):
        """Rounds of both sides in turn; None for open_clip where it runs out of memory."""
        sides = {"open_clip": [], "concord": []}
        repeats = max(1, min(20, 4096 // count))  # A small batch takes milliseconds.
        for _ in range(rounds):
            if open_clip:
                try:
                    sides["open_clip"] += run(self.command("open_clip", count, repeats, "--loss", loss))
                except OutOfMemory:
                    open_clip = False
            sides["concord"] += run(self.command("concord", count, repeats, "--loss", loss))
        return {name: summary(entries) if entries else None for name, entries in sides.items()}


def title(text, columns):
    print(f"\n{text}\n{columns}", flush=True)


def both(label, count, sides):
    """A row of a table that compares the two."""
    peer, own = sides["open_clip"], sides["concord"]

    def cells(side):
        if side is None:
            return f"{'out of memory':>31}"
        return (f"{side['seconds']:>8.3f} s {side['seconds'] / count * 1e6:>7.0f} µs"
                f" {side['extra'] / MEBIBYTE:>7.0f} MiB")

    row = f"{label:>9} {cells(peer)}  {cells(own)}"
    if peer:
        row += (f" {own['seconds'] / peer['seconds']:>7.2f} {'1/%.1f' % (peer['extra'] / own['extra']):>8}"
                f" {abs(own['loss'] - peer['loss']) / abs(peer['loss']):>9.1e}"
                f" {abs(own['gradientNorm'] - peer['gradientNorm']) / peer['gradientNorm']:>9.1e}"
                f" {abs(own['scaleGradient'] - peer['scaleGradient']) / (abs(peer['scaleGradient']) or 1):>9.1e}")
    print(row, flush=True)


COLUMNS = (f"{'samples':>9} {'peer':>31}  {'Concord':>31} {'time':>7} {'memory':>8} {'loss':>9} {'gradient':>9}"
           f" {'d scale':>9}\n{'':>9} {'total   a sample   extra':>31}  {'total   a sample   extra':>31} {'ratio':>7}"
           f" {'ratio':>8} {'relative differences':>29}")


PARTS = ["goals", "company", "counts", "siglip", "triplets", "rows"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--count", type=int, default=8192, help="samples of all but the table of counts")
    parser.add_argument("--counts", type=int, nargs="+", default=[1 << power for power in range(10, 16)])
    parser.add_argument("--large", action="store_true", help="65,536 and 131,072 samples, too: a quarter of an hour")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", nargs="?", const=ROOT / "docs/images/loss-cost.svg", type=pathlib.Path)
    arguments = parser.parse_args()
    counts = arguments.counts + ([65536, 131072] if arguments.large else [])

    print(f"Losses of embeddings of {arguments.width} numbers, float32, {arguments.threads} threads, "
          "forward and backward")
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(folder, arguments)
        if "goals" in arguments.only:
            title(f"InfoNCE, {arguments.rounds} rounds (goals: no slower; at {arguments.count:,} samples a time ratio "
                  "of 0.45 or less and a memory ratio of 1/8 or less)", COLUMNS)
            for count in (256, 1024, arguments.count):
                both(f"{count:,}", count, comparison.measure(count, arguments.rounds))
        if "company" in arguments.only:
            title(f"InfoNCE beside two busy processes, {arguments.rounds} rounds (goal: no slower)", COLUMNS)
            for count in (256, 1024, arguments.count):
                with company(2):
                    both(f"{count:,}", count, comparison.measure(count, arguments.rounds))
        if "siglip" in arguments.only:
            title(f"Sigmoid loss (SigLIP), {arguments.rounds} rounds", COLUMNS)
            both(f"{arguments.count:,}", arguments.count,
                 comparison.measure(arguments.count, arguments.rounds, "siglip"))
        if "triplets" in arguments.only:
            title(f"Batch-hard triplets and PyTorch Metric Learning, {arguments.rounds} rounds (goal: no slower)",
                  COLUMNS)
            both("2,048", 2048, comparison.measure(2048, arguments.rounds, "triplets"))
        if "rows" in arguments.only:
            title(f"InfoNCE of Concord, {arguments.count:,} samples", f"{'rows':>9} {'total':>10} {'extra':>11}")
            settings = [64, 128, 256, 512, 1024]
            results = {rows: [] for rows in settings}
            for _ in range(arguments.rounds):
                for rows in settings:
                    results[rows] += run(
                        comparison.command("concord", arguments.count, 1, "--plan", "tiled", "--rows", rows))
            for rows, rounds in results.items():
                result = summary(rounds)
                print(f"{rows:>9} {result['seconds']:>8.3f} s {result['extra'] / MEBIBYTE:>7.0f} MiB", flush=True)
        if "counts" in arguments.only:
            title("InfoNCE by samples", COLUMNS)
            results, open_clip = {}, True
            for count in counts:
                rounds = arguments.rounds if count < 16384 else 1
                results[count] = comparison.measure(count, rounds, open_clip=open_clip)
                open_clip = results[count]["open_clip"] is not None
                both(f"{count:,}", count, results[count])
            if arguments.plot:
                arguments.plot.parent.mkdir(parents=True, exist_ok=True)
                arguments.plot.write_text(loss_plot.svg(results))
                print(f"written: {arguments.plot}")


if __name__ == "__main__":
    main()
