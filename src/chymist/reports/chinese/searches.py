"""Words of the reports of searches, races and diagnoses."""

SEARCH = {
    "chymist report of a search, {method}, {n} configurations": (
        "chymist 搜索报告，{method}，{n} 种配置"
    ),
    "Search on ": "搜索：",
    "Response surface": "响应面",
    "Learning curves": "学习曲线",
    "Configurations": "各种配置",
    "The best recipe": "最好的配方",
    "configuration": "配置",
    "hyperparameter": "超参数",
    "fits": "训练次数",
    "epochs trained": "训练的轮数",
    "epochs if all were trained to the end": "若全部训练到底的轮数",
    "{metric} of the best, chosen among {n}": "{n} 种配置中最好者的{metric}",
    "{n} out-of-fold rows, {design}": "{n} 个折外样本，{design}",
    "It was selected for being the best, so it is optimistic.": (
        "它因为最好而被选中，所以偏乐观。"
    ),
    "Nested cross-validation, which repeats the whole search inside each of {n} outer "
    "folds, says {value} ({interval}).": (
        "嵌套交叉验证在 {n} 个外层折中各重做整个搜索，得到 {value}（{interval}）。"
    ),
    "Noise floor: the best differs by {folds} between folds, and by {seeds} between "
    "seeds (standard deviations).": (
        "噪声下限：最好者在各折之间相差 {folds}，在各种子之间相差 {seeds}（标准差）。"
    ),
    "Noise floor: the best differs by {folds} between folds; of its spread over seeds "
    "nothing is known from one seed.": (
        "噪声下限：最好者在各折之间相差 {folds}；只有一个种子，不知道种子之间的差别。"
    ),
    "Noise floor: the best differs by {folds} between folds.": (
        "噪声下限：最好者在各折之间相差 {folds}。"
    ),
    "{name}: the best of {axis} is {best}.": "{name}：{axis} 中最好的是 {best}。",
    "Share of the variance of ranks that goes with each hyperparameter.": (
        "各超参数在名次方差中所占的份额。"
    ),
    "By permutation on the points that a forest has not seen; intervals over resampled "
    "configurations. One whose interval holds 0 cannot be told to have mattered.": (
        "在森林没有见过的点上做置换；区间来自对配置的重抽样。区间含 0 "
        "的，不能断定它起了作用。"
    ),
    "Mean training loss over the fits of a configuration.": (
        "一种配置的各次训练的平均训练损失。"
    ),
    "{n} configurations, none of them dropped early.": "{n} 种配置，没有一种提前淘汰。",
    "Of {n} configurations, {dropped} were dropped early.": (
        "{n} 种配置中有 {dropped} 种提前淘汰。"
    ),
    "Lines that end early were dropped there.": "提前结束的线在该处淘汰。",
    "best": "最好",
    "best minus this": "最好者减去它",
    "to the end": "训练到底",
    "Differences are paired on the same folds and seeds: corrected resampled t-test; p "
    "is adjusted for the number of comparisons by Holm's method.": (
        "差异在相同的折和种子上配对：校正的重抽样 t 检验；p 按比较的个数用霍尔姆法校正。"
    ),
    "Each point is a configuration, its line the 95 % interval over rows; the best is "
    "large.": "每个点是一种配置，竖线是样本上的 95 % 区间；最好的点较大。",
    "Points without a line were dropped early, and are shown as they stood.": (
        "没有竖线的点提前淘汰，画的是当时的值。"
    ),
    "Crosses diverged.": "叉号表示发散。",
    "diverged: {reason}": "发散：{reason}",
    "dropped after {length}": "{length} 之后淘汰",
    "{value} (configuration {n})": "{value}（配置 {n}）",
    "compared": "参加比较",
    "dropped": "淘汰",
    "best value there": "当时最好的值",
    "outer fold": "外层折",
    "chosen on its training rows": "由其训练样本选出",
    "there": "在该处",
    "on its held-out rows": "在其留出样本上",
    "Nothing outside the ranges was tried: a best value at the end of a range asks for a "
    "wider one.": "没有试过范围之外的值：最好的值若在范围的一端，就应放宽范围。",
    "Comparisons with the best are flattered too, because it was chosen on the same "
    "folds.": "与最好者的比较也偏乐观，因为它是在同样的折上选出的。",
    "How optimistic the best score is, only nested cross-validation or the test rows can "
    "tell.": "最好的得分有多乐观，只有嵌套交叉验证或测试样本才能说明。",
    "A configuration that learns slowly and ends well may have been dropped.": (
        "学得慢而最后好的配置可能被淘汰了。"
    ),
    "All rows were used; none is sealed for a last test.": (
        "用了全部样本；没有为最后的测试封存样本。"
    ),
}  # fmt: skip

