#!/usr/bin/env python3
"""The service at three times what it can do: what it still answers, and how it refuses the rest.

Usage: .peers/bin/python Benchmarks/Serving/overload.py --clip ARTIFACTS [--factor 3] [--filling 20] [--seconds 30]
Peak is the throughput of 32 clients that wait for their answers. Then pictures arrive at a fixed rate, whatever becomes
of those before: goodput is the answers with status 200 a second. Required: goodput at least 90 % of peak, every refusal
(429 or 503) within 50 ms and with a Retry-After, no other status, no lost connection.
Latencies are measured by the sender, from the moment a request was due; so those of refusals hold its own turn, too.
"""
import argparse
import json
import os
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", required=True, metavar="ARTIFACTS")
    parser.add_argument("--factor", type=float, default=3)
    parser.add_argument("--warm-up", type=float, default=5)
    parser.add_argument("--filling", type=float, default=20,
                        help="seconds of overload before it is measured, in which the queue may fill")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--peer", action="store_true", help="load FastAPI instead")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    folder = os.path.abspath(arguments.clip)
    service = services.FastAPI(folder) if arguments.peer else services.Concord({"clip": folder})
    with tempfile.TemporaryDirectory() as temporary, service:
        photographs = [open(path, "rb").read() for path in photos.make(temporary, "photo", 16, 640, 480)]
        pictures = services.distinct(photographs, DISTINCT)
        requests = [service.image_request(picture) for picture in pictures]
        peak = load.measure(requests, arguments.warm_up, arguments.seconds / 2, clients=32)
        rate = arguments.factor * peak["throughput"]
        overload = load.measure(requests, arguments.filling, arguments.seconds, rate=rate)
        # Overload must leave nothing behind: the same clients get the same service again.
        after = load.measure(requests, arguments.warm_up, arguments.seconds / 2, clients=32)
    refusals = overload.get("refusals") or {"max": None, "without_retry_after": 0}
    goodput = overload["throughput"] / peak["throughput"]
    checks = {
        f"goodput at least {SMALLEST_GOODPUT:.0%} of peak": goodput >= SMALLEST_GOODPUT,
        f"every refusal within {LONGEST_REFUSAL * 1e3:.0f} ms": (refusals["max"] or 0) <= LONGEST_REFUSAL,
        "some requests are refused": overload["refused"] > 0,
        "every refusal with Retry-After": refusals["without_retry_after"] == 0,
        "no other status and no lost connection": peak["errors"] + overload["errors"] + after["errors"] == 0,
        f"peak again afterwards, within {1 - SMALLEST_GOODPUT:.0%}":
            after["throughput"] >= SMALLEST_GOODPUT * peak["throughput"],
    }
    if arguments.json:
        print(json.dumps({"peak": peak, "overload": overload, "after": after, "checks": checks}))
    else:
        print(f"peak, 32 clients     {peak['throughput']:8.1f} answers/s  p50 {peak['p50'] * 1e3:.0f} ms  "
              f"p99 {peak['p99'] * 1e3:.0f} ms")
        print(f"offered              {rate:8.1f} requests/s ({arguments.factor:g} × peak)")
        accepted = "".join(f"  {name} {overload[name] * 1e3:.0f} ms" for name in ("p50", "p99") if overload[name])
        print(f"goodput              {overload['throughput']:8.1f} answers/s ({goodput:.0%} of peak){accepted}")
        print(f"refused              {overload['refused'] / max(1, overload['answers']):8.0%} of the requests")
        if refusals["max"] is not None:
            print(f"refusals' latency    {refusals['p50'] * 1e3:8.1f} ms p50, {refusals['p99'] * 1e3:.1f} p99, "
                  f"{refusals['max'] * 1e3:.1f} at most; Retry-After (seconds: times) {refusals['retry_after']}")
        print(f"peak afterwards      {after['throughput']:8.1f} answers/s")
        print(f"errors               {overload['errors']:8} {overload['problems']}")
        print(f"generator's CPU      {overload['client_cpu']:8.1%} of a core")
        for name, holds in checks.items():
            print(f"{'holds ' if holds else 'FAILS '} {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
