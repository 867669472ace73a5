"""`python -m sarcube`: the same program as `sarcube`."""

from sarcube.cli import main

main()
