"""Lets `python -m pgfeed` run the command line."""

from pgfeed.cli import main

main()
