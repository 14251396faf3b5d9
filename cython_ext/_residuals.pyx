"""Residuals as a zstd stream; what they are and why stands in kernels/residual_stream.h."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc


cdef extern from "residual_stream.h" nogil:
    const uint32_t FF_RESIDUAL_UNIT
    const uint32_t FF_RESIDUAL_BLOCK_LOG
    const uint32_t FF_REPEAT_WINDOW_LOG
    ctypedef struct ff_residual_stream:
        pass
    void ff_residual_begin(ff_residual_stream *stream, uint32_t window_log)
    size_t ff_residual_bound(const ff_residual_stream *stream, size_t count)
    size_t ff_residual_take(ff_residual_stream *stream, const uint8_t *values, size_t count, uint8_t *out)
    size_t ff_residual_flush(ff_residual_stream *stream, uint8_t *out)


cdef extern from "isa.h" nogil:
    ctypedef struct ff_kernel_table:
        const char *name
    const ff_kernel_table *ff_kernels
    void ff_isa_init()
    int ff_isa_force(const char *name)


ff_isa_init()


def isa():
    """The name of the instruction set that the kernels of this module use."""
    return ff_kernels.name.decode()


def force_isa(str name):
    """Makes them use another one that the processor has, as `_core.force_isa` does, which calls this."""
    if ff_isa_force(name.encode()) != 0:
        raise ValueError(f"no kernels for {name!r} on this processor")


# Values taken at a time: bounds what is written at a time.
cdef size_t CHUNK = 1 << 16


cdef class ResidualCompressor:
    """Streams of one plane of residuals, one after the other; each is a frame of zstd that any decoder of zstd reads.

    For one thread at a time. Releases the GIL while it compresses.

    Parameters
    ----------
    max_window_log
        Base-2 logarithm of the most that a decoder keeps for the stream, in bytes: 10 or more.
    """

    cdef ff_residual_stream *stream
    cdef uint8_t *written
    cdef uint32_t window_log

    def __cinit__(self, uint32_t max_window_log):
        self.window_log = min(max_window_log, FF_REPEAT_WINDOW_LOG)
        self.stream = <ff_residual_stream *> malloc(sizeof(ff_residual_stream))
        if self.stream == NULL:
            raise MemoryError
        ff_residual_begin(self.stream, self.window_log)
        cdef size_t waiting = FF_RESIDUAL_UNIT + (<size_t> 1 << FF_RESIDUAL_BLOCK_LOG)
        self.written = <uint8_t *> malloc(ff_residual_bound(self.stream, CHUNK + waiting))
        if self.written == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.stream)
        free(self.written)

    def restart(self):
        """Begins another stream; what has not been flushed of the last one is dropped."""
        ff_residual_begin(self.stream, self.window_log)

    def feed(self, const uint8_t[::1] data):
        """Takes values and returns what is compressed of them already; how they are cut makes no difference."""
        cdef size_t begin, written, size = <size_t> data.shape[0]
        cdef list pieces = []
        for begin in range(0, size, CHUNK):
            with nogil:
                written = ff_residual_take(self.stream, &data[begin], min(CHUNK, size - begin), self.written)
            if written > 0:
                pieces.append(PyBytes_FromStringAndSize(<char *> self.written, <Py_ssize_t> written))
        return b"".join(pieces)

    def flush(self):
        """Compresses what is left up to a block boundary, so that a decoder gets all of it."""
        cdef size_t size
        with nogil:
            size = ff_residual_flush(self.stream, self.written)
        return PyBytes_FromStringAndSize(<char *> self.written, <Py_ssize_t> size)
