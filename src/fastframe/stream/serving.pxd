from fastframe.stream.connection cimport Endpoint
from fastframe.stream.consent cimport ConsentGate
from fastframe.stream.flow cimport FlowControl, InFlight
from fastframe.stream.outlet cimport Outlet
from fastframe.stream.wire cimport cut

cimport cython

cdef double _INFINITY


cdef class Serving(Endpoint):
    cdef public object _needs, _config, _pairing, _token, _displays, _told, _pointer
    cdef readonly object limits
    cdef public ConsentGate _gate
    cdef public FlowControl _flow
    cdef public dict _outlets, _gone
    cdef public long long _gate_revision, _gate_version
    cdef public double _gate_expiry, _lost_at
    cdef public bint _may_view, _confirmed

    @cython.locals(time=double)
    cpdef _set_time(self, now)
    @cython.locals(outlet=Outlet)
    cpdef double _handle(self, message)
    @cython.locals(flight=InFlight, offset=cython.longlong, room=cython.longlong)
    cpdef _send_new(self, Outlet outlet, long long epoch, long long sequence, packet)
    cpdef bint _may_send(self)
    cpdef _require_needs(self)
    cpdef double _look_at(self)
    @cython.locals(due=double, ping_at=double, resend_at=double)
    cpdef double _advance(self)
    @cython.locals(unchanged=bint)
    cpdef list _take_frames(self)
    cpdef double _serve(self)
