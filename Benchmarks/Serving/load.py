#!/usr/bin/env python3
"""Loads an HTTP service from one thread: N clients that wait for their answers, or arrivals at a fixed rate.

Usage: python3 Benchmarks/Serving/load.py URL [--body FILE … --content-type TYPE] [--clients 32 | --rate 50]
                                          [--warm-up 3] [--seconds 20] [--json]
`--clients` is a closed loop: each client sends its next request when the answer to the last one is there, so the
service sets the pace. `--rate` is an open loop: requests come when they come, however slow the service is, and latency counts
from the moment a request was due. A body file holds one request's body; the bodies take turns; without any it is a GET.

Requests are made before the clock starts and answers are only cut apart, never decoded, so that the generator leaves
the machine to the service: `client_cpu` in the result says how much of one core it took.
"""
import argparse
import collections
import errno
import gc
import heapq
import itertools
import json
import pathlib
import random
import selectors
import socket
import sys
import time
import urllib.parse

TIMEOUT = 120.0
# A closed loop goes on beyond its time until each client has had an answer in the warm-up and two in the measurement,
# so that a service whose queue is long is not judged by its first answers; but not by more than this.
LONGEST_EXTENSION = 180.0
# A request that is due while so many are under way is not sent but counted as an error, so that the loop stays bounded.
MOST_CONNECTIONS = 2000


def request(url, body=None, content_type="application/json", headers=()):
    """(host, port, bytes on the wire) of one HTTP/1.1 request."""
    parts = urllib.parse.urlsplit(url)
    lines = [f"{'GET' if body is None else 'POST'} {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}"]
    if body is not None:
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return parts.hostname, parts.port or 80, "\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b"")


class Answer:
    """What a request came to: `status` 0 is one that got no whole answer, with the reason in `problem`."""

    __slots__ = ("due", "sent", "done", "status", "retry_after", "problem", "body")

    def __init__(self, due):
        self.due, self.sent, self.done = due, None, None
        self.status, self.retry_after, self.problem, self.body = 0, None, None, b""

    @property
    def latency(self):
        return self.done - self.due


class Connection:
    """One keep-alive connection that has at most one request under way."""

    def __init__(self, loop, address):
        self.loop, self.address, self.socket, self.answer, self.headers = loop, address, None, None, {}

    def start(self, wire, answer):
        self.answer, self.rest, self.received, self.length = answer, memoryview(wire), bytearray(), None
        self.is_fresh = self.socket is None
        if self.is_fresh:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            code = self.socket.connect_ex(self.address)
            if code not in (0, errno.EINPROGRESS):
                self.finish(problem=errno.errorcode.get(code, str(code)))
                return
            self.events = selectors.EVENT_WRITE
            self.loop.selector.register(self.socket, self.events, self)
        else:
            self.write()

    def watch(self, events):
        if events != self.events:
            self.events = events
            self.loop.selector.modify(self.socket, events, self)

    def ready(self, mask):
        if self.answer is None:
            self.close()  # The service ended an idle connection.
        elif mask & selectors.EVENT_WRITE:
            self.write()
        # Not else: an answer may come before the whole request is sent, as a refusal does.
        if self.answer is not None and mask & selectors.EVENT_READ:
            self.read()

    def write(self):
        try:
            while self.rest:
                self.rest = self.rest[self.socket.send(self.rest):]
        except BlockingIOError:
            self.watch(selectors.EVENT_READ | selectors.EVENT_WRITE)
            return
        except OSError as error:
            # The service may have answered and closed before it read all; what it said still lies in the buffer.
            if isinstance(error, (BrokenPipeError, ConnectionResetError)) and not self.is_fresh or self.received:
                self.rest = memoryview(b"")
                self.watch(selectors.EVENT_READ)
                return
            self.finish(problem=errno.errorcode.get(error.errno, "error"))
            return
        self.answer.sent = self.answer.sent or time.perf_counter()
        self.watch(selectors.EVENT_READ)

    def read(self):
        try:
            part = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError as error:
            self.finish(problem=errno.errorcode.get(error.errno, "error"))
            return
        self.received += part
        if self.length is None:
            self.read_head()
        if self.is_complete(at_end=not part):
            self.finish()
        elif not part:
            self.finish(problem="closed early" if self.received else "closed unanswered")

    def read_head(self):
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = bytes(self.received[:end]).split(b"\r\n")
        fields = (line.partition(b":") for line in lines[1:])
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        self.body_start, self.headers = end + 4, headers
        self.answer.status = -int(lines[0].split(b" ", 2)[1])  # Negative until the body is there.
        self.answer.retry_after = headers.get(b"retry-after", b"").decode() or None
        if b"content-length" in headers:
            self.length = int(headers[b"content-length"])
        else:  # -1: in chunks; -2: up to the end of the connection.
            self.length = -1 if b"chunked" in headers.get(b"transfer-encoding", b"") else -2

    def is_complete(self, at_end):
        if self.length is None:
            return False
        if self.length >= 0:
            return len(self.received) >= self.body_start + self.length
        return self.received.endswith(b"\r\n0\r\n\r\n") if self.length == -1 else at_end

    def finish(self, problem=None):
        answer, self.answer = self.answer, None
        answer.done = time.perf_counter()
        if problem is None:
            answer.status = -answer.status
            if self.loop.keeps_bodies:
                answer.body = bytes(self.received[self.body_start:])
            if self.headers.get(b"connection", b"").lower() == b"close" or self.length == -2 or self.rest:
                self.close()
        else:
            answer.status, answer.problem = 0, problem
            self.close()
        self.loop.finished(self, answer)

    def close(self):
        if self.socket is not None:
            try:
                self.loop.selector.unregister(self.socket)
            except KeyError:
                pass
            self.socket.close()
            self.socket = None


