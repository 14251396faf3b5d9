"""libxcb, loaded when it is first asked for: nothing is linked with it, so that systems without X11 are none the worse.

Thin calls, for fastframe.capture.x11.xcb alone. They are compiled because a frame takes a dozen of them, and each from
ctypes costs as much as the server needs to copy a line of text. What knows of frames, `ChangesRequest`, does what
comes before the server can begin with one, and what comes after it: nothing else can go on meanwhile. The GIL is
released where the server may keep us waiting.

A KeyboardInterrupt may come between any two steps of Python, and also in `__del__`. What must be given back therefore
belongs to objects of C from the moment on at which it is there: `Link` and `Descriptor`.
"""

import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int16_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free

from xcb_types cimport *

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

# xcb.h's flag for a request whose error shall come where its reply would, and not among the events.
cdef int CHECKED = 1
# The bit in an event's code that tells that a client has sent it.
cdef uint8_t SENT = 0x80
# Bytes of a pixel, and of what replies count their length in.
cdef uint32_t PIXEL = 4
cdef size_t WORD = 4

# What events have told of damage.
cdef struct Damage:
    bint known
    int x
    int y
    int width
    int height
    bint leapt

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


cdef class Link:
    """A connection, hung up by `disconnect`, or when nobody refers to this any more.

    Waits for the server without a limit; `has_error` tells how it went. Calls for one that is disconnected raise
    `ValueError`. Another thread may disconnect while a call is under way, which finds the connection broken.
    """

    cdef void *connection
    # Calls that have let go of the GIL, and the connection that the last of them is to hang up.
    cdef int calls
    cdef void *left
    cdef int pid
    cdef readonly int screen

    def __cinit__(self, bytes display):
        cdef const char *name = display
        self.pid = getpid()
        with nogil:
            self.connection = xcb_connect(name, &self.screen)

    def __dealloc__(self):
        self.disconnect()

    cdef void *xcb(self) except NULL:
        if self.connection == NULL:
            raise ValueError("the connection is disconnected")
        return self.connection

    cdef void *enter(self) except NULL:
        """The connection, for a call without the GIL, after which there is `leave`."""
        cdef void *connection = self.xcb()
        self.calls += 1
        return connection

    cdef int leave(self) except -1:
        cdef void *connection
        self.calls -= 1
        if self.calls == 0 and self.left != NULL:
            connection = self.left
            self.left = NULL
            self.hang_up(connection)
        return 0

    cdef void hang_up(self, void *connection) noexcept:
        if self.pid == getpid():
            xcb_disconnect(connection)
        elif not xcb_connection_has_error(connection):
            # xcb would hang up, for the process that this one was forked from as well.
            close(xcb_get_file_descriptor(connection))

    @property
    def is_local(self):
        """Whether it goes to a server on this machine for certain."""
        cdef sockaddr_storage address
        cdef socklen_t size = sizeof(address)
        if getsockname(xcb_get_file_descriptor(self.xcb()), <sockaddr *>&address, &size):
            return False
        return (<sockaddr *>&address).sa_family == AF_UNIX

    cpdef disconnect(self):
        """Hang up; may be called again."""
        cdef void *connection = self.connection
        self.connection = NULL
        if connection == NULL:
            return
        if self.calls and self.pid == getpid():
            self.left = connection
            shutdown(xcb_get_file_descriptor(connection), SHUT_RDWR)
        else:
            self.hang_up(connection)

    def break_off(self):
        """End what another thread waits for, which finds the connection broken; it has to be disconnected all the same."""
        if self.connection != NULL:
            shutdown(xcb_get_file_descriptor(self.connection), SHUT_RDWR)


cdef class Descriptor:
    """Memory in the form of a file, closed when nobody refers to this any more; unless it was sent."""

    cdef int fd

    def __cinit__(self):
        self.fd = -1
        self.fd = os.memfd_create("fastframe", os.MFD_CLOEXEC)

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    def fileno(self):
        """Its number, for as long as this has it."""
        return self.fd


def has_error(Link link not None):
    """xcb's number for why the connection is of no more use; 0: it is in order."""
    return xcb_connection_has_error(link.xcb())


def file_descriptor(Link link not None):
    """The socket."""
    return xcb_get_file_descriptor(link.xcb())


