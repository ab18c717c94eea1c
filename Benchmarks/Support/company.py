"""Company for a measurement: processes that never rest."""
import contextlib
import subprocess
import sys


@contextlib.contextmanager
def company(count):
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
