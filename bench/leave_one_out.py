"""Leave-one-out of ridge on diabetes, 100 penalties: chymist's closed form and scikit-learn's loop.

    PYTHONPATH=src OMP_NUM_THREADS=1 python bench/leave_one_out.py [--full]

Prints one line of a table, and the numbers as JSON. scikit-learn's `cross_val_score` with
`LeaveOneOut` is timed on a few penalties and multiplied; `--full` runs all 100 as well. Its
RidgeCV, which has a closed form too, is timed beside. All are asked for the mean squared error of
every penalty and must agree to 1e-10. Times are processor time of one thread.
"""

from __future__ import annotations

import json
import sys
from statistics import median
from time import process_time

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_score
from threadpoolctl import threadpool_limits

from chymist.evidence.leave_one_out import ridge_path

PENALTIES = np.geomspace(1e-3, 1e3, 100)
SAMPLED = (0, 50, 99)
REPEATS = 51


def closed(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean squared error for each penalty, in closed form."""
    errors = ridge_path(inputs, targets, PENALTIES) - targets
    return np.asarray((errors**2).mean(1))


def looped(inputs: np.ndarray, targets: np.ndarray, penalty: float) -> float:
    """Mean squared error for one penalty, by a fit for each row."""
    scores = cross_val_score(
        Ridge(penalty), inputs, targets, cv=LeaveOneOut(), scoring="neg_mean_squared_error"
    )
    return float(-scores.mean())


def shortcut(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Mean squared error for each penalty, by scikit-learn's own closed form."""
    model = RidgeCV(alphas=PENALTIES, store_cv_results=True).fit(inputs, targets)
    return np.asarray(model.cv_results_.mean(0))


def seconds(work, repeats: int) -> float:
    """Median time of a call, after one that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        began = process_time()
        work()
        times.append(process_time() - began)
    return median(times)


def measured(full: bool) -> dict[str, float]:
    """Times of both sides, and how far their results are apart."""
    inputs, targets = load_diabetes(return_X_y=True)
    ours = seconds(lambda: closed(inputs, targets), REPEATS)
    each = [seconds(lambda p=PENALTIES[k]: looped(inputs, targets, p), 3) for k in SAMPLED]
    scaled = seconds(lambda: ridge_path(inputs, targets, PENALTIES, standardize=True), 5)
    cheap = seconds(lambda: shortcut(inputs, targets), 5)
    found = closed(inputs, targets)
    same = np.abs(shortcut(inputs, targets) / found - 1).max()
    apart = max(
        float(same), *(abs(looped(inputs, targets, PENALTIES[k]) / found[k] - 1) for k in SAMPLED)
    )
    result = {
        "chymist_seconds": ours, "sklearn_seconds_per_penalty": median(each),
        "sklearn_seconds": 100 * median(each), "ratio": 100 * median(each) / ours,
        "chymist_standardized_seconds": scaled, "sklearn_ridgecv_seconds": cheap,
        "relative_difference": apart,
    }  # fmt: skip
    if full:
        began = process_time()
        everything = [looped(inputs, targets, penalty) for penalty in PENALTIES]
        result["sklearn_seconds_full"] = process_time() - began
        result["ratio_full"] = result["sklearn_seconds_full"] / ours
        differences = np.abs(np.array(everything) / found - 1)
        result["relative_difference"] = max(apart, float(differences.max()))
    return result


def main() -> None:
    """Measure and print."""
    with threadpool_limits(1):
        result = measured("--full" in sys.argv[1:])
    print("| leave-one-out of ridge, diabetes, 100 penalties | chymist | scikit-learn | ratio |")
    loop = result.get("sklearn_seconds_full", result["sklearn_seconds"])
    print(f"| | {1000 * result['chymist_seconds']:.2f} ms | {loop:.1f} s"
          f" | {loop / result['chymist_seconds']:,.0f} |")  # fmt: skip
    print(json.dumps(result))
    if result["relative_difference"] > 1e-10:
        sys.exit("the results differ")


if __name__ == "__main__":
    main()
