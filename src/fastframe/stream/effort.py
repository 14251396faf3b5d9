"""How hard to try for a line: few bytes matter on a slow one, and little time on a fast one."""

from fastframe.stream.flow import FlowControl

# Bytes a second below which the least bytes are worth the time that "tight" takes, and above which bytes matter little.
TIGHT_BELOW = 2e6 / 8
FAST_ABOVE = 200e6 / 8
EFFORTS = ("tight", "balanced", "fast")


def effort_for(line: FlowControl, before: str) -> str:
    """The effort that suits a line; while nothing tells against the one before, that one."""
    bandwidth = line.bandwidth
    if bandwidth is None:
        return before
    effort = "tight" if bandwidth < TIGHT_BELOW else "fast" if bandwidth > FAST_ABOVE else "balanced"
    # Of a line that is not known yet, only that it carries so much at least.
    return effort if line.known else max(before, effort, key=EFFORTS.index)
