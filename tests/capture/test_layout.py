"""Which monitor is which, by what mss tells of it on each system."""

from typing import Any

import pytest

from fastframe.capture.layout import Layout, Trail
from fastframe.errors import PermanentCaptureError
from fastframe.geometry import Rect


def monitor(x: int, width: int = 800, **known: Any) -> dict[str, Any]:
    return {"left": x, "top": 0, "width": width, "height": 600, **known}


def layout(*monitors: dict[str, Any]) -> Layout:
    return Layout.from_mss([monitor(0, 4000), *monitors])


A = {"output": "DP-1", "name": "Screen 9000", "unique_id": "model=A"}
B = {"output": "DP-2", "name": "Screen 9000", "unique_id": "model=B"}


def test_displays_have_the_name_of_their_connector() -> None:
    first, second, third = layout(monitor(0, **A, is_primary=True), monitor(800, name="Panel"), monitor(1600)).displays
    assert (first.number, first.name, first.area, first.primary) == (1, "DP-1", Rect(0, 0, 800, 600), True)
    assert (second.number, second.name, second.primary) == (2, "Panel", False)
    assert (third.number, third.name) == (3, "")


def test_a_desktop_whose_monitors_are_not_told_is_one() -> None:
    (only,) = layout().displays
    assert (only.number, only.area) == (1, Rect(0, 0, 4000, 600))


def test_monitors_are_found_by_number_connector_and_make() -> None:
    there = layout(monitor(0, **A), monitor(800, name="Panel"))
    for wanted, x in ((1, 0), ("DP-1", 0), ("Screen 9000", 0), (2, 800), ("Panel", 800)):
        assert there.find(wanted).display.area.x == x


def test_what_is_not_there_or_not_clear_is_refused_with_what_is() -> None:
    there = layout(monitor(0, **A), monitor(800, **B))
    with pytest.raises(PermanentCaptureError, match=r"^there is no monitor 3; there is 1 \(DP-1\), 2 \(DP-2\)$"):
        there.find(3)
    with pytest.raises(PermanentCaptureError, match=r"^several monitors are called Screen 9000; there is 1 "):
        there.find("Screen 9000")


def follow(begin: Layout, number: int, *later: Layout) -> list[int | None]:
    """Where a monitor begins in each of the later layouts."""
    trail = Trail(begin, begin.find(number))
    areas = [trail.follow(each) for each in later]
    return [area and area.x for area in areas]


def test_a_monitor_that_is_known_is_followed_wherever_it_is() -> None:
    begin = layout(monitor(0, **A), monitor(800, **B))
    assert follow(
        begin,
        2,
        begin,
        layout(monitor(0, **B), monitor(800, **A)),
        layout(monitor(0, **A)),
        layout(monitor(0, **A), monitor(800, 1024, **A | {"unique_id": "model=C", "output": "DP-2"})),
        layout(monitor(0, **A), monitor(2000, 1024, **B)),
    ) == [800, 0, None, None, 2000]


def test_two_that_cannot_be_told_apart_are_known_by_their_places() -> None:
    twins = {"name": "Generic PnP Monitor"}
    begin = layout(monitor(0, **twins), monitor(800, **twins))
    assert follow(begin, 2, begin, layout(monitor(0, **twins), monitor(900, **twins))) == [800, 900]
    # Both are somewhere else: which is which?
    assert follow(begin, 2, layout(monitor(100, **twins), monitor(900, **twins))) == [None]
    # The other one has left. What is there now has nothing that another one has, so it may be either.
    assert follow(begin, 2, layout(monitor(0, **twins))) == [None]


def test_a_monitor_without_a_name_may_change_its_size_while_all_others_stay() -> None:
    begin = layout(monitor(0), monitor(800))
    assert follow(begin, 2, layout(monitor(0), monitor(800, 1024)), layout(monitor(0), monitor(700, 640))) == [800, 700]
    assert follow(layout(monitor(0)), 1, layout(monitor(0, 1024))) == [0]


def test_a_monitor_without_a_name_that_was_away_must_come_back_to_its_place() -> None:
    begin = layout(monitor(0), monitor(800))
    away = layout(monitor(0))
    assert follow(begin, 2, away, layout(monitor(0), monitor(800, 1024)), begin) == [None, None, 800]


def test_the_place_of_a_monitor_does_not_go_to_one_with_a_name() -> None:
    begin = layout(monitor(0), monitor(800))
    assert follow(begin, 2, layout(monitor(0), monitor(800, **A))) == [None]
    assert follow(begin, 2, layout(monitor(0), monitor(800, 1024, **A))) == [None]
