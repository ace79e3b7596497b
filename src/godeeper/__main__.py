"""`python -m godeeper` is the command line."""

from .cli.main import main

main()
