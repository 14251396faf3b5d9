"""Lists of rectangles against pictures of bits, in which everything is obvious."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fastframe import Rect
from fastframe.capture.region import bands, clipped, moved, simplified, subtracted

SIZE = 40
rectangles = st.lists(
    st.builds(Rect, st.integers(0, 30), st.integers(0, 30), st.integers(1, 10), st.integers(1, 10)), max_size=12
)


def drawn(region: list[Rect]) -> NDArray[np.bool_]:
    """The pixels that a region holds."""
    picture = np.zeros((SIZE, SIZE), bool)
    for x, y, width, height in region:
        picture[y : y + height, x : x + width] = True
    return picture


@given(rectangles, rectangles)
def test_subtracting_leaves_what_is_in_no_hole(region: list[Rect], holes: list[Rect]) -> None:
    left = subtracted(region, holes)
    assert (drawn(left) == (drawn(region) & ~drawn(holes))).all()
    assert all(rectangle.width > 0 and rectangle.height > 0 for rectangle in left)


@given(rectangles)
def test_clipping_leaves_what_is_in_the_area(region: list[Rect]) -> None:
    area = Rect(5, 7, 20, 11)
    assert (drawn(clipped(region, area)) == (drawn(region) & drawn([area]))).all()


@given(rectangles, st.integers(1, 20))
def test_bands_hold_all_rows_and_keep_their_distance(region: list[Rect], gap: int) -> None:
    found = bands(region, gap)
    rows = drawn(region).any(axis=1)
    covered = np.zeros(SIZE, bool)
    for first, end in found:
        covered[first:end] = True
        assert rows[first]
        assert rows[end - 1]
    assert covered[rows].all()
    assert all(later[0] - earlier[1] >= gap for earlier, later in pairwise(found))


@given(rectangles, st.integers(1, 6))
def test_simplifying_loses_nothing_and_keeps_to_the_number(region: list[Rect], most: int) -> None:
    simple = simplified(region, most)
    assert len(simple) <= most
    assert drawn(simple)[drawn(region)].all()
    if len(region) <= most:
        assert simple == region


@given(rectangles)
def test_moving_there_and_back_changes_nothing(region: list[Rect]) -> None:
    assert moved(moved(region, 3, -5), -3, 5) == region
