#!/usr/bin/env python3
"""The HTTP service against FastAPI + ONNX Runtime + Pillow: pictures, short texts and captions, in one run.

Usage: .peers/bin/python Benchmarks/Serving/compare.py [--clip A] [--clip-int8 A] [--coca A] [--coca-int8 A]
                                     [--clients 32] [--caption-clients 8] [--rounds 2] [--seconds 15] [--json]
Each A is an artifact folder of `concord export`; without any, prepare.py makes models of ViT-B/32 size. The peer always
serves the float32 folder, as the usual service does; with int8 folders Concord is measured on these as well, against
the same float32 figures of the peer.

Each round starts every side in a process of its own, waits until it is ready, loads it and stops it; every other round
goes the other way round, so that a drift of the machine's speed meets all of them. The table shows medians over the
rounds, of the ratios those of the rounds' own. Before the load both sides answer the
same inputs, and `cosine` says how alike the answers are (of captions: 1 when they are the same text). CPU is the
service's processor time for one answer, which other work on the machine changes less than the throughput.
Exits with 1 when a required ratio is missed.
"""
import argparse
import json
import math
import os
import statistics
import sys
import tempfile

import load
import prepare
import services

sys.path.insert(0, str(services.ROOT / "Benchmarks/Support"))
import photos  # noqa: E402

# More than are under way at a time, each a different one.
DISTINCT = 256
THINGS = ["a cat", "two dogs", "a plate of sushi", "an old blue car", "children", "a red bicycle", "a cup of coffee",
          "the moon", "a brown horse", "a sailing boat", "three birds", "a woman", "a yellow bus", "an apple tree",
          "a man with a hat", "a grey elephant"]
PLACES = ["at night", "on a sofa", "in the snow", "by the sea", "in a kitchen", "under a bridge", "on a hill",
          "at a market", "in the rain", "beside a river", "in front of a house", "on the street", "in a forest",
          "at the station", "behind a fence", "on an island"]
TEXTS = [f"{thing} {place}" for place in PLACES for thing in THINGS]
# Ratio of throughput at least, ratio of p99 at most.
GOALS = {("images", "float32"): (1.15, 0.75), ("images", "int8"): (3.5, 0.3), ("texts", "float32"): (2, None),
         ("captions", "float32"): (5, None)}


def requests_of(service, workload, pictures, tokens):
    if workload == "images":
        return [service.image_request(picture) for picture in pictures]
    if workload == "texts":
        return [service.text_request(text) for text in TEXTS]
    return [service.caption_request(picture, tokens) for picture in pictures]


def content(service, workload, reply):
    status, decoded = reply
    if status != 200:
        sys.exit(f"{service.name} answered {status} to a request of {workload}: {str(decoded)[:500]}\n"
                 f"{service.output()[-2000:]}")
    return decoded["caption"] if workload == "captions" else service.embedding(decoded)


def likeness(found, expected):
    if isinstance(expected, str):
        return float(found.strip() == expected.strip())
    lengths = math.sqrt(sum(x * x for x in found)) * math.sqrt(sum(x * x for x in expected))
    return sum(x * y for x, y in zip(found, expected, strict=True)) / lengths


def run_side(service, workloads, pictures, arguments):
    """{workload: figures, with the answers to the first four inputs}; the service lives only in here."""
    results = {}
    with service:
        for workload in workloads:
            requests = requests_of(service, workload, pictures, arguments.tokens)
            answers = [content(service, workload, service.ask(request)) for request in requests[:4]]
            cpu = service.cpu_seconds()
            clients = arguments.caption_clients if workload == "captions" else arguments.clients
            figures = load.measure(requests, arguments.warm_up, arguments.seconds, clients=clients)
            # All answers of the load share the processor time, those of the warm-up and of its end too.
            seconds = (service.cpu_seconds() - cpu) / max(1, figures["all_answers"])
            results[workload] = {**figures, "cpu_per_answer": seconds, "answers_to_first": answers,
                                 "ready": service.seconds_to_ready, "peak_memory": service.memory("VmHWM")}
    return results


def median_of(rounds):
    """The median of each figure over the rounds; none where a round had no good answer to give it."""
    result = {}
    for key in ("throughput", "p50", "p99", "cpu_per_answer", "ready", "peak_memory", "client_cpu"):
        values = [one[key] for one in rounds]
        result[key] = None if None in values else statistics.median(values)
    result["errors"] = sum(one["errors"] + one["refused"] for one in rounds)
    return result


def ratio(found, expected):
    return found / expected if found is not None and expected else None


def median_ratio(rounds, expected_rounds, key):
    ratios = [ratio(found[key], expected[key]) for found, expected in zip(rounds, expected_rounds, strict=True)]
    return None if None in ratios else statistics.median(ratios)


