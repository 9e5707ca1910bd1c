"""`Run.plot()` and what a notebook shows."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest

import chymist.reports  # noqa: F401  gives runs their plots
from tests.reports_runs import RUNS, digits_run, history


@pytest.mark.parametrize("name", RUNS)
def test_plot_gives_axes_that_can_be_drawn(name: str) -> None:
    axes = RUNS[name]().plot()
    assert axes.shape == (2,)
    assert axes[0].get_xlabel() == "epoch"
    assert axes[0].get_ylabel() == "loss"
    axes[0].figure.savefig(io.BytesIO(), format="png", dpi=40)


def test_plot_draws_the_numbers_of_the_run() -> None:
    run = digits_run()
    loss, metric = run.plot()
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert np.array_equal(loss.lines[1].get_ydata(), run.history["val_loss"][:, 1])
    assert loss.lines[0].get_xdata()[-1] == 12
    assert np.allclose(metric.lines[0].get_ydata(), 100 * run.history["val_accuracy"][:, 1])


def test_plot_touches_no_global_state() -> None:
    code = (
        "import sys\nfrom tests.reports_runs import table_run\nimport chymist.reports\n"
        "table_run().plot()\nprint('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", RUNS)
def test_notebook_is_small_static_and_closed(name: str) -> None:
    text = RUNS[name]()._repr_html_()
    assert len(text.encode()) < 100_000
    assert "<script" not in text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_notebook_of_a_long_run_is_small() -> None:
    text = digits_run(history=history(5000, 2))._repr_html_()
    assert len(text.encode()) < 100_000
    assert "95.8 %" in text
    assert "<svg" in text


def test_importing_the_reports_is_light() -> None:
    code = (
        "import sys, chymist.reports\n"
        "print(sorted({'torch', 'sklearn', 'scipy', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
