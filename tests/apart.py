"""Runs code in a Python of its own, where memory can be measured, or taken away, without other tests near."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

# The sanitizers keep memory that was given back, and need more than any limit leaves.
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")
measures_memory = pytest.mark.skipif(
    SANITIZED or not Path("/proc/self/clear_refs").exists(), reason="memory is measured with Linux's /proc"
)

PRELUDE = """
import ctypes, gc, json, os, random, signal, sys, time
import numpy as np
import fastframe as ff
sys.path.insert(0, sys.argv[1])
import packets, pictures

def give_back():
    \"\"\"How much of what was freed the allocator keeps is chance: tens of megabytes, more or less.\"\"\"
    getattr(ctypes.CDLL(None), "malloc_trim", lambda kept: None)(0)

def memory(what="VmRSS"):
    \"\"\"Bytes that the process holds now; "VmHWM": the most since forget_peak().\"\"\"
    give_back()
    for line in open("/proc/self/status"):
        if line.startswith(what + ":"):
            return int(line.split()[1]) * 1024

def forget_peak():
    give_back()
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

def threads_left_by_interrupts(work):
    \"\"\"How many threads there are more when an interrupt has struck a work 2000 times, at any moment of it.\"\"\"
    armed = False

    def interrupt(number, frame):  # it may be another thread that the signal comes to, and late then
        if armed:
            raise KeyboardInterrupt

    def threads():
        gc.collect()
        return len(os.listdir("/proc/self/task"))

    before = threads()
    signal.signal(signal.SIGALRM, interrupt)
    moments, struck = random.Random(1), 0
    while struck < 2000:
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, 1e-6 + 3e-4 * moments.random())
            work()
            armed = False
        except KeyboardInterrupt:
            armed = False
            struck += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    deadline = time.monotonic() + 10
    while threads() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    return threads() - before

def report(value):
    print(json.dumps(value))
"""


def thread_name() -> str:
    """The name by which the system, and so every debugger and profiler, knows the thread that calls this."""
    path = Path("/proc/thread-self/comm")
    if not path.exists():
        pytest.skip("names of threads are read from Linux's /proc")
    return path.read_bytes().rstrip(b"\n").decode(errors="surrogateescape")


def run(code: str, *arguments: str) -> Any:
    """Runs the code, in which the names above are known, and returns what it gave to `report`."""
    command = [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)]
    command += [str(Path(__file__).parent), *arguments]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)