RACE = {
    "chymist report of a race, {n} optimisers": "chymist 优化器竞赛报告，{n} 个优化器",
    "Race on ": "竞赛：",
    "Loss by rate": "按学习率的损失",
    "optimiser": "优化器",
    "Losses are means over {n} seeds at the best rate of each, with Student's interval "
    "over seeds. Good rates reach at most {times} times the loss of the best one. Lost "
    "members ended no better than a model that has learned nothing.": (
        "损失是各自最好学习率下 {n} 个种子的均值，区间为种子上的 t "
        "区间。好的学习率的损失最多是最好者的 {times} "
        "倍。失败的成员最后不比什么都没学的模型好。"
    ),
    "Validation loss of {name} by learning rate": "{name} 按学习率的验证损失",
    "Validation loss of {name} by epoch, at its best rate": (
        "{name} 在最好学习率下按轮的验证损失"
    ),
    "Best rates, and the good ones around them": "最好的学习率及其附近好的学习率",
    "Best rates, as points, and the good ones around them, as lines.": (
        "点是最好的学习率，横线是其附近好的学习率。"
    ),
    "The axis is logarithmic. A wide line forgives a rate that is not well chosen.": (
        "横轴为对数。横线宽的，学习率选得不准也无妨。"
    ),
    "{name}: all diverged.": "{name}：全部发散。",
    "{name}: best at rate {rate}.": "{name}：学习率 {rate} 最好。",
    "{name} at rate {rate}.": "{name}，学习率 {rate}。",
    "rate": "学习率",
    "mean loss": "平均损失",
    "lowest": "最低",
    "highest": "最高",
    "log10 of the rate": "学习率的常用对数 log10",
    "{train} for training, {valid} for validation": "训练 {train} 个，验证 {valid} 个",
    "members": "成员",
    "against the leader": "与领先者相比",
    "loss is higher by": "损失高出",
    "clear": "明确",
    "yes": "是",
    "best rate": "最好的学习率",
    "val. loss": "验证损失",
    "95 %, seeds": "95 %，种子",
    "score": "得分",
    "good rates": "好的学习率",
    "lost": "失败",
    "Intervals are over seeds: they say how sure the means are for these rows. Other "
    "rows, another model or another length may have another leader.": (
        "区间是就种子而言的：说明在这些样本上均值有多可靠。换样本、换模型或换长度，领先者"
        "可能不同。"
    ),
    "Rates are those of the grid; a finer one may find better ones. An optimiser with "
    "more options than its rate was tried with those that are named.": (
        "学习率来自网格；更细的网格可能找到更好的。除学习率外还有选项的优化器，只试了写明"
        "的选项。"
    ),
    "Batch gradient descent takes one step an epoch where the others take many: it has "
    "seen as many rows, and taken fewer steps.": (
        "全批量梯度下降每轮只走一步，其余走很多步：看过的样本一样多，步数较少。"
    ),
    "No test row was looked at.": "没有看过测试样本。",
}  # fmt: skip

