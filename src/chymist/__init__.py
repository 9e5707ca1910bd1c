"""chymist, the laboratory of deep learning: experiment instead of feel.

    import chymist as cy
    run = cy.fit(cy.Recipe(), cy.load("digits"))

Names are imported when they are used, so that `import chymist` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Name -> module that defines it. A module stands for itself.
_PUBLIC = {
    "Data": "chymist.values", "Floor": "chymist.values", "Length": "chymist.values",
    "Predictions": "chymist.values", "Recipe": "chymist.values", "Run": "chymist.verbs",
    "Score": "chymist.values", "Shapes": "chymist.values", "Split": "chymist.values",
    "Part": "chymist.parts", "part": "chymist.parts",
    "ChymistError": "chymist.errors", "InputError": "chymist.errors",
    "UsageError": "chymist.errors", "Diverged": "chymist.errors",
    "load": "chymist.data", "split": "chymist.data", "named_sets": "chymist.data",
    "prepare": "chymist.data.preparation", "windows": "chymist.data.series",
    "layer_history": "chymist.verbs",
    "recall_task": "chymist.data.recall", "gradient_reach": "chymist.verbs",
    "sample": "chymist.verbs",
    "Graph": "chymist.values", "graph_of": "chymist.data.graphs",
    "bag": "chymist.verbs", "branch": "chymist.verbs",
    "fit": "chymist.verbs", "forecast_comparison": "chymist.verbs",
    "fit_population": "chymist.verbs", "evolve": "chymist.verbs",
    "resume": "chymist.verbs", "evaluate": "chymist.verbs",
    "predict": "chymist.verbs", "cross_validate": "chymist.verbs", "load_run": "chymist.verbs",
    "compare": "chymist.verbs", "compare_networks": "chymist.verbs",
    "compare_runs": "chymist.verbs", "Comparison": "chymist.verbs",
    "search": "chymist.verbs", "show_batch": "chymist.verbs",
    "show_weights": "chymist.verbs", "explain": "chymist.verbs", "feature_maps": "chymist.verbs",
    "feature_wall": "chymist.verbs", "maximize_activation": "chymist.verbs",
    "nearest_examples": "chymist.verbs", "layer_probes": "chymist.verbs",
    "explain_words": "chymist.verbs", "explain_graph": "chymist.verbs",
    "gate_trace": "chymist.verbs", "permutation_importance": "chymist.verbs",
    "partial_dependence": "chymist.verbs",
    "diagnose": "chymist.verbs", "why": "chymist.doctor.texts",
    "pretrained_features": "chymist.verbs",
    "live": "chymist.reports.live", "list_runs": "chymist.verbs", "report": "chymist.verbs",
    "as_estimator": "chymist.verbs.estimator",
    "coefficients": "chymist.verbs", "leave_one_out": "chymist.verbs",
    "learning_curve": "chymist.verbs", "validation_curve": "chymist.verbs",
    "capacity": "chymist.verbs", "suitability": "chymist.verbs",
    "effects": "chymist.verbs", "error_ordering": "chymist.verbs",
    "families": "chymist.verbs", "bias_variance": "chymist.verbs",
    "apply": "chymist.verbs", "prove": "chymist.verbs", "fix": "chymist.verbs",
    "tree_of": "chymist.verbs", "tree_stability": "chymist.verbs",
    "support_vectors": "chymist.verbs", "mistake_bound": "chymist.verbs",
    "pca": "chymist.verbs", "kmeans": "chymist.verbs", "crossing": "chymist.verbs",
    "intervals": "chymist.verbs", "invariance": "chymist.verbs",
    "import_log": "chymist.verbs", "to_tensorboard": "chymist.verbs",
    "race": "chymist.verbs", "loading_throughput": "chymist.verbs",
    "architecture": "chymist.verbs.architecture",
    "receptive_fields": "chymist.verbs.receptive_fields", "shapes": "chymist.verbs.sizing",
    "steer": "chymist.verbs",
    "Remedy": "chymist.doctor",
    "watch": "chymist.doctor", "watch_experiments": "chymist.doctor", "Finding": "chymist.doctor",
    "activations": "", "augment": "", "clip": "", "gradient_noise": "", "gradients": "",
    "initializers": "", "losses": "", "maths": "",
    "metrics": "", "models": "", "optim": "", "penalties": "", "protocols": "", "schedules": "",
    "space": "", "stop": "",
}  # fmt: skip

if TYPE_CHECKING:
    from chymist import activations as activations
    from chymist import augment as augment
    from chymist import clip as clip
    from chymist import gradient_noise as gradient_noise
    from chymist import gradients as gradients
    from chymist import initializers as initializers
    from chymist import losses as losses
    from chymist import maths as maths
    from chymist import metrics as metrics
    from chymist import models as models
    from chymist import optim as optim
    from chymist import penalties as penalties
    from chymist import protocols as protocols
    from chymist import schedules as schedules
    from chymist import space as space
    from chymist import stop as stop
    from chymist.data import load as load
    from chymist.data import named_sets as named_sets
    from chymist.data import split as split
    from chymist.data.graphs import graph_of as graph_of
    from chymist.data.preparation import prepare as prepare
    from chymist.data.recall import recall_task as recall_task
    from chymist.data.series import windows as windows
    from chymist.doctor import Finding as Finding
    from chymist.doctor import Remedy as Remedy
    from chymist.doctor import watch as watch
    from chymist.doctor import watch_experiments as watch_experiments
    from chymist.doctor.texts import why as why
    from chymist.errors import ChymistError as ChymistError
    from chymist.errors import Diverged as Diverged
    from chymist.errors import InputError as InputError
    from chymist.errors import UsageError as UsageError
    from chymist.parts import Part as Part
    from chymist.parts import part as part
    from chymist.reports.live import live as live
    from chymist.values import Data as Data
    from chymist.values import Floor as Floor
    from chymist.values import Graph as Graph
    from chymist.values import Length as Length
    from chymist.values import Predictions as Predictions
    from chymist.values import Recipe as Recipe
    from chymist.values import Run as Run
    from chymist.values import Score as Score
    from chymist.values import Shapes as Shapes
    from chymist.values import Split as Split
    from chymist.verbs import Comparison as Comparison
    from chymist.verbs import apply as apply
    from chymist.verbs import bag as bag
    from chymist.verbs import bias_variance as bias_variance
    from chymist.verbs import branch as branch
    from chymist.verbs import capacity as capacity
    from chymist.verbs import coefficients as coefficients
    from chymist.verbs import compare as compare
    from chymist.verbs import compare_networks as compare_networks
    from chymist.verbs import compare_runs as compare_runs
    from chymist.verbs import cross_validate as cross_validate
    from chymist.verbs import crossing as crossing
    from chymist.verbs import diagnose as diagnose
    from chymist.verbs import effects as effects
    from chymist.verbs import error_ordering as error_ordering
    from chymist.verbs import evaluate as evaluate
    from chymist.verbs import evolve as evolve
    from chymist.verbs import explain as explain
    from chymist.verbs import explain_graph as explain_graph
    from chymist.verbs import explain_words as explain_words
    from chymist.verbs import families as families
    from chymist.verbs import feature_maps as feature_maps
    from chymist.verbs import feature_wall as feature_wall
    from chymist.verbs import fit as fit
    from chymist.verbs import fit_population as fit_population
    from chymist.verbs import fix as fix
    from chymist.verbs import forecast_comparison as forecast_comparison
    from chymist.verbs import gate_trace as gate_trace
    from chymist.verbs import gradient_reach as gradient_reach
    from chymist.verbs import import_log as import_log
    from chymist.verbs import intervals as intervals
    from chymist.verbs import invariance as invariance
    from chymist.verbs import kmeans as kmeans
    from chymist.verbs import layer_history as layer_history
    from chymist.verbs import layer_probes as layer_probes
    from chymist.verbs import learning_curve as learning_curve
    from chymist.verbs import leave_one_out as leave_one_out
    from chymist.verbs import list_runs as list_runs
    from chymist.verbs import load_run as load_run
    from chymist.verbs import loading_throughput as loading_throughput
    from chymist.verbs import maximize_activation as maximize_activation
    from chymist.verbs import mistake_bound as mistake_bound
    from chymist.verbs import nearest_examples as nearest_examples
    from chymist.verbs import partial_dependence as partial_dependence
    from chymist.verbs import pca as pca
    from chymist.verbs import permutation_importance as permutation_importance
    from chymist.verbs import predict as predict
    from chymist.verbs import pretrained_features as pretrained_features
    from chymist.verbs import prove as prove
    from chymist.verbs import race as race
    from chymist.verbs import report as report
    from chymist.verbs import resume as resume
    from chymist.verbs import sample as sample
    from chymist.verbs import search as search
    from chymist.verbs import show_batch as show_batch
    from chymist.verbs import show_weights as show_weights
    from chymist.verbs import steer as steer
    from chymist.verbs import suitability as suitability
    from chymist.verbs import support_vectors as support_vectors
    from chymist.verbs import to_tensorboard as to_tensorboard
    from chymist.verbs import tree_of as tree_of
    from chymist.verbs import tree_stability as tree_stability
    from chymist.verbs import validation_curve as validation_curve
    from chymist.verbs.architecture import architecture as architecture
    from chymist.verbs.estimator import as_estimator as as_estimator
    from chymist.verbs.receptive_fields import receptive_fields as receptive_fields
    from chymist.verbs.sizing import shapes as shapes


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'chymist' has no attribute '{name}'")
    home = _PUBLIC[name]
    return getattr(import_module(home), name) if home else import_module(f"chymist.{name}")


def __dir__() -> list[str]:
    return sorted([*_PUBLIC, "__version__"])
