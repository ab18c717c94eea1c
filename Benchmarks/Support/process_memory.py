"""Resident memory of this process, in bytes, as Linux counts it: the same numbers as ProcessMemory.swift."""
import pathlib


def _bytes(field):
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def resident():
    return _bytes("VmRSS")


def address_space():
    return _bytes("VmSize")


def peak():
    """The most that was resident since the start or the last reset_peak()."""
    return _bytes("VmHWM")


def reset_peak():
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def available():
    """What the machine can still give to a process."""
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise KeyError("MemAvailable")
