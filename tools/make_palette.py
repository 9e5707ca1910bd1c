"""Make the tables and pictures of `docs/palette.md`: `.venv/bin/python tools/make_palette.py`."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from chymist import losses
from chymist.parts import Definition, part, registered
from chymist.reports.charts import Line, line_chart
from chymist.reports.markup import Markup
from chymist.reports.part_pictures import picture_of
from chymist.reports.style import as_file

DOCS = Path(__file__).parent.parent / "docs"
KINDS = {
    "activation": "Activations", "loss": "Losses", "init": "Initial weights",
    "penalty": "Penalties", "schedule": "Schedules", "clip": "Clipping",
}  # fmt: skip
OF_PAIRS = (losses.contrastive, losses.triplet, losses.n_pair, losses.reconstruction)
START, END = "<!-- made by tools/make_palette.py -->", "<!-- end -->"


def tables() -> str:
    """All small parts by kind, with what they are and their options."""
    lines = []
    for kind, title in KINDS.items():
        lines += ["", f"## {title}", "", "| name | what it is | options |", "|---|---|---|"]
        lines += [_row(name, entry) for name, entry in sorted(registered(kind).items())]
    lines += ["", "## Losses of pairs and triplets, for loops of your own (`cy.losses`)", ""]
    lines += ["| name | what it is |", "|---|---|"]
    lines += [f"| `{one.__name__}` | {_cell(inspect.getdoc(one))} |" for one in OF_PAIRS]
    return "\n".join([*lines, ""])


def _row(name: str, entry: Definition) -> str:
    given = ", ".join(f"{option}={p.default!r}" for option, p in entry.options.items())
    given = re.sub(r"\d\.\d{5,}", lambda found: f"{float(found.group()):.4g}", given)
    return f"| `{name}` | {_cell(inspect.getdoc(entry.build))} | {given and f'`{given}`'} |"


def _cell(text: str | None) -> str:
    return (text or "").partition("\n")[0].replace("|", "\\|")


def picture(kind: str, names: tuple[str, str, str], title: str) -> Markup:
    """Three parts of a kind over one axis."""
    found = [one for name in names if (one := picture_of(part(kind, name)))]
    lines = [
        Line(name, one.lines[0].x, one.lines[0].y, style)
        for name, one, style in zip(names, found, ("s2", "s1", "s3"), strict=True)
    ]
    return line_chart(title, lines, found[0].x_title, found[0].y_title, zero=True)


def main() -> None:
    """Write the tables into the page, and the pictures beside it."""
    page = DOCS / "palette.md"
    before, _, rest = page.read_text("utf-8").partition(START)
    page.write_text(f"{before}{START}\n{tables()}\n{END}{rest.partition(END)[2]}", "utf-8")
    pieces = {
        "activations": picture("activation", ("relu", "tanh", "gelu"), "Three activations"),
        "losses": picture("loss", ("half_squared", "mae", "huber"), "Three losses of values"),
        "losses-classes": picture("loss", ("cross_entropy", "focal", "dice"), "Losses of classes"),
    }
    for name, piece in pieces.items():
        (DOCS / "pictures" / f"{name}.svg").write_text(as_file(piece), encoding="utf-8")


if __name__ == "__main__":
    main()
