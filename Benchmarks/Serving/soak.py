#!/usr/bin/env python3
"""Random pictures, texts and numbers of clients for ten minutes: resident memory must stay where the warm-up left it.

Usage: .peers/bin/python Benchmarks/Serving/soak.py [--clip ARTIFACTS] [--coca ARTIFACTS] [--minutes 10] [--json]
Pictures are JPEG, PNG and WebP of 16 to 1600 pixels a side, texts come one to 32 a request with 1 to 40 words, captions
have 1 to 30 tokens; one request in thirty is a damaged picture. Every few seconds another number of clients asks. The
first half of the warm-up has the largest of each from the most clients, which random ones reach by and by only. After
it memory is sampled each second. Required: no sample more than 5 % above the median of the first minute after
the warm-up (a shorter run takes its first tenth), no lost connection, no status but 200, and 4xx for damaged pictures.
"""
import argparse
import io
import json
import os
import random
import statistics
import sys
import threading
import time

import numpy
from PIL import Image

import load
import services

LARGEST_GROWTH = 0.05
MOST_CLIENTS = 48
WORDS = ("a an the photo picture of cat dog car house tree red blue green old new small large two three on in under "
         "beside sofa street table river mountain snow rain night day child woman man bird horse bicycle train").split()


def picture(randomness, generator, is_largest):
    """(bytes, content type) of a picture of random size, content and format."""
    width, height = (round(16 * 100 ** (is_largest or randomness.random())) for _ in range(2))
    small = generator.integers(0, 256, (6, 8, 3), dtype=numpy.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    kind = randomness.choice(("jpeg", "jpeg", "png", "webp"))
    if kind == "png" and randomness.random() < 0.3:
        image = image.convert(randomness.choice(("L", "RGBA", "P")))
    buffer = io.BytesIO()
    image.save(buffer, kind.upper())
    return buffer.getvalue(), f"image/{kind}"


def texts(randomness, is_largest):
    return [" ".join(randomness.choices(WORDS, k=randomness.randint(40 if is_largest else 1, 40)))
            for _ in range(randomness.randint(32 if is_largest else 1, 32))]


def make_requests(service, has_clip, has_coca, count=400, is_largest=False):
    """[(request, is damaged)]"""
    randomness, generator, requests = random.Random(3), numpy.random.default_rng(3), []
    for number in range(count):
        data, kind = picture(randomness, generator, is_largest)
        is_damaged = number % 30 == 29 and not is_largest
        if is_damaged:
            data = data[:len(data) // 3] if number % 60 == 29 else b"\0" * 100
        route = randomness.choice(("image", "json", "texts") * has_clip + ("caption",) * has_coca)
        if route == "texts" and not is_damaged:
            body = json.dumps({"model": "clip", "input": texts(randomness, is_largest)}).encode()
            requests.append((load.request(f"{service.url}/v1/embeddings", body), False))
        elif route == "caption":
            body, content_type = services.multipart(
                [("image", "picture", kind, data)],
                [("model", "coca"), ("max_tokens", str(randomness.randint(30 if is_largest else 1, 30)))])
            requests.append((load.request(f"{service.url}/generate_caption", body, content_type), is_damaged))
        elif route == "json":
            body = json.dumps({"model": "clip", "input": services.data_uri(data, kind)}).encode()
            requests.append((load.request(f"{service.url}/v1/embeddings", body), is_damaged))
        else:
            body, content_type = services.multipart(
                [("file", "picture", kind, data)], [("model", "clip" if has_clip else "coca")])
            requests.append((load.request(f"{service.url}/v1/embeddings", body, content_type), is_damaged))
    return requests


class Sender(threading.Thread):
    """Asks for the largest, then with changing numbers of clients until it is told to stop."""

    def __init__(self, largest, seconds, requests):
        super().__init__(daemon=True)
        self.largest, self.seconds = [request for request, _ in largest], seconds
        self.requests, self.is_over, self.statuses, self.loop = requests, False, {}, None

    def ask(self, kind, requests, seconds, clients):
        self.loop = load.Load(requests)
        for answer in self.loop.run(seconds, clients=clients):
            key = (kind, answer.problem or str(answer.status))
            self.statuses[key] = self.statuses.get(key, 0) + 1

    def run(self):
        self.ask("sound", self.largest, self.seconds, MOST_CLIENTS)
        randomness = random.Random(4)
        sound = [request for request, is_damaged in self.requests if not is_damaged]
        damaged = [request for request, is_damaged in self.requests if is_damaged]
        while not self.is_over:
            for kind, requests, seconds in (("sound", sound, randomness.uniform(5, 15)), ("damaged", damaged, 0.3)):
                self.ask(kind, randomness.choices(requests, k=2000), seconds, randomness.randint(1, MOST_CLIENTS))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", metavar="ARTIFACTS")
    parser.add_argument("--coca", metavar="ARTIFACTS")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--warm-up-minutes", type=float, default=2)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    arguments = parser.parse_args()
    models = {name: os.path.abspath(folder) for name in ("clip", "coca") if (folder := getattr(arguments, name))}
    if not models:
        parser.error("give --clip, --coca or both")
    with services.Concord(models, services.PATIENT) as service:
        kinds = "clip" in models, "coca" in models
        largest = make_requests(service, *kinds, count=60, is_largest=True)
        sender = Sender(largest, arguments.warm_up_minutes * 30, make_requests(service, *kinds))
        sender.start()
        samples, start = [], time.monotonic()
        warm, seconds = arguments.warm_up_minutes * 60, arguments.minutes * 60
        while time.monotonic() - start < warm + seconds:
            time.sleep(1)
            if service.process.poll() is not None:
                sys.exit(f"the service ended with status {service.process.returncode}:\n{service.output()[-2000:]}")
            elapsed = time.monotonic() - start
            if elapsed >= warm:
                samples.append((elapsed - warm, service.memory()))
            if sys.stderr.isatty():
                print(f"\r{elapsed:5.0f} s  {service.memory() / 1e6:6.0f} MB", end="", file=sys.stderr, flush=True)
        sender.is_over = True
        sender.loop.stop()
        sender.join(load.TIMEOUT)
        highest_ever = service.memory("VmHWM")
    first = [memory for elapsed, memory in samples if elapsed <= max(3, min(60, seconds / 10))]
    reference, highest = statistics.median(first), max(memory for _, memory in samples)
    last = statistics.median(memory for _, memory in samples[-len(first):])
    wrong = {" ".join(key): count for key, count in sender.statuses.items()
             if not (key[1].startswith("4") if key[0] == "damaged" else key[1] == "200")}
    answered = sum(count for (kind, status), count in sender.statuses.items() if status == "200")
    is_right = highest <= reference * (1 + LARGEST_GROWTH) and not wrong and answered > 0
    if arguments.json:
        print(json.dumps({"reference": reference, "highest": highest, "last": last, "highest_ever": highest_ever,
                          "answered": answered, "wrong": wrong, "holds": is_right}))
    else:
        print(f"{answered} answers in {arguments.warm_up_minutes + arguments.minutes:g} minutes; resident "
              f"{reference / 1e6:.0f} MB after the warm-up, "
              f"{highest / 1e6:.0f} at most ({highest / reference - 1:+.1%}), {last / 1e6:.0f} at the end "
              f"({last / reference - 1:+.1%}); {highest_ever / 1e6:.0f} at most ever")
        print("holds" if is_right else f"FAILS {wrong}")
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
