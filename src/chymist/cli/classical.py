"""`chymist pca`, `kmeans`, `crossing`, `mistake-bound`, `bag`, `tree` and `support`."""

from __future__ import annotations

import argparse
from math import floor
from pathlib import Path
from typing import Any

import numpy as np

import chymist as cy
from chymist.cli.commands import emit, moved_data, rows_for_folds, screen_of, threads_of, width
from chymist.cli.comparing import entries_of, names_of
from chymist.cli.curving import interval_text, sizes_of
from chymist.cli.inputs import load_source, recipe_of, split_of
from chymist.cli.options import recipe_fields
from chymist.cli.summaries import print_data
from chymist.data import read_inputs, schema_of
from chymist.engine.files import write_through
from chymist.errors import UsageError, nearest
from chymist.evidence.verdict import amount
from chymist.parts import Part
from chymist.reports.style import as_file
from chymist.reports.text import table
from chymist.reports.trees import size_text, tree_svg, tree_text
from chymist.values import Data, Recipe, Split, show, whole_number
from chymist.verbs.sources import open_rows
from chymist.verbs.writing import place_of_file, write_predictions, write_table


def pca(options: argparse.Namespace) -> int:
    """`chymist pca`."""
    screen, prepare = screen_of(options), prepare_of(options)
    rows = _rows(options)
    out = _place(options.out, rows)
    print_data(screen, rows)
    found = cy.pca(rows, options.components, share=options.share, held=options.held,
                   seed=options.seed, prepare=prepare)  # fmt: skip
    if out:
        write_through(out, as_file(found.svg()).encode())
    whole = 100 * float(found.shares[: found.kept].sum())
    screen.line("Keeps", f"{found.kept} of {len(found.mean)} dimensions, which hold {whole:.1f} % "
                         "of the variance", result=True)  # fmt: skip
    screen.line("Advice", f"{100 * options.share:g} % of the variance: {found.by_share}, on "
                          f"held-out rows {found.by_reconstruction} · likelihood of held-out rows: "
                          f"{found.by_likelihood}", result=True)  # fmt: skip
    cells: list[list[object]] = []
    for at in range(found.kept):
        parts = ", ".join(f"{entry:+.2f} {name}" for name, entry in found.loadings(at))
        share, sums = 100 * found.shares[at], 100 * found.shares[: at + 1].sum()
        cells.append([at + 1, f"{share:.1f} %", f"{sums:.1f} %", parts])
    heads = ["component", "variance", "together", "made mostly of"]
    screen.block(table(cells, heads, width() - 8))
    _tell_picture(screen, out)
    if options.json:
        emit({**_about(rows), **found.to_dict(), "picture": options.out})
    return 0


def kmeans(options: argparse.Namespace) -> int:
    """`chymist kmeans`."""
    screen, prepare = screen_of(options), prepare_of(options)
    rows = _rows(options)
    out = _place(options.out, rows)
    print_data(screen, rows)
    found = cy.kmeans(rows, options.clusters, seeds=options.seeds, seed=options.seed,
                      prepare=prepare)  # fmt: skip
    numbers = open_rows(rows)[1] + 1
    if out:
        lines = zip(numbers.tolist(), (found.labels + 1).tolist(), strict=True)
        write_table(out, [["row", "cluster"], *map(list, lines)])
    screen.line("Result", f"{len(found.centers)} clusters: silhouette {found.silhouette:.3f}, "
                          f"stability {found.stability:.3f} over {len(found.inertias)} starts",
                result=True)  # fmt: skip
    cells: list[list[object]] = []
    middle = found.centers.mean(0)
    for at, (center, size) in enumerate(zip(found.centers, found.sizes, strict=True)):
        order = np.argsort(-np.abs(center - middle), kind="stable")[:3]
        parts = ", ".join(f"{found.names[j]} {center[j]:+.2f}" for j in order)
        cells.append([at + 1, f"{size:,}", parts])
    heads = ["cluster", "rows", "its centre where it differs most, in prepared units"]
    screen.block(table(cells, heads, width() - 8))
    if out:
        screen.line("Files", f"{out}  cluster of each row, both counted from 1")
    if options.json:
        emit({**_about(rows), **found.to_dict(), "rows": numbers.tolist(), "file": options.out})
    return 0


