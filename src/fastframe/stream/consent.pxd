# The gate is asked whether it has changed several times a frame.

cdef class ConsentGate:
    cdef object __weakref__
    cdef readonly long long revision, version
    cdef readonly double next_expiry
    cdef dict _states, _until
    cdef list _changes
