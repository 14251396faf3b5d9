from fastframe.stream.connection cimport Endpoint, checked_display
from fastframe.stream.wire cimport PacketAssembler

cimport cython

cdef double _INFINITY, ASK_AGAIN_AFTER, ASK_AGAIN_AT_MOST_AFTER, OVERTAKEN_FOR
cdef long long OVERTAKEN_BY


@cython.final
cdef class _Screen:
    cdef public PacketAssembler assembler
    cdef public object decoder, asked_at
    cdef public tuple next, arrived
    cdef public long long last_epoch, early_bytes
    cdef public dict early
    cdef public double early_since, patience

    cpdef bint may_be_late(self, double now)
    cpdef take_early(self)
    cpdef clear_early(self)


cdef class Receiver(Endpoint):
    cdef public object _config, _token, _displays
    cdef public dict _screens, _consents
    cdef public long long _consent_changes

    cpdef double _handle(self, message)
    @cython.locals(screen=_Screen)
    cpdef _handle_fragment(self, fragment)
    @cython.locals(place=tuple)
    cdef _take_packet(self, display, _Screen screen, packet)
    cdef bint _show(self, display, _Screen screen, tuple place, packet)
    @cython.locals(screen=_Screen, due=double)
    cpdef double _advance(self)
