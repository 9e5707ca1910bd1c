"""One function a verb: parsed options in, printed answer and exit code out."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import chymist as cy
from chymist.cli.findings import language_of, teller
from chymist.cli.inputs import folds_given, load_source, recipe_of, split_of
from chymist.cli.reporting import command_again, in_language
from chymist.cli.streams import print_json, standard_output
from chymist.cli.summaries import (
    cv_summary,
    fit_summary,
    plain_floor,
    print_data,
    print_floors,
    print_folds,
    print_model,
    print_plan,
    print_result,
)
from chymist.cli.terminal import Folds, Progress, Screen, counted
from chymist.data import moved, reload
from chymist.engine.assembly import Assembly
from chymist.engine.folder import check_place, in_free_folder, open_folder
from chymist.engine.imported import is_imported
from chymist.errors import Interrupted, UsageError
from chymist.optim import AT_ONCE
from chymist.values import Data, Run, Split, show
from chymist.verbs.reporting import write_report


def fit(options: argparse.Namespace) -> int:
    """`chymist fit`."""
    screen = screen_of(options)
    data = load_source(options)
    split = split_of(options, data)
    recipe = recipe_of(options)
    if options.print_recipe or options.print_script:
        return print_recipe(options, recipe, split)
    threads = threads_of(options.threads)
    language = language_of(options.lang)
    print_data(screen, split)

    def work(out: Path) -> Run:
        progress: list[Progress] = []
        with interruptible(out) as interrupted:
            try:
                return cy.fit(
                    recipe, split, seed=options.seed, out=out, threads=threads,
                    workers=options.workers, device=options.device, interrupted=interrupted,
                    observer=lambda event: progress[0](event),
                    started=lambda assembly, folder: progress.append(
                        begin(screen, assembly, split)
                    ),
                    doctor=teller(screen, progress, language), tensorboard=options.tensorboard,
                    layers=not options.no_layers,
                )  # fmt: skip
            finally:
                for bar in progress:
                    bar.close()

    run = work(Path(options.out)) if options.out else in_free_folder(data.name, work)
    return finish_fit(options, screen, run, fit_summary(run))


def resume(options: argparse.Namespace) -> int:
    """`chymist resume`."""
    screen = screen_of(options)
    data = moved_data(options)
    progress: list[Progress] = []

    def started(assembly: Assembly, folder: Path) -> None:
        screen.line("Resume", f"{folder} from step {assembly.state.step}")
        progress.append(Progress(screen, *lengths(assembly)))

    with interruptible(Path(options.run)) as interrupted:
        try:
            run, step, problems = cy.resume(
                options.run, workers=options.workers, data=data, interrupted=interrupted,
                started=started, doctor=teller(screen, progress, language_of(options.lang)),
                observer=lambda event: progress[0](event), tensorboard=options.tensorboard,
            )  # fmt: skip
        finally:
            for bar in progress:
                bar.close()
    for problem in problems:
        screen.line("Note", problem)
    if not progress:
        screen.line("Resume", f"{options.run} had already ended at step {step}; nothing to do")
    return finish_fit(options, screen, run, {**fit_summary(run), "resumed_from": step})


def finish_fit(
    options: argparse.Namespace, screen: Screen, run: Run, summary: Mapping[str, Any]
) -> int:
    """Print what `fit` and `resume` print at the end."""
    language = language_of(options.lang)
    if language != "en":
        write_report(run, language)
    print_result(screen, run)
    if options.json:
        emit(summary)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """`chymist evaluate`."""
    screen = screen_of(options)
    if options.ordering:
        return ordering(options)
    found = cy.evaluate(options.run, options.split, data=moved_data(options))
    looks = str(found.looks) if found.looks else ""
    screen.line("Score", f"{found.score}{'   ' + looks if looks else ''}", result=True)
    print_floors(screen, found.floors)
    screen.line("Verdict", found.verdict)
    screen.line("Metrics", " · ".join(f"{n} {show(n, v)}" for n, v in found.metrics.items()))
    if options.json:
        floors = [plain_floor(f) for f in found.floors]
        emit(
            {
                "run": options.run,
                "score": found.score.to_dict(),
                "metrics": dict(found.metrics),
                "floor": floors[0] if floors else None,
                "floors": floors,
                "verdict": found.verdict,
                "looks": {"count": found.looks.count, "runs": found.looks.runs}
                if found.looks
                else None,
            }
        )
    return 0


def ordering(options: argparse.Namespace) -> int:
    """`chymist evaluate --ordering`."""
    screen = screen_of(options)
    if options.split not in ("valid", "test"):
        raise UsageError("unknown part of the rows", where="--split",
                         received=f"'{options.split}'", do="give valid or test")  # fmt: skip
    found = cy.error_ordering(options.run, test=options.split == "test", data=moved_data(options))
    for name, number in found.scores.items():
        looks = f"   {found.looks}" if name == "test" else ""
        screen.line("Score", f"{number}{looks}", result=True)
    for one in found.inequalities:
        screen.line("Errors", str(one), result=True)
    if options.json:
        emit({"run": options.run, **found.to_dict()})
    return 0


def predict(options: argparse.Namespace) -> int:
    """`chymist predict`."""
    from chymist.engine.files import STANDARD_OUTPUT, is_stream
    from chymist.verbs.predicting import predict_named
    from chymist.verbs.writing import place_of_predictions, write_predictions

    path = place_of_predictions(options.out, options.rows, open_folder(options.run))
    printed = path == STANDARD_OUTPUT
    if printed and options.json:
        raise UsageError(
            "standard output cannot hold both the predictions and the answer",
            where="--out",
            received=f"'{options.out}' with --json",
            do="give --out the name of a file",
        )
    screen = Screen(options.quiet, options.json or is_stream(path))
    found = predict_named(options.run, options.rows)
    for note in found.notes:
        screen.line("Note", note)
    with standard_output() if printed else nullcontext():
        write_predictions(
            path, found.outputs, found.classes, found.names, found.estimated, found.words
        )
    screen.line("Result", f"{counted(len(found.names), 'prediction')} in {path}", result=True)
    if options.json:
        emit({"run": options.run, "rows": len(found.names), "predictions": str(path)})
    return 0


def sample(options: argparse.Namespace) -> int:
    """`chymist sample`."""
    drawn = cy.sample(
        options.run, options.prompt, options.length, options.temperature, options.seed
    )
    if options.json:
        emit({"run": options.run, "prompt": options.prompt, "text": drawn})
    else:
        print(options.prompt + drawn)
    return 0


def cv(options: argparse.Namespace) -> int:
    """`chymist cv`."""
    from chymist.verbs.writing_studies import write_cross_validation

    screen = screen_of(options)
    folds = folds_given(options, 10)
    data, split = rows_for_folds(options)
    recipe = recipe_of(options)
    threads = threads_of(options.threads)
    if options.out:
        check_place(Path(options.out))
    print_data(screen, split or data)
    watch = Folds(screen)
    try:
        found = cy.cross_validate(
            recipe, split or data, folds, options.repeats or 1, options.seed,
            group=options.group, time=options.time, order=options.order, plan=options.plan,
            threads=threads,
            started=watch.begin, observer=watch.tell, watcher=watch,
        )  # fmt: skip
    finally:
        watch.close()

    found = replace(found, how={**found.how, "command": command_again(options)})
    write = partial(write_cross_validation, found=found, recipe=recipe, data=data)
    path = write(Path(options.out)) if options.out else in_free_folder(f"{data.name}-cv", write)
    if options.explain_plan:
        print_plan(screen, found.facts["plan"])
    in_language(path.parent)
    print_folds(screen, found, path.parent)
    if options.json:
        emit(cv_summary(found, data, recipe, path.parent, path))
    return 0


def search(options: argparse.Namespace) -> int:
    """`chymist search`."""
    from chymist.cli.searching import search as carry_out

    return carry_out(options)


def runs(options: argparse.Namespace) -> int:
    """`chymist runs`."""
    from chymist.reports.text import table

    rows = cy.list_runs(options.folder, options.filter)
    screen = screen_of(options)
    if options.json:
        emit({"runs": rows})
        return 0
    if not rows:
        screen.line(
            "Runs",
            f"none in {options.folder}"
            + (" that the filter keeps" if options.filter else "; start with: chymist fit digits"),
            result=True,
        )
        return 0
    cells = []
    for row in rows:
        score = row.get("score")
        value = row.get("verdict", "")
        if score:
            rows_scored = f" ({score['split']})" if row["kind"] == "fit" else ""
            value = f"{score['metric']} {show(score['metric'], score['value'])}{rows_scored}"
        seconds = f"{row['seconds']:.1f} s" if row.get("seconds") else ""
        when = row["when"][5:16].replace("T", " ")
        kind = row["kind"] if row["state"] == "finished" else f"{row['kind']}, {row['state']}"
        name, data, model = (row.get(key, "") for key in ("run", "data", "model"))
        cells.append([name, kind, data, model, value, seconds, when])
    heads = ["run", "kind", "data", "model", "score", "time", "when"]
    others = [max(map(len, column)) for column in zip(*cells, heads, strict=True)]
    room = max(len("accuracy"), width() - sum(others) + others[4] - 2 * len(others) + 2)
    for line in cells:  # a sentence gives way to the names of folders, which are typed again
        line[4] = shorten(line[4], room, placeholder=" ...")
    print(table(cells, heads, width()))
    return 0


def show_run(options: argparse.Namespace) -> int:
    """`chymist show`."""
    from chymist.cli.courses import plain_course, print_course
    from chymist.cli.describing import draw_graph, draw_weights
    from chymist.cli.summaries import plain_findings, print_saved

    if is_imported(Path(options.run)):
        from chymist.cli.logs import show_log

        return show_log(options)
    saved = open_folder(options.run)
    drawn = draw_weights(options.run, options.weights) if options.weights else {}
    if options.graph:
        drawn |= draw_graph(options.run, options.graph)
    if options.json:
        emit(
            {
                "run": str(saved.path),
                **drawn,
                "recipe": saved.recipe.to_dict(),
                "seed": saved.environment["seed"],
                "data": saved.schema.name,
                **saved.result,
                "findings": plain_findings(saved),
                **plain_course(saved.path, options.checkpoints),
            }
        )
    else:
        print_saved(screen_of(options), saved, language_of(options.lang))
        print_course(screen_of(options), saved.path, options.history, options.checkpoints)
        for name, path in drawn.items():
            screen_of(options).line(name.capitalize(), path, result=True)
    return 0


def report(options: argparse.Namespace) -> int:
    """`chymist report`."""
    data = moved_data(options) if options.data else None
    path = cy.report(options.run, options.out, language_of(options.lang), data=data)
    screen_of(options).line("Report", str(path), result=True)
    if options.json:
        emit({"run": options.run, "report": str(path)})
    return 0


def part(options: argparse.Namespace) -> int:
    """`chymist part`."""
    from chymist.cli.describing import describe_part, list_parts

    if options.name:
        found = describe_part(options.name, options.kind, options.out, sys.stdout.isatty())
    else:
        found = list_parts()
    if options.json:
        emit(found)
    else:
        print(found["text"])
    return 0


def shapes(options: argparse.Namespace) -> int:
    """`chymist shapes`."""
    from chymist.cli.describing import layers_of

    found = layers_of(options)
    if options.json:
        emit(found)
    else:
        print(found["text"])
    return 0


def graph(options: argparse.Namespace) -> int:
    """`chymist graph`."""
    from chymist.cli.describing import graph_of

    found = graph_of(options)
    if options.json:
        emit(found)
    else:
        print(found["text"])
    return 0


def sets(options: argparse.Namespace) -> int:
    """`chymist sets`."""
    known = cy.named_sets()
    if options.json:
        emit({"sets": known})
    else:
        for name, text in known.items():
            print(f"{name:<26}{text}")
    return 0


def print_recipe(options: argparse.Namespace, recipe: cy.Recipe, split: Split) -> int:
    """`--print-recipe` and `--print-script`: what would be done, and nothing is done."""
    from chymist.engine.defaults import complete
    from chymist.verbs.reporting import script_of

    full = complete(recipe, split)
    text = full.to_toml()
    if options.print_script:
        text = script_of(full, split, options.seed, threads_of(options.threads))
    emit({"script" if options.print_script else "recipe": text}) if options.json else print(
        text, end=""
    )
    return 0


def begin(screen: Screen, assembly: Assembly, split: Split) -> Progress:
    """Print model and plan, and start the progress line."""
    print_model(screen, assembly, split)
    return Progress(screen, *lengths(assembly))


def lengths(assembly: Assembly) -> tuple[int, int, int, bool]:
    """Total steps, steps per epoch and training rows of a run, and whether it is solved at once."""
    program, solver = assembly.program, assembly.recipe.optimizer.name in AT_ONCE
    return program.total_steps, program.steps_per_epoch, len(program.rows), solver


def moved_data(options: argparse.Namespace) -> Data | None:
    """The rows of a run where `--data` says that they are now; None looks where they were."""
    if options.data is None:
        return None
    return reload(moved(open_folder(options.run).source, options.data))


@contextmanager
def interruptible(out: Path) -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end the run after the step under way; a second one stops at once."""
    asked: list[int] = []

    def handle(number: int, frame: object) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt
        print("\nstopping after this step; once more to stop at once", file=sys.stderr, flush=True)

    before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    except Interrupted as error:
        raise Interrupted(
            "interrupted and saved", where=error.where, do=f"continue with: chymist resume {out}"
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def rows_for_folds(options: argparse.Namespace) -> tuple[Data, Split | None]:
    """The data, and its split if there are test rows to keep.

    Raises:
        UsageError: an option that makes no sense with folds.
    """
    ordered = getattr(options, "protocol", None) == "time_series"
    for name, why in _NOT_FOR_FOLDS.items():
        if getattr(options, name) is not None and not (ordered and name == "time"):
            raise UsageError(
                f"{options.verb} takes no --{name}: {why}", where=f"--{name}", do="leave it out"
            )
    data = load_source(options)
    kept = options.test or data.test_rows is not None
    return data, split_of(options, data) if kept else None


def threads_of(threads: int | None) -> Any:
    """`--threads`: a number, or "auto" if it is not given."""
    if threads is None:
        return "auto"
    if threads < 1:
        raise UsageError("at least one thread is needed", where="--threads", received=str(threads))
    return threads


def screen_of(options: argparse.Namespace) -> Screen:
    """Where to print."""
    return Screen(options.quiet, options.json)


def width() -> int:
    """Columns of the terminal; 100 when piped."""
    import shutil

    return shutil.get_terminal_size((100, 24)).columns


def emit(answer: Mapping[str, Any]) -> None:
    """The one JSON object on standard output; numbers that are not finite become null."""
    print_json(_finite(answer))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value


_NOT_FOR_FOLDS = {
    "valid": "every row is validated once, in the fold that holds it out",
    "time": "folds would train on later rows than they predict",
}

COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "fit": fit, "resume": resume, "evaluate": evaluate, "predict": predict, "cv": cv, "runs": runs,
    "search": search, "sample": sample,
    "show": show_run, "report": report, "part": part, "shapes": shapes, "graph": graph,
    "sets": sets,
}  # fmt: skip
