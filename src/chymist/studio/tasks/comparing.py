"""Comparisons of runs, and the pages of studies: what the reports say, part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from chymist.reports.saying import LANGUAGES, saying
from chymist.reports.study_parts import seeds_caution
from chymist.verbs.comparing_runs import RunComparison, compare_runs
from chymist.verbs.study_pages import runs_page
from chymist.verbs.study_reports import page_of_folder


def compare(folders: Sequence[str], lang: str = "en") -> Iterator[Any]:
    """Compare runs: of two what `chymist compare-runs` says, of more all pairs of them.

    Args:
        folders: of the runs.
        lang: "en" or "zh".
    """
    lang = lang if lang in LANGUAGES else "en"
    found = compare_runs(folders[0], *folders[1:])
    if isinstance(found, RunComparison):
        caution = "" if found.differs.keys() <= {"seed"} else str(seeds_caution(1, saying(lang)))
        page = runs_page(found.to_dict(), found.curves, lang)
    else:
        caution, page = "", found.page(lang)
    command = f"chymist compare-runs {' '.join(folders)}" if len(folders) == 2 else None
    yield {**found.to_dict(), **parts_of(page), "caution": caution, "command": command}


def study(folder: str, lang: str = "en") -> Iterator[Any]:
    """The report of a study's folder.

    Args:
        folder: of a comparison, cross-validation, search, race or population.
        lang: "en" or "zh".
    """
    yield parts_of(page_of_folder(Path(folder), lang if lang in LANGUAGES else "en"))


def parts_of(page: str) -> dict[str, Any]:
    """What a page of the studio takes of a report: its heading, its sections, its script.

    Example:
        >>> parts_of('<h1>A</h1><main><section id="again"><pre>x &lt; 1</pre></section></main>')
        {'title': 'A', 'html': '', 'script': 'x < 1'}
    """
    title, main = _between(page, "<h1>", "</h1>"), _between(page, "<main>", "</main>")
    again = re.search(r'<section[^>]*\bid="again".*?</section>', main, re.DOTALL)
    text = again.group() if again else ""
    blocks = re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.DOTALL)
    script = unescape(re.sub(r"<[^>]*>", "", blocks[-1])) if blocks else ""
    return {"title": unescape(re.sub(r"<[^>]*>", "", title)), "html": main.replace(text, ""),
            "script": script}  # fmt: skip


def _between(text: str, start: str, stop: str) -> str:
    return text.partition(start)[2].partition(stop)[0]
