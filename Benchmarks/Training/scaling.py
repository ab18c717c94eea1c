#!/usr/bin/env python3
"""Speed of `concord train` on several processes: ViT-B/32 at one global batch, one thread a process, in turn.

Usage: python3 Benchmarks/Training/scaling.py [--processes 2] [--batch 64] [--rounds 2] [--steps 4]
Each round runs one process, then several. A run is stopped once it has logged its steps; the first is not counted.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPE = """
seed: 1
data: {{folder: "{data}", split: train, languages: [en]}}
tokenizer: {{vocabulary_size: 4096}}
model:
  image_size: 224
  patch_size: 32
  vision: {{width: 768, layers: 12, heads: 12}}
  text: {{width: 512, layers: 12, heads: 8, context_length: 77}}
  projection_width: 512
train: {{epochs: 10, batch_size: {batch}, threads: 1, log_every: 1, checkpoint_every: 100000}}
"""


def steps(recipe, output, processes, count):
    """Seconds of each step after the first, and the bytes that a process sends in one."""
    command = [ROOT / ".build/release/concord", "train", recipe, "--output", output, "--processes", str(processes)]
    log, metrics = output.with_suffix(".log"), output / "metrics.jsonl"
    with open(log, "wb") as text:
        run = subprocess.Popen(command, stdout=text, stderr=text, start_new_session=True)
        try:
            while run.poll() is None and not (
                    metrics.exists() and metrics.read_text().count("samples_per_second") > count):
                time.sleep(0.2)
        finally:
            if run.poll() is not None:
                sys.exit(f"{' '.join(map(str, command))} ended:\n{log.read_text()[-3000:]}")
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    entries = [json.loads(line) for line in metrics.read_text().splitlines()[1:] if "samples_per_second" in line]
    return [entry["samples_per_second"] for entry in entries], entries[0].get("bytes_sent", 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default=ROOT / "data/emoji")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    arguments = parser.parse_args()

    rates, sent = {1: [], arguments.processes: []}, 0
    with tempfile.TemporaryDirectory() as folder:
        recipe = pathlib.Path(folder, "vit-b-32.yaml")
        recipe.write_text(RECIPE.format(data=arguments.data, batch=arguments.batch))
        for index in range(arguments.rounds):
            for processes in rates:
                output = pathlib.Path(folder, f"{processes}-{index}")
                found, bytes_sent = steps(recipe, output, processes, arguments.steps)
                rates[processes] += found
                sent = max(sent, bytes_sent)
    medians = {processes: statistics.median(found) for processes, found in rates.items()}
    print(f"ViT-B/32, global batch {arguments.batch}, one thread a process")
    for processes, found in rates.items():
        print(f"{processes} processes: {medians[processes]:.2f} images/s  ({min(found):.2f} to {max(found):.2f})")
    print(f"ratio {medians[arguments.processes] / medians[1]:.2f}×, {sent / 1e6:.0f} MB sent a step by each process")


if __name__ == "__main__":
    main()
