"""Verdicts of experiments in words, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

Cause = Literal[
    "wiring", "rate", "not_optimised", "optimisation", "model_bias", "no_signal", "noise_floor",
    "undertrained", "overfitting", "mismatch", "leakage", "nothing", "inconclusive",
]  # fmt: skip

SAID: dict[Cause, str] = {
    "wiring": "not even a few rows are memorised at any rate: loss or model are wired wrongly",
    "rate": "learning rate, initialisation or scaling: another rate learns",
    "not_optimised": "the deep model is not being optimised: half the depth trains better",
    "optimisation": "optimisation: rate, initialisation, normalisation or saturation",
    "model_bias": "model bias: a larger function set fits the training rows better",
    "no_signal": "the inputs carry nothing, or labels are misaligned with them",
    "noise_floor": "the noise floor is reached: no probe fits the training rows better",
    "undertrained": "training ended too early: going on closes much of the gap",
    "overfitting": "overfitting: rows held out of the training rows do worse than those trained on",
    "mismatch": "validation rows differ from training rows",
    "leakage": "validation rows do better than rows held out of training: leakage, or easier rows",
    "nothing": "nothing limits the run that experiments could find",
    "inconclusive": "the experiments do not decide",
}

CHINESE: dict[Cause, str] = {
    "wiring": "用任何学习率都记不住几行数据：损失函数或模型的连接有误",
    "rate": "学习率、初始化或数值范围不当：换一个学习率就能学会",
    "not_optimised": "深层模型没有被优化好：深度减半，训练损失反而更低",
    "optimisation": "优化问题：学习率、初始化、归一化或饱和",
    "model_bias": "模型偏差：更大的函数集能更好地拟合训练集",
    "no_signal": "输入不含任何信息，或标签与输入没有对齐",
    "noise_floor": "已到噪声下限：没有一个实验能更好地拟合训练集",
    "undertrained": "训练结束得太早：继续训练能消除大部分差距",
    "overfitting": "过拟合：从训练集中留出的行，损失明显高于训练过的行",
    "mismatch": "验证集与训练集的分布不同",
    "leakage": "验证集的损失低于从训练集中留出的行：数据泄漏，或验证集较容易",
    "nothing": "实验没有发现限制这次训练的因素",
    "inconclusive": "实验不能得出结论",
}

NAMES: dict[Cause, str] = {cause: cause.replace("_", " ") for cause in SAID}
CHINESE_NAMES: dict[Cause, str] = {
    "wiring": "连接错误", "rate": "学习率", "not_optimised": "深层未优化", "optimisation": "优化",
    "model_bias": "模型偏差", "no_signal": "无信号", "noise_floor": "噪声下限",
    "undertrained": "训练不足", "overfitting": "过拟合", "mismatch": "分布不一致",
    "leakage": "数据泄漏", "nothing": "无", "inconclusive": "未定",
}  # fmt: skip


class Marks(NamedTuple):
    """What stands between the parts of a sentence."""

    next: str
    colon: str
    either: str
    comma: str
    gap: str


MARKS = {
    "en": Marks("; ", ": ", " or ", ", ", " (of the gap: {})"),
    "zh": Marks("；", "：", "或", "，", "（差距中：{}）"),
}


def claim_of(
    cause: Cause, also: Sequence[Cause] = (), possible: Sequence[Cause] = (),
    shares: Mapping[str, float] = MappingProxyType({}), language: str = "en",
) -> str:  # fmt: skip
    """A verdict as one sentence, in English ("en") or Chinese ("zh").

    Args:
        cause, also, possible, shares: of a `Verdict`.
        language: of the sentence.

    Example:
        >>> claim_of("mismatch", shares={"overfitting": 0.2, "mismatch": 0.8}, language="zh")
        '验证集与训练集的分布不同（差距中：过拟合 20%，分布不一致 80%）'
    """
    said, names, marks = (SAID, NAMES, MARKS["en"]) if language == "en" else (
        CHINESE, CHINESE_NAMES, MARKS["zh"])  # fmt: skip
    told = marks.next.join(said[each] for each in (cause, *also))
    if possible:
        told += marks.colon + marks.either.join(names[each] for each in possible)
    if shares:
        named: dict[str, Cause] = {"overfitting": "overfitting", "mismatch": "mismatch"}
        parts = (f"{names[named[name]]} {share:.0%}" for name, share in shares.items())
        told += marks.gap.format(marks.comma.join(parts))
    return told


# Why an experiment is left out: English as in the JSON, and Chinese.
REASONS = {
    "the budget of steps does not reach": "步数预算不够",
    "its steps would be less than a tenth of the run": "步数不到原训练的十分之一",
    "needs a part of chymist with hidden, depth or channels": "自带的模型无法改变大小",
    "the model has no depth to halve": "模型没有可减半的深度",
    "needs the trained model": "需要训练好的模型",
    "too few training rows": "训练集太小",
    "not needed: the verdict is decided": "结论已定，不再需要",
}


class Words(NamedTuple):
    """What is said around the numbers of experiments."""

    effect: str
    noise: str
    end: str
    steps: str
    needed: str
    none: str


WORDS = {
    "en": Words(
        "the {} loss becomes", "without a change {:.3g} ± {:.3g}", "; the run ended at {:.3g}",
        "{:,} of {:,} steps allowed",
        "a budget of {:g} (times the steps of the run) may decide", "nothing was tried",
    ),
    "zh": Words(
        "{}损失变为", "不做改变时 {:.3g} ± {:.3g}", "；原训练结束时为 {:.3g}",
        "用了 {:,} 步，预算 {:,} 步",
        "预算增至原训练步数的 {:g} 倍或可得出结论", "没有做实验",
    ),
}  # fmt: skip
LOSSES = {"en": {"training": "training", "gap": "validation"},
          "zh": {"training": "训练", "gap": "验证"}}  # fmt: skip


def told(found: Mapping[str, Any], language: str = "en") -> dict[str, str]:
    """What experiments found, in a few lines.

    Args:
        found: plain values, as `Experiments.to_dict` gives them.
        language: "en" or "zh".

    Returns:
        Lines by their label: "Verdict", "Effects", "Untried", "Steps".

    Example:
        >>> none = {"verdict": "nothing", "steps": 0, "allowed": 9, "effects": {}, "left_out": {}}
        >>> told(none, "zh")
        {'Verdict': '实验没有发现限制这次训练的因素', 'Steps': '没有做实验'}
    """
    words = WORDS[language]
    lines = {"Verdict": claim_of(found["verdict"], found.get("also", ()), found.get("possible", ()),
                                 found.get("shares", {}), language)}  # fmt: skip
    effects = found["effects"]
    if effects:
        first = effects[next((name for name in effects if name != "cont"), "cont")]
        lowest = sorted(effects, key=lambda name: effects[name]["after"] or 0.0)
        numbers = " · ".join(f"{name} {effects[name]['after'] or 0.0:.3g}" for name in lowest)
        lines["Effects"] = f"{words.effect.format(LOSSES[language][found['route']])} {numbers}"
        if first["margin"] is not None:
            lines["Chance"] = words.noise.format(first["before"], first["margin"])
            end = found["run"]["train" if found["route"] == "training" else "valid"]
            lines["Chance"] += "" if end is None else words.end.format(end)
    reasons: dict[str, list[str]] = {}
    for name, why in found["left_out"].items():
        reasons.setdefault(why if language == "en" else REASONS.get(why, why), []).append(name)
    if reasons:
        parts = (f"{', '.join(names)} ({why})" for why, names in reasons.items())
        lines["Untried"] = "; ".join(parts)
    steps = words.steps.format(found["steps"], found["allowed"]) if found["steps"] else words.none
    needed = found.get("needed")
    lines["Steps"] = steps + (f"; {words.needed.format(needed)}" if needed else "")
    return lines