def rows_of(figures):
    rows = []
    for workload in ("images", "texts", "captions"):
        if ("FastAPI", "float32", workload) not in figures:
            continue
        peer_rounds = figures["FastAPI", "float32", workload]
        for (side, precision, of), rounds in figures.items():
            if of != workload:
                continue
            row = {"workload": workload, "precision": precision, "side": side, **median_of(rounds)}
            if side != "FastAPI":
                row |= {f"{key}_ratio": median_ratio(rounds, peer_rounds, key) for key in ("throughput", "p99")}
                row |= {"cosine": min(likeness(found, expected) for found, expected in
                                      zip(rounds[0]["answers_to_first"], peer_rounds[0]["answers_to_first"]))}
                at_least, at_most = GOALS.get((workload, precision), (None, None))
                row["goals"] = {"throughput_ratio": at_least, "p99_ratio": at_most}
                row["is_met"] = ((at_least is None or (row["throughput_ratio"] or 0) >= at_least)
                                 and (at_most is None or (row["p99_ratio"] or math.inf) <= at_most)
                                 and row["errors"] == 0)
            rows.append(row)
    return rows


def print_table(rows):
    def number(value, width, digits, unit=1.0):
        return f"{'-' if value is None else format(value * unit, f'.{digits}f'):>{width}}"

    print(f"{'':9} {'':8} {'':8}{'answers/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>8}{'peak MB':>9}{'ready s':>9}"
          f"{'errors':>7}{'× speed':>9}{'(goal)':>8}{'× p99':>8}{'(goal)':>8}{'cosine':>9}")
    for row in rows:
        goals = row.get("goals", {})
        print(f"{row['workload']:9} {row['precision']:8} {row['side']:8}" + number(row["throughput"], 10, 2)
              + number(row["p50"], 9, 0, 1e3) + number(row["p99"], 9, 0, 1e3) + number(row["cpu_per_answer"], 8, 1, 1e3)
              + number(row["peak_memory"], 9, 0, 1e-6) + number(row["ready"], 9, 2) + f"{row['errors']:7}"
              + number(row.get("throughput_ratio"), 9, 2) + number(goals.get("throughput_ratio"), 8, 2)
              + number(row.get("p99_ratio"), 8, 2) + number(goals.get("p99_ratio"), 8, 2)
              + number(row.get("cosine"), 9, 4) + ("" if row.get("is_met", True) else "  MISSED"))
    print(f"largest share of one core that the load generator took: {max(row['client_cpu'] for row in rows):.1%}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("clip", "clip-int8", "coca", "coca-int8"):
        parser.add_argument(f"--{name}", metavar="ARTIFACTS")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--caption-clients", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=20, help="new tokens of a caption")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--warm-up", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--peer-only", action="store_true", help="measure FastAPI alone")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    if not services.CONCORD.exists() and not arguments.peer_only:
        sys.exit(f"compare.py: {services.CONCORD} is missing; run `swift build -c release --product concord-server`")
    if not (arguments.clip or arguments.coca):
        made = prepare.prepare(services.ROOT / ".build/serving", services.ROOT / "data/emoji")
        for name, path in made.items():
            setattr(arguments, name.replace("-", "_"), path)

    clip, captions = ["images", "texts"], ["captions"]
    sides = []  # (side, precision, workloads, how to make the service)
    for name, workloads in (("clip", clip), ("coca", captions)):
        full, small = (os.path.abspath(folder) if folder else None
                       for folder in (getattr(arguments, name), getattr(arguments, f"{name}_int8")))
        if full:
            sides.append(("FastAPI", "float32", workloads, lambda f=full: services.FastAPI(f, arguments.tokens)))
        for precision, folder in (("float32", full), ("int8", small)):
            if folder and not arguments.peer_only:
                sides.append(("Concord", precision, workloads,
                              lambda f=folder, n=name: services.Concord({n: f}, services.PATIENT)))

    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        photographs = [open(path, "rb").read() for path in photos.make(folder, "photo", 16, 640, 480)]
        pictures = services.distinct(photographs, DISTINCT)
        for number in range(arguments.rounds):
            for side, precision, workloads, make in sides[::-1 if number % 2 else 1]:
                print(f"round {number + 1} of {arguments.rounds}: {side} {precision} {' '.join(workloads)}",
                      file=sys.stderr)
                for workload, result in run_side(make(), workloads, pictures, arguments).items():
                    figures.setdefault((side, precision, workload), []).append(result)
    rows = rows_of(figures)
    if arguments.json:
        print(json.dumps(rows))
    else:
        print(f"{arguments.clients} clients, {arguments.caption_clients} for captions; 640×480 JPEGs, texts of "
              f"{min(map(len, TEXTS))}–{max(map(len, TEXTS))} characters, captions of {arguments.tokens} tokens; "
              f"medians of {arguments.rounds} rounds of {arguments.seconds:g} s or more")
        print_table(rows)
    return 0 if all(row.get("is_met", True) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
