"""`python -m fastframe` is the same as `fastframe`."""

from fastframe.cli import main

main()
