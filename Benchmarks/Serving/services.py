"""The two services of the comparisons, as processes: how each is started, when it is ready, and what it is asked."""
import base64
import contextlib
import http.client
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import load

ROOT = pathlib.Path(__file__).resolve().parents[2]
CONCORD = pathlib.Path(os.environ.get("CONCORD_SERVER", ROOT / ".build/release/concord-server"))
PEER = pathlib.Path(__file__).with_name("peers") / "fastapi_service.py"
BOUNDARY = "benchmark-boundary-7d1c"
# Settings of a Concord that refuses nothing, as the peer.
PATIENT = {"longest_wait_seconds": 120, "request_seconds": 180, "queue_capacity": 100_000}


def multipart(files, fields=()):
    """A multipart body and its type: `files` are (field, file name, type, bytes), `fields` (name, text)."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
             for name, text in fields]
    for field, name, kind, data in files:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + data + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def data_uri(data, kind="image/jpeg"):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def distinct(pictures, count):
    """So many JPEGs with different bytes, a comment in each: a service may answer equal requests with one computation,
    and what is measured are requests of strangers."""
    return [data[:2] + b"\xff\xfe\x00\x06" + number.to_bytes(4, "big") + data[2:]
            for number, data in zip(range(count), itertools.cycle(pictures))]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """A service process on the loopback interface; leaving the context ends it."""

    name, ready_path = "", ""

    def __init__(self, arguments):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.arguments = [str(part) for part in arguments] + ["--port", str(self.port)]

    def start(self, timeout=120):
        """Returns the seconds from the start of the process to its first ready answer."""
        self.log = tempfile.TemporaryFile()
        began = time.perf_counter()
        self.process = subprocess.Popen(self.arguments, stdout=self.log, stderr=subprocess.STDOUT, cwd=ROOT)
        while time.perf_counter() - began < timeout:
            if self.is_ready():
                return time.perf_counter() - began
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        raise SystemExit(f"{' '.join(self.arguments)}: not ready in {timeout} s, "
                         f"status {self.process.returncode}:\n{self.output()[-2000:]}")

    def is_ready(self):
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            try:
                connection.request("GET", self.ready_path)
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False

    def output(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def stop(self, timeout=60):
        """Asks the process to end and returns its status; kills it, and says so, when it does not."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            print(f"{self.name} did not end within {timeout} s of SIGTERM and was killed", file=sys.stderr)
            self.process.kill()
            return self.process.wait()

    def memory(self, field="VmRSS"):
        """Resident bytes of the process now, or at most so far with VmHWM."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise KeyError(field)

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask(self, request):
        """(status, decoded JSON) of one of the requests below."""
        answer = load.Load([request], keeps_bodies=True).run(seconds=0.001, clients=1)[0]
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            return answer.status, answer.problem or answer.body

    def __enter__(self):
        self.seconds_to_ready = self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()


class Concord(Service):
    """concord-server with artifact folders by name, as {"clip": folder}, and settings of its server.yaml."""

    name, ready_path = "Concord", "/health/ready"

    def __init__(self, models, settings=None):
        named = [part for name, folder in models.items() for part in ("--model", f"{name}={folder}")]
        self.settings = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        for key, value in (settings or {}).items():
            print(f"{key}: {value}", file=self.settings, flush=True)
        super().__init__([CONCORD, *named, "--config", self.settings.name])

    def image_request(self, data, model="clip"):
        body, kind = multipart([("file", "picture.jpg", "image/jpeg", data)], [("model", model)])
        return load.request(f"{self.url}/v1/embeddings", body, kind)

    def image_json_request(self, data, model="clip"):
        return load.request(f"{self.url}/v1/embeddings", json.dumps({"model": model, "input": data_uri(data)}).encode())

    def text_request(self, text, model="clip"):
        return load.request(f"{self.url}/v1/embeddings", json.dumps({"model": model, "input": text}).encode())

    def caption_request(self, data, tokens, model="coca"):
        body, kind = multipart([("image", "picture.jpg", "image/jpeg", data)],
                               [("model", model), ("max_tokens", str(tokens))])
        return load.request(f"{self.url}/generate_caption", body, kind)

    @staticmethod
    def embedding(reply):
        return reply["data"][0]["embedding"]


class FastAPI(Service):
    """The service of peers/fastapi_service.py with one artifact folder."""

    name, ready_path = "FastAPI", "/health"

    def __init__(self, folder, tokens=20):
        super().__init__([sys.executable, PEER, "--model", folder, "--tokens", tokens])

    def image_request(self, data):
        body, kind = multipart([("file", "picture.jpg", "image/jpeg", data)])
        return load.request(f"{self.url}/embed", body, kind)

    def text_request(self, text):
        return load.request(f"{self.url}/embed_text", json.dumps({"text": text}).encode())

    def caption_request(self, data, tokens):
        """`tokens` is what the service was started with."""
        body, kind = multipart([("image", "picture.jpg", "image/jpeg", data)])
        return load.request(f"{self.url}/generate_caption", body, kind)

    @staticmethod
    def embedding(reply):
        return reply["embedding"]
