"""The doctor: says what is wrong with a training run, from signals that anybody can check again.

Signals are recorded while a run trains (`preflight`, `probing`, `record`), rules turn them into
findings (`rules`), and `watch` brings both to anybody's torch loop. Touches nothing that it looks
at: weights, gradients, modes, buffers and random states are left as they were found (`restoring`).
"""

from chymist.doctor.finding import Finding as Finding
from chymist.doctor.finding import Remedy as Remedy
from chymist.doctor.trying import ExperimentWatcher as ExperimentWatcher
from chymist.doctor.trying import watch_experiments as watch_experiments
from chymist.doctor.watching import Watcher as Watcher
from chymist.doctor.watching import watch as watch
