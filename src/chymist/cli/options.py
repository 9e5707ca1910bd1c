"""The verbs and their options: argparse for what is fixed, one pass for dotted recipe names."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from chymist.cli import classical_options as classical
from chymist.cli import explain_options as explaining
from chymist.cli import image_options as images
from chymist.cli import log_options as logs
from chymist.cli import network_options as networks
from chymist.cli import run_options as of_runs
from chymist.cli import shared_options as shared
from chymist.cli import steering_options as steering
from chymist.cli import studio_options as studio
from chymist.cli.shared_options import RECIPE_OPTIONS
from chymist.errors import UsageError, nearest

EXAMPLES = {
    "fit": "chymist fit table.csv --target price --model mlp --model.hidden 128,64",
    "resume": "chymist resume runs/digits-0001",
    "steer": "chymist steer runs/digits-0001 pause",
    "branch": "chymist branch runs/digits-0001 --optimizer.lr 1e-4 --length '40 epochs'",
    "evaluate": "chymist evaluate runs/digits-0001 --split test",
    "predict": "chymist predict runs/table-0001 new.csv --out predictions.csv",
    "sample": "chymist sample runs/tinyshakespeare-0001 'ROMEO:' --length 500",
    "search": "chymist search digits --optimizer.lr 1e-4..1e-1:log --model.hidden '32|128'",
    "batch": "chymist batch digits --augment rotate,shift --out batch.png",
    "features": "chymist features hymenoptera --out features.npz",
    "cv": "chymist cv table.csv --target price --folds 10",
    "compare": "chymist compare digits --models mlp,softmax,svm --folds 10 --seeds 3",
    "compare-runs": "chymist compare-runs runs/digits-0001 runs/digits-0002",
    "curve": "chymist curve digits --model mlp --sizes 0.25,0.5,1.0 --folds 5 --seeds 3\n"
    "  chymist curve diabetes --model polynomial --model.degree 1..3",
    "race": "chymist race digits",
    "capacity": "chymist capacity digits --model mlp --model.hidden 8",
    "suitability": "chymist suitability table.csv --target price",
    "networks": "chymist networks digits --out networks.svg",
    "invariance": "chymist invariance runs/digits-0001 --changes shift,rotation",
    "forecast": "chymist forecast los_loop --horizons 3,12",
    "effects": "chymist effects wine --rows 100",
    "explain": "chymist explain runs/digits-0001 --out seen.svg",
    "diagnose": "chymist diagnose runs/digits-0001 --fix",
    "why": "chymist why overfitting --lang zh",
    "tensorboard": "chymist tensorboard runs/digits-0001 runs/digits-0002 --out boards",
    "import-log": "chymist import-log logs/version_0/metrics.csv",
    "studio": "chymist studio runs",
    "runs": "chymist runs",
    "show": "chymist show runs/digits-0001",
    "report": "chymist report runs/digits-0001",
    "pca": "chymist pca wine --share 0.9 --out wine-pca.svg",
    "kmeans": "chymist kmeans iris --clusters 3 --out clusters.csv",
    "crossing": "chymist crossing wine --models gaussian,softmax --sizes 0.2,1.0",
    "mistake-bound": "chymist mistake-bound iris --against setosa",
    "bag": "chymist bag wine --model cart --members 25",
    "tree": "chymist tree runs/iris-0001 --stability --out tree.svg",
    "support": "chymist support runs/wine-0001 --out vectors.csv",
    "reach": "chymist reach runs/recall-0001 runs/recall-0002 --out reach.svg",
    "layers": "chymist layers runs/digits-0001 --quantity update_ratio --out layers.svg",
    "part": "chymist part gelu --out gelu.svg",
    "shapes": "chymist shapes cnn --input 1x28x28 --outputs 10",
    "graph": "chymist graph 'sigmoid(w*x + b)' --at w=2,x=0.5,b=-1 --expand --out graph.svg",
    "sets": "chymist sets",
}

VERBS = {
    "fit": "train a model on a data source and score it",
    "resume": "continue a run from its last checkpoint",
    "steer": "pause a run that trains, let it go on, save it, or end it with a score",
    "branch": "train on from a checkpoint of a run, with a change of its recipe",
    "evaluate": "score a run on validation or (counted) test rows",
    "predict": "predict new rows with a run",
    "sample": "let a model of the next token go on with a text",
    "search": "search hyperparameters as one population, with an honest result",
    "batch": "draw training images as they are, and as they are trained on",
    "features": "write images as the features of a network that was trained on ImageNet",
    "cv": "score a recipe by cross-validation",
    "compare": "compare recipes and baselines on the same folds, with a verdict in words",
    "compare-runs": "compare two runs on the same validation rows",
    "curve": "score a recipe with more and more training rows, or over values of an option",
    "race": "train optimisers at many rates and with many seeds, and say which one leads",
    "capacity": "count the rows with random labels that a recipe learns by heart",
    "networks": "compare DNN, CNN, RNN and GCN of equal size, and take away what they assume",
    "invariance": "change the validation images of a run, and see what it answers",
    "forecast": "forecast many series by several networks, beside floors and without the graph",
    "suitability": "say whether a network is the right tool for the data, by experiment",
    "effects": "measure what each hyperparameter does to effective capacity",
    "explain": "show what a run looks at, and how far the picture can be believed",
    "diagnose": "say what is wrong with a run, from its record or by experiments",
    "why": "explain a code of the doctor, in English or Chinese",
    "tensorboard": "write the record of runs as event files for TensorBoard",
    "import-log": "read event files of TensorBoard, or a CSV log, into a run folder",
    "studio": "watch runs in the browser while they train, and steer them",
    "runs": "list runs, cross-validations, comparisons and searches",
    "show": "show what a run gave",
    "report": "write the report of a run or study anew",
    "pca": "find the directions of greatest variance, and how many are worth keeping",
    "kmeans": "group rows around centres, and say whether another start finds the same",
    "crossing": "say which of two models is better with how many training rows",
    "mistake-bound": "bound the mistakes of a perceptron by margin and radius of the rows",
    "bag": "train on bootstraps of the training rows, and score the average",
    "tree": "show the tree of a run, and how sure its cuts are",
    "support": "list the support vectors of a run, and its margins",
    "reach": "measure how far back runs of sequences look, by the gradient at each distance",
    "layers": "show what the layers of a run did: gradients, updates, activations by step",
    "part": "explain a part of a recipe (a model, loss, optimiser, ...)",
    "shapes": "show a model layer by layer, before training",
    "graph": "show a formula as a graph, with values forward and gradients backward",
    "sets": "list the data sets known by name",
}

DOTTED = (
    "fit", "branch", "cv", "compare", "search", "curve", "capacity", "race", "bag", "crossing",
    "shapes", "pca", "kmeans", "mistake-bound", "batch", "networks",
)  # fmt: skip


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
    if dotted and options.verb not in DOTTED:
        raise UsageError(
            "unknown option",
            where=f"chymist {options.verb}",
            received=f"'--{next(iter(dotted))}'",
            do=f"recipe options are for {', '.join(DOTTED)}",
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


def _fit(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    shared.recipe(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything (0)")
    shared.threads(run)
    run.add_argument(
        "--device", metavar="NAME", help="cpu, cuda or cuda:1 (a GPU if there is one, else cpu)"
    )
    shared.workers(run)
    of_runs.language(run)
    logs.board(run)
    logs.without_layers(run)
    run.add_argument("--out", metavar="DIR", help="the run folder (runs/<data>-NNNN)")
    run.add_argument(
        "--print-recipe", action="store_true", help="print the complete recipe and end"
    )
    run.add_argument(
        "--print-script",
        action="store_true",
        help="print the Python script that does the same and end",
    )


def _cv(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    shared.recipe(verb)
    run = verb.add_argument_group("run")
    shared.folds(run, 10)
    run.add_argument("--repeats", type=int, metavar="R", help="cut into folds R times (1)")
    run.add_argument(
        "--order", choices=("own", "shared"), default="own",
        help="shared: all models read the same batches; none is then what fit gives (own)",
    )  # fmt: skip
    shared.plan(run)
    run.add_argument("--seed", type=int, default=0, metavar="N", help="first repeat's seed (0)")
    shared.threads(run)
    run.add_argument("--out", metavar="DIR", help="folder for the result (runs/<data>-cv-NNNN)")


def _compare(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    entries = verb.add_argument_group("entries")
    entries.add_argument(
        "--models", metavar="NAME,...",
        help="models, to which the recipe options apply, and baselines of scikit-learn: "
        "svm, tree, forest, boosting, knn, bayes",
    )  # fmt: skip
    entries.add_argument("--recipes", metavar="FILE,...", help="TOML recipes, named by their files")
    shared.recipe(verb, model=False)
    run = verb.add_argument_group("run")
    shared.folds(run, 10)
    run.add_argument(
        "--seeds", type=int, metavar="S",
        help="cut and initialise S times (3; 1 if nothing starts from random weights)",
    )  # fmt: skip
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    run.add_argument("--metric", metavar="NAME", help="what to compare by (accuracy, or rmse)")
    shared.plan(run)
    shared.threads(run)
    run.add_argument(
        "--out", metavar="DIR", help="folder for the result (runs/<data>-compare-NNNN)"
    )


def _compare_runs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("a", metavar="A", help="a run folder")
    verb.add_argument("b", metavar="B", help="another one")
    of_runs.report_file(verb)
    of_runs.language(verb)


def _search(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    shared.recipe(verb)
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
    shared.folds(how, 5)
    how.add_argument("--seeds", type=int, metavar="S", help="cut and initialise S times (1)")
    how.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    how.add_argument(
        "--nested", type=int, default=0, metavar="K",
        help="K outer folds for an honest score of the whole search (none)",
    )  # fmt: skip
    shared.plan(how)
    shared.threads(how)
    logs.board(how)
    how.add_argument("--out", metavar="DIR", help="folder for the result (runs/<data>-search-NNNN)")


def _curve(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    shared.recipe(verb)
    run = verb.add_argument_group("run")
    run.add_argument(
        "--sizes", metavar="SIZE,...",
        help="shares of the training rows (0.5) or their numbers (200); five halvings by default; "
        "or give a recipe option several values, as in search: --model.hidden '8|32|128'",
    )  # fmt: skip
    run.add_argument("--folds", type=int, default=5, metavar="K", help="folds (5)")
    shared.several(run, 1, "cut and initialise S times (1)")


def _capacity(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    shared.recipe(verb)
    shared.several(verb.add_argument_group("run"), 6, "sets of labels (6)")


def _race(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    shared.recipe(verb)
    run = verb.add_argument_group("race")
    run.add_argument(
        "--optimizers", metavar="NAME,...",
        help="sgd, momentum, nesterov, adagrad, rmsprop, adam, bgd (these), or others with a rate",
    )  # fmt: skip
    run.add_argument("--rates", metavar="X,...", help="learning rates (ten, 1e-4 to 3.2)")
    run.add_argument("--seeds", type=int, default=5, metavar="S", help="seeds of each (5)")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    shared.threads(run)
    run.add_argument("--out", metavar="DIR", help="folder for the result (runs/<data>-race-NNNN)")


def _suitability(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--rows", type=int, default=1000, metavar="N", help="most rows (1000)")
    run.add_argument("--folds", type=int, default=5, metavar="K", help="folds (5)")
    shared.several(run, 3, "cut and initialise S times (3)")


def _forecast(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", metavar="SOURCE", help="los_loop, or a CSV with a column a series")
    run = verb.add_argument_group("run")
    run.add_argument("--graph", metavar="FILE", help="edges or adjacency among the series (CSV)")
    run.add_argument("--models", metavar="A,B", help='some of the networks: "GRU,GCN + GRU"')
    run.add_argument("--steps", type=int, default=12, metavar="N", help="of a window (12)")
    run.add_argument("--horizons", default="3", metavar="N,N", help="steps ahead (3)")
    run.add_argument("--block", type=int, default=24, metavar="N", help="windows of a block (24)")
    run.add_argument("--losses", default="mse,huber,mae", metavar="A,B",
                     help="tried on the validation windows (mse,huber,mae)")  # fmt: skip
    run.add_argument("--length", metavar="LENGTH", help='of each training ("8 epochs")')
    run.add_argument("--seeds", type=int, default=3, metavar="S", help="of each network (3)")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="the first seed (0)")
    shared.threads(run)


def _effects(verb: argparse.ArgumentParser) -> None:
    shared.source(verb)
    run = verb.add_argument_group("run")
    run.add_argument("--rows", type=int, default=200, metavar="N", help="random labels (200)")
    shared.several(run, 5, "sets of labels (5)")


def _resume(verb: argparse.ArgumentParser) -> None:
    of_runs.run_on_data(verb)
    shared.workers(verb)
    of_runs.language(verb)
    logs.board(verb)


_ADD = {
    "fit": _fit, "cv": _cv, "resume": _resume, "show": of_runs.show, "report": of_runs.report,
    "evaluate": of_runs.evaluate, "predict": of_runs.predict,
    "sample": of_runs.sample, "runs": of_runs.runs,
    "part": of_runs.part, "shapes": of_runs.shapes, "graph": of_runs.graph,
    "compare": _compare, "compare-runs": _compare_runs,
    "search": _search, "batch": images.batch, "features": images.features,
    "curve": _curve, "capacity": _capacity, "race": _race,
    "suitability": _suitability, "forecast": _forecast, "effects": _effects,
    "networks": networks.networks, "invariance": networks.invariance,
    "pca": classical.pca, "kmeans": classical.kmeans, "crossing": classical.crossing,
    "mistake-bound": classical.mistake_bound, "bag": classical.bag,
    "tree": of_runs.tree, "support": of_runs.support, "reach": of_runs.reach,
    "layers": of_runs.layers,
    "steer": steering.steer, "branch": steering.branch,
    "studio": studio.studio, "tensorboard": logs.tensorboard, "import-log": logs.import_log,
    "explain": explaining.explain, "diagnose": of_runs.diagnose, "why": of_runs.why,
}  # fmt: skip
