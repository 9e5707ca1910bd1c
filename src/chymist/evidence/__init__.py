"""Evidence: scores with intervals, floors, paired comparisons, and the ledger of looks.

What lives here: `intervals` (Wilson, BCa, DeLong), `scores` (a metric with its interval),
`floors` (what trivial methods reach), `verdict` (who wins, paired), `ledger` (looks at test rows),
`leave_one_out` (in closed form), `approximate_leave_one_out` (one Newton step, audited).
It reads per-example results and knows nothing of how they were made. It may import `metrics`,
`values`, `keys` and `errors`; the engine and the verbs import it. scikit-learn and SciPy are
imported inside the functions that need them.
"""

from chymist.evidence.floors import FloorResult as FloorResult
from chymist.evidence.floors import fit_floors as fit_floors
from chymist.evidence.ledger import Looks as Looks
from chymist.evidence.ledger import look as look
from chymist.evidence.ledger import peek as peek
from chymist.evidence.scores import headline as headline
from chymist.evidence.scores import out_of_fold_score as out_of_fold_score
from chymist.evidence.scores import score as score
from chymist.evidence.verdict import PairedDifference as PairedDifference
from chymist.evidence.verdict import compare_paired as compare_paired
from chymist.evidence.verdict import verdict as verdict
