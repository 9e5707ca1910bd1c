"""The verbs: what users and the faces call. They wire the layers below and hold no logic of theirs.

May use everything below; draws nothing and prints nothing. `estimator` stands apart, because it
needs scikit-learn when it is imported.
"""

from chymist.values import Run as Run
from chymist.verbs.applying import apply as apply
from chymist.verbs.applying import prove as prove
from chymist.verbs.bagging import bag as bag
from chymist.verbs.clustering import Clusters as Clusters
from chymist.verbs.clustering import kmeans as kmeans
from chymist.verbs.comparing import compare as compare
from chymist.verbs.comparing_runs import compare_runs as compare_runs
from chymist.verbs.comparison import Comparison as Comparison
from chymist.verbs.complexity import validation_curve as validation_curve
from chymist.verbs.conforming import intervals as intervals
from chymist.verbs.curves import learning_curve as learning_curve
from chymist.verbs.decomposing import bias_variance as bias_variance
from chymist.verbs.diagnosing import diagnose as diagnose
from chymist.verbs.embedding import pretrained_features as pretrained_features
from chymist.verbs.evolving import evolve as evolve
from chymist.verbs.fitting import fit as fit
from chymist.verbs.fitting import resume as resume
from chymist.verbs.fixing import fix as fix
from chymist.verbs.forecasting import forecast_comparison as forecast_comparison
from chymist.verbs.leaving_out import leave_one_out as leave_one_out
from chymist.verbs.loading import loading_throughput as loading_throughput
from chymist.verbs.memorising import capacity as capacity
from chymist.verbs.optimizer_race import race as race
from chymist.verbs.ordering import ErrorOrdering as ErrorOrdering
from chymist.verbs.ordering import error_ordering as error_ordering
from chymist.verbs.paired_curves import Crossing as Crossing
from chymist.verbs.paired_curves import crossing as crossing
from chymist.verbs.populating import fit_population as fit_population
from chymist.verbs.predicting import evaluate as evaluate
from chymist.verbs.predicting import predict as predict
from chymist.verbs.projecting import Pca as Pca
from chymist.verbs.projecting import pca as pca
from chymist.verbs.reaching import gradient_reach as gradient_reach
from chymist.verbs.reading import coefficients as coefficients
from chymist.verbs.reading import support_vectors as support_vectors
from chymist.verbs.records import list_runs as list_runs
from chymist.verbs.records import load_run as load_run
from chymist.verbs.sampling import sample as sample
from chymist.verbs.searching import search as search
from chymist.verbs.sensing import effects as effects
from chymist.verbs.separating import mistake_bound as mistake_bound
from chymist.verbs.showing import show_batch as show_batch
from chymist.verbs.suiting import suitability as suitability
from chymist.verbs.trees import tree_of as tree_of
from chymist.verbs.trees import tree_stability as tree_stability
from chymist.verbs.triples import families as families
from chymist.verbs.validation import cross_validate as cross_validate
