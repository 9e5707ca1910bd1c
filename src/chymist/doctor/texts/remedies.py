"""What the changes of a remedy do, in a few words of English and Chinese."""

from __future__ import annotations

from collections.abc import Collection

# By the name of a change, or by code and name where the same change is another thing.
DONE: dict[str, tuple[str, str]] = {
    "optimizer.lr": ("a lower learning rate", "降低学习率"),
    "lr_too_low optimizer.lr": ("a higher learning rate", "提高学习率"),
    "penalty": ("no penalty", "去掉惩罚项"),
    "optimizer.weight_decay": ("no weight decay", "去掉权重衰减"),
    "optimizer.l2": ("a penalty on large weights", "惩罚过大的权重"),
    "length": ("longer training", "延长训练"),
    "stop": ("the weights with the best validation loss", "取验证损失最低时的权重"),
    "undertrained stop": ("no early stop", "不提前停止"),
    "clip": ("clipped gradients", "裁剪梯度"),
    "model": ("hidden layers with ReLU", "带 ReLU 的隐藏层"),
    "model.activation": ("ReLU between the layers", "层间用 ReLU"),
    "dead_relu model.activation": ("units that never die", "不会死亡的激活函数"),
    "model.residual": ("residual connections", "残差连接"),
    "model.hidden": ("wider layers", "加宽各层"),
    "model.channels": ("wider layers", "加宽各层"),
    "model.depth": ("more layers", "增加层数"),
    "optimisation_failure model.hidden": ("fewer layers", "减少层数"),
    "optimisation_failure model.channels": ("fewer layers", "减少层数"),
    "optimisation_failure model.depth": ("fewer layers", "减少层数"),
    "model.dropout": ("no dropout", "去掉 dropout"),
    "dropout_misuse model.dropout": ("less dropout", "减小 dropout"),
    "loss.label_smoothing": ("no label smoothing", "去掉标签平滑"),
    "batch_size": ("larger batches", "加大批次"),
    "data.scale": ("standardised inputs", "标准化输入"),
    "data.weights": ("rows weighed by class", "按类别给行加权"),
    "data.drop": ("without the feature that tells the answer", "去掉泄露答案的特征"),
    "split.without_copies": ("no copies of training rows in validation", "验证集不含训练行的副本"),
    "split.redraw": ("training and validation rows drawn at random", "随机抽取训练行与验证行"),
    "split.without_suspects": (
        "without training rows whose labels are contradicted",
        "去掉标签被否定的训练行",
    ),
    "split.without": ("without some training rows", "去掉一些训练行"),
}


def said(code: str, changes: Collection[str], language: str = "en") -> str:
    """What some changes do, in words.

    Args:
        code: that they are for.
        changes: names of changes.
        language: "en" or "zh".

    Example:
        >>> said("nan_inf_loss", ["clip", "clip.max", "optimizer.lr"])
        'clipped gradients, and a lower learning rate'
        >>> said("lr_too_low", ["optimizer.lr"], "zh")
        '提高学习率'
    """
    changes = ["model"] if "model" in changes else changes  # it is trained as its kind is
    pairs = [DONE.get(f"{code} {name}", DONE.get(name, ("", ""))) for name in changes]
    *first, last = [pair[language == "zh"] for pair in pairs if pair[0]] or [""]
    if language == "zh":
        return "，".join([*first, last])
    return f"{', '.join(first)}, and {last}" if first else last
