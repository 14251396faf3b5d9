# The types with which flow.py is compiled: for each frame it does little else than to compare and add numbers.

cimport cython

cdef long long INITIAL_WINDOW, LEAST_TELLING, MIN_WINDOW, MIN_BUDGET, MIN_PIECE, MAX_PIECE
cdef double _INFINITY
cdef double GROW_BELOW, SHRINK_ABOVE, PACKET_TIME, SLACK, LEAST_TIME, LEAST_BANDWIDTH, FULL_RATE_TIME, START_RATE_SHARE
cdef double MAX_STEP, STARTUP_GAIN, MAX_STARTUP_GAIN, PROBE_GAIN, PROBE_QUEUE, RESTART_GAIN, DRAIN_GAIN, STILL_GROWING
cdef double BASE_LIFETIME, DELAYED_BASE_LIFETIME, DELAYED_ROUND_TRIPS, STALL, STALL_ROUND_TRIPS
cdef long long MAX_FRAMES, BANDWIDTH_ROUNDS, DELAYED_ROUNDS


@cython.final
cdef class InFlight:
    cdef readonly long long size, piece
    cdef readonly double begins_at, interval
    cdef double sent_at, delivered_at, first_sent_at
    cdef long long delivered
    cdef public bint counts, tells_rate

    cpdef double due(self, long long offset)
    cpdef double ends_at(self)


@cython.final
cdef class _Arrival:
    cdef double at
    cdef long long delivered


@cython.final
cdef class FlowControl:
    cdef readonly long long window, in_flight, frames_in_flight
    cdef readonly double delay
    cdef double _bandwidth, _rtt, _base_rtt, _base_before
    cdef double _max_fps, _base_at, _delayed_since, _undelayed, _delivered_at, _first_sent_at
    cdef double _round_began_at, _round_rate, _last_round_rate
    cdef double _startup_gain, _probe_gain, _probed, _probe_left, _line_free_at
    cdef long long _delivered, _blocked_until, _round, _round_ends_at, _flat_rounds, _least_window, _probing, _excess
    cdef bint _startup, _draining, _repairing
    cdef object _delays, _rates, _queued, _arrived, _packets

    cpdef ready_at(self, double now)
    cdef bint _is_full(self, double now)
    cdef long long _allowed(self, long long usual)
    @cython.locals(room=cython.longlong, fits=cython.longlong, gain=double)
    cpdef long long budget(self)
    @cython.locals(packet=InFlight)
    cpdef InFlight sent(self, long long size, double now)
    cpdef sent_again(self, long long size, double now)
    @cython.locals(bandwidth=double, fits=cython.longlong, begins_at=double, gain=double, takes=double, ahead=double)
    cdef _pace(self, InFlight packet, double now)
    @cython.locals(silence=double, other=InFlight)
    cpdef acknowledged(self, InFlight packet, double now)
    cpdef lost(self, InFlight packet)
    cpdef double ping_at(self)
    cpdef forget_base(self, double now)
    cpdef heard(self, double rtt, double now)
    cdef _remove(self, InFlight packet)
    @cython.locals(patience=double)
    cdef double _base_ends_at(self)
    cdef _update_base(self, double rtt, double now)
    @cython.locals(packet=InFlight)
    cdef _after_stall(self)
    @cython.locals(last_piece=cython.longlong, last_size=cython.longlong, rounds=cython.longlong, rtt=double, base=double,
                   interval=double, rate=double, delay=double, highest=double, waited=double, gain=double,
                   arrival=_Arrival, full_rate=double, delayed=bint, busy=bint)
    cdef _measure(self, InFlight packet, double now)
    @cython.locals(last=double)
    cdef _note(self, double rate)
    @cython.locals(first=_Arrival, takes=double, rate=double)
    cdef double _full_rate(self, InFlight packet, _Arrival arrival, double base)
    @cython.locals(earlier=_Arrival, takes=double, rate=double)
    cdef double _arriving(self, _Arrival arrival)
    @cython.locals(growing=bint, least_gain=double)
    cdef _begin_round(self, double now, bint busy)
    @cython.locals(probe=double)
    cdef double _gain(self)
    @cython.locals(held=double, gain=double, least=cython.longlong)
    cdef _set_window(self)
