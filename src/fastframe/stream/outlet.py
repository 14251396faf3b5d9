"""What one viewer gets of one display: where packets come from is left to subclasses."""

import math

from fastframe.stream.delivery import Delivery
from fastframe.stream.flow import FlowControl

# Over unreliable transports packets are sent again without an acknowledgement for so long, and so many round trips.
RESEND_AFTER = 0.5
RESEND_ROUND_TRIPS = 3.0
RESEND_AT_MOST_AFTER = 8.0


class Outlet:
    """What one viewer gets of one display."""

    def __init__(self, display: int, flow: FlowControl, last: tuple[int, int] | None) -> None:
        self.display = display
        # In pixels, as the viewer is told.
        self.width = self.height = 0
        self.delivery = Delivery(flow, last)
        self.needs_keyframe = True
        self.keyframe_at = -math.inf
        self.sent_at = -math.inf
        self.resends = 0
        # Whether somebody was told that there is room.
        self.wanted = False

    def late(self, now: float, rtt: float | None) -> tuple[list[bytes], float]:
        """The packets that have not been acknowledged for too long, for once more; and when to look again."""
        oldest = self.delivery.oldest_at
        if oldest is None:
            return [], math.inf
        packets: list[bytes] = []
        patience = max(RESEND_AFTER, RESEND_ROUND_TRIPS * (rtt or 0.0)) * 2**self.resends
        patience = min(patience, RESEND_AT_MOST_AFTER)
        if now >= oldest + patience - 1e-9:
            self.resends = min(self.resends + 1, 10)
            oldest = now
            # The oldest may be all that is missing; if that did not help, the others go out once more as well.
            packets = self.delivery.late(now, everything=self.resends > 1)
        return packets, oldest + patience

    def restart(self) -> None:
        """What was not acknowledged is given up: the next packet is a keyframe."""
        self.delivery.abandon()
        self.needs_keyframe = True
        self.wanted = False

    def forget(self) -> None:
        """Keeps no pixel any more: the consent has gone."""
        self.restart()
