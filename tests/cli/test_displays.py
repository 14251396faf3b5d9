"""`fastframe displays` on a real X server."""

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run
    from xserver import XServer


@pytest.mark.parametrize("kind", ["mss", "auto"])
def test_lists_the_monitors_for_people_and_programs(run: "Run", monitors: "XServer", kind: str) -> None:
    monitors.plug(1, "800x600", "--right-of", "DUMMY0")
    shown = run("displays", "--display", monitors.display, "--source", kind)
    assert (shown.returncode, shown.stderr) == (0, "")
    first, second = (line.split() for line in shown.stdout.splitlines() if "DUMMY" in line)
    assert [word for word in first if word != "│"] == ["1", "DUMMY0", "1024x768", "0,0", "primary"]
    assert [word for word in second if word != "│"] == ["2", "DUMMY1", "800x600", "1024,0"]
    listed = json.loads(run("displays", "--json", "--source", kind, DISPLAY=monitors.display).stdout)
    assert [each["name"] for each in listed["displays"]] == ["DUMMY0", "DUMMY1"]
    assert listed["displays"][1] == {
        "number": 2,
        "name": "DUMMY1",
        "area": {"x": 1024, "y": 0, "width": 800, "height": 600},
        "primary": False,
    }
    assert f"{listed['source']}: {listed['reason']}" == shown.stdout.splitlines()[-1]
