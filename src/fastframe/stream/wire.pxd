cpdef list cut(display, packet, long long max_message)
cpdef parse(data)


cdef class PacketAssembler:
    cdef long long _limit, _size
    cdef object _packet

    cpdef clear(self)
    cpdef add(self, fragment)
