"""Every threshold of the rules, with where it comes from.

"measured" are those that no publication gives: `python -m bench.faults.run --doctors doctor
--sensitivity` moves each of them to its half and its double, and counts what changes on all faulty,
repaired and healthy programs; the last result stands in docs/doctor-measured.md.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is too much, or too little.

    Args:
        poor: of score (0 is chance, 1 is right) below cheap learners is worse than they are, beyond
            two standard errors. Measured.
        stuck: of the loss of the best constant: at least so much is no learning (taxonomy 7:
            "stuck at the constant predictor"; a twentieth is left for noise).
        learned: explained share of classes trained by squared error that is more than none.
        off_center, largest, faint_input: |mean| / deviation, magnitude and deviation of inputs
            (taxonomy 22, after TheDeepChecker).
        loss_start, loss_start_alone: loss at the start over that of knowing nothing, with harm
            (taxonomy 16, after Karpathy 2019, A recipe for training neural networks), and ten
            times that, without.
        faint_signal: deviation of the last layer's outputs over that of the first. Measured.
        leap: loss in the first twentieth of the steps over its start (taxonomy 7).
        stride, first_stride: change of the weights in a step, over the weights: the median of early
            steps (taxonomy 7), and the largest of three. Measured.
        steep: share by which both losses fell in the last fifth of the epochs. Measured.
        fell: share of the loss that fell in the last fifth of the steps; less is flat. Measured.
        tiny, tiny_steady: change of the weights in a step that is slow, and so where the loss falls
            slowly all the time. A healthy one is about 1e-3 (Karpathy, CS231n). Measured.
        gradient_ratio, gradient_first: first over last gradient, and the first (AutoTrainer, Zhang
            et al. 2021).
        leap_norm, leaps: gradient norm over its median, and how often (taxonomy 12).
        silent, nearly_all: share of the units of a layer that never fire (SageMaker,
            TheDeepChecker), with harm, and so many that it is no sparsity. Measured.
        saturated: share of the units of a layer at their rails (taxonomy 14).
        deep: affine maps in a row, a prior for failed optimisation (taxonomy 17).
        decay_pull: pull of the penalty over that of the data (taxonomy 19: 1). Measured.
        decay: smallest penalty that is looked at. Measured.
        shrink, collapse: norm of the weights over that at the start, at most, and where it is all
            that is left to see of a penalty. Measured.
        dropout, dropout_alone, dropout_times: rate that is looked at (taxonomy 19), rate that
            suffices, and loss with it over that without (taxonomy 21). Measured.
        per_channel, mode_times: values of a channel in a batch, and loss in train() over that in
            eval() mode or the other way round (taxonomy 21).
        rise: validation loss over its minimum (taxonomy 20).
        gap: score of training rows above that of new ones. Measured.
        waiting: share of the time that waits for rows (taxonomy 29: 0.3; beside 50 steps timed on
            busy machines 0.5). Measured.
        shared, shared_rows: validation rows that are training rows (taxonomy 26: 0.005, of large
            sets) as a share and by number. Measured.
        repeated, by_chance: share of training rows that repeat by themselves, and how many times
            more rows are shared than chance explains. Measured.
        near: share of validation rows all but among the training rows. Measured.
        telling, next_telling: share of the target that one feature says, and the next best. The
            taxonomy's AUC of 0.99 (26) for one; for the other measured.
        entropy: of the classes, as a share of the largest (taxonomy 25: 0.5). Measured.
        recall: of a class, over the mean recall (taxonomy 25).
        shift, spread: of features between training and validation, in deviations and as a ratio.
            Measured.
        apart: balanced accuracy of a forest that tells training from validation. Measured.
        mixed: label entropy of batches over that of shuffled ones. Measured.
        repeats, ordered, ordered_alone: correlation of the losses of two epochs, and of a row's
            target with the next one's, with harm and without. Measured.
        unseen: share of validation rows beyond what was trained on. Measured.
        target_small, target_large, target_alone: deviation of targets (taxonomy 22: 100; with harm
            from 30). Measured.
        noisy: share of rows whose neighbours agree on another label (Northcutt et al. 2021 find
            3.4 % in ten well-known sets). Measured.
        own_worse: by how much neighbours are righter for validation than for training rows.
            Measured.
        paired, mispaired: rows of batches that are looked up in `train`, and how many of them must
            have another target there, as a share of what a random order gives. Were a tenth of two
            classes' targets changed on purpose, 13 of 50 would be so in one run of 1000 (binomial).
    """

    poor: float = 0.05
    stuck: float = 0.95
    learned: float = 0.1
    off_center: float = 10.0
    largest: float = 30.0
    faint_input: float = 1e-2
    loss_start: float = 3.0
    loss_start_alone: float = 30.0
    faint_signal: float = 1e-3
    leap: float = 2.0
    stride: float = 0.1
    first_stride: float = 0.3
    steep: float = 0.2
    fell: float = 0.01
    tiny: float = 1e-4
    tiny_steady: float = 1e-3
    gradient_ratio: float = 1e-3
    gradient_first: float = 1e-4
    leap_norm: float = 10.0
    leaps: int = 3
    silent: float = 0.5
    nearly_all: float = 0.9
    saturated: float = 0.5
    deep: int = 10
    decay_pull: float = 0.5
    decay: float = 1e-3
    shrink: float = 0.9
    collapse: float = 0.1
    dropout: float = 0.5
    dropout_alone: float = 0.8
    dropout_times: float = 2.0
    per_channel: int = 8
    mode_times: float = 2.0
    rise: float = 1.1
    gap: float = 0.1
    waiting: float = 0.5
    shared: float = 0.02
    shared_rows: int = 3
    repeated: float = 0.75
    by_chance: float = 10.0
    near: float = 0.05
    telling: float = 0.98
    next_telling: float = 0.9
    entropy: float = 0.85
    recall: float = 0.5
    shift: float = 1.0
    spread: float = 3.0
    apart: float = 0.75
    mixed: float = 0.5
    repeats: float = 0.5
    ordered: float = 0.5
    ordered_alone: float = 0.99
    unseen: float = 0.05
    target_small: float = 1e-2
    target_large: float = 30.0
    target_alone: float = 100.0
    noisy: float = 0.05
    own_worse: float = 0.1
    paired: int = 50
    mispaired: float = 0.5


LIMITS = Limits()
