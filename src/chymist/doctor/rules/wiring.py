"""Output, loss and wiring: mostly certain before the first step."""

from __future__ import annotations

import math

from chymist.doctor.finding import Finding, Remedy
from chymist.doctor.rules.evidence import Seen

HEAD = Remedy("let the model give plain scores, and use the cross-entropy that takes them")


def double_link(seen: Seen) -> Finding | None:
    """A link function in the model and another one in the loss."""
    facts = seen.facts
    squashed = facts.sums_to_one or facts.head in ("Sigmoid", "Softmax")
    if facts.loss.link not in ("softmax", "sigmoid") or not squashed:
        return None
    if facts.loss.link == "softmax" and facts.head == "Sigmoid":
        return Finding(
            "loss_activation_mismatch",
            "certain",
            "the loss takes scores and applies softmax itself, but the model ends with "
            "a sigmoid: scores stay between 0 and 1",
            {"head": facts.head},
            HEAD,
        )
    return Finding(
        "double_softmax",
        "certain",
        f"the loss applies {facts.loss.link} itself, and the model gives probabilities",
        {"head": facts.head, "low": facts.low, "high": facts.high},
        HEAD,
    )


def missing_link(seen: Seen) -> Finding | None:
    """A loss of probabilities is fed what are none."""
    facts = seen.facts
    if facts.loss.link not in ("probabilities", "log_softmax") or facts.first is None:
        return None
    several = len(facts.shapes[0]) > 1 and facts.shapes[0][1] > 1
    evidence = {"head": facts.head, "low": facts.low, "high": facts.high}
    if facts.loss.link == "probabilities" and facts.low >= 0 and facts.high <= 1:
        exclusive = seen.train is not None and not seen.train[1].is_floating_point()
        if several and exclusive and not facts.sums_to_one:
            return Finding(
                "loss_activation_mismatch",
                "certain",
                "the loss takes the outputs for probabilities of exclusive classes, but those of a "
                "row do not sum to 1",
                evidence,
                HEAD,
            )
        return None
    if facts.loss.link == "log_softmax":
        sums = facts.first.outputs.exp().sum(1)
        if bool(((sums - 1).abs() < 1e-3).all()):
            return None
    return Finding(
        "missing_softmax",
        "certain",
        "the loss takes the outputs for probabilities, and they are plain scores",
        evidence,
        HEAD,
    )


def bounded_targets(seen: Seen) -> Finding | None:
    """Targets that the loss or a softmax cannot mean."""
    facts = seen.facts
    if facts.loss.link not in ("sigmoid", "probabilities") or seen.train is None:
        return None
    goal = seen.train[1].float()
    outside = float(((goal < 0) | (goal > 1)).float().mean())
    several = goal.ndim == 2 and goal.shape[1] > 1 and facts.sums_to_one
    summed = float(((goal.sum(1) - 1).abs() > 1e-3).float().mean()) if several else 0.0
    if seen.train[1].is_floating_point() and outside > 0:
        claim = f"{outside:.0%} of the targets are not between 0 and 1, as the loss takes them"
    elif summed > 0.02:
        claim = (
            f"softmax makes classes exclusive, but {summed:.0%} of the rows have none or several"
        )
    else:
        return None
    return Finding(
        "loss_activation_mismatch",
        "certain",
        claim,
        {"outside": outside, "several": summed, "head": facts.head},
        Remedy("a sigmoid for each label; for values a linear head and squared error"),
    )


def single_softmax(seen: Seen) -> Finding | None:
    """Softmax over one unit is the constant 1."""
    facts = seen.facts
    if facts.head in ("Softmax", "LogSoftmax") and facts.shapes[0][1:] == (1,):
        return Finding(
            "loss_activation_mismatch",
            "certain",
            "softmax over a single unit is always 1: nothing can be learned",
            {"head": facts.head, "units": 1},
            HEAD,
            weight=2,
        )
    return None


def cut_head(seen: Seen) -> Finding | None:
    """The last module cannot give what the loss needs."""
    facts = seen.facts
    if facts.loss.link in ("softmax", "sigmoid") and facts.head in ("ReLU", "Tanh") and seen.harm:
        return Finding(
            "loss_activation_mismatch",
            "finding",
            "the scores are cut at 0 by a ReLU before the loss: a class whose score is 0 gets no "
            "gradient"
            if facts.head == "ReLU"
            else "the scores are held between -1 and 1 by a tanh before the loss",
            {"head": facts.head},
            HEAD,
            weight=3,
        )
    if facts.loss.link != "identity" or seen.train is None or facts.data.classes > 2:
        return None
    low, high = {"Sigmoid": (0, 1), "Tanh": (-1, 1), "ReLU": (0, math.inf), "Softmax": (0, 1)}.get(
        facts.head, (-math.inf, math.inf)
    )
    targets = seen.train[1].float()
    outside = float(((targets < low - 1e-6) | (targets > high + 1e-6)).float().mean())
    if outside > 0.02:
        return Finding(
            "loss_activation_mismatch",
            "certain",
            f"{outside:.0%} of the targets lie outside of what {facts.head} can give",
            {"head": facts.head, "outside": outside},
            HEAD,
        )
    return None


