"""How numbers read on the terminal."""


def byte_count(value: float) -> str:
    """A number of bytes in three or four digits, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def share(part: float, whole: float) -> str:
    """A part of the whole in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def ratio(value: float) -> str:
    """How many times smaller, as `1 : 250`."""
    return f"1 : {value:.0f}" if value >= 100 else f"1 : {value:.1f}"
