"""A font of 5x7 pixels, enough to label a picture without another dependency.

Capital letters stand for small ones too. A glyph is seven rows from top to bottom, each a number of five bits
whose highest is the leftmost pixel.
"""

import numpy as np
import numpy.typing as npt

GLYPH_WIDTH, GLYPH_HEIGHT = 5, 7

_GLYPHS = {
    "0": "0E 11 13 15 19 11 0E",
    "1": "04 0C 04 04 04 04 0E",
    "2": "0E 11 01 02 04 08 1F",
    "3": "1F 02 04 02 01 11 0E",
    "4": "02 06 0A 12 1F 02 02",
    "5": "1F 10 1E 01 01 11 0E",
    "6": "06 08 10 1E 11 11 0E",
    "7": "1F 01 02 04 08 08 08",
    "8": "0E 11 11 0E 11 11 0E",
    "9": "0E 11 11 0F 01 02 0C",
    "A": "0E 11 11 1F 11 11 11",
    "B": "1E 11 11 1E 11 11 1E",
    "C": "0E 11 10 10 10 11 0E",
    "D": "1C 12 11 11 11 12 1C",
    "E": "1F 10 10 1E 10 10 1F",
    "F": "1F 10 10 1E 10 10 10",
    "G": "0E 11 10 17 11 11 0F",
    "H": "11 11 11 1F 11 11 11",
    "I": "0E 04 04 04 04 04 0E",
    "J": "07 02 02 02 02 12 0C",
    "K": "11 12 14 18 14 12 11",
    "L": "10 10 10 10 10 10 1F",
    "M": "11 1B 15 15 11 11 11",
    "N": "11 19 15 13 11 11 11",
    "O": "0E 11 11 11 11 11 0E",
    "P": "1E 11 11 1E 10 10 10",
    "Q": "0E 11 11 11 15 12 0D",
    "R": "1E 11 11 1E 14 12 11",
    "S": "0F 10 10 0E 01 01 1E",
    "T": "1F 04 04 04 04 04 04",
    "U": "11 11 11 11 11 11 0E",
    "V": "11 11 11 11 11 0A 04",
    "W": "11 11 11 15 15 15 0A",
    "X": "11 11 0A 04 0A 11 11",
    "Y": "11 11 0A 04 04 04 04",
    "Z": "1F 01 02 04 08 10 1F",
    " ": "00 00 00 00 00 00 00",
    ".": "00 00 00 00 00 0C 0C",
    ",": "00 00 00 00 0C 04 08",
    ":": "00 0C 0C 00 0C 0C 00",
    "%": "18 19 02 04 08 13 03",
    "-": "00 00 00 1F 00 00 00",
    "_": "00 00 00 00 00 00 1F",
    "/": "01 01 02 04 08 10 10",
    "(": "02 04 08 08 08 04 02",
    ")": "08 04 02 02 02 04 08",
    "?": "0E 11 01 02 04 00 04",
}


def text_width(text: str, scale: int) -> int:
    """The width of a line of text in pixels, with the gap behind it."""
    return len(text) * (GLYPH_WIDTH + 1) * scale


def draw_text(
    picture: npt.NDArray[np.uint8], x: int, y: int, text: str, color: tuple[int, int, int], scale: int
) -> None:
    """Draw a line of text with its upper left corner at (x, y); what does not fit into the picture is cut.

    Characters that the font lacks show as question marks.
    """
    for character in text.upper():
        rows = _GLYPHS.get(character, _GLYPHS["?"]).split()
        bits = np.array([[int(row, 16) >> bit & 1 for bit in range(GLYPH_WIDTH - 1, -1, -1)] for row in rows])
        large = bits.astype(bool).repeat(scale, 0).repeat(scale, 1)
        area = picture[y : y + large.shape[0], x : x + large.shape[1]]
        area[large[: area.shape[0], : area.shape[1]]] = color
        x += text_width(character, scale)
