"""Chinese for the picture of a model."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType({
    "weights": "权重",
    "norm, dropout": "归一化、Dropout",
    "activation": "激活",
    "other": "其他",
    "right in a box: parameters, multiply-adds of one input":
        "方框右侧：参数量、单个输入的乘加次数",
    "sees {shape}": "感受野 {shape}",
    "1 module": "1 个模块",
    "{n} modules": "{n} 个模块",
    "weights {names} again": "再次使用权重 {names}",
    "weights {names} (shared)": "权重 {names}（共享）",
    "{name}, continued": "{name}（续）",
    "{n} modules are folded into one box each.": "{n} 个模块各折叠为一个方框。",
    "{n} parameters, {products} multiply-adds for one row":
        "{n} 个参数，每行 {products} 次乘加",
    "Not used on this way: {names} ({n} numbers, in the total).":
        "此路径未使用：{names}（共 {n} 个数，已计入总数）。",
    "Not used in evaluation mode: {names} ({n} numbers, in the total).":
        "评估模式下未使用：{names}（共 {n} 个数，已计入总数）。",
    "The way through {module} depends on its data: two inputs took different ways, and this is one "
    "of them.": "{module} 中的计算路径取决于数据：两个输入走了不同的路径，这里是其中一条。",
    "The way through {module} changes from call to call, for the same input too: this is one of "
    "them.": "{module} 中的计算路径每次调用都可能不同，相同输入也是如此：这里是其中一条。",
    "What is calculated depends on the number of rows of a batch.": "计算过程取决于批次的行数。",
    "Values are looked at in {module}, so the way may depend on them.":
        "{module} 会读取数值，因此计算路径可能取决于数据。",
    "Parameters that the model does not list are used, as of modules in a plain list ({n} "
    "numbers): they are not in its total, and optimisers miss them.":
        "使用了模型未登记的参数（例如普通列表中的模块，共 {n} 个数）：它们不计入总数，"
        "优化器也不会更新它们。",
    "{n} parameters": "{n} 个参数",
    "{n} shared ({names})": "{n} 个共享参数（{names}）",
    "{n} multiply-adds": "{n} 次乘加",
    "Solved from all rows at once: how many numbers a tree, a vector machine or naive Bayes holds "
    "is known only then.":
        "用全部数据一次求解：树、支持向量机或朴素贝叶斯有多少参数，求解后才知道。",
    "the model ({kind})": "模型（{kind}）",
})  # fmt: skip
