"""`chymist studio`; imports no torch, so that it is there at once."""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from chymist.cli.streams import print_json, silence_output
from chymist.cli.terminal import Screen, counted
from chymist.errors import InputError
from chymist.studio.folders import Folders
from chymist.studio.server import listen, serve
from chymist.studio.site import Site

USUAL = "runs"  # where `chymist fit` puts its runs


def studio(options: argparse.Namespace) -> int:
    """`chymist studio`: serve until Ctrl-C."""
    screen = Screen(options.quiet, options.json)
    folders = _folders(options.runs)
    with listen(options.port) as listening:
        site = Site(tuple(folders), listening.getsockname()[1], told=_aside(screen))
        address = site.address

        def opened() -> None:
            count = len(Folders(folders).all())
            screen.line("Studio", address, result=True)
            screen.line("Runs", f"{counted(count, 'run')} in {_named(folders)}" if count else
                        f"none yet in {_named(folders)}; they appear when they begin")  # fmt: skip
            screen.line("Ends", "with Ctrl-C; runs that train go on")
            if options.json:
                print_json({"address": address, "port": site.port, "runs": count})
            sys.stdout.flush()
            if options.open:
                Thread(target=webbrowser.open, args=[address], daemon=True).start()

        serve(site, listening, opened)
    return 0


def _folders(given: list[str]) -> list[Path]:
    """The folders that were named; each of them is there."""
    for name in given:
        if not Path(name).is_dir():
            found = "a file" if Path(name).exists() else "nothing there"
            raise InputError("no such folder", where=name, received=found,
                             do="name a run folder, or one that holds run folders")  # fmt: skip
    return [Path(name) for name in given or [USUAL]]


def _named(folders: list[Path]) -> str:
    more = f" and {len(folders) - 1} more" if len(folders) > 1 else ""
    return f"{folders[0]}{more}"


def _aside(screen: Screen) -> Callable[[str], None]:
    """Tells the next address; a terminal that is stopped or gone must not stop the server."""

    def told(address: str) -> None:
        try:
            screen.line("Again", f"{address} opens another browser", result=True)
        except (OSError, ValueError):
            silence_output()

    return lambda address: Thread(target=told, args=[address], daemon=True).start()