def crossing(options: argparse.Namespace) -> int:
    """`chymist crossing`."""
    screen = screen_of(options)
    names = names_of(options)
    sizes = sizes_of(options.sizes) if options.sizes else None
    data, split = rows_for_folds(options)
    entries = entries_of(options, names, split or cy.split(data))
    for name, entry in entries.items():
        if not isinstance(entry, Recipe):
            raise UsageError("a crossing is of two recipes", where="--models",
                             received=f"'{name}', a baseline of scikit-learn",
                             do="give models; chymist part lists them")  # fmt: skip
    print_data(screen, split or data)
    found = cy.crossing(entries, split or data, sizes, options.folds, options.seeds, options.seed)
    screen.line("Verdict", found.verdict, result=True)
    metric = found.curves[0].held[0].metric
    heads = ["rows", *found.names, "difference", "p (Holm)"]
    cells: list[list[object]] = [
        [f"{size:,}", interval_text(one), interval_text(other),
         amount(metric, pair.value, pair.low, pair.high), f"{p:.2g}"]
        for size, one, other, pair, p in zip(
            found.sizes, *(curve.held for curve in found.curves), found.differences, found.p_holm,
            strict=True,
        )
    ]  # fmt: skip
    screen.block(table(cells, heads, width() - 8))
    if options.json:
        emit({**_about(split or data), **found.to_dict()})
    return 0


def mistake_bound(options: argparse.Namespace) -> int:
    """`chymist mistake-bound`."""
    screen, prepare = screen_of(options), prepare_of(options)
    rows = _rows(options)
    whole, numbers, _ = open_rows(rows)
    if not whole.classes:
        raise UsageError("the bound is for two classes", where=whole.name,
                         received=f"a target of numbers, '{whole.target}'",
                         do="give --target a column of classes")  # fmt: skip
    if options.against is not None and options.against not in whole.classes:
        raise UsageError("unknown class", where="--against", received=f"'{options.against}'",
                         do=nearest(options.against, whole.classes))  # fmt: skip
    if options.against is None and len(whole.classes) > 2:
        raise UsageError("the bound is for two classes", where=whole.name,
                         received=f"{len(whole.classes)} classes",
                         do=f"give --against {whole.classes[0]}")  # fmt: skip
    print_data(screen, rows)
    found = cy.mistake_bound(rows, against=options.against, prepare=prepare)
    screen.line("Bound", f"at most {floor(found.bound):,} mistakes: (R / gamma)^2 of radius "
                         f"{found.radius:.4g} and margin {found.margin:.4g}, on {len(numbers):,} "
                         "rows as prepared", result=True)  # fmt: skip
    if options.json:
        emit({**_about(rows), **found._asdict(), "rows": len(numbers), "against": options.against})
    return 0


def bag(options: argparse.Namespace) -> int:
    """`chymist bag`."""
    screen = screen_of(options)
    recipe = recipe_of(options)
    if (options.rows is None) != (options.out is None):
        raise UsageError("new rows and the file of their predictions belong together",
                         where="chymist bag", received="one of --rows and --out",
                         do="give both or none")  # fmt: skip
    data = load_source(options)
    split = split_of(options, data)
    out = place_of_file(options.out, data, options.rows) if options.out else None
    names = read_inputs(options.rows, schema_of(data))[1] if options.rows else []
    print_data(screen, split)
    found = cy.bag(recipe, split, options.members, seed=options.seed, plan=options.plan,
                   threads=threads_of(options.threads))  # fmt: skip
    if out:
        made = found.predict(options.rows, probabilities=bool(data.classes))
        write_predictions(out, made, data.classes, names)
    low, high = (show(found.metric, end) for end in (found.mean.low, found.mean.high))
    screen.line("Result", f"{found.score}, of the average of {len(found)} members", result=True)
    screen.line("Members", f"{found.metric} {show(found.metric, found.mean.value)} [{low}, {high}] "
                           "on average", result=True)  # fmt: skip
    for number, error in found.errors.items():
        screen.line("Note", f"member {number} is left out: {error.line()}")
    if out:
        screen.line("Files", f"{out}  {len(names):,} predictions")
    if options.json:
        emit({
            **_about(split), "model": {"name": found.jobs[0].run.recipe.model.name},
            "members": len(found), "score": found.score.to_dict(),
            "mean": {"value": found.mean.value, "low": found.mean.low, "high": found.mean.high},
            "scores": [one.value for one in found.scores], "diverged": sorted(found.errors),
            "predictions": options.out,
        })  # fmt: skip
    return 0


