cimport cython

cdef long long TILE, MAX_RECTANGLES


@cython.final
cdef class DamageMap:
    cdef readonly long long width, height
    cdef readonly bint any, unknown
    cdef list _batches
    cdef long long _count, _tiles, _packets
    cdef object _grid

    cpdef long long count(self)
    @cython.locals(added=list, tiles=cython.longlong, columns=cython.longlong, left=cython.longlong, top=cython.longlong,
                   width=cython.longlong, height=cython.longlong)
    cpdef add(self, damage)
    @cython.locals(taken=list)
    cpdef list take_all(self)
    cdef _forget(self)