def new_id(Link link not None):
    """A number for a new resource."""
    return xcb_generate_id(link.xcb())


def setup(Link link not None):
    """What the server said when we connected."""
    cdef const Packet *packet = xcb_get_setup(link.xcb())
    # Its length stands elsewhere than that of a reply, and is in the upper half of what is `words` there.
    return PyBytes_FromStringAndSize(<const char *>packet, 8 + WORD * (packet.words >> 16))


cdef unsigned int queue(void *connection, Request *request, int flags, bint is_void, int fd) noexcept nogil:
    """Queue a request; see `send`."""
    cdef uint8_t[4] head = [request.opcode, request.data, 0, 0]
    cdef iovec[4] vectors  # of which xcb wants two free entries before the first one
    cdef ProtocolRequest protocol = [2, NULL, request.opcode, is_void]
    vectors[2].iov_base = head
    vectors[2].iov_len = sizeof(head)
    vectors[3].iov_base = request.payload
    vectors[3].iov_len = request.size
    return xcb_send_request_with_fds(connection, flags, &vectors[2], &protocol, fd >= 0, &fd)


cdef Request request_of(tuple request):
    """Points into the payload, which must stay alive as long."""
    cdef uint8_t opcode, data
    cdef bytes payload
    opcode, data, payload = request
    return Request(opcode, data, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))


def send(
    Link link not None,
    uint8_t opcode,
    uint8_t data,
    bytes payload not None,
    bint checked,
    bint is_void,
    Descriptor descriptor=None,
):
    """Queue a request, of which xcb fills in the length; returns its number, 0: the connection is lost.

    The payload is a multiple of four bytes. A descriptor goes along and is closed. Should a request fail that is not
    `checked`, nobody learns of it.
    """
    cdef Request request = Request(opcode, data, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))
    cdef int fd = -1
    cdef int flags = CHECKED if checked else 0
    cdef unsigned int sequence
    cdef void *connection = link.enter()
    if descriptor is not None:
        fd, descriptor.fd = descriptor.fd, -1
    with nogil:
        sequence = queue(connection, &request, flags, is_void, fd)
        if fd >= 0:  # one that still waits to be sent when we hang up would stay open
            xcb_flush(connection)
    link.leave()
    return sequence


def flush(Link link not None):
    """Have sent what is queued."""
    cdef void *connection = link.enter()
    with nogil:
        xcb_flush(connection)
    link.leave()


cdef double seconds() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + 1e-9 * now.tv_nsec


# What has come of a request: nothing yet (not `known`), one of both, or neither, since none will come.
cdef struct Answer:
    bint known
    Packet *reply
    Packet *error


cdef Answer poll(void *connection, unsigned int sequence, double patience) noexcept nogil:
    """Send what is queued and ask for an answer, again and again for `patience` seconds, or until others want the processor.

    What has come is freed by the caller.
    """
    cdef Answer answer = Answer(False, NULL, NULL)
    cdef bint wanted_by_others = False
    cdef double began, last, now
    xcb_flush(connection)
    now = began = seconds()
    while True:
        answer.known = xcb_poll_for_reply(connection, sequence, &answer.reply, &answer.error)
        if answer.known or wanted_by_others or now - began >= patience:
            return answer
        sched_yield()  # to the server, should it be waiting for this processor
        now, last = seconds(), now
        # If that was the server, it may have answered meanwhile: ask once more.
        wanted_by_others = now - last > LONGEST_TURN


cdef bytes bytes_of_error(const Packet *error):
    return PyBytes_FromStringAndSize(<const char *>error, 32)


def reply(Link link not None, unsigned int sequence, double patience):
    """Send what is queued and ask for a reply, again and again for `patience` seconds, or until others want the processor.

    Returns the whole reply; the 32 bytes of an error, of which the first is 0; empty bytes where none will come, since
    the request has none or the connection is lost; `None`: it is not here yet.
    """
    cdef Answer answer
    cdef void *connection = link.enter()
    with nogil:
        answer = poll(connection, sequence, patience)
    link.leave()
    if not answer.known:
        return None
    try:
        if answer.error != NULL:
            return bytes_of_error(answer.error)
        if answer.reply != NULL:
            return PyBytes_FromStringAndSize(<const char *>answer.reply, 32 + WORD * answer.reply.words)
        return b""
    finally:
        free(answer.error)
        free(answer.reply)


