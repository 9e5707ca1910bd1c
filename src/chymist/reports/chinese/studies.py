"""Words of the reports of comparisons, cross-validations, populations and two runs."""

COMMON = {
    "What it cost": "代价",
    "How it was measured": "测量方法",
    "What differs": "不同之处",
    "data": "数据",
    "seeds": "随机种子",
    "test rows sealed": "封存的测试样本",
    "trainings of each": "各项的训练次数",
    "trainings": "训练次数",
    "carried out": "执行方式",
    "epochs, all trainings": "全部训练的轮数",
    "why each by itself": "为何逐个训练",
    "rows were cut by": "样本的划分",
    "not recorded": "没有记录",
    "rows of a group stay together, by": "同组样本不拆开，依据",
    "rows in time, by": "按时间排列，依据",
    "yes, and none of them was given": "有，一个也没有给出",
    "none: all rows were used": "没有：用了全部样本",
    "as one program": "合并为一个程序",
    "each by itself": "逐个训练",
    "in closed form, from one fit": "由一次拟合以闭式解得出",
    "{value} points": "{value} 个百分点",
    "{value} [{low}, {high}] points": "{value}［{low}，{high}］个百分点",
    "{n} trainings.": "共 {n} 次训练。",
    "{n} trainings, {drawn} of them drawn as thin lines; mean and band are of all.": (
        "共 {n} 次训练，其中 {drawn} 次画成细线；均值和区间带来自全部训练。"
    ),
    "{what} ends at {value} on average.": "{what}最后平均为 {value}。",
    "Thin lines are trainings, the thick one is their mean after every epoch. The band "
    "is the 95 % interval of the mean (Student's t) of three or more trainings, the "
    "range of two; one has none. Folds share most of their training rows, so their band "
    "is a description, no test.": (
        "细线是各次训练，粗线是每轮之后的均值。三次以上训练的区间带是均值的 95 % 区间（t "
        "分布），两次的是其范围，一次则没有。各折共用大部分训练样本，所以区间带只是描述，"
        "不是检验。"
    ),
    "The same seed, versions, machine and number of threads give the same bits; another "
    "machine gives the same up to rounding. Seconds differ.": (
        "种子、版本、机器和线程数相同，则结果逐位相同；换一台机器，结果只差舍入误差。用时"
        "会不同。"
    ),
    "The caller gave arrays of its own ({names}): they are not in this page.": (
        "调用者给出了自己的数组（{names}）：它们不在本页中。"
    ),
    "Cannot tell how much another seed would change: {n} of them are too few, three are "
    "the least.": "无法判断换一个种子会改变多少：{n} 个种子太少，至少要三个。",
    "Cannot tell how much another seed would change: there was one, three are the least.": (
        "无法判断换一个种子会改变多少：只有一个种子，至少要三个。"
    ),
    "Fewer than three seeds do not show how much another initialisation would change.": (
        "少于三个种子，看不出换一种初始化会改变多少。"
    ),
    "Axis: {metric} ({better}); lines are 95 % intervals of each score alone.": (
        "横轴：{metric}（{better}）；横线是各得分自身的 95 % 区间。"
    ),
    "{claim}.": "{claim}。",
    "{metric}, validation rows": "{metric}（验证样本）",
    "field": "字段",
    "fold": "折",
    "time": "用时",
    "floor": "下限",
    "cannot tell": "无法判断",
    "pair": "对",
    "diverged": "发散",
    "training loss": "训练损失",
    "validation loss": "验证损失",
}  # fmt: skip

