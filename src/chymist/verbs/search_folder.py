"""The folder of a search: its numbers, the best recipe, and the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chymist.engine.files import write_file
from chymist.engine.folder import whole_folder, write_json
from chymist.evidence.searches import Search
from chymist.space import text_of_axis
from chymist.values import Data
from chymist.verbs.histories import write_curves
from chymist.verbs.study_origin import about
from chymist.verbs.study_pages import search_page, write_page


def write_search(out: Path, found: Search, data: Data, command: str) -> Path:
    """Write a search as a folder: search.json, best.toml, report.html.

    Args:
        out: the folder, absent or empty.
        found: the search.
        data: its data.
        command: how the best is trained; `{}` in it stands for the path of best.toml.

    Returns:
        The path of the report.

    Raises:
        InputError: the folder is taken or not writable.
    """
    told = {**found.how, "best": command.format(out / "best.toml")}
    found = replace(found, how={"data": about(data), **told})
    plain = {
        **found.to_dict(),
        "space": {name: text_of_axis(axis) for name, axis in found.space.items()},
    }
    with whole_folder(out) as draft:
        write_json(draft / "search.json", plain)
        write_file(draft / "best.toml", found.best.to_toml().encode())
        write_curves(draft, found.curves)
        write_page(draft, search_page(plain, found.curves))
    return out / "report.html"