DIAGNOSIS = {
    "chymist report of a diagnosis": "chymist 诊断报告",
    "Diagnosis of a run on ": "运行的诊断：",
    "Remedy and proof": "对策与证明",
    "The course of the run": "训练过程",
    "What was checked": "检查内容",
    "Not enough evidence to say what is wrong, or that nothing is.": (
        "证据不足，不能说哪里有问题，也不能说没有问题。"
    ),
    "The doctor could not look at this run to its end: ": "诊断没有看到训练结束：",
    "Nobody watched this run.": "这次训练没有被监视。",
    "{n} findings in all, the surest first.": "共 {n} 项诊断，最可靠的在前。",
    "Nothing wrong was found: {n} causes were asked for.": "没有发现问题：查过 {n} 种原因。",
    "Experiments: ": "实验：",
    "There is no finding with a remedy that can be carried out.": "没有带可执行对策的诊断。",
    "No remedy has been carried out. This does it, and proves it by paired runs:": (
        "还没有执行对策。下面的命令执行它，并用成对的训练来证明："
    ),
    "{metric} by seed, with the remedy and without, on {n} rows.": (
        "{n} 个样本上各种子的{metric}，有对策与没有对策。"
    ),
    "The remedy changes {metric} by {size}.": "对策使{metric}改变 {size}。",
    "Lines join runs with the same seed. The interval is Student's, over seeds.": (
        "连线连接种子相同的训练。区间是种子上的 t 区间。"
    ),
    "before": "之前",
    "after": "之后",
    "after − before": "之后 − 之前",
    "The run with the remedy: ": "有对策的运行：",
    "causes asked for": "查过的原因",
    "deep looks at the model": "深入查看模型的次数",
    "training rows looked at": "看过的训练样本",
    "validation rows looked at": "看过的验证样本",
    "Rules find what they ask for. Silence is no proof that nothing is wrong.": (
        "规则只能发现它们所问的。没有诊断不等于没有问题。"
    ),
    "An observation is a symptom, a finding has its evidence, and only an experiment "
    "confirms a cause.": "现象只是症状，诊断有其证据，只有实验才能证实原因。",
    "No experiment was made: causes that look alike in the record are not told apart.": (
        "没有做实验：记录中看起来相像的原因没有区分。"
    ),
    "A proof speaks for these rows and other seeds, not for other data.": (
        "证明适用于这些样本和其他种子，不适用于其他数据。"
    ),
}  # fmt: skip

WORDS = SEARCH | RACE | DIAGNOSIS