class Load:
    """Sends `requests` (of `request()`, all to one host) in turn; `run` returns the answers in the order of their ends."""

    def __init__(self, requests, keeps_bodies=False):
        hosts = {(host, port) for host, port, _ in requests}
        if len(hosts) != 1:
            raise ValueError(f"the requests go to {len(hosts)} hosts; give those of one")
        host, port = hosts.pop()
        self.address = (socket.gethostbyname(host), port)
        self.wires = itertools.cycle([wire for _, _, wire in requests])
        self.keeps_bodies, self.answers, self.idle, self.under_way = keeps_bodies, [], [], set()
        self.retries_at, self.stopping = [], False

    def stop(self):
        """Lets requests that are under way end and sends no more; for another thread."""
        self.stopping = True

    def finished(self, connection, answer):
        self.answers.append(answer)
        self.under_way.discard(connection)
        # Without a pause, a client whose service is gone would spend the machine on refused connections.
        if answer.status == 0 and self.clients:
            heapq.heappush(self.retries_at, (time.perf_counter() + 0.05, id(connection), connection))
        else:
            self.idle.append(connection)

    def send(self, connection, due):
        self.under_way.add(connection)
        connection.start(next(self.wires), Answer(due))

    def take_or_open(self):
        while self.idle:
            connection = self.idle.pop()
            if connection.socket is not None:
                return connection
        return Connection(self, self.address)

    def run(self, seconds, warm_up=0.0, clients=0, rate=0.0, seed=1):
        """Sets `began` and `ended`, the times between which answers count."""
        self.selector, self.clients = selectors.DefaultSelector(), clients
        randomness = random.Random(seed)
        start = time.perf_counter()
        next_due, next_sweep = start, start + 1
        self.began, self.ended = (None if warm_up else start), None
        self.idle = [Connection(self, self.address) for _ in range(clients)]
        connections, answers_before = set(self.idle), 0
        was_collecting = gc.isenabled()
        gc.disable()
        try:
            while True:
                now = time.perf_counter()
                if self.began is None and now >= start + warm_up and (
                        len(self.answers) >= clients or now >= start + warm_up + LONGEST_EXTENSION):
                    self.began, answers_before = now, len(self.answers)
                if self.ended is None and (self.stopping or self.began is not None and now >= self.began + seconds and (
                        len(self.answers) - answers_before >= 2 * clients or not warm_up
                        or now >= self.began + seconds + LONGEST_EXTENSION)):
                    self.began, self.ended = self.began or now, now
                if self.ended is not None and (not self.under_way or now >= self.ended + TIMEOUT):
                    break
                wait = 0.1
                if self.ended is None and clients:
                    while self.retries_at and self.retries_at[0][0] <= now:
                        self.idle.append(heapq.heappop(self.retries_at)[2])
                    ready, self.idle = self.idle, []
                    for connection in ready:
                        self.send(connection, time.perf_counter())
                    wait = 0 if self.idle else 0.02 if self.retries_at else wait
                elif self.ended is None:
                    while next_due <= now:
                        if len(self.under_way) < MOST_CONNECTIONS:
                            connection = self.take_or_open()
                            connections.add(connection)
                            self.send(connection, next_due)
                        else:
                            answer = Answer(next_due)
                            answer.done, answer.problem = now, "too many under way"
                            self.answers.append(answer)
                        next_due += randomness.expovariate(rate)
                    wait = min(wait, max(0.0, next_due - now))
                for key, mask in self.selector.select(wait):
                    key.data.ready(mask)
                if now >= next_sweep:
                    next_sweep = now + 1
                    for connection in [one for one in self.under_way if now - one.answer.due > TIMEOUT]:
                        connection.finish(problem="timeout")
        finally:
            for connection in list(self.under_way):
                connection.finish(problem="timeout")
            for connection in connections:
                connection.close()
            self.selector.close()
            if was_collecting:
                gc.enable()
        return self.answers


