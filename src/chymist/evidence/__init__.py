"""Evidence: scores with intervals, floors, paired comparisons, and the ledger of looks.

What lives here: `intervals` (Wilson, BCa, DeLong), `scores` (a metric with its interval),
`bootstrap_error` (.632 and .632+),
`floors` (what trivial methods reach), `verdict` (who wins, paired), `resampled` (tests on folds and
permutations), `conformal` (intervals and label sets for new rows), `decomposition` (bias and
variance), `leave_one_out` (in closed form), `approximate_leave_one_out` (one Newton step, audited),
`margins` (what bounds a perceptron's mistakes),
`comparison` (several recipes on the same folds), `ordering` (training, validation,
test), `searches` (what a search shows), `ledger` (looks at test rows).
It reads per-example results and knows nothing of how they were made. It may import `metrics`,
`values`, `keys` and `errors`; the engine and the verbs import it. scikit-learn and SciPy are
imported inside the functions that need them.
"""

from chymist.evidence.comparison import Entry as Entry
from chymist.evidence.comparison import Pair as Pair
from chymist.evidence.comparison import compare_entries as compare_entries
from chymist.evidence.comparison import comparison_verdict as comparison_verdict
from chymist.evidence.conformal import conformal_quantile as conformal_quantile
from chymist.evidence.conformal import cross_conformal_sets as cross_conformal_sets
from chymist.evidence.conformal import cv_plus as cv_plus
from chymist.evidence.conformal import jackknife_minmax as jackknife_minmax
from chymist.evidence.conformal import jackknife_plus as jackknife_plus
from chymist.evidence.conformal import split_conformal as split_conformal
from chymist.evidence.conformal import split_conformal_sets as split_conformal_sets
from chymist.evidence.decomposition import SquaredDecomposition as SquaredDecomposition
from chymist.evidence.decomposition import ZeroOneDecomposition as ZeroOneDecomposition
from chymist.evidence.decomposition import bias_variance as bias_variance
from chymist.evidence.decomposition import bias_variance_zero_one as bias_variance_zero_one
from chymist.evidence.floors import FloorResult as FloorResult
from chymist.evidence.floors import fit_floors as fit_floors
from chymist.evidence.floors import ranked as ranked
from chymist.evidence.intervals import bca as bca
from chymist.evidence.intervals import exact_binomial as exact_binomial
from chymist.evidence.intervals import percentile_bootstrap as percentile_bootstrap
from chymist.evidence.intervals import wilson as wilson
from chymist.evidence.ledger import Looks as Looks
from chymist.evidence.ledger import look as look
from chymist.evidence.ledger import peek as peek
from chymist.evidence.margins import MistakeBound as MistakeBound
from chymist.evidence.margins import mistake_bound as mistake_bound
from chymist.evidence.ordering import Inequality as Inequality
from chymist.evidence.ordering import inequality as inequality
from chymist.evidence.resampled import Practical as Practical
from chymist.evidence.resampled import bayesian_correlated_t as bayesian_correlated_t
from chymist.evidence.resampled import corrected_t as corrected_t
from chymist.evidence.resampled import holm as holm
from chymist.evidence.resampled import permutation_test as permutation_test
from chymist.evidence.scores import headline as headline
from chymist.evidence.scores import out_of_fold_score as out_of_fold_score
from chymist.evidence.scores import score as score
from chymist.evidence.verdict import PairedDifference as PairedDifference
from chymist.evidence.verdict import compare_paired as compare_paired
from chymist.evidence.verdict import verdict as verdict
