"""Verdicts of experiments in words, in English and Chinese."""

from __future__ import annotations

from typing import Literal, NamedTuple

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