def percentile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] if sorted_values else None


def latencies(answers):
    """{p50, p99, max} in seconds."""
    values = sorted(answer.latency for answer in answers)
    return {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": values[-1] if values else None}


def summary(answers, began, ended):
    """Figures of the answers that came between two times; latency is that of answers with status 200."""
    counted = [answer for answer in answers if began <= answer.done < ended]
    good = [answer for answer in counted if answer.status == 200]
    refused = [answer for answer in counted if answer.status in (429, 503)]
    problems = collections.Counter(answer.problem or f"status {answer.status}" for answer in counted
                                   if answer.status not in (200, 429, 503))
    result = {"seconds": ended - began, "throughput": len(good) / (ended - began), "answers": len(counted),
              **latencies(good), "refused": len(refused), "errors": sum(problems.values()), "problems": dict(problems)}
    if refused:
        result["refusals"] = {**latencies(refused), "without_retry_after": sum(not a.retry_after for a in refused),
                              "retry_after": dict(collections.Counter(a.retry_after for a in refused).most_common(8))}
    return result


def measure(requests, warm_up, seconds, clients=0, rate=0.0):
    """Runs warm-up and measurement as one uninterrupted load, and returns the summary of the measurement."""
    load = Load(requests)
    cpu, start = time.process_time(), time.perf_counter()
    answers = load.run(seconds, warm_up, clients, rate)
    elapsed, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"clients": clients, "rate": rate, **summary(answers, load.began, load.ended),
            "all_answers": len(answers), "client_cpu": cpu / elapsed}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--body", type=pathlib.Path, nargs="+", default=[])
    parser.add_argument("--content-type", default="application/json")
    parser.add_argument("--header", action="append", default=[], help="NAME: VALUE")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--clients", type=int, default=32)
    group.add_argument("--rate", type=float, default=0, help="requests a second")
    parser.add_argument("--warm-up", type=float, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    headers = [tuple(part.strip() for part in header.split(":", 1)) for header in arguments.header]
    bodies = [path.read_bytes() for path in arguments.body] or [None]
    requests = [request(arguments.url, body, arguments.content_type, headers) for body in bodies]
    clients = 0 if arguments.rate else arguments.clients
    result = measure(requests, arguments.warm_up, arguments.seconds, clients, arguments.rate)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:12} {value:.4g}" if isinstance(value, float) else f"{name:12} {value}")
    return 0 if result["errors"] == 0 and result["answers"] else 1


if __name__ == "__main__":
    sys.exit(main())