def squared_classes(seen: Seen) -> Finding | None:
    """Squared error for classes."""
    facts = seen.facts
    if not (facts.loss.squared and facts.data.classes > 1 and seen.poor_train):
        return None
    if facts.sums_to_one or facts.head == "Sigmoid":
        return Finding(
            "softmax_mse",
            "finding",
            "squared error behind softmax: where the model is sure and wrong there is no gradient",
            {"head": facts.head},
            HEAD,
            weight=3,
        )
    if seen.train is not None and not seen.train[1].is_floating_point():
        return Finding(
            "loss_activation_mismatch",
            "finding",
            "classes are trained by squared error on unbounded outputs",
            {"head": facts.head},
            HEAD,
            weight=2.5,
        )
    return None


def broadcast(seen: Seen) -> Finding | None:
    """Outputs and targets of other rows are compared."""
    if not seen.facts.loss.broadcasts:
        return None
    outputs, targets = seen.facts.shapes
    return Finding(
        "shape_broadcast_loss",
        "certain",
        f"outputs {outputs} and targets {targets} broadcast: every row is compared with "
        "every other",
        {"outputs": outputs, "targets": targets},
        Remedy("give targets the shape of the outputs: targets.unsqueeze(1)"),
    )


def crossed_rows(seen: Seen) -> Finding | None:
    """A row's output depends on the rows beside it."""
    if not seen.facts.crossed:
        return None
    return Finding(
        "loss_activation_mismatch",
        "certain",
        "the output of a row depends on the other rows of its batch, in eval() mode too",
        {},
        Remedy("apply softmax and norms over the class axis, not over rows"),
    )


def no_update(seen: Seen) -> Finding | None:
    """Weights that should move do not."""
    record, facts = seen.record, seen.facts
    if len(record.losses) < 10 or facts.first is None:
        return None
    if facts.unregistered:
        return Finding(
            "no_update",
            "certain",
            f"{len(facts.unregistered)} parameters work in the model, but neither it nor the "
            "optimiser has them: layers in a plain list or dictionary",
            {"shapes": facts.unregistered[:10]},
            Remedy("keep layers in nn.ModuleList or nn.ModuleDict"),
        )
    driven = facts.first.gradients
    left = [n for n in record.unmoved if driven.get(n, 0) > 0]
    out = [n for n in left if n in facts.left_out]
    if out and (seen.harm or any(n.rpartition(".")[0] in facts.fresh for n in out)):
        return Finding(
            "no_update",
            "certain",
            f"{len(out)} trained parameters are in no group of the optimiser and have "
            f"not moved: {', '.join(out[:3])}",
            {"parameters": out[:10]},
            Remedy("give the optimiser model.parameters()"),
        )
    if left and len(left) == len(driven):
        return Finding(
            "no_update",
            "finding",
            "no weight has moved",
            {"steps": len(record.losses)},
            Remedy("see that backward() and step() reach these weights"),
            weight=7,
        )
    return None


def cut_off(seen: Seen) -> Finding | None:
    """Layers that work, were never trained, and are frozen or get no gradient."""
    facts, unmoved = seen.facts, set(seen.record.unmoved)
    if len(seen.record.losses) < 10:
        return None
    # Statistics and counters of other packages are parameters that are not trained, yet they move.
    still = [*facts.undriven, *(n for n in facts.frozen if n in unmoved)]
    fresh = [n for n in still if n.rpartition(".")[0] in facts.fresh]
    if not still or not (seen.poor_train or (fresh and seen.harm)):
        return None
    return Finding(
        "no_update",
        "finding",
        f"{len(still)} parameters get no gradient ({', '.join(still[:3])}), and the model "
        "does worse than cheap learners",
        {"frozen": facts.frozen[:10], "cut off": facts.undriven[:10]},
        Remedy("see where requires_grad is False and what is detached"),
        weight=5,
    )


def wrong_sign(seen: Seen) -> Finding | None:
    """The loss is made larger, or wrong answers have the lower one."""
    facts = seen.facts
    if facts.climbs == facts.loss.inverted:
        return None
    return Finding(
        "no_update",
        "certain",
        "the optimiser makes the loss larger"
        if facts.climbs
        else "the loss is lower for wrong answers than for right ones",
        {"maximize": facts.climbs},
        Remedy("change the sign"),
        weight=2,
    )


