from fastframe.stream.flow cimport FlowControl, InFlight

cimport cython


@cython.final
cdef class _Sent:
    cdef public long long epoch, sequence, size
    cdef public object packet
    cdef public InFlight flight
    cdef public double at


@cython.final
cdef class Delivery:
    cdef readonly tuple last
    cdef FlowControl _flow
    cdef object _sent

    cpdef InFlight sent(self, long long epoch, long long sequence, packet, double now)
    @cython.locals(oldest=_Sent, flight=InFlight)
    cpdef acknowledge(self, long long epoch, long long sequence, double now)
