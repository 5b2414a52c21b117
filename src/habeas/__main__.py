"""`python -m habeas`."""

from habeas.cli.main import main

main()
