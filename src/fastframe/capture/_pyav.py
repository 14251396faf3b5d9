"""PyAV is there only with the extra `cli`; functions that use it call `require()` and import it
afterwards."""

from fastframe.errors import FastframeError


def require() -> None:
    """Make sure that PyAV can be imported.

    Raises
    ------
    FastframeError
        It is not installed; the message tells how to install it.
    """
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise FastframeError("videos and PNG files need PyAV: pip install 'fastframe[cli]'") from error