def hidden_link(seen: Seen) -> Finding | None:
    """An output function between layers."""
    if not seen.facts.squeezed or not seen.poor_train:
        return None
    return Finding(
        "hidden_activation_misuse",
        "finding",
        f"softmax stands between layers: {', '.join(seen.facts.squeezed)}",
        {"layers": seen.facts.squeezed},
        Remedy("ReLU between layers"),
        weight=4.2,
    )


def piled_gradients(seen: Seen) -> Finding | None:
    """Gradients are never cleared."""
    told = [piled for _, piled in seen.record.piled]
    if len(told) < 3 or not all(told) or seen.facts.left_out:
        return None  # what the optimiser does not have, it does not clear either
    return Finding(
        "missing_zero_grad",
        "certain",
        "each gradient is the last one plus what the batch adds: they are never cleared",
        {"steps": [at for at, _ in seen.record.piled]},
        Remedy("call optimizer.zero_grad() before backward()"),
    )


def wrong_mode(seen: Seen) -> Finding | None:
    """train() and eval() at the wrong place."""
    record = seen.record
    if not record.stochastic:
        return None
    if record.untrained_mode > 0.9 * len(record.losses) > 5:
        return Finding(
            "train_eval_mode",
            "certain",
            "the model is trained in eval() mode: dropout and batch norm do not work",
            {"steps": record.untrained_mode},
            Remedy("call model.train()"),
        )
    differ = [e.differs for e in record.epochs if e.differs > 1e-3]
    looked = [e for e in record.epochs if not math.isnan(e.differs)]
    if differ and len(differ) == len(looked):
        return Finding(
            "train_eval_mode",
            "certain",
            "validation outputs are not those of eval() mode",
            {"differs": differ[0]},
            Remedy("call model.eval() before validation"),
            weight=2,
        )
    return None


def drawing(seen: Seen) -> Finding | None:
    """Predictions that are drawn anew each time."""
    if not seen.facts.draws or not seen.harm:
        return None
    return Finding(
        "train_eval_mode",
        "finding",
        "in eval() mode the same rows get another output at each call, and the model does worse "
        "than cheap learners: dropout or noise stays on",
        {"score": seen.valid_score},
        Remedy("nn.Dropout in place of functional.dropout, or training=self.training"),
        weight=4.5,
    )


def symmetric(seen: Seen) -> Finding | None:
    """Units that start alike stay alike, or are told apart by their biases only."""
    if not seen.facts.symmetric:
        return _one_number(seen)
    names = ", ".join(seen.facts.symmetric)
    return Finding(
        "symmetric_init",
        "certain",
        f"all units of a layer start with the same weights and stay alike: {names}",
        {"layers": seen.facts.symmetric},
        Remedy("draw initial weights at random: He or Xavier"),
    )


def _one_number(seen: Seen) -> Finding | None:
    """Layers filled with one number, in a model that is not learned."""
    if not seen.facts.same_weights or not seen.poor_train:
        return None
    return Finding(
        "symmetric_init",
        "finding",
        "all weights of a layer start at the same value, so that its units compute nearly the "
        f"same: {', '.join(seen.facts.same_weights)}",
        {"layers": seen.facts.same_weights},
        Remedy("draw initial weights at random: He or Xavier"),
        weight=4.6,
    )


def not_finite(seen: Seen) -> Finding | None:
    """The loss is not a number: at once, which is a cause of its own, or after it had grown."""
    record = seen.record
    if record.bad_step is None:
        return None
    if record.bad_inputs or not seen.facts.data.finite:
        return Finding(
            "nan_inf_loss",
            "certain",
            f"the loss is not finite at step {record.bad_step}, and the inputs have "
            "values that are no numbers",
            {"step": record.bad_step},
            Remedy("fill or drop the rows with missing values"),
            weight=5,
        )
    before = record.losses[: record.bad_step - 1]
    grew = bool(before) and max(before) > seen.limits.leap * before[0]
    return Finding(
        "nan_inf_loss",
        "finding" if grew else "certain",
        f"the loss grew to {max(before):.2g}, and is not finite at step {record.bad_step}"
        if grew
        else f"the loss is not finite at step {record.bad_step}",
        {"step": record.bad_step},
        Remedy("lower the rate, clip gradients, scale inputs and targets"),
    )


WIRING = (
    double_link,
    missing_link,
    single_softmax,
    bounded_targets,
    cut_head,
    squared_classes,
    broadcast,
    crossed_rows,
    no_update,
    cut_off,
    wrong_sign,
    hidden_link,
    piled_gradients,
    wrong_mode,
    drawing,
    symmetric,
    not_finite,
)
