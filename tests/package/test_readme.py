"""The README's example is what a new user copies first: it runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_example_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    finished = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr
    first, *later = finished.stdout.splitlines()
    assert first.endswith("(Rect(x=0, y=0, width=1920, height=1080),)")
    assert [line.split()[0] for line in later] == ["1", "2"]
