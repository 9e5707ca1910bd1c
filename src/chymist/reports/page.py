"""The report of a run: one HTML file that needs nothing but itself."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from chymist.reports.about_data import data_section
from chymist.reports.about_errors import errors_section
from chymist.reports.about_model import Affine, model_section
from chymist.reports.about_training import curves_section, time_section
from chymist.reports.examples import examples_section
from chymist.reports.findings import NO_WORDS, findings_section
from chymist.reports.layers import LayerRow
from chymist.reports.looked import Looks, looked_section
from chymist.reports.markup import Markup, block, data_name, join, pairs, safe, tag
from chymist.reports.numbers import interval, metric_name, part_name, rows_of
from chymist.reports.saying import ENGLISH, Say
from chymist.reports.style import STYLE
from chymist.reports.trees import NamedTree
from chymist.reports.verdict import verdict_section
from chymist.schedules import monitored
from chymist.values import Run, Score, Split, show


def report_html(
    run: Run,
    layers: Sequence[LayerRow],
    script: str,
    command: str,
    coefficients: Affine | None = None,
    words: Mapping[str, tuple[str, str]] = NO_WORDS,
    tree: NamedTree | None = None,
    say: Say = ENGLISH,
    looks: Looks | None = None,
    architecture: Markup | None = None,
) -> str:
    """The report of a run as one HTML page: no script, no request to anywhere, at most 2 MB.

    The same run gives the same bytes. Names and cells from the data are escaped.

    Args:
        run: the run.
        layers: its model layer by layer, see `layer_table`.
        script: Python source that does the same.
        command: command that does the same; may be empty.
        coefficients: of a linear model, in raw units (names, weights, intercept); None for others.
        words: title and remedy of codes of findings in another language.
        tree: of a run of trees; None for others.
        say: the language.
        looks: where the network looked; None for what are no images.
        architecture: a picture of the model.

    Returns:
        The page.
    """
    looked = [] if looks is None else [
        ("looked", say("Where it looked"), looked_section(run, looks, say))]  # fmt: skip
    sections = [
        ("verdict", say("Verdict"), verdict_section(run, say)),
        *(
            [("findings", say("Findings"), findings_section(run, words, say))]
            if run.findings or run.experiments
            else []
        ),
        ("data", say("Data"), data_section(run, say)),
        ("model", say("Model"), model_section(run, layers, coefficients, tree, say, architecture)),
        ("curves", say("Training"), curves_section(run, say)),
        ("errors", say("Errors"), errors_section(run, say)),
        ("examples", say("Hardest rows"), examples_section(run, say)),
        *looked,
        ("time", say("Where the time went"), time_section(run, say)),
        ("again", say("Doing it again"), reproduction_section(run, script, command, say)),
        ("limits", say("What this report cannot tell"), limits_section(run, say)),
    ]
    name = tag("code", run.recipe.model.name) if run.recipe.model else say("run")
    heading = join(data_name(run.data.name), say(", "), name)
    eyebrow = say("chymist report of a run, seed {seed}", seed=run.seed)
    return page(f"{run.data.name}: {_titled(run.score, say)}", eyebrow, heading, sections, say)


def _titled(score: Score, say: Say) -> str:
    """A score as the title of a window."""
    if say.lang == "en":
        return str(score)
    metric, value = metric_name(score.metric, say), show(score.metric, score.value)
    return say("{metric} {value} [{interval}], {rows}", metric=metric, value=value,
               interval=interval(score, say), rows=rows_of(score.n, score.split, say))  # fmt: skip


def page(
    title: str,
    eyebrow: str,
    heading: Markup,
    sections: Sequence[tuple[str, str, Markup]],
    say: Say = ENGLISH,
) -> str:
    """Sections as one HTML page: no script, no request to anywhere.

    Args:
        title: what the window is called.
        eyebrow: a line above the heading.
        heading: the heading.
        sections: key, heading and content of each.
        say: the language.
    """
    body = tag("main", *(
        tag("section", tag("h2", name, id=f"{key}-title"), content, id=key,
            aria_labelledby=f"{key}-title")
        for key, name, content in sections
    ))  # fmt: skip
    links = [tag("a", name, href=f"#{key}") for key, name, _ in sections]
    header = tag(
        "header", tag("p", eyebrow, class_="eyebrow"), tag("h1", heading),
        tag("nav", *links, aria_label=say("Sections")),
    )  # fmt: skip
    head = tag(
        "head", tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", safe(title)), tag("style", Markup(STYLE)),
    )  # fmt: skip
    made = say("Made by chymist. This page needs no network and runs no script.")
    body = tag("body", header, body, tag("footer", tag("p", made)))
    lang = "en" if say.lang == "en" else "zh-Hans"
    return "<!DOCTYPE html>\n" + tag("html", head, body, lang=lang)


def reproduction_section(run: Run, script: str, command: str, say: Say = ENGLISH) -> Markup:
    """Command, script, recipe, seed, versions and hashes."""
    versions = run.facts.get("versions") or {}
    card = pairs([
        (say("seed"), run.seed),
        (say("threads"), run.facts.get("threads", say("unknown"))),
        (say("data fingerprint"), tag("code", run.data.fingerprint)),
        (say("hash of the split"), tag("code", split_hash(run.split))),
        *((tag("bdi", name), version) for name, version in versions.items()),
    ])  # fmt: skip
    parts = [card]
    if command:
        parts += [tag("h3", say("The command")), block(command)]
    parts += [tag("h3", say("The same in Python")), block(script)]
    parts += [tag("h3", say("The recipe, complete")), block(run.recipe.to_toml())]
    promise = say(
        "The same seed, versions, machine and number of threads give the same bits; "
        "another machine gives the same up to rounding."
    )
    return join(*parts, tag("p", promise, class_="note"))


def split_hash(split: Split) -> str:
    """Hash of which rows are for training, validation and test."""
    digest = hashlib.sha256()
    for name in ("train", "valid", "test"):
        rows = split.rows(name)
        digest.update(f"{name} {len(rows)}:".encode())
        digest.update(rows.astype("<i8").tobytes())
    return digest.hexdigest()[:16]


def _stops(run: Run) -> bool:
    return run.recipe.stop is not None and run.recipe.stop.name != "none"


def limits_section(run: Run, say: Say = ENGLISH) -> Markup:
    """What a careful reader would ask and this report has no answer to."""
    score = run.score
    found = [say(
        "One run with one seed. The interval is about the {rows} as a sample of all rows; it does "
        "not cover what another seed or other training rows would give.",
        rows=say.counted(score.n, "{n} row", "{n} rows"),
    )]  # fmt: skip
    if score.selected_on:
        rate = monitored(run.recipe) and not _stops(run)
        found.append(say(
            "{series} on the {part} rows chose the {what}. Rows that chose something flatter it: "
            "only the test rows can tell by how much.",
            series=score.selected_on, part=part_name(score.split, say),
            what=say("learning rate") if rate else say("weights"),
        ))  # fmt: skip
    if score.split == "train":
        found.append(say("There are no validation rows: nothing here is about new rows."))
    if len(run.split.test):
        found.append(say.counted(
            len(run.split.test), "Nothing here has looked at the {n} test row.",
            "Nothing here has looked at the {n} test rows.",
        ))  # fmt: skip
    else:
        found.append(say("No test rows are sealed for a last, honest look."))
    if run.data.classes:
        found.append(say(
            "Probabilities are the model's own; they were not checked for calibration."
        ))  # fmt: skip
    found.append(say("New rows are taken to come from where these rows came from."))
    return tag("ul", *(tag("li", safe(text, 400)) for text in found))
