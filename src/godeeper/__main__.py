"""`python -m godeeper`, and `godeeper`, are the command line."""

import sys


def run() -> None:
    """Runs a command and exits with its status; Ctrl-C while the command line is still being imported is a line, too."""
    try:
        from .cli.main import main

        main()
    except KeyboardInterrupt:
        sys.stderr.write("godeeper: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
