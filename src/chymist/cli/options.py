"""The verbs and their options: argparse for what is fixed, one pass for dotted recipe names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from chymist.cli import run_options as of_runs
from chymist.errors import UsageError, nearest

RECIPE_OPTIONS = (
    "model", "loss", "optimizer", "schedule", "batch-size", "length", "stop", "clip", "data",
    "precision", "accumulate", "init", "penalty", "gradient-noise",
)  # fmt: skip

EXAMPLES = {
    "fit": "chymist fit table.csv --target price --model mlp --model.hidden 128,64",
    "resume": "chymist resume runs/digits-0001",
    "evaluate": "chymist evaluate runs/digits-0001 --split test",
    "predict": "chymist predict runs/table-0001 new.csv --out predictions.csv",
    "sample": "chymist sample runs/tinyshakespeare-0001 'ROMEO:' --length 500",
    "search": "chymist search digits --optimizer.lr 1e-4..1e-1:log --model.hidden '32|128'",
    "cv": "chymist cv table.csv --target price --folds 10",
    "compare": "chymist compare digits --models mlp,softmax,svm --folds 10 --seeds 3",
    "compare-runs": "chymist compare-runs runs/digits-0001 runs/digits-0002",
    "curve": "chymist curve digits --model mlp --sizes 0.25,0.5,1.0 --folds 5 --seeds 3\n"
    "  chymist curve diabetes --model polynomial --model.degree 1..3",
    "race": "chymist race digits",
    "capacity": "chymist capacity digits --model mlp --model.hidden 8",
    "suitability": "chymist suitability table.csv --target price",
    "effects": "chymist effects wine --rows 100",
    "diagnose": "chymist diagnose runs/digits-0001 --fix",
    "why": "chymist why overfitting --lang zh",
    "runs": "chymist runs",
    "show": "chymist show runs/digits-0001",
    "report": "chymist report runs/digits-0001",
    "part": "chymist part gelu --out gelu.svg",
    "shapes": "chymist shapes cnn --input 1x28x28 --outputs 10",
    "graph": "chymist graph 'sigmoid(w*x + b)' --at w=2,x=0.5,b=-1 --expand --out graph.svg",
    "sets": "chymist sets",
}

VERBS = {
    "fit": "train a model on a data source and score it",
    "resume": "continue a run from its last checkpoint",
    "evaluate": "score a run on validation or (counted) test rows",
    "predict": "predict new rows with a run",
    "sample": "let a model of the next token go on with a text",
    "search": "search hyperparameters as one population, with an honest result",
    "cv": "score a recipe by cross-validation",
    "compare": "compare recipes and baselines on the same folds, with a verdict in words",
    "compare-runs": "compare two runs on the same validation rows",
    "curve": "score a recipe with more and more training rows, or over values of an option",
    "race": "train optimisers at many rates and with many seeds, and say which one leads",
    "capacity": "count the rows with random labels that a recipe learns by heart",
    "suitability": "say whether a network is the right tool for the data, by experiment",
    "effects": "measure what each hyperparameter does to effective capacity",
    "diagnose": "say what is wrong with a run, from its record or by experiments",
    "why": "explain a code of the doctor, in English or Chinese",
    "runs": "list runs, cross-validations, comparisons and searches",
    "show": "show what a run gave",
    "report": "write a run's report anew",
    "part": "explain a part of a recipe (a model, loss, optimiser, ...)",
    "shapes": "show a model layer by layer, before training",
    "graph": "show a formula as a graph, with values forward and gradients backward",
    "sets": "list the data sets known by name",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one-line usage errors with the nearest right name."""

    def error(self, message: str) -> NoReturn:
        """Turn argparse's message into a usage error."""
        unknown = "invalid choice: '"
        if unknown in message and message.startswith("argument VERB"):
            name = message.split(unknown)[1].split("'")[0]
            raise UsageError("unknown verb", received=f"'{name}'", do=nearest(name, VERBS))
        where = self.prog
        raise UsageError(
            message.replace("argument ", ""), where=where, do=f"see {where} --help", code="usage"
        )


