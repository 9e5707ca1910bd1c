"""`report`: one HTML file about a run, a study, or what the doctor found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chymist.engine.files import write_file
from chymist.engine.imported import is_imported
from chymist.engine.kinds import KINDS
from chymist.engine.stored import read_json
from chymist.errors import InputError, UsageError, nearest
from chymist.evidence.optimizer_races import Race
from chymist.evidence.searches import Search
from chymist.reports.notebook import glance, linked
from chymist.reports.saying import LANGUAGES
from chymist.values import Data, Run
from chymist.verbs.comparing_runs import RunComparison
from chymist.verbs.comparison import Comparison
from chymist.verbs.diagnosing import Diagnosis
from chymist.verbs.diagnosis_pages import diagnosis_page, fixed_page
from chymist.verbs.fixing import Fixed
from chymist.verbs.histories import read_curves
from chymist.verbs.importing import ImportedLog, load_imported, page_of
from chymist.verbs.populating import Population
from chymist.verbs.records import load_run
from chymist.verbs.reporting import report_page
from chymist.verbs.study_pages import (
    PAGE,
    comparison_page,
    cross_validation_page,
    population_page,
    race_page,
    runs_page,
    search_page,
)
from chymist.verbs.validation import CrossValidation
from chymist.verbs.writing import place_of_file

Page = Callable[..., str]

if TYPE_CHECKING:
    Place = Path
else:
    Place = type(Path())  # Python 3.11 has no subclasses of Path itself


class ReportPath(Place):
    """The path of a report; a notebook shows what it says, as long as it is there."""

    def with_segments(self, *segments: str | Path) -> Path:
        """What is beside the report is an ordinary path."""
        return Path(*segments)

    def _repr_html_(self) -> str | None:
        if self.suffix != ".html" or not self.is_file():  # a folder above it, in Python 3.11
            return None
        whole, here = self.absolute(), Path.cwd()
        beside = whole.relative_to(here).as_posix() if whole.is_relative_to(here) else ""
        return linked(str(self), quote(beside)) + glance(self.read_text("utf-8"))


PAGES: Mapping[str, Page] = {
    "cv.json": cross_validation_page, "comparison.json": comparison_page,
    "search.json": search_page, "race.json": race_page, "population.json": population_page,
}  # fmt: skip


def report(
    thing: Any, path: str | Path | None = None, lang: str = "en", *, model: Any = None,
    data: Data | None = None,
) -> ReportPath:  # fmt: skip
    """Write the report of a run, a study or a diagnosis as one HTML file that needs only itself.

    What is read back from a folder gives the same page as what is in memory. The same result gives
    the same bytes.

    Args:
        thing: a run; what `compare`, `compare_runs`, `cross_validate`, `fit_population`, `search`,
            `race`, `diagnose`, `fix` or `import_log` gave; or the folder of a run, comparison,
            cross-validation, population, search, race or imported log.
        path: of the file; None is report.html in the folder of a run or study.
        lang: "en" or "zh".
        model, data: as in `load_run`, for the folder of a run with a model or rows of your own.

    Returns:
        The path of the file; as the last value of a cell a notebook shows verdict and pictures.

    Raises:
        UsageError: something that has no report, another language, or no path for what has no
            folder.
        InputError: no such folder, a damaged one, or a place that cannot be written.

    Example:
        >>> import chymist as cy
        >>> run = cy.fit(cy.Recipe(model="softmax", length="5 epochs"), cy.load("iris"))
        >>> cy.report(run).name
        'report.html'
    """
    if lang not in LANGUAGES:
        raise UsageError("no such language of reports", where="lang", received=repr(lang)[:40],
                         do=nearest(str(lang), LANGUAGES))  # fmt: skip
    given = None if path is None else place_of_file(str(path), option="path", suffix=".html")
    folder: Path | None
    if isinstance(thing, str | Path):
        page, folder = _of_folder(Path(thing), lang, model, data)
    else:
        page, folder = _of_memory(thing, lang)
    if given is None and folder is None:
        raise UsageError(f"a {type(thing).__name__} has no folder for its report", where="path",
                         received="none",
                         do='give one: cy.report(found, "report.html")')  # fmt: skip
    place: Path = given or (folder or Path()) / PAGE
    write_file(place, page.encode())
    return ReportPath(place)


def page_of_folder(folder: Path, lang: str = "en") -> str:
    """The report of a folder as one HTML page; nothing is written.

    Raises:
        InputError: it is no folder of a run or study, or it is damaged.
    """
    return _of_folder(folder, lang, None, None)[0]


def _of_folder(
    folder: Path, lang: str, model: Any, data: Data | None
) -> tuple[str, Path]:  # fmt: skip
    """The page of what a folder holds, and the folder.

    Raises:
        InputError: it is no folder of a run or study, or it is damaged.
    """
    if (folder / "environment.json").is_file():
        return report_page(load_run(folder, model=model, data=data), lang), folder
    if is_imported(folder):
        return page_of(load_imported(folder), lang).decode(), folder
    for name, page in PAGES.items():
        if (folder / name).is_file():
            plain = read_json(folder / name)
            return page(plain, read_curves(folder), lang, folder / name), folder
    kinds = ", ".join(KINDS.values())
    raise InputError("no folder of a run or study", where=str(folder),
                     received="a folder" if folder.is_dir() else "nothing there",
                     do=f"give one of those that `chymist runs` lists: {kinds}")  # fmt: skip


def _of_memory(thing: Any, lang: str) -> tuple[str, Path | None]:
    """The page of a result, and its folder if it has one.

    Raises:
        UsageError: it has no report.
    """
    if isinstance(thing, Run):
        return report_page(thing, lang), thing.path
    if isinstance(thing, ImportedLog):
        return page_of(thing, lang).decode(), thing.path
    if isinstance(thing, Diagnosis):
        return diagnosis_page(thing, lang), None
    if isinstance(thing, Fixed):
        return fixed_page(thing, lang), None
    known: dict[Any, Page] = {
        Comparison: comparison_page, CrossValidation: cross_validation_page,
        Population: population_page, RunComparison: runs_page, Search: search_page,
        Race: race_page,
    }  # fmt: skip
    for kind, page in known.items():
        if isinstance(thing, kind):
            return page(thing.to_dict(), getattr(thing, "curves", {}), lang), None
    names = ", ".join(kind.__name__ for kind in (Run, ImportedLog, Diagnosis, Fixed, *known))
    raise UsageError("this has no report", where="thing", received=type(thing).__name__,
                     do=f"give a folder, or one of {names}")  # fmt: skip
