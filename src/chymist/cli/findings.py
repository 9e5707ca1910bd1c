"""How findings are printed, in English or Chinese."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chymist.cli.terminal import Progress, Screen
from chymist.doctor.finding import Finding
from chymist.doctor.texts import CODES
from chymist.errors import printable


def language_of(given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """The language of titles and remedies: as given, else that of the locale.

    Args:
        given: `--lang`, or None.
        environment: of the process.

    Example:
        >>> language_of(None, {"LANG": "zh_CN.UTF-8"}), language_of(None, {"LANG": "C"})
        ('zh', 'en')
    """
    if given:
        return given
    named = (environment.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "zh" if next(filter(None, named), "").lower().startswith("zh") else "en"


def finding_lines(finding: Finding, language: str) -> list[tuple[str, str]]:
    """A finding as labelled lines; the claim stays English, as its evidence does."""
    text = CODES.get(finding.code, {}).get(language)
    chinese = language != "en" and text is not None
    title = f" {text.title}" if chinese and text else ""
    lines = [("Finding", f"{finding.level}  {finding.code}{title}: {finding.claim}")]
    if chinese and text:
        lines.append(("Remedy", text.remedy))
    elif finding.remedy is not None:
        changes = ", ".join(f"{k} = {v}" for k, v in finding.remedy.changes.items())
        lines.append(("Remedy", finding.remedy.words + (f" ({changes})" if changes else "")))
    return lines


def print_findings(screen: Screen, findings: Iterable[Finding], language: str) -> None:
    """Findings with their remedies; a symptom alone is left to `diagnose`."""
    for finding in findings:
        if finding.level != "observation":
            for label, text in finding_lines(finding, language):
                screen.line(label, text)


def teller(screen: Screen, progress: list[Progress], language: str) -> Callable[[Finding], Any]:
    """Prints a finding when it arises, above the progress line if there is one."""

    def tell(finding: Finding) -> None:
        bar = progress[-1].bar if progress else None
        if bar is None:
            print_findings(screen, [finding], language)
            return
        for label, text in finding_lines(finding, language):
            bar.live.console.out(f"{label:<8}{printable(text)}", highlight=False)

    return tell
