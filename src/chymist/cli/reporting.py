"""What commands have in common that write reports."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import chymist as cy
from chymist.cli.findings import language_of
from chymist.cli.terminal import Screen
from chymist.errors import printable

PLACES = ("--out", "--report")  # options that say where, and change no number
SILENT = ("--json", "--quiet", "--debug", "--explain-plan")


def command_again(options: argparse.Namespace) -> str:
    """The command that was given, without what says where and how to print.

    Example:
        >>> command_again(argparse.Namespace(words=["cv", "my file.csv", "--out", "a", "--json"]))
        "chymist cv 'my file.csv'"
    """
    kept, skipped = ["chymist"], False
    for word in getattr(options, "words", []):
        if skipped:
            skipped = False
        elif word in PLACES:
            skipped = True
        elif word not in SILENT and not word.startswith(tuple(f"{name}=" for name in PLACES)):
            kept.append(printable(word))
    return shlex.join(kept)


def in_language(folder: Path) -> None:
    """Write the report of a study anew if the locale's language is another than English."""
    language = language_of(None)
    if language != "en":
        cy.report(folder, lang=language)


def written(options: argparse.Namespace, screen: Screen, found: Any) -> str:
    """Write `--report FILE.html`; returns its path.

    Args:
        options: with `report`, and `lang` if the verb has it.
        screen: where to say so.
        found: what the report is about.
    """
    path = cy.report(found, options.report, language_of(getattr(options, "lang", None)))
    screen.line("Report", str(path), result=True)
    return str(path)
