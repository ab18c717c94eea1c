#!/usr/bin/env python3
"""Gradient caching on ViT-B/32: one step of a large batch in chunks, against ordinary steps of small batches.

Usage: .peers/bin/python Benchmarks/Cached/compare.py [--samples 256] [--chunk 32] [--rounds 2] [--full]
Both take as many samples in all, in processes of their own, in turn. --full takes 4,096 samples, about ten minutes a
round. Last, a small model is trained both ways on the same batch; their losses must agree.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = ROOT / "Benchmarks/.build/release/cached-benchmark"
GIBIBYTE = 1 << 30


def run(*options):
    command = [str(part) for part in (CONCORD, *options)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--chunk", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--full", action="store_true", help="4,096 samples, one round")
    arguments = parser.parse_args()
    samples, rounds = (4096, 1) if arguments.full else (arguments.samples, arguments.rounds)
    chunk = arguments.chunk

    sides = {"plain": [], "cached": []}
    for _ in range(rounds):
        sides["plain"] += run("--mode", "plain", "--batch", chunk, "--chunk", chunk, "--steps", samples // chunk,
                              "--threads", arguments.threads)
        sides["cached"] += run("--mode", "cached", "--batch", samples, "--chunk", chunk, "--steps", 1,
                               "--threads", arguments.threads)
    print(f"ViT-B/32 on {samples:,} samples, float32, {arguments.threads} threads, optimizer included")
    print(f"{'':<34} {'a sample':>12} {'peak':>12} {'of it inputs':>14}")
    labels = {"plain": f"{samples // chunk} steps of {chunk}",
              "cached": f"1 step of {samples:,} in chunks of {chunk}"}
    seconds = {}
    for side, entries in sides.items():
        seconds[side] = statistics.median(entry["secondsPerSample"] for entry in entries)
        peak, inputs = (max(entry[key] for entry in entries) / GIBIBYTE for key in ("peak", "inputs"))
        print(f"{labels[side]:<34} {seconds[side] * 1e3:>9.1f} ms {peak:>8.2f} GiB {inputs:>10.2f} GiB")
    print(f"cached takes {seconds['cached'] / seconds['plain']:.2f}× the time a sample")

    result = run("--mode", "trajectory", "--batch", 128, "--chunk", 16, "--steps", 10)[0]
    print("\nA small model on one batch of 128, dense and in chunks of 16: the loss of each of 10 steps")
    for plan in ("dense", "cached"):
        print(f"{plan:<8}" + " ".join(f"{loss:.5f}" for loss in result[plan]))
    print(f"largest relative difference {result['difference']:.1e}")


if __name__ == "__main__":
    main()
