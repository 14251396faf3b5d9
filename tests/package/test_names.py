"""What the package names is there, whether it is loaded at once or when it is first asked for."""

import subprocess
import sys

import pytest

import fastframe


def test_every_name_is_there() -> None:
    for name in fastframe.__all__:
        assert getattr(fastframe, name) is not None
        assert name in dir(fastframe)
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        fastframe.Nothing  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "first",
    [
        "from fastframe import *; Encoder, Decoder",
        "from fastframe import codec; codec.Encoder",
        "import fastframe; fastframe.codec.encoder.Encoder",
        "import fastframe; fastframe.Encoder is fastframe.codec.Encoder or 1 / 0",
        "import pickle, fastframe; pickle.loads(pickle.dumps(fastframe.EncoderConfig()))",
    ],
)
def test_the_codec_is_there_whatever_is_asked_for_first(first: str) -> None:
    result = subprocess.run([sys.executable, "-W", "error", "-c", first], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
