# Every attribute is public, as in Python: a relay's viewers are subclasses in Python, and products may have more.

from fastframe.stream.wire cimport parse

cimport cython

cdef double _INFINITY
cdef int MARK


cdef class Endpoint:
    cdef object __weakref__
    cdef public object _role, _state, _legal, _error, _heard_at, _files
    cdef public bint _is_open, _pause_by_us, _pause_by_peer
    cdef public long long _max_fragment, _max_message
    cdef public object _events
    cdef public list _control, _frames
    cdef public long long _control_bytes, _wire_bytes, _ping_number
    cdef public double _keepalive, _quiet_until, _now
    cdef public dict _pings

    cpdef next_event(self)
    @cython.locals(quiet_until=double, look_at=double)
    cpdef receive(self, data, now)
    @cython.locals(due=double, leaves_at=double, messages=list)
    cpdef poll(self, now)
    @cython.locals(time=double)
    cpdef _set_time(self, now)
    cpdef _move(self, trigger)
    cpdef double _take(self, data)
    cpdef double _handle(self, message)
    cpdef _handle_fragment(self, fragment)
    @cython.locals(frames=list, latest=double, leaves_at=double)
    cpdef list _take_frames(self)
    @cython.locals(silence=double, lost_at=double, quiet_since=double)
    cpdef double _advance(self)


cpdef checked_display(dict displays, number)
