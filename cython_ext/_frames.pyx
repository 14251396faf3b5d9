"""Checks of frames and of their damage: what the encoder and the stream both do with every frame."""

from cpython.number cimport PyNumber_Index

import numpy as np

from fastframe.errors import LocalProtocolError

cdef object ndarray = np.ndarray
# Comparing with `np.uint8` would build this each time.
cdef object BYTE = np.dtype(np.uint8)


cdef extern from "Python.h":
    # Without an exception to raise, what does not fit becomes the largest or the smallest that does.
    Py_ssize_t PyNumber_AsSsize_t(object number, void *exception) except? -1


def checked_frame(frame, Py_ssize_t width=0, Py_ssize_t height=0):
    """The frame as an array that views the caller's memory; no pixel is read.

    Parameters
    ----------
    frame
        Buffer (H, W, 4) of uint8, whose pixels of a row follow each other.
    width, height
        The size of its display, in pixels; 0: any.

    Raises
    ------
    LocalProtocolError
        It is none, or of another size.
    """
    cdef Py_ssize_t rows, columns
    try:
        array = frame if type(frame) is ndarray else np.asarray(frame)
    except Exception as error:
        raise LocalProtocolError(f"a frame must be a buffer (H, W, 4) of uint8: {error}") from error
    cdef tuple shape = array.shape
    if len(shape) != 3 or shape[2] != 4 or (array.dtype is not BYTE and array.dtype != BYTE):
        raise LocalProtocolError(
            f"a frame must be (H, W, 4) of uint8, not {shape} of {array.dtype}",
            expected="(H, W, 4) uint8",
            actual=f"{shape} {array.dtype}",
        )
    rows, columns = shape[0], shape[1]
    if rows == 0 or columns == 0:
        raise LocalProtocolError(f"a frame must have pixels, not {columns} x {rows}", actual=(columns, rows))
    cdef tuple strides = array.strides
    if strides[2] != 1 or (columns > 1 and strides[1] != 4):
        raise LocalProtocolError(
            f"pixels of a row must follow each other: strides (any, 4, 1), not {strides}",
            expected=(None, 4, 1),
            actual=strides,
        )
    if width and (columns != width or rows != height):
        raise LocalProtocolError(
            f"a frame must be as large as its display, {width} x {height} pixels, not {columns} x {rows}",
            expected=(width, height),
            actual=(columns, rows),
        )
    return array


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
