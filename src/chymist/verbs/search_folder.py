"""The folder of a search: its numbers, the best recipe, and the report."""

from __future__ import annotations

from pathlib import Path

from chymist.engine.files import write_file
from chymist.engine.folder import whole_folder, write_json
from chymist.evidence.searches import Search
from chymist.reports.about_search import search_html
from chymist.space import text_of_axis
from chymist.values import Data


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
    page = search_html(found, data, command.format(out / "best.toml"))
    plain = {
        **found.to_dict(),
        "space": {name: text_of_axis(axis) for name, axis in found.space.items()},
        "data": {"name": data.name, "fingerprint": data.fingerprint, "source": data.source},
    }
    with whole_folder(out) as draft:
        write_json(draft / "search.json", plain)
        write_file(draft / "best.toml", found.best.to_toml().encode())
        write_file(draft / "report.html", page.encode())
    return out / "report.html"
