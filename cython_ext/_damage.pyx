"""Damage cut to a frame: what the encoder and the stream both do with every frame."""

from cpython.number cimport PyNumber_Index

from fastframe.errors import LocalProtocolError


cdef extern from "Python.h":
    # Without an exception to raise, what does not fit becomes the largest or the smallest that does.
    Py_ssize_t PyNumber_AsSsize_t(object number, void *exception) except? -1


def clipped_damage(damage, Py_ssize_t width, Py_ssize_t height):
    """The rectangles (x, y, width, height) cut to a frame of that size, those outside it dropped.

    Raises
    ------
    LocalProtocolError
        They are none.
    """
    cdef Py_ssize_t left, top, right, bottom
    clipped = []
    try:
        for x, y, across, down in damage:
            # Added as Python's integers, of any size; what does not fit a machine word is far outside of every frame.
            x, y = PyNumber_Index(x), PyNumber_Index(y)
            end_x, end_y = x + PyNumber_Index(across), y + PyNumber_Index(down)
            if end_x < x or end_y < y:
                rectangle = x, y, end_x - x, end_y - y
                raise LocalProtocolError(f"damage must not be negative: {rectangle}", actual=rectangle)
            left, top = max(0, PyNumber_AsSsize_t(x, NULL)), max(0, PyNumber_AsSsize_t(y, NULL))
            right, bottom = min(width, PyNumber_AsSsize_t(end_x, NULL)), min(height, PyNumber_AsSsize_t(end_y, NULL))
            if left < right and top < bottom:
                clipped.append((left, top, right - left, bottom - top))
    except LocalProtocolError:
        raise
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"damage must be rectangles (x, y, width, height) of integers: {error}") from error
    return clipped
