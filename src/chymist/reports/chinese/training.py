"""Curves of the training, where the time went, findings and experiments."""

WORDS = {
    " Training: mean over the epoch; validation: at its end.": (
        "训练损失是一轮内的平均，验证损失在一轮结束时计算。"
    ),
    "{n} step": "{n} 步",
    "{n} steps": "{n} 步",
    "All work is preparation, training, scoring and floors; reading the data and starting Python "
    "are not in it.": (
        "全部工作包括预处理、训练、评分和基线；不含读取数据和启动 Python 的时间。"
    ),
    "There was one epoch: a single point is no curve.": "只有一轮：一个点画不成曲线。",
    "Solved in one step: a single point is no curve.": "一步求解：一个点画不成曲线。",
    "The {part} loss was lowest ({loss}) after epoch {at} of {last}.": (
        "{part}损失在第 {at} 轮（共 {last} 轮）之后最低（{loss}）。"
    ),
    "Validation {metric} was best ({value}) after epoch {at}{ended}.": (
        "验证{metric}在第 {at} 轮之后最好（{value}）{ended}。"
    ),
    "The loss of a batch went from {first} to {last}; the greatest was {top} at step {step}.": (
        "批损失从 {first} 变为 {last}；最大值是第 {step} 步的 {top}。"
    ),
    " Not finite (×): {n} point.": "非有限值（×）：{n} 个点。",
    " Not finite (×): {n} points.": "非有限值（×）：{n} 个点。",
    "epoch": "轮",
    "step": "步",
    " The dotted line is the epoch whose weights were kept.": "虚线标出保留其权重的那一轮。",
    ", {drawn} (thin); thick line: means of {n} equal stretches": (
        "，{drawn}（细线）；粗线是 {n} 个等长区间的平均值"
    ),
    "The learning rate was {rate} throughout.": "学习率始终是 {rate}。",
    "The learning rate began at {first}, was greatest ({top}) at step {step} and ended at {last}.":
        "学习率从 {first} 开始，在第 {step} 步最大（{top}），最后是 {last}。",
    "learning rate": "学习率",
    "getting ready": "准备工作",
    "scores, floors": "评分与基线",
    "{share} of the time was training.": "{share} 的时间用于训练。",
    "Waiting for data is a part of training, as validation after each epoch is; the "
    "doctor's last look stands with the scores.":
        "等待数据的时间包含在训练时间内，每轮之后的验证也是；诊断的最后一次检查计入评分。",
    "The {part} loss was never finite.": "{part}损失始终不是有限值。",
    "Validation {metric} was never finite.": "验证{metric}始终不是有限值。",
    " and ended at {value}": "，最后是 {value}",
    "The loss was never finite.": "损失始终不是有限值。",
    "The loss of the only batch was {loss}.": "唯一一批的损失是 {loss}。",
    "{parts} point.": "{parts}。",
    "{parts} points.": "{parts}。",
    "{n} {part}": "{n} 个{part}点",
    " and ": "，",
    "from step": "起始步",
    "steps": "步数",
    "mean": "平均",
    "least": "最小",
    "greatest": "最大",
    "No curve was recorded.": "没有记录曲线。",
    "kept: epoch {n}": "保留：第 {n} 轮",
    "every one drawn": "每一步都画出",
    "drawn as first, least, greatest and last value of {n} columns": (
        "画出 {n} 个像素列各自的首值、最小值、最大值和末值"
    ),
    "rate": "学习率",
    "epochs": "轮数",
    "{part} {metric}": "{part}{metric}",
    "after the only epoch": "唯一一轮之后",
    "value": "值",
    "floor: {name}": "基线：{name}",
    "all work": "全部工作",
    "training speed": "训练速度",
    "{n} rows/s": "每秒 {n} 个样本",
    "waiting for data": "等待数据",
    "{share} of training": "训练时间的 {share}",
    "threads": "线程数",
    "{part} loss": "{part}损失",
    # findings and experiments
    "{n} times the steps of the run": "原训练步数的 {n} 倍",
    "{part} loss after each experiment": "每个实验之后的{part}损失",
    "{series} by step": "各步的{series}",
    "share of {name}": "{name}所占份额",
    "{n} of {all} allowed": "{n} 步，预算 {all} 步",
    "without {names}": "未做 {names}",
    "experiments": "实验",
    "Each changes one thing and trains anew, for fewer steps than the run. Shams change the seed "
    "alone: a change helps for sure if it lies below their interval and below the run at its end.":
        "每个实验只改变一处，重新训练，步数少于原训练。对照实验只改变随机种子："
        "若一项改变的结果低于对照区间，也低于原训练结束时的损失，它就确实有效。",
    "shams": "对照",
    "Explained by ": "详细解释：",
    "Loss by epoch": "各轮的损失",
    "The doctor found nothing wrong with this run.": "没有发现这次训练有什么问题。",
    "Also seen, and no alarm": "另外观察到（不是警报）",
    "budget that may decide": "或可得出结论的预算",
    "the run at its end": "原训练结束时",
    "What to do: ": "怎么办：",
}  # fmt: skip
