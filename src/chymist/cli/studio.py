"""`chymist studio`."""

from __future__ import annotations

import argparse
from pathlib import Path

from chymist.cli.commands import emit, screen_of
from chymist.studio.server import serve
from chymist.studio.site import Site


def studio(options: argparse.Namespace) -> int:
    """`chymist studio`: serve until Ctrl-C."""
    screen = screen_of(options)

    def opened(site: Site) -> None:
        screen.line("Studio", site.address, result=True)
        screen.line("Ends", "with Ctrl-C; runs that train go on")
        if options.json:
            emit({"address": site.address, "port": site.port})

    serve([Path(run) for run in options.runs], options.port, opened)
    return 0


STUDIO = {"studio": studio}
