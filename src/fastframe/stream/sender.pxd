from fastframe.stream.connection cimport checked_display
from fastframe.stream.damage cimport DamageMap
from fastframe.stream.outlet cimport Outlet
from fastframe.stream.serving cimport Serving

cimport cython

cdef double _INFINITY, TILE_BYTES_WEIGHT, KEYFRAME_INTERVAL


cdef class _DisplayOutlet(Outlet):
    cdef public object encoder, effort
    cdef public double paced_at, tile_bytes
    cdef public long long next_epoch
    cdef public DamageMap damage
    cdef public bint partial

    cpdef bint has_work(self)
    cpdef forget(self)


cdef class Sender(Serving):
    cdef double _interval
    cdef object _sent_times
    cdef long long _frame_count, _held_back, _keyframes, _packet_bytes, _frame_bytes

    @cython.locals(outlet=_DisplayOutlet, damage_map=DamageMap, quiet_until=double, look_at=double)
    cpdef send_frame(self, display, frame, damage, now)
    @cython.locals(outlet=_DisplayOutlet)
    cpdef is_behind(self, display)
    @cython.locals(outlet=_DisplayOutlet)
    cpdef double _look_at(self)
    @cython.locals(outlet=_DisplayOutlet, due=double, ready_at=double)
    cpdef double _serve(self)
    @cython.locals(due=double)
    cdef double _ready_at(self, _DisplayOutlet outlet)
    @cython.locals(budget=cython.longlong, keyframe=bint, held_back=bint, tiles=cython.longlong, mean=double)
    cdef _encode(self, _DisplayOutlet outlet, DamageMap damage_map, frame)
    @cython.locals(tiles=cython.longlong)
    cdef _choose(self, _DisplayOutlet outlet, DamageMap damage_map, long long budget, bint keyframe)
    cdef _sent_packet(self, _DisplayOutlet outlet, packet, header, DamageMap damage_map)
    cdef _effort(self, _DisplayOutlet outlet)
