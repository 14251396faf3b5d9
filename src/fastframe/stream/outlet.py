"""What one viewer gets of one display: where packets come from is left to subclasses."""

import math

from fastframe.stream.delivery import Delivery
from fastframe.stream.flow import FlowControl


class Outlet:
    """What one viewer gets of one display."""

    def __init__(self, display: int, flow: FlowControl, last: tuple[int, int] | None) -> None:
        self.display = display
        self.delivery = Delivery(flow, last)
        self.needs_keyframe = True
        self.keyframe_at = -math.inf
        self.sent_at = -math.inf
        self.resends = 0
        # Whether somebody was told that there is room.
        self.wanted = False

    def restart(self) -> None:
        """What was not acknowledged is given up: the next packet is a keyframe."""
        self.delivery.abandon()
        self.needs_keyframe = True
        self.wanted = False

    def forget(self) -> None:
        """Keeps no pixel any more: the consent has gone."""
        self.restart()