STORED = {
    "{point} is best: {metric} {value} [{low}, {high}] (selected among {n}, so "
    "optimistic); {rest}.": (
        "{point} 最好：{metric} {value} [{low}, {high}]（从 {n} "
        "种中选出，所以偏乐观）；{rest}。"
    ),
    "no other was trained to the end": "没有其他配置训练到底",
    "it is better than the {n} others": "它优于其余 {n} 种",
    "it is better than the other": "它优于另一种",
    "it cannot be told from the {n} others": "它与其余 {n} 种无法区分",
    "it cannot be told from {n} others": "它与另外 {n} 种无法区分",
    "it cannot be told from the other": "它与另一种无法区分",
    "it cannot be told from {n} other": "它与另外 {n} 种无法区分",
    "{rest}; honest score of the search, by nested folds: {value} [{low}, {high}]": (
        "{rest}；由嵌套折得到的搜索的真实得分：{value} [{low}, {high}]"
    ),
    "{rest}; one seed: another initialisation may turn this, try 3 seeds": (
        "{rest}；只有一个种子：换一种初始化可能改变结论，请用 3 个种子"
    ),
    "{rest}, {n} dropped early": "{rest}，{n} 种提前淘汰",
    "{rest}, {n} diverged": "{rest}，{n} 种发散",
    "{rest}, {n} dropped early, {k} diverged": "{rest}，{n} 种提前淘汰，{k} 种发散",
    "Mattered, with the share of the variance of ranks: {names}; of {others} it cannot "
    "be told.": "起作用的（及其在名次方差中的份额）：{names}；{others} 无法断定。",
    "Mattered, with the share of the variance of ranks: {names}.": (
        "起作用的（及其在名次方差中的份额）：{names}。"
    ),
    "No hyperparameter can be told to have mattered.": "不能断定任何超参数起了作用。",
    "All configurations were alike: nothing can be told to have mattered.": (
        "所有配置都一样：不能断定什么起了作用。"
    ),
    "{n} configurations are too few to tell which hyperparameters mattered ({k} are "
    "needed).": "{n} 种配置太少，不能断定哪些超参数起了作用（需要 {k} 种）。",
    "helped: {metric} changes by {size} on {n} rows, {k} seeds": (
        "有效：{metric} 改变 {size}，{n} 个样本，{k} 个种子"
    ),
    "hurt: {metric} changes by {size} on {n} rows, {k} seeds": (
        "有害：{metric} 改变 {size}，{n} 个样本，{k} 个种子"
    ),
    "no difference: {metric} changes by {size} on {n} rows, {k} seeds": (
        "没有差别：{metric} 改变 {size}，{n} 个样本，{k} 个种子"
    ),
    "helped: {n} runs diverged without the remedy, {k} with it": (
        "有效：没有对策时 {n} 次发散，有对策时 {k} 次"
    ),
    "hurt: {n} runs diverged without the remedy, {k} with it": (
        "有害：没有对策时 {n} 次发散，有对策时 {k} 次"
    ),
    "{name} at rate {rate} ends lowest, with a validation loss of {value} [{low}, "
    "{high}]; clearly higher: {names}": (
        "{name} 在学习率 {rate} 下最后最低，验证损失为 "
        "{value}［{low}，{high}］；明确较高的：{names}"
    ),
    "{name} at rate {rate} ends lowest, with a validation loss of {value} [{low}, "
    "{high}]; clearly higher: {names}; cannot tell it from {others}": (
        "{name} 在学习率 {rate} 下最后最低，验证损失为 "
        "{value}［{low}，{high}］；明确较高的：{names}；与 {others} 无法区分"
    ),
    "{name} at rate {rate} ends lowest, with a validation loss of {value} [{low}, "
    "{high}]; there is nothing to compare it with": (
        "{name} 在学习率 {rate} 下最后最低，验证损失为 "
        "{value}［{low}，{high}］；没有可比较的对象"
    ),
    "cannot tell which is best: {name} at rate {rate} ends lowest, with a validation "
    "loss of {value} [{low}, {high}], but {others} may be as low": (
        "无法判断哪个最好：{name} 在学习率 {rate} 下最后最低，验证损失为 "
        "{value}［{low}，{high}］，但 {others} 可能同样低"
    ),
    "{name} at rate {rate} ends lowest, with a validation loss of {value}; clearly "
    "higher: {names}": (
        "{name} 在学习率 {rate} 下最后最低，验证损失为 {value}；明确较高的：{names}"
    ),
    "{name} at rate {rate} ends lowest, with a validation loss of {value}; clearly "
    "higher: {names}; cannot tell it from {others}": (
        "{name} 在学习率 {rate} 下最后最低，验证损失为 {value}；明确较高的：{names}；与 "
        "{others} 无法区分"
    ),
    "{name} at rate {rate} ends lowest, with a validation loss of {value}; there is "
    "nothing to compare it with": (
        "{name} 在学习率 {rate} 下最后最低，验证损失为 {value}；没有可比较的对象"
    ),
    "cannot tell which is best: {name} at rate {rate} ends lowest, with a validation "
    "loss of {value}, but {others} may be as low": (
        "无法判断哪个最好：{name} 在学习率 {rate} 下最后最低，验证损失为 {value}，但 "
        "{others} 可能同样低"
    ),
    "* the best rate of {names} is at the end of those that were tried": (
        "* {names} 的最好学习率在试过的范围的一端"
    ),
    "rates and leader are chosen by val_loss on these rows: their losses are optimistic": (
        "学习率和领先者是按这些样本上的 val_loss 选出的：其损失偏乐观"
    ),
    "one seed has no spread: nothing can be told apart": "一个种子没有离散程度：什么都无法区分",
    "the table's intervals are of each loss by itself; the verdict rests on the "
    "differences, seed by seed, corrected for their number": (
        "表中的区间是各损失自身的；结论依据逐种子的差异，并按其个数校正"
    ),
}  # fmt: skip