def build_parser() -> Parser:
    """The parser of the command line."""
    parser = Parser(
        prog="chymist",
        allow_abbrev=False,
        formatter_class=_Raw,
        description="The laboratory of deep learning: trained models whose score can be believed.",
        epilog="example:\n  chymist fit digits\n\n`chymist VERB --help` explains a verb.",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs", parser_class=Parser)
    for name, text in VERBS.items():
        verb = verbs.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", allow_abbrev=False,
            formatter_class=_Raw, epilog=f"example:\n  {EXAMPLES[name]}",
        )  # fmt: skip
        if name in _ADD:
            _ADD[name](verb)
        common = verb.add_argument_group("output")
        common.add_argument(
            "--json", action="store_true", help="one JSON object on standard output"
        )
        common.add_argument("--quiet", action="store_true", help="print the result only")
        common.add_argument("--debug", action="store_true", help="add the traceback to an error")
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parse a command line; dotted recipe options end up in `options.dotted`.

    Raises:
        UsageError: an unknown verb, option or value.
    """
    plain, dotted = split_dotted(argv)
    parser = build_parser()
    options, rest = parser.parse_known_args(plain)
    if rest:
        known = [o for a in _actions(parser, options.verb) for o in a.option_strings]
        advice = (
            nearest(rest[0], known)
            if rest[0].startswith("-")
            else f"see chymist {options.verb} --help"
        )
        raise UsageError(
            "unknown option" if rest[0].startswith("-") else "one argument too many",
            where=f"chymist {options.verb or ''}".strip(),
            received=f"'{rest[0]}'",
            do=advice,
        )
    if dotted and options.verb not in (
        "fit",
        "cv",
        "compare",
        "search",
        "curve",
        "capacity",
        "race",
        "shapes",
    ):
        raise UsageError(
            "unknown option",
            where=f"chymist {options.verb}",
            received=f"'--{next(iter(dotted))}'",
            do="recipe options are for fit, cv, compare, search and curve",
        )
    options.dotted = dotted
    return options


def split_dotted(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Take `--model.hidden 128,64` and `--model.hidden=128,64` out of a command line.

    Example:
        >>> split_dotted(["fit", "iris", "--model.hidden", "64", "--seed", "1"])
        (['fit', 'iris', '--seed', '1'], {'model.hidden': '64'})
    """
    plain: list[str] = []
    dotted: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, sign, value = word[2:].partition("=")
        if word.startswith("--") and "." in name:
            following = value if sign else next(words, None)
            if following is None:
                raise UsageError("an option has no value", received=f"'{word}'")
            slot, dot, option = name.partition(".")
            dotted[slot.replace("-", "_") + dot + option] = following
        else:
            plain.append(word)
    return plain, dotted


def recipe_fields(options: argparse.Namespace) -> dict[str, Any]:
    """Recipe fields that the command line gives, in their plain form.

    Raises:
        UsageError: a dotted option of no known field.
    """
    given: dict[str, Any] = {}
    for option in RECIPE_OPTIONS:
        value = getattr(options, option.replace("-", "_"), None)
        if value is not None:
            given[option.replace("-", "_")] = value
    for name, value in options.dotted.items():
        slot, _, option = name.partition(".")
        slot = slot.replace("-", "_")
        if slot not in {o.replace("-", "_") for o in RECIPE_OPTIONS}:
            raise UsageError(
                "unknown option", received=f"'--{name}'", do=nearest(slot, RECIPE_OPTIONS)
            )
        table = given.get(slot, {})
        given[slot] = {"name": table} if isinstance(table, str) else table
        given[slot][option] = value
    return given


class _Raw(argparse.RawDescriptionHelpFormatter):
    """Keeps line ends in the epilog."""