VERDICTS = {
    "{best} has nothing to be compared with.": "{best} 没有可比较的对象。",
    "{claim} ({design}, {tests}, Holm-corrected)": "{claim}（{design}，{tests}，经霍尔姆校正）",
    "{best} is better than {other} by {size} ({design}, {tests})": (
        "{best} 优于 {other}，相差 {size}（{design}，{tests}）"
    ),
    "cannot tell {best} from {other}: {design}, {difference}": (
        "无法区分 {best} 与 {other}：{design}，{difference}"
    ),
    "{best} is better than the {n} others; next is {next}, by {size}": (
        "{best} 优于其余 {n} 项；其次是 {next}，相差 {size}"
    ),
    "cannot tell {best} from any of the others: {doubts}": (
        "无法区分 {best} 与其余各项：{doubts}"
    ),
    "{best} is best; it cannot be told from {doubts}; it is better than {beaten}": (
        "{best} 最好；它与 {doubts} 无法区分；它优于 {beaten}"
    ),
    "{n} others": "另外 {n} 项",
    "{n} more": "另外 {n} 项",
    "{name} ({difference})": "{name}（{difference}）",
    "difference {size}": "差 {size}",
    "{names} and {last}": "{names}和 {last}",
    " or ": "或",
    "{value} points [{low}, {high}]": "{value} 个百分点［{low}，{high}］",
    "{value} [{low}, {high}] in {metric}": "{metric} {value}［{low}，{high}］",
    "corrected t": "校正的 t 检验",
    "paired rows": "按样本配对",
    "paired seeds": "按种子配对",
    "Recipes over seeds": "各配方在多个种子上",
    "Trained models on rows": "各模型在样本上",
    "chymist report of {n} runs": "chymist 关于 {n} 次运行的报告",
    "Runs on ": "运行：",
    "Each dot is one training, scored on the same rows.": "每个点是一次训练，在同样的样本上评分。",
    "Differences are paired on seeds, with Student's interval over them: it speaks for these "
    "rows and other seeds. Below {n} seeds nothing is decided.": (
        "差值按种子配对，区间为学生 t 区间：它针对这些样本和其他种子。少于 {n} 个种子时不作判断。"
    ),
    "Pairs of trained models are compared on rows: McNemar's exact test, DeLong's, or "
    "the bootstrap of the difference. Another seed may say otherwise.": (
        "两个训练好的模型按样本比较：麦克尼马尔精确检验、德朗检验或差值的自助法。"
        "换一个种子可能有不同结论。"
    ),
    "Runs that share rows share their luck: other rows may order the recipes otherwise. "
    "`chymist compare` draws new folds.": (
        "共用样本的运行也共享运气：换一批样本，配方的次序可能不同。`chymist compare` 会重新划分。"
    ),
    "; one seed: another initialisation may turn this, try 3 seeds": (
        "；只有一个种子：换一种初始化可能改变结论，请用 3 个种子"
    ),
}  # fmt: skip