def tree(options: argparse.Namespace) -> int:
    """`chymist tree`."""
    screen = screen_of(options)
    for name, least in (("stability", 1), ("depth", 0), ("seed", 0)):
        given = getattr(options, name)
        if given is not None and given < least:
            raise UsageError("too small a number", where=f"--{name}", received=str(given),
                             do=f"give {least} or more")  # fmt: skip
    out = place_of_file(options.out) if options.out else None
    if options.stability:
        run = cy.load_run(options.run, data=moved_data(options))
        named = cy.tree_stability(run, options.stability, options.seed)
    else:
        named = cy.tree_of(options.run)
    if out:
        write_through(out, as_file(tree_svg(named)).encode())
    text = tree_text(named, options.depth)
    screen.line("Tree", size_text(named), result=True)
    screen.block(text)
    if options.stability:
        screen.line("Note", f"in brackets: share of {options.stability:,} bootstraps of the "
                            "training rows that make the cut again")  # fmt: skip
    _tell_picture(screen, out)
    if options.json:
        grown = named.tree
        again = [] if named.frequency is None else named.frequency[grown.column >= 0].tolist()
        emit({
            "run": options.run, "trees": len(grown.roots), "nodes": len(grown),
            "leaves": grown.leaves, "depth": grown.depth, "text": text,
            "cuts": [named.columns[column] for column in grown.column[grown.column >= 0]],
            "again": again, "bootstraps": options.stability, "picture": options.out,
        })  # fmt: skip
    return 0


def support(options: argparse.Namespace) -> int:
    """`chymist support`."""
    screen = screen_of(options)
    run = cy.load_run(options.run, data=moved_data(options))
    found = cy.support_vectors(run)
    out = _place(options.out, run.split)
    pairs = [" / ".join(pair) for pair in found.pairs] or [run.data.target]
    if out:
        weights = zip(found.rows.tolist(), found.weights.T.tolist(), strict=True)
        lines = [[row + 1, *(f"{one:.6g}" for one in each)] for row, each in weights]
        write_table(out, [["row", *pairs], *lines])
    count, total = len(found.rows), len(run.split.train)
    screen.line("Support", f"{count:,} of {total:,} training rows are support vectors", result=True)
    cells: list[list[object]] = [
        [pair, f"{margin:.4g}", f"{np.count_nonzero(weights):,}"]
        for pair, margin, weights in zip(pairs, found.margins, found.weights, strict=True)
    ]
    heads = ["machine", "margin", "support vectors"]
    screen.block(table(cells, heads, width() - 8))
    if out:
        screen.line("Files", f"{out}  number of each row, from 1, and its dual coefficients")
    if options.json:
        emit({
            "run": options.run, "train": total, "rows": (found.rows + 1).tolist(),
            "pairs": [list(pair) for pair in found.pairs], "weights": found.weights.tolist(),
            "margins": found.margins.tolist(), "file": options.out,
        })  # fmt: skip
    return 0


def prepare_of(options: argparse.Namespace) -> Part | None:
    """`--data.scale none` and the like as a preparation.

    Raises:
        UsageError: an option of another field of a recipe.
    """
    for name in options.dotted:
        if not name.startswith("data."):
            raise UsageError("unknown option", where=f"chymist {options.verb}",
                             received=f"'--{name}'", do="only --data.* fits here")  # fmt: skip
    prepare: Part | None = Recipe.from_dict(recipe_fields(options)).data
    return prepare


def _rows(options: argparse.Namespace) -> Data | Split:
    """All rows that are not sealed.

    Raises:
        UsageError: an option that makes no sense without a model, or a seed below 0.
    """
    whole_number(options.seed, "seed", 0)
    for name in ("group", "valid", "time"):
        if getattr(options, name) is not None:
            raise UsageError(f"{options.verb} takes no --{name}: all rows that are no test rows "
                             "are read at once", where=f"--{name}", do="leave it out")  # fmt: skip
    data, split = rows_for_folds(options)
    return split or data


def _place(out: str | None, rows: Data | Split) -> Path | None:
    """Where a file goes, before any work is done."""
    return place_of_file(out, rows.data if isinstance(rows, Split) else rows) if out else None


def _about(rows: Data | Split) -> dict[str, Any]:
    """The data, as other verbs say it in JSON."""
    data = rows.data if isinstance(rows, Split) else rows
    return {"data": {"name": data.name, "kind": data.kind, "fingerprint": data.fingerprint,
                     "rows": len(data)}}  # fmt: skip


def _tell_picture(screen: Any, out: Path | None) -> None:
    if out:
        screen.line("Files", f"{out}  the picture")


CLASSICAL = {
    "pca": pca, "kmeans": kmeans, "crossing": crossing, "mistake-bound": mistake_bound, "bag": bag,
    "tree": tree, "support": support,
}  # fmt: skip
