# What _xcb.pyx needs of C, of libxcb, and of the messages of X11.
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t

cdef extern from "<dlfcn.h>" nogil:
    void *dlopen(const char *name, int flags)
    void *dlsym(void *library, const char *name)
    const char *dlerror()
    int RTLD_NOW

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "<sys/socket.h>" nogil:
    cdef struct sockaddr:
        uint16_t sa_family
    cdef struct sockaddr_storage:
        pass
    ctypedef unsigned int socklen_t
    int getsockname(int fd, sockaddr *address, socklen_t *size)
    int shutdown(int fd, int how)
    int AF_UNIX
    int SHUT_RDWR

cdef extern from "<sys/uio.h>":
    cdef struct iovec:
        void *iov_base
        size_t iov_len

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    int getpid()

cdef extern from "<time.h>" nogil:
    cdef struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_MONOTONIC
    int clock_gettime(int clock, timespec *now)

# xcb's own types, as xcb.h and xcbext.h have them.
cdef struct ProtocolRequest:
    size_t count
    void *extension
    uint8_t opcode
    uint8_t is_void

# A request as we have it; the payload is what follows its length.
cdef struct Request:
    uint8_t opcode
    uint8_t data
    void *payload
    size_t size

# What replies, errors and events have in common: the fourth to seventh byte of a reply tell how many words follow the
# first 32 bytes.
cdef struct Packet:
    uint8_t kind
    uint8_t detail
    uint16_t sequence
    uint32_t words

# An event of DAMAGE: what has changed since somebody asked for it lies in the rectangle, which grows until then.
cdef struct DamageNotify:
    Packet head
    uint32_t damage
    uint32_t timestamp
    int16_t x
    int16_t y
    uint16_t width
    uint16_t height

cdef struct Rectangle:
    int16_t x
    int16_t y
    uint16_t width
    uint16_t height

# The reply of XFIXES that tells a region; its rectangles follow.
cdef struct Region:
    Packet head
    Rectangle around
    uint8_t[16] unused

# A request of MIT-SHM for pixels, after its length.
cdef struct ShmGetImage:
    uint32_t drawable
    int16_t x
    int16_t y
    uint16_t width
    uint16_t height
    uint32_t planes
    uint8_t format
    uint8_t[3] unused
    uint32_t segment
    uint32_t offset

ctypedef void *(*connect_function)(const char *, int *) noexcept nogil
ctypedef void (*disconnect_function)(void *) noexcept nogil
ctypedef int (*ask_function)(void *) noexcept nogil
ctypedef uint32_t (*id_function)(void *) noexcept nogil
ctypedef const Packet *(*setup_function)(void *) noexcept nogil
ctypedef unsigned int (*send_function)(void *, int, iovec *, const ProtocolRequest *, unsigned int, int *) noexcept nogil
ctypedef int (*reply_function)(void *, unsigned int, Packet **, Packet **) noexcept nogil
ctypedef Packet *(*event_function)(void *) noexcept nogil
ctypedef void (*discard_function)(void *, unsigned int) noexcept nogil
