#!/usr/bin/env python3
"""The service at three times what it can do: what it still answers, and how it refuses the rest.

Usage: .peers/bin/python Benchmarks/Serving/overload.py --clip ARTIFACTS [--factor 3] [--filling 20] [--seconds 30]
                                                        [--rounds 3]
Peak is the throughput of 32 clients that wait for their answers. Then pictures arrive at a fixed rate, whatever becomes
of those before: goodput is the answers with status 200 a second. It is set against the mean of the peaks before and
after it, so that a machine whose speed drifts does not decide. Required: goodput at least 90 % of peak (median of the
rounds), every refusal (429 or 503) within 50 ms and with a Retry-After, no other status, no lost connection.
Latencies are measured by the sender, from the moment a request was due; so those of refusals hold its own turn, too.
"""
import argparse
import json
import os
import statistics
import sys
import tempfile

import load
import services

sys.path.insert(0, str(services.ROOT / "Benchmarks/Support"))
import photos  # noqa: E402

LONGEST_REFUSAL = 0.05
SMALLEST_GOODPUT = 0.9
# More than wait in the service's queue.
DISTINCT = 2000


class Round:
    """Overload between two peaks."""

    def __init__(self, before, overload, after):
        self.before, self.overload, self.after = before, overload, after
        self.goodput = 2 * overload["throughput"] / (before["throughput"] + after["throughput"])

    def write(self):
        before, overload, after = self.before, self.overload, self.after
        print(f"  peak, 32 clients     {before['throughput']:8.1f} answers/s  p50 {before['p50'] * 1e3:.0f} ms  "
              f"p99 {before['p99'] * 1e3:.0f} ms; afterwards {after['throughput']:.1f} answers/s")
        print(f"  offered              {overload['rate']:8.1f} requests/s")
        accepted = "".join(f"  {name} {overload[name] * 1e3:.0f} ms" for name in ("p50", "p99") if overload[name])
        print(f"  goodput              {overload['throughput']:8.1f} answers/s ({self.goodput:.0%} of peak){accepted}")
        print(f"  refused              {overload['refused'] / max(1, overload['answers']):8.0%} of the requests")
        if overload["refused"]:
            refusals = overload["refusals"]
            print(f"  refusals' latency    {refusals['p50'] * 1e3:8.1f} ms p50, {refusals['p99'] * 1e3:.1f} p99, "
                  f"{refusals['max'] * 1e3:.1f} at most; Retry-After (seconds: times) {refusals['retry_after']}")
        print(f"  errors               {overload['errors']:8} {overload['problems']}")
        print(f"  generator's CPU      {overload['client_cpu']:8.1%} of a core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", required=True, metavar="ARTIFACTS")
    parser.add_argument("--factor", type=float, default=3)
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--filling", type=float, default=20,
                        help="seconds of overload before it is measured, in which the queue may fill")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="store_true", help="load FastAPI instead")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    folder = os.path.abspath(arguments.clip)
    service = services.FastAPI(folder) if arguments.peer else services.Concord({"clip": folder})
    with tempfile.TemporaryDirectory() as temporary, service:
        photographs = [open(path, "rb").read() for path in photos.make(temporary, "photo", 16, 640, 480)]
        pictures = services.distinct(photographs, DISTINCT)
        requests = [service.image_request(picture) for picture in pictures]
        # Overload must leave nothing behind, so the peak after it counts as much as the one before.
        peaks = [load.measure(requests, arguments.warm_up, arguments.seconds / 2, clients=32)]
        overloads = []
        for _ in range(arguments.rounds):
            rate = arguments.factor * peaks[-1]["throughput"]
            overloads.append(load.measure(requests, arguments.filling, arguments.seconds, rate=rate))
            peaks.append(load.measure(requests, arguments.warm_up, arguments.seconds / 2, clients=32))
    rounds = [Round(*of_round) for of_round in zip(peaks, overloads, peaks[1:])]
    refusals = [a_round.overload["refusals"] for a_round in rounds if a_round.overload["refused"]]
    goodput = statistics.median(a_round.goodput for a_round in rounds)
    checks = {
        f"goodput at least {SMALLEST_GOODPUT:.0%} of peak": goodput >= SMALLEST_GOODPUT,
        f"every refusal within {LONGEST_REFUSAL * 1e3:.0f} ms":
            max((of_round["max"] for of_round in refusals), default=0) <= LONGEST_REFUSAL,
        "some requests are refused": len(refusals) == len(rounds),
        "every refusal with Retry-After": sum(of_round["without_retry_after"] for of_round in refusals) == 0,
        f"peak again afterwards, within {1 - SMALLEST_GOODPUT:.0%}": statistics.median(
            a_round.after["throughput"] / a_round.before["throughput"] for a_round in rounds) >= SMALLEST_GOODPUT,
        "no other status and no lost connection": sum(measured["errors"] for measured in peaks + overloads) == 0,
    }
    if arguments.json:
        print(json.dumps({"peaks": peaks, "overloads": overloads, "goodput": goodput, "checks": checks}))
    else:
        for number, a_round in enumerate(rounds, 1):
            print(f"round {number} of {len(rounds)}")
            a_round.write()
        print(f"goodput {goodput:.1%} of peak, median of {len(rounds)}")
        for name, holds in checks.items():
            print(f"{'holds ' if holds else 'FAILS '} {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
