"""What was seen while a run trained: numbers by step, looks now and then, epochs."""

from __future__ import annotations

from dataclasses import dataclass, field

from chymist.doctor.pairing import Pairs
from chymist.doctor.preflight import Facts
from chymist.doctor.probing import Probe
from chymist.doctor.scoring import Reference


@dataclass(frozen=True)
class EpochFacts:
    """What was seen at the end of an epoch.

    Args:
        step: when.
        train_loss, valid_loss: as the program reports them; nan where it does not.
        score: of the validation rows: balanced accuracy, or explained variance.
        recalls: by class, of the validation rows.
        differs: largest difference of the outputs that the program used for validation from those
            of eval() mode, as a share of their range; 0 where the model was heard to be in eval()
            mode; nan where nothing is known.
    """

    step: int
    train_loss: float
    valid_loss: float
    score: float
    recalls: dict[int, float]
    differs: float


@dataclass
class Record:
    """All signals of one run.

    Args:
        facts: known before the first step.
        stochastic: whether the model has layers that work differently in train() and eval() mode.
        losses: by step.
        norms: (step, norm of all gradients).
        ratios: (step, |change of the weights| / |weights|) of one step.
        mixed: label entropy of batches as a share of what shuffled batches have.
        untrained_mode: steps at which the model was in eval() mode.
        piled: (step, whether every gradient since the last step was added to an old one).
        waiting, working: seconds from the end of a step to the next forward pass, and after it.
        bad_step: the first step whose loss was not finite, or None.
        bad_inputs: whether that batch had values that are not finite.
        unmoved: names of parameters that never changed, frozen ones too.
        probes, epochs: looks.
        references, apart: what cheap learners reach, and how well a classifier tells training from
            validation rows, once it was asked for.
        pairs: what was seen of rows of batches that stand in `train`.
        held: share of the units of a layer whose weights a bound holds at the end.
        failures: what could not be worked out, by the name of the rule or signal.
        spent, elapsed: seconds of the doctor, and of all.
    """

    facts: Facts
    stochastic: bool = False
    losses: list[float] = field(default_factory=list, init=False)
    norms: list[tuple[int, float]] = field(default_factory=list, init=False)
    ratios: list[tuple[int, float]] = field(default_factory=list, init=False)
    mixed: list[float] = field(default_factory=list, init=False)
    untrained_mode: int = field(default=0, init=False)
    piled: list[tuple[int, bool]] = field(default_factory=list, init=False)
    waiting: list[float] = field(default_factory=list, init=False)
    working: list[float] = field(default_factory=list, init=False)
    bad_step: int | None = field(default=None, init=False)
    bad_inputs: bool = field(default=False, init=False)
    unmoved: tuple[str, ...] = field(default=(), init=False)
    probes: list[Probe] = field(default_factory=list, init=False)
    epochs: list[EpochFacts] = field(default_factory=list, init=False)
    references: list[Reference | None] = field(default_factory=list, init=False)
    apart: list[float] = field(default_factory=list, init=False)
    pairs: list[Pairs] = field(default_factory=list, init=False)
    held: float = field(default=0.0, init=False)
    failures: dict[str, str] = field(default_factory=dict, init=False)
    spent: float = field(default=0.0, init=False)
    elapsed: float = field(default=0.0, init=False)
