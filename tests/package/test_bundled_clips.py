"""The clips that come with the package are found where it is installed, and every frame decodes."""

import av
import pytest

from fastframe import fixtures


def test_there_is_a_clip() -> None:
    assert fixtures.names()


@pytest.mark.parametrize("name", fixtures.names())
def test_every_frame_of_a_clip_decodes(name: str) -> None:
    with av.open(str(fixtures.path(name))) as container:
        shapes = [(frame.height, frame.width, frame.format.name) for frame in container.decode(video=0)]
    assert len(shapes) >= 45
    assert set(shapes) == {(1080, 1920, "gbrp")}


def test_an_unknown_clip_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(FileNotFoundError, match=r"'nowhere'.*writer_typing"):
        fixtures.path("nowhere")