COMPARISON = {
    "chymist report of a comparison, {n} entries": "chymist 比较报告，{n} 项",
    "Comparison on ": "比较：",
    "Differences": "差异",
    "Fold by fold": "逐折",
    "{n} out-of-fold rows": "{n} 个折外样本",
    "{n} out-of-fold rows in {groups} groups": "{groups} 组中的 {n} 个折外样本",
    "{metric} of ": "{metric}：",
    "The floor, {name}, reaches {value}.": "下限（{name}）达到 {value}。",
    "Axis: {metric} ({better}); lines are 95 % intervals of each score alone, an arrow "
    "is a score off the axis. Whether two differ is tested on their differences, below.": (
        "横轴：{metric}（{better}）；横线是各得分自身的 95 % "
        "区间，箭头表示得分超出横轴。两项是否不同，由下面的差异来检验。"
    ),
    "{clear} of {n} differences are clear.": "{n} 个差异中有 {clear} 个明确。",
    "Points are differences of {metric}, lines their 95 % intervals, each of its pair "
    "alone; those in orange are clear after Holm's correction for {n} pairs.": (
        "点是{metric}的差，横线是各对自身的 95 % 区间；橙色的在对 {n} "
        "对做霍尔姆校正之后仍然明确。"
    ),
    "The first {n} are drawn.": "画出前 {n} 个。",
    "P(equal) is the probability that the true difference is below one point (1 % of the "
    "better value of a loss).": (
        "P(equal) 是真实差异不到一个百分点（对损失是较好值的 1 %）的概率。"
    ),
    "Pairs without a metric of each fold are compared on rows: McNemar's exact test, "
    "DeLong's, or the bootstrap of the difference.": (
        "没有逐折指标的各对按样本比较：麦克尼马精确检验、德朗检验，或差异的自助法。"
    ),
    "Differences are paired on the same folds and seeds: corrected resampled t-test "
    "(Nadeau and Bengio 2003). An entry is clearly better if its interval excludes zero "
    "and p, adjusted by Holm's method, is below 0.05.": (
        "差异在相同的折和种子上配对：校正的重抽样 t "
        "检验（纳多与本吉奥，2003）。区间不含零，且经霍尔姆校正的 p 小于 "
        "0.05，才算明确更好。"
    ),
    "Each dot is one training, scored on the rows that it had not seen.": (
        "每个点是一次训练，在它没有见过的样本上评分。"
    ),
    "Lines join trainings on the same rows with the same seed; where they are parallel, "
    "folds differ more than entries do. The bar is the mean.": (
        "连线连接同样样本、同样种子的训练；连线平行处，各折之间的差别大于各项之间。竖线是"
        "均值。"
    ),
    "The first {n} of {all} trainings are listed.": "列出 {all} 次训练中的前 {n} 次。",
    "Seconds of each entry, all its trainings together.": "各项全部训练所用的秒数。",
    "Recipes that were trained as one program share their time equally.": (
        "合并为一个程序训练的配方平分用时。"
    ),
    "folds ±": "折间 ±",
    "trained as": "训练方式",
    "difference [95 %]": "差 [95 %]",
    "better": "较好者",
    "entry": "项",
    "trained": "训练",
    "why": "原因",
    "design": "设计",
    "There is one entry, and nothing to compare it with.": "只有一项，没有可比较的对象。",
    "Single rows have no metric of their own: pairs are tested on rows.": (
        "单个样本没有自己的指标：各对按样本检验。"
    ),
    "estimator of scikit-learn": "`scikit-learn` 估计器",
    "Estimators of scikit-learn": "`scikit-learn` 估计器",
    "One recipe stands beside estimators of scikit-learn.": (
        "一个配方与 `scikit-learn` 估计器相比。"
    ),
    "Out of the comparison": "未参加比较",
    "The recipes are the same.": "配方相同。",
    "The recipes, complete": "完整的配方",
    "It compares ways to train on rows like these and of this number, not two trained "
    "models.": "比较的是用这类、这么多样本训练的方法，而不是两个训练好的模型。",
    "Entries were compared as they are. One that is tuned on these rows, or an opponent "
    "that is not tuned at all, may rank otherwise.": (
        "各项按原样比较。在这些样本上调过参数的，或完全没有调过参数的对手，名次可能不同。"
    ),
}  # fmt: skip

