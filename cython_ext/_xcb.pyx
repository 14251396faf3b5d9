"""libxcb, loaded when it is first asked for: nothing is linked with it, so that systems without X11 are none the worse.

Thin calls without policy, for fastframe.capture.x11.xcb alone. They are compiled because a frame takes a dozen of them,
and each from ctypes costs as much as the server needs to copy a line of text. A handle must be one that `connect` gave
and `disconnect` has not taken. The GIL is released where the server may keep us waiting.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free

cdef extern from "<dlfcn.h>" nogil:
    void *dlopen(const char *name, int flags)
    void *dlsym(void *library, const char *name)
    const char *dlerror()
    int RTLD_NOW

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "<sys/uio.h>":
    cdef struct iovec:
        void *iov_base
        size_t iov_len

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

# What replies, errors and events have in common: the fourth to seventh byte of a reply tell how many words follow the
# first 32 bytes.
cdef struct Packet:
    uint8_t kind
    uint8_t detail
    uint16_t sequence
    uint32_t words

ctypedef void *(*connect_function)(const char *, int *) noexcept nogil
ctypedef void (*disconnect_function)(void *) noexcept nogil
ctypedef int (*ask_function)(void *) noexcept nogil
ctypedef uint32_t (*id_function)(void *) noexcept nogil
ctypedef const Packet *(*setup_function)(void *) noexcept nogil
ctypedef unsigned int (*send_function)(void *, int, iovec *, const ProtocolRequest *, unsigned int, int *) noexcept nogil
ctypedef int (*reply_function)(void *, unsigned int, Packet **, Packet **) noexcept nogil
ctypedef Packet *(*event_function)(void *) noexcept nogil
ctypedef void (*discard_function)(void *, unsigned int) noexcept nogil

cdef connect_function xcb_connect = NULL
cdef disconnect_function xcb_disconnect
cdef ask_function xcb_connection_has_error, xcb_get_file_descriptor, xcb_flush
cdef id_function xcb_generate_id
cdef setup_function xcb_get_setup
cdef send_function xcb_send_request_with_fds
cdef reply_function xcb_poll_for_reply
cdef event_function xcb_poll_for_event
cdef discard_function xcb_discard_reply

# Seconds. When asking once takes longer, somebody else had the processor meanwhile; who sleeps comes before him, who asks
# on does not.
cdef double LONGEST_TURN = 50e-6

cdef tuple NAMES = (b"libxcb.so.1", b"libxcb.1.dylib", b"/opt/X11/lib/libxcb.1.dylib")


cdef void *symbol(void *library, const char *name) except NULL:
    cdef void *address = dlsym(library, name)
    if address == NULL:
        raise OSError(f"it has no function {name.decode()}")
    return address


def load():
    """Load the library, once.

    Raises
    ------
    OSError
        It is not there, or too old.
    """
    global xcb_connect, xcb_disconnect, xcb_connection_has_error, xcb_get_file_descriptor, xcb_flush, xcb_generate_id
    global xcb_get_setup, xcb_send_request_with_fds, xcb_poll_for_reply, xcb_poll_for_event, xcb_discard_reply
    cdef void *library = NULL
    if xcb_connect != NULL:
        return
    faults = []
    for name in NAMES:
        library = dlopen(name, RTLD_NOW)
        if library != NULL:
            break
        faults.append(dlerror().decode(errors="replace"))
    else:
        raise OSError(faults[0])
    xcb_disconnect = <disconnect_function>symbol(library, "xcb_disconnect")
    xcb_connection_has_error = <ask_function>symbol(library, "xcb_connection_has_error")
    xcb_get_file_descriptor = <ask_function>symbol(library, "xcb_get_file_descriptor")
    xcb_flush = <ask_function>symbol(library, "xcb_flush")
    xcb_generate_id = <id_function>symbol(library, "xcb_generate_id")
    xcb_get_setup = <setup_function>symbol(library, "xcb_get_setup")
    xcb_send_request_with_fds = <send_function>symbol(library, "xcb_send_request_with_fds")
    xcb_poll_for_reply = <reply_function>symbol(library, "xcb_poll_for_reply")
    xcb_poll_for_event = <event_function>symbol(library, "xcb_poll_for_event")
    xcb_discard_reply = <discard_function>symbol(library, "xcb_discard_reply")
    # The last one: it tells that all are there.
    xcb_connect = <connect_function>symbol(library, "xcb_connect")


def connect(bytes display):
    """A handle, and the number of its screen. Waits for the server without a limit; `has_error` tells how it went."""
    cdef int screen = 0
    cdef const char *name = display
    cdef void *handle
    with nogil:
        handle = xcb_connect(name, &screen)
    return <size_t>handle, screen


def disconnect(size_t handle):
    """Hang up."""
    xcb_disconnect(<void *>handle)


def has_error(size_t handle):
    """xcb's number for why the connection is of no more use; 0: it is in order."""
    return xcb_connection_has_error(<void *>handle)