cdef list take_events(void *connection, int damage_kind, int leap, Damage *damage):
    """What `events` returns first; adds up the damage."""
    cdef Packet *event
    cdef const DamageNotify *told
    cdef list others = []
    while True:
        event = xcb_poll_for_event(connection)
        if event == NULL:
            return None if xcb_connection_has_error(connection) else others
        try:
            if (event.kind & ~SENT) == damage_kind:
                told = <const DamageNotify *>event
                if damage.known and (
                    damage.y - told.y > leap or told.y + told.height - damage.y - damage.height > leap
                ):
                    damage.leapt = True
                damage.known = True
                damage.x, damage.y, damage.width, damage.height = told.x, told.y, told.width, told.height
            elif event.kind:
                others.append(PyBytes_FromStringAndSize(<const char *>event, 32))
        finally:
            free(event)


cdef Damage known_damage(told):
    cdef Damage damage
    damage.known = told is not None
    damage.leapt = False
    damage.x = damage.y = damage.width = damage.height = 0
    if damage.known:
        damage.x, damage.y, damage.width, damage.height = told
    return damage


cdef tuple last_told(Damage damage):
    return (damage.x, damage.y, damage.width, damage.height) if damage.known else None


# What `events` returns of a connection that has an error.
cdef tuple LOST = (None, None, False)


def events(Link link not None, int damage_kind, told, int leap):
    """What has arrived by now.

    A large change makes many events of damage, so these are summed up: of interest are the last rectangle, and whether
    one of them was more than `leap` rows beyond the one before it at once.

    Parameters
    ----------
    damage_kind
        The code of such events; negative: there are none.
    told
        The rectangle (x, y, width, height) of the last one before these; `None`: there was none.

    Returns
    -------
    The other events, 32 bytes each, without the errors of requests that nobody checks, `None`: the connection has an
    error; the last rectangle, or `None`; whether it leapt.
    """
    cdef Damage damage = known_damage(told)
    others = take_events(link.xcb(), damage_kind, leap, &damage)
    return others, last_told(damage), bool(damage.leapt)