FOLDS = {
    "chymist report of a cross-validation, {n} trainings": "chymist 交叉验证报告，{n} 次训练",
    "chymist report of a population, {n} members": "chymist 群体报告，{n} 个成员",
    "Population on ": "群体：",
    "Folds": "各折",
    "Members": "成员",
    "The recipe": "配方",
    "{metric}, predicted by models that had not seen the row": (
        "{metric}，由没有见过该样本的模型预测"
    ),
    "For a model that is trained on all rows the bootstrap says {value} {interval}.": (
        "对用全部样本训练的模型，自助法给出 {value} {interval}。"
    ),
    "The strongest floor, {name}, reaches {value}.": "最强的下限（{name}）达到 {value}。",
    "{n} rows were never held out; the score is of the others.": (
        "{n} 个样本从未被留出；得分来自其余样本。"
    ),
    "{n} rows have an exact copy: training may have seen the copy of a held-out row.": (
        "{n} 个样本有完全相同的副本：训练时可能见过留出样本的副本。"
    ),
    "Classes with fewer rows than folds: {names}.": "样本数少于折数的类别：{names}。",
    "Every fold holds one row, and one row has no {metric} of its own worth the name: "
    "look at the score.": "每折只有一个样本，单个样本没有有意义的{metric}：请看总得分。",
    "seed {n}": "种子 {n}",
    "recipe {n}": "配方 {n}",
    "member {n}": "成员 {n}",
    "member": "成员",
    "recipe": "配方",
    "ensemble": "集成",
    "all members": "全部成员",
    "No training has a score of its own.": "没有一次训练有自己的得分。",
    "Scores of single trainings reach from {low} to {high}.": (
        "单次训练的得分从 {low} 到 {high}。"
    ),
    "Counts of trainings by {metric}.": "按{metric}统计的训练次数。",
    "Each dot is one training, the bar is their mean.": "每个点是一次训练，竖线是均值。",
    "Their standard deviation is {value}.": "标准差为 {value}。",
    "The worst fold is fold {fold} of seed {seed}: {value} on {n} rows": (
        "最差的是种子 {seed} 的第 {fold} 折：{n} 个样本上为 {value}"
    ),
    ", where the others have {value} on average": "，其余各折平均为 {value}",
    "{claim}. Its rows are in predictions.csv.": "{claim}。其样本在 `predictions.csv` 中。",
    "order of the rows": "样本的次序",
    "each its own": "各自的次序",
    "one order for all": "共用一个次序",
    "The recipe was not recorded.": "没有记录配方。",
    "What is not named has the default for this kind of data.": (
        "没有列出的，用这类数据的默认值。"
    ),
    "The first {n} of {all} recipes.": "{all} 个配方中的前 {n} 个。",
    "It scores a way to train, on this number of rows; no single model was scored.": (
        "评分的是用这么多样本训练的方法；没有给某一个模型评分。"
    ),
    "Folds share training rows: their spread understates how much new data would change.": (
        "各折共用训练样本：其离散程度低估了新数据会带来的变化。"
    ),
    "Every member diverged.": "所有成员都发散了。",
    "mean {metric} of {n} members, {part} rows": "{n} 个成员的平均{metric}，{part}样本",
    "Weights were chosen by {series} on these rows, so the scores are optimistic.": (
        "权重是按这些样本上的 {series} 选出的，所以得分偏乐观。"
    ),
    "{n} members diverged.": "{n} 个成员发散了。",
    "One member reaches {value}: cannot tell what other seeds would give.": (
        "一个成员达到 {value}：无法判断其他种子会怎样。"
    ),
    "{n} members reach {value} on average, from {low} to {high}": (
        "{n} 个成员平均达到 {value}，从 {low} 到 {high}"
    ),
    "; {n} of them are better than {floor} ({level})": "；其中 {n} 个优于{floor}（{level}）",
    "95 % interval of the mean over members {interval}, for these {rows}.": (
        "成员均值的 95 % 区间 {interval}，就这 {rows}而言。"
    ),
    "Their average prediction, which is another model than any of them, has {value} "
    "{interval}.": "它们的平均预测是另一个模型，达到 {value} {interval}。",
    "diverged ({where})": "发散（{where}）",
    "The interval of the mean is over members, for these rows; other rows are not in it.": (
        "均值的区间是就成员而言的，样本不变；不包含其他样本的影响。"
    ),
    "Nothing here has looked at test rows.": "这里没有看过测试样本。",
}  # fmt: skip

PAIR = {
    "chymist report of two runs": "chymist 两次运行的报告",
    "Two runs on ": "两次运行：",
    "Row by row": "逐个样本",
    "{metric} on {n} {part} rows": "{n} 个{part}样本上的{metric}",
    "The difference is {size}, p = {p}.": "差为 {size}，p = {p}。",
    "McNemar's exact test on the rows; the interval excludes zero exactly if p is below "
    "{level}.": "按样本的麦克尼马精确检验；p 小于 {level} 时，区间恰好不含零。",
    "A paired test on the rows: DeLong's for an area under a curve, else the bootstrap "
    "of the difference. The interval is at 95 %.": (
        "按样本的配对检验：曲线下面积用德朗检验，其余用差异的自助法。区间为 95 %。"
    ),
    "{name} right": "{name} 正确",
    "{name} wrong": "{name} 错误",
    "Only rows that one has right and the other wrong decide: {a} against {b}.": (
        "只有一方正确、另一方错误的样本起决定作用：{a} 对 {b}。"
    ),
    "first": "第一",
    "second": "第二",
    "First: {a}. Second: {b}.": "第一：{a}。第二：{b}。",
    "{what} ends at {a} and {b}.": "{what}最后为 {a} 和 {b}。",
    "Nothing differs: same recipe, seed and training rows.": (
        "没有不同：配方、种子和训练样本都相同。"
    ),
    "These are two trained models, one training each: the interval is about the rows. "
    "Another seed may say otherwise; `chymist compare` trains several.": (
        "这是两个训练好的模型，各训练一次：区间只关于样本。换一个种子结论可能不同；`chymi"
        "st compare` 会训练多次。"
    ),
}  # fmt: skip

