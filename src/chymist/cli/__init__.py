"""The command line: parses, prints, answers with an exit code; it has no logic of its own.

Exit codes: 0 ok, 1 the input is wrong, 2 usage, 3 diverged, 4 out of memory, 5 disk full,
130 interrupted and saved.
"""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
from collections.abc import Sequence

from chymist.cli.options import VERBS, build_parser, parse
from chymist.cli.streams import (
    OUTPUT_LOST,
    flush_output,
    prepare_streams,
    print_json,
    silence_output,
)
from chymist.errors import (
    ChymistError,
    DiskFull,
    InputError,
    Interrupted,
    OutOfMemory,
    UsageError,
    printable,
)

NO_MEMORY = ("not enough memory", "can't allocate memory")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after `chymist`; those of the process by default.

    Returns:
        The exit code.

    Example:
        >>> main(["--version"]).bit_length()
        chymist 0.1.0
        0
    """
    words = list(sys.argv[1:] if argv is None else argv)
    prepare_streams()
    try:
        code = run(words)
        flush_output()
        return code
    except BrokenPipeError:  # the reader of a pipe has gone, for example `| head`
        silence_output()
        return 0
    except KeyboardInterrupt:
        return fail(Interrupted("stopped at once", do="what was saved before is kept"), words)
    except Exception as error:  # the one catch-all: a user never sees a traceback unasked
        return fail(as_chymist(error), words)


def run(words: Sequence[str]) -> int:
    """Parse and carry out one command."""
    if not words:
        build_parser().print_help()
        return 0
    options = parse(words)
    if options.version:
        from chymist import __version__

        print(f"chymist {__version__}")
        return 0
    if options.verb is None:
        raise UsageError("no verb", do="known: " + ", ".join(VERBS))
    options.words = words
    if options.verb == "studio":  # it needs no torch, and is there at once
        from chymist.cli.studio import studio

        return studio(options)
    from chymist.cli.classical import CLASSICAL
    from chymist.cli.commands import COMMANDS
    from chymist.cli.comparing import COMPARING
    from chymist.cli.curving import CURVING
    from chymist.cli.diagnosing import DIAGNOSING
    from chymist.cli.explaining import EXPLAINING
    from chymist.cli.forecasting import FORECASTING
    from chymist.cli.images import IMAGES
    from chymist.cli.layers import LAYERS
    from chymist.cli.logs import LOGS
    from chymist.cli.networks import NETWORKS
    from chymist.cli.racing import RACING
    from chymist.cli.reaching import REACHING
    from chymist.cli.steering import STEERING

    known = {
        **COMMANDS, **COMPARING, **CURVING, **DIAGNOSING, **FORECASTING, **NETWORKS, **RACING,
        **REACHING, **CLASSICAL, **IMAGES, **EXPLAINING, **LOGS, **LAYERS, **STEERING,
    }  # fmt: skip
    return known[options.verb](options)


def fail(error: ChymistError, words: Sequence[str]) -> int:
    """Print an error as one line (or one JSON object) and return its exit code.

    What could not be written to standard output is itself an error, said on the other stream.
    """
    try:
        if "--json" in words and error.code != OUTPUT_LOST:
            print_json({"error": error.to_dict()})
        flush_output()
    except BrokenPipeError:
        silence_output()
    except DiskFull as lost:
        error = lost
    with contextlib.suppress(OSError):  # standard error may be closed or full as well
        if "--json" not in words or error.code == OUTPUT_LOST:
            print(f"chymist: {error.line()}", file=sys.stderr)
        if "--debug" in words:
            traceback.print_exception(error)
    return error.exit_code


def as_chymist(error: Exception) -> ChymistError:
    """Any exception as an error that can be said in one line."""
    text = printable(str(error).strip().split("\n")[0])[:160]
    found: ChymistError
    if isinstance(error, ChymistError):
        return error
    if isinstance(error, MemoryError) or any(sign in text for sign in NO_MEMORY):
        found = OutOfMemory("not enough memory", received=text,
                            do="make the batch or the model smaller")  # fmt: skip
    elif isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        found = DiskFull(
            "the disk is full",
            where=str(error.filename or ""),
            received=str(error.strerror),
            do="free some space",
        )
    elif isinstance(error, OSError):
        found = InputError(
            str(error.strerror or text).lower(),
            where=str(error.filename or ""),
            received=type(error).__name__,
            do="check the path and its permissions",
        )
    else:
        found = InputError(
            "something unforeseen went wrong",
            received=f"{type(error).__name__}: {text}",
            do="run again with --debug and report what it prints",
            code="unforeseen",
        )
    found.__cause__ = error
    return found
