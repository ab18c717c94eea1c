#!/usr/bin/env python3
"""Audio front ends, Concord and transformers: every value of their features, their configurations, and the time that they
take, one thread each, in one run.

Usage: .peers/bin/python Benchmarks/Audio/compare.py [--only parity|speed] [--rounds 5] [--json]
The two sides take turns, so that a drift of the machine's speed meets both; the table shows the medians. Sounds and the
numbers that are drawn are those of scripts/golden/make_audio.py.
"""

import argparse
import importlib.util
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / "Benchmarks/.build/release/audio-benchmark"
# Decibels in the unit of a front end's values, whose hundred-thousandth is allowed.
UNITS = {"clap": 1, "whisper": 1 / 10 / 4, "ast": math.log(10) / 10 / (2 * 4.5689974)}
LENGTHS = {
    "clap": [1, 31_001, 480_000, 480_001, 601_234], "clap-repeat": [1, 31_001, 479_999],
    "clap-fused": [1, 31_001, 480_000, 480_001, 480_480, 481_000, 1_103_456],
    "whisper": [1, 31_007, 480_000, 480_001], "whisper-128": [1, 77_777, 480_000], "ast": [400, 31_007, 163_999, 170_001],
}
SPEED = [  # name, seconds of the sound, passes a round, required ratio
    ("clap", 10, 12, 10), ("clap-fused", 30, 4, 10), ("whisper", 5, 12, 10), ("whisper", 30, 12, 10),
    ("whisper-128", 30, 12, None), ("ast", 10, 12, 10),
]


def golden_script():
    spec = importlib.util.spec_from_file_location("make_audio", ROOT / "scripts/golden/make_audio.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parity():
    """The largest difference of any value, in decibels, for each front end, over three sounds of each length."""
    script, rows = golden_script(), []
    with tempfile.TemporaryDirectory() as folder:
        samples, output = f"{folder}/samples", f"{folder}/features"
        for name, lengths in LENGTHS.items():
            extract, extractor, _ = script.EXTRACTORS[name]
            config = subprocess.run([CONCORD, "config", name], check=True, capture_output=True, text=True).stdout
            loaded = type(extractor).from_dict(json.loads(config))
            assert json.loads(loaded.to_json_string()) == json.loads(extractor.to_json_string()), (name, config)
            worst, count, same = 0.0, 0, 0
            for length in lengths:
                for number in range(3):
                    sound = script.sound(length, number)
                    sound.tofile(samples)
                    printed = subprocess.run(
                        [CONCORD, "features", name, samples, output, str(number)], check=True, capture_output=True,
                        text=True).stdout.split()
                    expected, longer = extract(extractor, sound, number)
                    ours = np.fromfile(output, np.float32).reshape([int(size) for size in printed[:3]])
                    assert ours.shape == expected.shape, (name, length, ours.shape, expected.shape)
                    assert not name.startswith("clap") or printed[3] == str(bool(longer)).lower(), (name, length)
                    expected = expected.astype(np.float32)
                    worst = max(worst, float(np.abs(ours.astype(np.float64) - expected).max()))
                    count += ours.size
                    same += int((ours == expected).sum())
            rows.append({"name": name, "values": count, "same": same / count,
                         "decibels": worst / UNITS[name.split("-")[0]]})
    return rows


def seconds(command):
    # One core each: neither side may gain from threads of a library.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return [float(line) for line in output.split()]


def speed(rounds):
    theirs_program = ROOT / "Benchmarks/Audio/transformers_features.py"
    rows = []
    for name, length, passes, required in SPEED:
        ours, theirs = [], []
        for _ in range(rounds):
            ours += seconds([CONCORD, "speed", name, str(length), str(passes)])
            theirs += seconds([sys.executable, theirs_program, name, str(length), str(passes)])
        ours, theirs = statistics.median(ours) * 1e3, statistics.median(theirs) * 1e3
        rows.append({"name": name, "seconds": length, "concord": ours, "transformers": theirs, "ratio": theirs / ours,
                     "required": required})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["parity", "speed"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    subprocess.run(["swift", "build", "-c", "release", "--package-path", ROOT / "Benchmarks", "--product",
                    "audio-benchmark"], check=True, stdout=sys.stderr)
    equal = parity() if arguments.only != "speed" else []
    timed = speed(arguments.rounds) if arguments.only != "parity" else []
    if arguments.json:
        print(json.dumps({"parity": equal, "speed": timed}))
    else:
        if equal:
            print(f"{'front end':14}{'values':>10}{'largest difference':>22}{'the same bits':>16}")
        for row in equal:
            print(f"{row['name']:14}{row['values']:10}{row['decibels']:19.1e} dB{row['same']:15.1%}")
        if timed:
            print(f"{'front end':14}{'sound':>8}{'Concord':>12}{'transformers':>15}{'ratio':>8}{'goal':>7}   one thread")
        for row in timed:
            goal = str(row["required"]) if row["required"] else "-"
            print(f"{row['name']:14}{row['seconds']:6} s{row['concord']:9.2f} ms{row['transformers']:12.2f} ms"
                  f"{row['ratio']:8.1f}{goal:>7}")
    if any(row["decibels"] > 1e-5 for row in equal):
        sys.exit("compare.py: a front end differs by more than 1e-5 dB")


main()