WORDS = COMMON | VERDICTS | COMPARISON | FOLDS | PAIR

STORED = {
    "{folds} folds x {n} seed": "{folds} 折 × {n} 个种子",
    "{folds} folds x {n} seeds": "{folds} 折 × {n} 个种子",
    "leave-one-out x {n} seed": "留一法 × {n} 个种子",
    "leave-one-out x {n} seeds": "留一法 × {n} 个种子",
    "{n} random splits": "{n} 次随机划分",
    "{n} bootstraps": "{n} 次自助抽样",
    "{n} blocks in time": "{n} 个时间段",
    "{n} sets of rows left out": "{n} 组留出的样本",
    "{n} sets of groups left out": "{n} 批留出的组",
    "all rows were used; none is sealed for a last test": (
        "用了全部样本；没有为最后的测试封存样本"
    ),
    "{n} rows occur more than once: training may see the copy of a held-out row; group "
    "or drop them": "{n} 个样本重复出现：训练时可能见过留出样本的副本；请分组或删除",
    "{n} rows have a copy in another group: training may see the copy of a held-out row; "
    "join the groups, or drop them": (
        "{n} 个样本在另一组中有副本：训练时可能见过留出样本的副本；请合并这些组或删除"
    ),
    "{n} rows were never held out; the scores are of the others": (
        "{n} 个样本从未被留出；得分来自其余样本"
    ),
    "{name} is not better than the floor, {floor}": "{name} 不优于下限（{floor}）",
    "{a} is the same recipe as {b}: trained once": "{a} 与 {b} 是同一个配方：只训练一次",
    "class '{name}' has {n} rows for {k} folds: some hold none of it": (
        "类别“{name}”只有 {n} 个样本，而有 {k} 折：有的折里没有它"
    ),
    "{a} is better than {b} by {size} ({design}, corrected t).": (
        "{a} 优于 {b}，相差 {size}（{design}，校正的 t 检验）。"
    ),
    "{a} is better than {b} by {size} ({design}, corrected t); one seed: another "
    "initialisation may turn this, try 3 seeds.": (
        "{a} 优于 {b}，相差 {size}（{design}，校正的 t "
        "检验）；只有一个种子：换一种初始化可能改变结论，请用 3 个种子。"
    ),
    "{a} is better than {b} by {size} ({design}, paired rows).": (
        "{a} 优于 {b}，相差 {size}（{design}，按样本配对）。"
    ),
    "cannot tell {a} from {b}: {design}, difference {size}.": (
        "无法区分 {a} 与 {b}：{design}，差 {size}。"
    ),
    "Cannot tell which recipe is better: {count} in common, {least} are the least.": (
        "无法判断哪个配方更好：共同的种子为 {count}，至少需要 {least} 个。"
    ),
    "These are seeds of one recipe.": "这些是同一配方的不同种子。",
    "{n} seeds": "{n} 个种子",
    "{n} seed": "{n} 个种子",
    "{a} is better than {b} by {size} ({n} validation rows, paired, one training each).": (
        "{a} 优于 {b}，相差 {size}（{n} 个验证样本，配对，各训练一次）。"
    ),
    "cannot tell {a} from {b}: difference {size} ({n} validation rows, paired, one "
    "training each).": "无法区分 {a} 与 {b}：差 {size}（{n} 个验证样本，配对，各训练一次）。",
    "nothing differs between the two: same recipe, seed and training rows": (
        "两者没有不同：配方、种子和训练样本都相同"
    ),
    "these are training rows: they do not tell how new rows will do": (
        "这是训练样本：看不出新样本会怎样"
    ),
    "weights were chosen by val_loss on these rows: the scores are optimistic": (
        "权重是按这些样本上的 val_loss 选出的：得分偏乐观"
    ),
}  # fmt: skip
