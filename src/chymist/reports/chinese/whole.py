"""The page as a whole: verdict, reproduction, limits."""

WORDS = {
    # verdict
    "95 % interval {interval}, on {rows}.": "95 % 置信区间 {interval}，{rows}。",
    "Axis: {metric} ({better}), on the same {rows}; lines are 95 % intervals of each score alone; "
    "an arrow is a score off the axis. The verdict compares row by row.": (
        "横轴：{metric}（{better}），在同样的 {rows}上；线段是各得分单独的 95 % 置信区间；"
        "箭头表示得分在坐标范围之外。结论是逐个样本比较得出的。"
    ),
    "{metric}, {part} rows": "{metric}，{part}样本",
    " in {n} group, by group": "，分属 {n} 组，按组计算",
    " in {n} groups, by group": "，分属 {n} 组，按组计算",
    "{model} (this run)": "{model}（本次）",
    "this run": "本次训练",
    "The only floor, {floor}, reaches {value}.": "唯一的基线是{floor}，得分 {value}。",
    "The strongest of {n} floors, {floor}, reaches {value}.": (
        "{n} 个基线中最强的是{floor}，得分 {value}。"
    ),
    "These are the training rows: the score says how well they were learnt, not how new rows will "
    "do.": "这是训练样本：得分说明学得多好，不说明对新样本的表现。",
    "Weights or rate were chosen by {series} on these rows, so the score is optimistic.": (
        "权重或学习率是按这些样本上的 {series} 选出的，所以得分偏乐观。"
    ),
    "Only {n} row: the interval is rough.": "只有 {n} 个样本：区间只是粗略的。",
    "Only {n} rows: the interval is rough.": "只有 {n} 个样本：区间只是粗略的。",
    "There is no floor to compare with.": "没有可以比较的基线。",
    "method": "方法",
    "low": "下限",
    "high": "上限",
    # headings
    "chymist report of a run, seed {seed}": "chymist 训练报告，随机种子 {seed}",
    "{metric} {value} [{interval}], {rows}": "{metric} {value}［{interval}］，{rows}",
    "Made by chymist. This page needs no network and runs no script.": (
        "由 chymist 生成。本页不需要网络，也不运行脚本。"
    ),
    "run": "训练",
    "Verdict": "结论",
    "Findings": "诊断",
    "Data": "数据",
    "Model": "模型",
    "Training": "训练过程",
    "Errors": "错误分析",
    "Hardest rows": "最难的样本",
    "Where it looked": "模型看了哪里",
    "Where the time went": "时间花在哪里",
    "Doing it again": "如何重现",
    "What this report cannot tell": "本报告不能说明什么",
    "Sections": "目录",
    # doing it again
    "The same seed, versions, machine and number of threads give the same bits; another machine "
    "gives the same up to rounding.": (
        "随机种子、版本、机器和线程数都相同时，结果逐位相同；换一台机器，只有舍入误差的差别。"
    ),
    "The same in Python": "同样的事用 Python 做",
    "The recipe, complete": "完整的配置",
    "seed": "随机种子",
    "data fingerprint": "数据指纹",
    "hash of the split": "划分的哈希值",
    "The command": "命令",
    # limits
    "One run with one seed. The interval is about the {rows} as a sample of all rows; it does not "
    "cover what another seed or other training rows would give.": (
        "只有一次训练、一个随机种子。置信区间只把这 {rows}看作总体的抽样；"
        "它不包括换一个种子或换一批训练样本会带来的变化。"
    ),
    "New rows are taken to come from where these rows came from.": (
        "这里假定新样本与这些样本来自同一分布。"
    ),
    "{series} on the {part} rows chose the {what}. Rows that chose something flatter it: only the "
    "test rows can tell by how much.": (
        "{what}是按{part}样本上的 {series} 选出的。用来做选择的样本会高估结果："
        "高估了多少，只有测试样本能说明。"
    ),
    "weights": "权重",
    "There are no validation rows: nothing here is about new rows.": (
        "没有验证样本：这里没有任何关于新样本的结论。"
    ),
    "Nothing here has looked at the {n} test row.": "这里没有用到那 {n} 个测试样本。",
    "Nothing here has looked at the {n} test rows.": "这里没有用到那 {n} 个测试样本。",
    "No test rows are sealed for a last, honest look.": "没有封存测试样本来做最后的检验。",
    "Probabilities are the model's own; they were not checked for calibration.": (
        "概率是模型自己给出的，没有检验是否校准。"
    ),
}
