"""Entry of the command line: `coterie`, or `python -m coterie`."""

import signal


def main() -> None:
    """Run the command line. Ctrl-C ends it at once, unless a run is to be stopped cleanly.

    An exception instead would be a traceback while modules are imported, and could be lost in a
    library that catches too much.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from coterie.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
