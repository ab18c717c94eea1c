#!/usr/bin/env python3
"""Images per second of decode + preprocess (CLIP's 224 pixels), Concord and Pillow, one thread each, in one run.

Usage: python3 Benchmarks/Images/compare.py [--rounds 7] [--json]
The two sides take turns, so that a drift of the machine's speed meets both; the table shows the medians. Pillow is
that of .peers/bin/python. The JPEGs, quality 90, are synthetic: noise with the spectrum of photos.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / ".peers/bin/python"
PHOTOS = ROOT / "Benchmarks/Support/photos.py"
CASES = [  # name, pictures, width, height, mode, passes a round, required ratio
    ("640x480", 24, 640, 480, "exact", 3, 1.15),
    ("640x480", 24, 640, 480, "scaled", 3, None),
    ("12-megapixel", 3, 4000, 3000, "exact", 1, None),
    ("12-megapixel", 3, 4000, 3000, "scaled", 1, 3.0),
]


def seconds(command):
    # One core each: neither side may gain from threads of a library.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "VIPS_CONCURRENCY": "1"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return [float(line) for line in output.split()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    if not PEERS.exists():
        sys.exit("compare.py: .peers/bin/python is missing; run `make peers`")
    subprocess.run(["swift", "build", "-c", "release", "--package-path", ROOT / "Benchmarks", "--product",
                    "image-benchmark"], check=True, stdout=sys.stderr)
    concord = ROOT / "Benchmarks/.build/release/image-benchmark"
    pillow = ROOT / "Benchmarks/Images/pillow.py"
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, count, width, height in sorted({case[:4] for case in CASES}):
            subprocess.run([PEERS, PHOTOS, folder, name, str(count), str(width), str(height)], check=True)
        for name, count, width, height, mode, passes, required in CASES:
            files = [f"{folder}/{name}-{number}.jpg" for number in range(count)]
            ours, theirs = [], []
            for _ in range(arguments.rounds):
                ours += seconds([concord, mode, str(passes), *files])
                theirs += seconds([PEERS, pillow, str(passes), *files])
            ours, theirs = count / statistics.median(ours), count / statistics.median(theirs)
            rows.append({"pictures": name, "kilobytes": os.path.getsize(files[0]) // 1000, "mode": mode,
                         "concord": ours, "pillow": theirs, "ratio": ours / theirs, "required": required})
    if arguments.json:
        print(json.dumps(rows))
        return
    print(f"{'JPEG':14}{'kB':>6}  {'mode':8}{'Concord':>11}{'Pillow':>11}{'ratio':>8}{'goal':>7}   images/s, one thread")
    for row in rows:
        goal = f"{row['required']:.2f}" if row["required"] else "-"
        print(f"{row['pictures']:14}{row['kilobytes']:6}  {row['mode']:8}{row['concord']:11.1f}{row['pillow']:11.1f}"
              f"{row['ratio']:8.2f}{goal:>7}")


main()