cdef class ChangesRequest:
    """Damage, and the pixels of the rows that it is expected in, asked for at once and taken in at once.

    Each `ask` that has asked is followed by `receive` until that gives something, or the connection is of no more use.

    Parameters
    ----------
    damage_kind, leap
        As for `events`.
    take, fetch, image
        The requests, each an opcode, its second byte and what follows its length: to take the damage (which has no
        reply), to tell it, and for pixels (MIT-SHM's GetImage), of which the place is filled in.
    """

    cdef int damage_kind, leap
    cdef Request taking, fetching, reading
    cdef ShmGetImage image
    cdef tuple payloads
    # What was asked for: the numbers of the requests, the picture on the screen, and the rows of it.
    cdef unsigned int fetched, read
    cdef int x, y, width, height, first, end

    def __cinit__(self, int damage_kind, int leap, tuple take, tuple fetch, tuple image):
        self.damage_kind, self.leap = damage_kind, leap
        self.payloads = take[2], fetch[2], image[2]
        self.taking, self.fetching, self.reading = request_of(take), request_of(fetch), request_of(image)
        if self.reading.size != sizeof(ShmGetImage):
            raise ValueError("the request for pixels must be MIT-SHM's GetImage")
        self.image = (<const ShmGetImage *>self.reading.payload)[0]
        self.reading.payload = &self.image

    def ask(self, Link link not None, told, area, uint32_t segment, int first, int end, int gap):
        """Take in what has arrived, and if that is damage only, ask at once for it and for the pixels of its rows.

        Nothing is asked where there is anything else to decide: where there are other events, where there is no damage
        in the picture, and where it leapt or is `gap` rows or more away from other rows that are wanted.

        Parameters
        ----------
        told
            As for `events`.
        area, segment
            The picture on the screen, and the memory that holds it: its rows without gaps, from the first byte on.
        first, end
            Rows of the picture that are wanted as well.

        Returns
        -------
        As `events`, and the first and the end of the rows asked for, or `None`.
        """
        cdef Damage damage = known_damage(told)
        cdef unsigned int taken
        cdef void *connection
        cdef int top, bottom
        cdef list others = take_events(link.xcb(), self.damage_kind, self.leap, &damage)
        told = last_told(damage)
        if others is None or others or not damage.known or damage.leapt:
            return others, told, bool(damage.leapt), None
        self.x, self.y, self.width, self.height = area
        top, bottom = max(damage.y - self.y, 0), min(damage.y + damage.height - self.y, self.height)
        if top >= bottom or damage.x >= self.x + self.width or damage.x + damage.width <= self.x:
            return others, told, False, None
        if first < end:
            if top - end >= gap or first - bottom >= gap:
                return others, told, False, None
            top, bottom = min(top, first), max(bottom, end)
        self.first, self.end = top, bottom
        self.image.x, self.image.y = self.x, self.y + top
        self.image.width, self.image.height = self.width, bottom - top
        self.image.segment, self.image.offset = segment, PIXEL * self.width * <uint32_t>top
        connection = link.enter()
        with nogil:
            taken = queue(connection, &self.taking, 0, True, -1)
            self.fetched = queue(connection, &self.fetching, CHECKED, False, -1)
            self.read = queue(connection, &self.reading, CHECKED, False, -1)
            xcb_flush(connection)
        link.leave()
        if not (taken and self.fetched and self.read):
            return None, told, False, None
        return others, None, False, (top, bottom)

    def receive(self, Link link not None, double patience):
        """Take in what `ask` has asked for, as patiently as `reply`, and what has happened until that was read.

        Returns
        -------
        `None`: not all is here yet. Or:

        - the 32 bytes of an error, which then is all there is to learn, or empty bytes;
        - the changed rectangles that lie in the picture, cut to it, in its own pixels: 8 bytes each, x, y, width and
          height as in X's rectangles;
        - whether all of these lie in the rows that were read;
        - what `events` returns of what has happened meanwhile, `None` the connection is lost.
        """
        cdef Answer damage, pixels
        cdef Damage meanwhile = known_damage(None)
        cdef list others
        cdef void *connection = link.enter()
        with nogil:
            # It is answered last.
            pixels = poll(connection, self.read, patience)
            if pixels.known:
                damage = poll(connection, self.fetched, patience)
        link.leave()
        if not pixels.known:
            return None
        try:
            if damage.error != NULL or pixels.error != NULL:
                return bytes_of_error(damage.error if damage.error != NULL else pixels.error), b"", False, LOST
            if damage.reply == NULL or pixels.reply == NULL:
                return b"", b"", False, LOST
            changed, inside = self.cut(<const Region *>damage.reply)
        finally:
            free(damage.reply)
            free(damage.error)
            free(pixels.reply)
            free(pixels.error)
        others = None if link.connection == NULL else take_events(link.connection, self.damage_kind, self.leap, &meanwhile)
        return b"", changed, inside, (others, last_told(meanwhile), bool(meanwhile.leapt))

    cdef tuple cut(self, const Region *region):
        """The rectangles that `receive` returns, and whether they lie in the rows."""
        cdef const Rectangle *told = <const Rectangle *>(region + 1)
        cdef size_t i, kept = 0, count = region.head.words * WORD // sizeof(Rectangle)
        cdef bint inside = True
        cdef int left, top, right, bottom
        cdef bytes changed = PyBytes_FromStringAndSize(NULL, count * sizeof(Rectangle))
        cdef Rectangle *places = <Rectangle *>PyBytes_AS_STRING(changed)
        for i in range(count):
            left, top = max(told[i].x - self.x, 0), max(told[i].y - self.y, 0)
            right = min(told[i].x + told[i].width - self.x, self.width)
            bottom = min(told[i].y + told[i].height - self.y, self.height)
            if left < right and top < bottom:
                inside = inside and self.first <= top and bottom <= self.end
                places[kept] = Rectangle(left, top, right - left, bottom - top)
                kept += 1
        return changed[:kept * sizeof(Rectangle)], inside


def discard(Link link not None, unsigned int sequence):
    """Let go of a reply, whether it is here or not."""
    xcb_discard_reply(link.xcb(), sequence)
