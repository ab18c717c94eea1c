#!/usr/bin/env python3
"""Seconds from the start of the process to the first ready answer, both services in turn.

Usage: .peers/bin/python Benchmarks/Serving/cold.py ARTIFACTS [--rounds 7] [--evict] [--json]
ARTIFACTS is one artifact folder. The files are in the page cache unless `--evict` asks the kernel to drop them before
each start. Ready is 200 from /health/ready (Concord, after a run of the model) and from /health (FastAPI, after its
sessions are made).
"""
import argparse
import json
import os
import pathlib
import statistics
import sys

import services


def evict(folder):
    for path in pathlib.Path(folder).iterdir():
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)  # Only pages that are on the disk can go.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifacts")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--evict", action="store_true")
    parser.add_argument("--only", choices=("Concord", "FastAPI"))
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    folder = os.path.abspath(arguments.artifacts)
    makers = {"FastAPI": lambda: services.FastAPI(folder), "Concord": lambda: services.Concord({"model": folder})}
    if arguments.only:
        makers = {arguments.only: makers[arguments.only]}
    seconds = {name: [] for name in makers}
    for _ in range(arguments.rounds):
        for name, make in makers.items():
            if arguments.evict:
                evict(folder)
            with make() as service:
                seconds[name].append(service.seconds_to_ready)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    result = {"seconds": seconds, "medians": medians, "evicted": arguments.evict}
    if len(medians) == 2:
        result["ratio"] = medians["Concord"] / medians["FastAPI"]
    if arguments.json:
        print(json.dumps(result))
        return
    for name, values in seconds.items():
        print(f"{name:8} {medians[name]:6.2f} s to ready, median of {len(values)} "
              f"({min(values):.2f}–{max(values):.2f})")
    if "ratio" in result:
        print(f"ratio    {result['ratio']:6.2f}")


if __name__ == "__main__":
    main()