def file_descriptor(size_t handle):
    """The socket."""
    return xcb_get_file_descriptor(<void *>handle)


def new_id(size_t handle):
    """A number for a new resource."""
    return xcb_generate_id(<void *>handle)


def setup(size_t handle):
    """What the server said when we connected."""
    cdef const Packet *packet = xcb_get_setup(<void *>handle)
    # Its length stands elsewhere than that of a reply, and is in the upper half of what is `words` there.
    return PyBytes_FromStringAndSize(<const char *>packet, 8 + 4 * (packet.words >> 16))


def send(size_t handle, uint8_t opcode, uint8_t data, bytes payload not None, int flags, bint is_void, int fd=-1):
    """Queue a request, of which xcb fills in the length; returns its number, 0: the connection is lost.

    The payload is a multiple of four bytes. A descriptor goes along and is closed.
    """
    cdef uint8_t[4] head = [opcode, data, 0, 0]
    cdef iovec[4] vectors  # of which xcb wants two free entries before the first one
    cdef ProtocolRequest request = [2, NULL, opcode, is_void]
    vectors[2].iov_base = head
    vectors[2].iov_len = sizeof(head)
    vectors[3].iov_base = PyBytes_AS_STRING(payload)
    vectors[3].iov_len = PyBytes_GET_SIZE(payload)
    return xcb_send_request_with_fds(<void *>handle, flags, &vectors[2], &request, fd >= 0, &fd)


def flush(size_t handle):
    """Have sent what is queued."""
    with nogil:
        xcb_flush(<void *>handle)


cdef double seconds() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + 1e-9 * now.tv_nsec


def reply(size_t handle, unsigned int sequence, double patience):
    """Send what is queued and ask for a reply, again and again for `patience` seconds, or until others want the processor.

    Returns the whole reply; the 32 bytes of an error, of which the first is 0; empty bytes where none will come, since
    the request has none or the connection is lost; `None`: it is not here yet.
    """
    cdef Packet *answer = NULL
    cdef Packet *error = NULL
    cdef int known
    cdef double began, last, now
    with nogil:
        xcb_flush(<void *>handle)
        now = began = seconds()
        while True:
            known = xcb_poll_for_reply(<void *>handle, sequence, &answer, &error)
            if known or now - began >= patience:
                break
            sched_yield()  # to the server, should it be waiting for this processor
            now, last = seconds(), now
            if now - last > LONGEST_TURN:
                break
    if not known:
        return None
    try:
        if error != NULL:
            return PyBytes_FromStringAndSize(<const char *>error, 32)
        if answer != NULL:
            return PyBytes_FromStringAndSize(<const char *>answer, 32 + 4 * <size_t>answer.words)
        return b""
    finally:
        free(error)
        free(answer)


def events(size_t handle):
    """What has arrived by now, 32 bytes each, without the errors of requests that nobody checks; `None`: it has an error."""
    cdef Packet *event
    arrived = []
    while True:
        event = xcb_poll_for_event(<void *>handle)
        if event == NULL:
            return None if xcb_connection_has_error(<void *>handle) else arrived
        try:
            if event.kind:
                arrived.append(PyBytes_FromStringAndSize(<const char *>event, 32))
        finally:
            free(event)


def discard(size_t handle, unsigned int sequence):
    """Let go of a reply, whether it is here or not."""
    xcb_discard_reply(<void *>handle, sequence)