def _actions(parser: argparse.ArgumentParser, verb: str | None) -> list[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and verb in action.choices:
            found: list[argparse.Action] = action.choices[verb]._actions
            return found
    return parser._actions


def _source(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "source", metavar="SOURCE",
        help="a named set (digits), a CSV, Parquet, NPZ or NPY file, a folder or zip of images",
    )  # fmt: skip
    group = verb.add_argument_group("data")
    group.add_argument(
        "--target", metavar="COL", help="target column: its name, else its number (default: last)"
    )
    group.add_argument(
        "--test", metavar="FILE|FRACTION", help="test file, or share of all rows (0.2)"
    )
    group.add_argument("--valid", metavar="FRACTION", help="share of all rows for validation (0.2)")
    group.add_argument("--group", metavar="COL", help="rows with equal values stay together")
    group.add_argument(
        "--time", metavar="COL", help="order rows by time; the last ones are test rows"
    )
    group.add_argument(
        "--split-seed", type=int, metavar="N", help="seed of the cut into parts (that of the run)"
    )
    group.add_argument(
        "--columns", metavar="NAME=KIND,...",
        help="override kinds: number, category, date, text, id; a name with a comma is quoted: "
        """'"a, b"=id,c=text'""",
    )  # fmt: skip
    group.add_argument(
        "--image-size", type=int, metavar="N", help="scale and cut images to N x N pixels"
    )
    group.add_argument(
        "--missing", metavar="median",
        help="allow NaN in arrays; it is filled as --data.missing says (with the median)",
    )  # fmt: skip
    _steps(group)
    group.add_argument(
        "--header", choices=("yes", "no"), help="whether a CSV has a header (detected)"
    )


def _steps(group: Any) -> None:
    group.add_argument(
        "--kind", choices=("text", "language", "sequence"),
        help="a file with a column of texts, a running text, or a table in order of time",
    )  # fmt: skip
    group.add_argument(
        "--tokens", choices=("characters", "words", "spaces"),
        help="how a running text is cut (characters)",
    )  # fmt: skip
    group.add_argument("--steps", type=int, metavar="N", help="tokens or times of a row")
    group.add_argument("--horizon", type=int, metavar="N", help="times that are forecast (1)")


def _recipe(verb: argparse.ArgumentParser, model: bool = True) -> None:
    group = verb.add_argument_group(
        "recipe", "options of a part follow its name with a dot: --model mlp --model.hidden 128,64"
    )
    group.add_argument("--recipe", metavar="FILE", help="a TOML recipe; options below override it")
    for option in RECIPE_OPTIONS:
        if option != "data" and (model or option != "model"):
            group.add_argument(f"--{option}", metavar=_PLAIN.get(option, "NAME"))


_PLAIN = {
    "batch-size": "N",
    "length": '"10 epochs"',
    "precision": "float32|float64|bfloat16|float16",
    "accumulate": "N",
}


def _fit(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    _recipe(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything (0)")
    _threads(run)
    run.add_argument(
        "--device", metavar="NAME", help="cpu, cuda or cuda:1 (a GPU if there is one, else cpu)"
    )
    _workers(run)
    of_runs.language(run)
    run.add_argument("--out", metavar="DIR", help="the run folder (runs/<data>-NNNN)")
    run.add_argument(
        "--print-recipe", action="store_true", help="print the complete recipe and end"
    )
    run.add_argument(
        "--print-script",
        action="store_true",
        help="print the Python script that does the same and end",
    )


def _workers(group: Any) -> None:
    group.add_argument(
        "--workers", type=int, metavar="N",
        help="processes that prepare batches (none while all rows fit into memory)",
    )  # fmt: skip


def _threads(group: Any) -> None:
    group.add_argument(
        "--threads", type=int, metavar="N", help="threads of torch (one for small work, else all)"
    )


def _folds(group: Any, default: int) -> None:
    group.add_argument("--folds", metavar="K|loo", help=f"folds, or one row a fold ({default})")
    group.add_argument(
        "--protocol", metavar="NAME",
        help="in place of folds: bootstrap, monte_carlo, leave_p_out, leave_groups_out or "
        "time_series; its options follow as --protocol.times 50",
    )  # fmt: skip


def _plan(group: Any) -> None:
    group.add_argument(
        "--plan", metavar="FILE", help="pin the forms of populations to those of a file"
    )
    group.add_argument("--explain-plan", action="store_true", help="say what was measured for it")


def _cv(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    _recipe(verb)
    run = verb.add_argument_group("run")
    _folds(run, 10)
    run.add_argument("--repeats", type=int, metavar="R", help="cut into folds R times (1)")
    run.add_argument(
        "--order", choices=("own", "shared"), default="own",
        help="shared: all models read the same batches; none is then what fit gives (own)",
    )  # fmt: skip
    _plan(run)
    run.add_argument("--seed", type=int, default=0, metavar="N", help="first repeat's seed (0)")
    _threads(run)
    run.add_argument("--out", metavar="DIR", help="folder for the result (runs/<data>-cv-NNNN)")


def _compare(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    entries = verb.add_argument_group("entries")
    entries.add_argument(
        "--models", metavar="NAME,...",
        help="models, to which the recipe options apply, and baselines of scikit-learn: "
        "svm, tree, forest, boosting, knn, bayes",
    )  # fmt: skip
    entries.add_argument("--recipes", metavar="FILE,...", help="TOML recipes, named by their files")
    _recipe(verb, model=False)
    run = verb.add_argument_group("run")
    _folds(run, 10)
    run.add_argument(
        "--seeds", type=int, metavar="S",
        help="cut and initialise S times (3; 1 if nothing starts from random weights)",
    )  # fmt: skip
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    run.add_argument("--metric", metavar="NAME", help="what to compare by (accuracy, or rmse)")
    _plan(run)
    _threads(run)
    run.add_argument(
        "--out", metavar="DIR", help="folder for the result (runs/<data>-compare-NNNN)"
    )


def _compare_runs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("a", metavar="A", help="a run folder")
    verb.add_argument("b", metavar="B", help="another one")


def _search(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    _recipe(verb)
    how = verb.add_argument_group(
        "search",
        "any recipe option may be a range, 0..0.5 or 1e-4..1e-1:log, or a choice, '32|128,64'",
    )
    how.add_argument(
        "--method", default="random", metavar="NAME",
        help="random, grid, halving, hyperband (drop the worse early), optuna (random)",
    )  # fmt: skip
    how.add_argument(
        "--parallel", type=int, default=8, metavar="N",
        help="configurations optuna proposes at once (8)",
    )  # fmt: skip
    how.add_argument("--trials", type=int, default=32, metavar="N", help="configurations (32)")
    _folds(how, 5)
    how.add_argument("--seeds", type=int, metavar="S", help="cut and initialise S times (1)")
    how.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    how.add_argument(
        "--nested", type=int, default=0, metavar="K",
        help="K outer folds for an honest score of the whole search (none)",
    )  # fmt: skip
    _plan(how)
    _threads(how)
    how.add_argument("--out", metavar="DIR", help="folder for the result (runs/<data>-search-NNNN)")


def _curve(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    _recipe(verb)
    run = verb.add_argument_group("run")
    run.add_argument(
        "--sizes", metavar="SIZE,...",
        help="shares of the training rows (0.5) or their numbers (200); five halvings by default; "
        "or give a recipe option several values, as in search: --model.hidden '8|32|128'",
    )  # fmt: skip
    run.add_argument("--folds", type=int, default=5, metavar="K", help="folds (5)")
    _several(run, 1, "cut and initialise S times (1)")


def _capacity(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    _recipe(verb)
    _several(verb.add_argument_group("run"), 6, "sets of labels (6)")


def _race(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    _recipe(verb)
    run = verb.add_argument_group("race")
    run.add_argument(
        "--optimizers", metavar="NAME,...",
        help="sgd, momentum, nesterov, adagrad, rmsprop, adam, bgd (these), or others with a rate",
    )  # fmt: skip
    run.add_argument("--rates", metavar="X,...", help="learning rates (ten, 1e-4 to 3.2)")
    run.add_argument("--seeds", type=int, default=5, metavar="S", help="seeds of each (5)")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    _threads(run)
    run.add_argument("--out", metavar="DIR", help="folder for the result (runs/<data>-race-NNNN)")


def _suitability(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--rows", type=int, default=1000, metavar="N", help="most rows (1000)")
    run.add_argument("--folds", type=int, default=5, metavar="K", help="folds (5)")
    _several(run, 3, "cut and initialise S times (3)")


def _effects(verb: argparse.ArgumentParser) -> None:
    _source(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--rows", type=int, default=200, metavar="N", help="random labels (200)")
    _several(run, 5, "sets of labels (5)")


def _several(run: Any, seeds: int, text: str) -> None:
    run.add_argument("--seeds", type=int, default=seeds, metavar="S", help=text)
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    _plan(run)
    _threads(run)


def _resume(verb: argparse.ArgumentParser) -> None:
    of_runs.run_on_data(verb)
    _workers(verb)
    of_runs.language(verb)


_ADD = {
    "fit": _fit, "cv": _cv, "resume": _resume, "show": of_runs.show, "report": of_runs.report,
    "evaluate": of_runs.evaluate, "predict": of_runs.predict,
    "sample": of_runs.sample, "runs": of_runs.runs,
    "part": of_runs.part, "shapes": of_runs.shapes, "graph": of_runs.graph,
    "compare": _compare, "compare-runs": _compare_runs,
    "search": _search,
    "curve": _curve, "capacity": _capacity, "race": _race,
    "suitability": _suitability, "effects": _effects,
    "diagnose": of_runs.diagnose, "why": of_runs.why,
}  # fmt: skip
