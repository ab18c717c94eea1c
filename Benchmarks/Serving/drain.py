#!/usr/bin/env python3
"""SIGTERM while clients ask: every request that was under way must be answered, and the process must end by itself.

Usage: .peers/bin/python Benchmarks/Serving/drain.py --clip ARTIFACTS [--rounds 5] [--clients 32] [--json]
A request is under way when it was wholly sent before the signal. One sent after the signal may be answered with 200 or
503, or find the connection refused or closed without a byte of an answer (HTTP lets a client send it again); an answer
that breaks off never is right. Required: none under way is lost, none breaks off, the process ends with status 0.
"""
import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

import load
import services

sys.path.insert(0, str(services.ROOT / "Benchmarks/Support"))
import photos  # noqa: E402


def run_round(service, pictures, clients, seconds):
    service.start()
    try:
        loop = load.Load([service.image_request(picture) for picture in pictures])
        thread = threading.Thread(target=loop.run, kwargs={"seconds": seconds + 60, "clients": clients})
        thread.start()
        time.sleep(seconds)
        # A moment on either side of the signal counts for neither: which came first cannot be told.
        before = time.perf_counter()
        service.process.send_signal(signal.SIGTERM)
        try:
            status = service.process.wait(60)
        except subprocess.TimeoutExpired:
            status = None
        ended = time.perf_counter()
        # Long enough to see that the port stays closed.
        time.sleep(0.2)
        loop.stop()
        thread.join()
    finally:
        service.stop()
        service.log.close()
    under_way = [answer for answer in loop.answers if answer.sent and answer.sent < before <= answer.done]
    later = [answer for answer in loop.answers if not answer.sent or answer.sent >= before]
    return {
        "answered_before": sum(answer.done < before and answer.status == 200 for answer in loop.answers),
        "errors_before": sum(answer.done < before and answer.status != 200 for answer in loop.answers),
        "under_way": len(under_way),
        "lost": sum(answer.status != 200 for answer in under_way),
        "lost_as": collections.Counter(answer.problem or f"status {answer.status}" for answer in under_way
                                       if answer.status != 200),
        "broken_off": sum(answer.problem == "closed early" for answer in loop.answers),
        "sent_later": collections.Counter(answer.problem or f"status {answer.status}" for answer in later),
        "exit_status": status,
        "seconds_to_exit": ended - before,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", required=True, metavar="ARTIFACTS")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4, help="from the start of the load to the signal")
    parser.add_argument("--peer", action="store_true", help="end FastAPI instead")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    folder = os.path.abspath(arguments.clip)
    rounds = []
    with tempfile.TemporaryDirectory() as temporary:
        photographs = [open(path, "rb").read() for path in photos.make(temporary, "photo", 8, 640, 480)]
        pictures = services.distinct(photographs, 256)
        for number in range(arguments.rounds):
            service = services.FastAPI(folder) if arguments.peer else services.Concord({"clip": folder})
            # Not always at the same point of a batch.
            rounds.append(run_round(service, pictures, arguments.clients, arguments.seconds + 0.173 * number))
            if not arguments.json:
                one = rounds[-1]
                print(f"answered {one['answered_before']}, then SIGTERM: {one['under_way']} under way, "
                      f"{one['lost']} lost {dict(one['lost_as']) or ''}, {one['broken_off']} broken off; "
                      f"status {one['exit_status']} after {one['seconds_to_exit']:.2f} s; sent later: {dict(one['sent_later'])}", flush=True)
    is_right = all(one["lost"] == one["broken_off"] == one["errors_before"] == one["exit_status"] == 0
                   and one["under_way"] > 0 for one in rounds)
    print(json.dumps({"rounds": rounds, "holds": is_right}) if arguments.json
          else "holds" if is_right else "FAILS: see lost, broken off and status above")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
