from fastframe.stream.delivery cimport Delivery


cdef class Outlet:
    cdef readonly object display
    cdef readonly Delivery delivery
    cdef public bint needs_keyframe, wanted
    cdef public double keyframe_at, sent_at
    cdef public long long width, height, resends

    cpdef restart(self)
    cpdef forget(self)
