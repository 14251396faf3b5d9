"""Names of files, displays and windows in messages: who chose them may have put anything into them."""


def shown(name: object) -> str:
    """A name as a line of text can hold it: in quotes, with escapes, where it would break the line or is not all text.

    (Names of files that are no UTF-8 are text to Python, but no output takes it.)
    """
    text = str(name)
    return text if text.isprintable() else repr(text)
