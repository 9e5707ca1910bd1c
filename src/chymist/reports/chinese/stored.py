"""What a run holds in English: its verdict, floors, notes on data and training.

Fields named in `saying.NESTED` are such words themselves; the others stay as they are.
"""

FLOORS = {
    "majority class": "多数类", "nearest neighbour": "最近邻", "logistic regression": "逻辑回归",
    "softmax regression": "softmax 回归", "linear regression": "线性回归",
    "mean of the training rows": "训练样本的均值", "mean": "均值",
    "unigram": "一元语法", "Kneser-Ney {n}-gram": "Kneser-Ney {n} 元语法",
    "last value": "前一个值", "value {n} steps before": "{n} 步之前的值",
    "autoregression of {n} steps": "{n} 步自回归",
    "perceptron on features, no edges": "只用特征、不用边的感知机", "label propagation": "标签传播",
    "most frequent class": "最常见的类别",
    "most frequent class of each token": "各词元最常见的类别",
    "ridge regression, TF-IDF of words and pairs": "岭回归（单词和词对的 TF-IDF）",
    "linear SVM, TF-IDF of words and pairs": "线性 SVM（单词和词对的 TF-IDF）",
    "logistic regression, TF-IDF of words and pairs": "逻辑回归（单词和词对的 TF-IDF）",
    "nearest neighbour on {n} rows": "最近邻（{n} 个样本）",
    "linear regression on {n} rows": "线性回归（{n} 个样本）",
    "logistic regression on {n} rows": "逻辑回归（{n} 个样本）",
    "softmax regression on {n} rows": "softmax 回归（{n} 个样本）",
    "logistic regression, stopped at {n} iterations": "逻辑回归（迭代 {n} 次后停止）",
    "softmax regression, stopped at {n} iterations": "softmax 回归（迭代 {n} 次后停止）",
    "logistic regression on {rows_} rows, stopped at {n} iterations": (
        "逻辑回归（{rows_} 个样本，迭代 {n} 次后停止）"
    ),
    "softmax regression on {rows_} rows, stopped at {n} iterations": (
        "softmax 回归（{rows_} 个样本，迭代 {n} 次后停止）"
    ),
}  # fmt: skip

VERDICT = {
    "{model} is better than the strongest floor, {floor}, by {size} ({rows}, paired).": (
        "{model} 优于最强的基线（{floor}），相差 {size}（{rows}，成对比较）。"
    ),
    "{model} is WORSE than the strongest floor, {floor}, by {size} ({rows}, paired).": (
        "{model} 不如最强的基线（{floor}），相差 {size}（{rows}，成对比较）。"
    ),
    "cannot tell {model} from {floor}: difference {size} ({rows}, paired).": (
        "无法判定 {model} 与基线（{floor}）孰优：差值 {size}（{rows}，成对比较）。"
    ),
    "{model} says the same as {floor}, to rounding ({rows}).": (
        "除舍入误差外，{model} 的预测与基线（{floor}）相同（{rows}）。"
    ),
    "{model} has no floor to compare with ({rows}).": "{model} 没有可以比较的基线（{rows}）。",
    "{verdict} These are training rows: the score does not tell how new rows will do.": (
        "{verdict}这是训练样本：得分不说明对新样本的表现。"
    ),
    "{value} points [{low}, {high}]": "{value} 个百分点［{low}，{high}］",
    "{value} [{low}, {high}] in {metric}": "{metric} {value}［{low}，{high}］",
    "{n} validation row": "{n} 个验证样本", "{n} validation rows": "{n} 个验证样本",
    "{n} training row": "{n} 个训练样本", "{n} training rows": "{n} 个训练样本",
    "{n} test row": "{n} 个测试样本", "{n} test rows": "{n} 个测试样本",
    "{n} out-of-fold row": "{n} 个折外样本", "{n} out-of-fold rows": "{n} 个折外样本",
    "{rows} in {n} groups": "{rows}，分属 {n} 组",
    "rmse": "均方根误差", "mae": "平均绝对误差", "r2": "决定系数", "log_loss": "对数损失",
    "perplexity": "困惑度",
}  # fmt: skip

SPLITS = {
    "stratified": "分层抽样", "plain": "随机抽样", "grouped": "按组", "time": "按时间",
    "in order": "按先后次序", "standard parts": "标准划分", "given": "自定",
    "{method}, standard {parts} part": "{method}，{parts}集用标准划分",
    "validation and test": "验证集和测试",
}  # fmt: skip

DATA = {
    "the target is the same in all rows": "所有样本的目标相同",
    "photos are cut to squares and resized to {side} x {again}": (
        "照片裁成正方形，缩放到 {side} x {again}"
    ),
    "a row is {n} steps; its target the next {ahead}": "一个样本是 {n} 步；目标是其后 {ahead} 步",
    "{said} tokens for training / validation / test, {n} different (two more classes: no token, "
    "unknown)": "训练 / 验证 / 测试的词元数为 {said}，不同的有 {n} 个（另有两类：无词元、未知）",
    "{n} tokens are unknown": "{n} 个词元未知",
    "windows of {n} steps in and {out} out": "窗口：输入 {n} 步，输出 {out} 步",
    "{n} windows whose values out were not measured are left out": (
        "略去 {n} 个输出值缺测的窗口"
    ),
    "columns that are no numbers are left aside: {names}": "不是数值的列未使用：{names}",
    "{n} missing numbers are those before them": "{n} 个缺失的数用它之前的数填补",
    "the first {n} lines lack a number and are left out": "开头 {n} 行缺少数值，略去",
    "no header line: columns are named {first} to {last}": "没有表头：各列命名为 {first} 至 {last}",
    "the file has no header line": "文件没有表头",
    "the target is the last column, '{name}'": "目标是最后一列“{name}”",
    "{n} rows without a target are left out": "略去 {n} 个没有目标的样本",
    "column '{name}' is {kind}, {why}": "“{name}”列是{kind}：{why}",
    "column '{name}' has no value in the training rows": "“{name}”列在训练样本中没有值",
    "column '{name}' has no value in the training rows: 0 is used": (
        "“{name}”列在训练样本中没有值：用 0 代替"
    ),
    "column '{name}' is skewed: its logarithm is used": "“{name}”列分布偏斜：取其对数",
    "column '{name}' is the same in all training rows": "“{name}”列在所有训练样本中相同",
    "preparation is fitted on {n} of the {all} training rows": (
        "预处理用 {all} 个训练样本中的 {n} 个确定"
    ),
    "{n} files that are no images are left aside ({kinds})": (
        "{n} 个文件不是图像，未使用（{kinds}）"
    ),
    "images of the validation folder join the training rows": "验证文件夹的图像并入训练样本",
    "{n} grey images are read as RGB": "{n} 张灰度图像按 RGB 读取",
    "images have {n} sizes: cut to squares and resized to {side} x {again} (image_size changes it)":
        "图像有 {n} 种尺寸：裁成正方形，缩放到 {side} x {again}（可用 `image_size` 改变）",
    "images are cut to squares and resized to {side} x {again} (image_size changes it)": (
        "图像裁成正方形，缩放到 {side} x {again}（可用 `image_size` 改变）"
    ),
    "only the identifiers of nodes are read: their features are those that they were fitted with":
        "只读取节点的编号：特征是训练时的特征",
    "nodes that are in no part are seen without their classes": (
        "不属于任何部分的节点也参与计算，但看不到其类别"
    ),
    "{n} edges, both directions counted; {alone} nodes have none": (
        "{n} 条边（两个方向都计入）；{alone} 个节点没有边"
    ),
    "other columns are left aside: {names}": "其他列未使用：{names}",
    "{n} of {all} texts are cut to {length} tokens": (
        "{all} 篇文本中有 {n} 篇截断为 {length} 个词元"
    ),
    "{n} texts of stop words alone keep them": "{n} 篇文本只有停用词，因此保留停用词",
    "inputs are the array '{inputs}', targets '{targets}'": (
        "输入是数组“{inputs}”，目标是“{targets}”"
    ),
    "the array '{name}' says which rows are for validation and test": (
        "数组“{name}”指明哪些样本用于验证和测试"
    ),
    "the test part is '{inputs}' and '{targets}'": "测试部分是“{inputs}”和“{targets}”",
    "arrays not used: {names}": "未使用的数组：{names}",
    "axis {n} is read as {channels} channels": "第 {n} 轴读作 {channels} 个通道",
    "{file} differs from the published file (SHA-256 {digest}...)": (
        "{file} 与公开发布的文件不同（SHA-256 {digest}...）"
    ),
    "the full stop after the labels of the test file is ignored": (
        "忽略测试文件中标签后的句点"
    ),
    # notes of columns
    "the same in all rows": "所有样本相同",
    "not used: numbers the rows": "未使用：只是行的编号",
    "not used: different in every row": "未使用：每行都不同",
    "not used: mostly different texts": "未使用：大多是互不相同的文本",
    "not used: declared as {kind}": "未使用：声明为{kind}",
    "numbers the rows, but is the only feature": "是行的编号，但它是唯一的特征",
    "not a number because of {cell} ({place})": "因为有 {cell} 而不是数值（{place}）",
    "dates are day/month/year": "日期格式为日/月/年",
    "dates are month/day/year": "日期格式为月/日/年",
}  # fmt: skip

GROW = "so the loss has no minimum: its weights grow for ever"
GROWS = "因此损失没有最小值：权重会无限增大"
FITTED = {
    "rmse is the mean over {n} outputs; pooled over all of them it is {value}": (
        "RMSE 是 {n} 个输出的平均；合并所有输出计算则为 {value}"
    ),
    f"a hyperplane separates the training rows, {GROW} with the steps; a weight_decay, or irls "
    "with an l2, bounds them": (
        f"训练样本可被超平面分开，{GROWS}；`weight_decay` 或带 `l2` 的 `irls` 可以加以限制"
    ),
    f"a hyperplane separates the training rows, {GROW}; stopped at iteration {{n}}, the first that "
    "has all rows right. irls(l2=1) has a minimum": (
        f"训练样本可被超平面分开，{GROWS}；在第 {{n}} 次迭代停止，此时首次全部分对。"
        "`irls(l2=1)` 有最小值"
    ),
    "irls has not converged in {n} iterations": "`irls` 迭代 {n} 次仍未收敛",
    f"odds beyond e^20: a hyperplane may separate some of the training rows, {GROW}. irls(l2=1) "
    "has a minimum": (
        f"几率超过 e^20：可能有超平面分开一部分训练样本，{GROWS}。`irls(l2=1)` 有最小值"
    ),
    "rates below e^-20: the counts of some rows are all 0, so the loss has no minimum: its weights "
    "grow for ever. irls(l2=1) has a minimum": (
        f"发生率低于 e^-20：一部分样本的计数全为 0，{GROWS}。`irls(l2=1)` 有最小值"
    ),
    "columns depend on each other: rank {n} of {all}, so many weights fit as well, and the "
    "shortest are taken": (
        "各列线性相关：秩为 {n}（共 {all} 列），许多权重拟合得一样好，取其中范数最小的"
    ),
    "columns nearly depend on each other: condition number {n}; their weights are uncertain, what "
    "they predict together is not": (
        "各列近似线性相关：条件数 {n}；各自的权重不确定，但合起来的预测是确定的"
    ),
    "all training rows are of one class": "训练样本只有一个类别",
    "{n} of {all} training rows are support vectors": "{all} 个训练样本中有 {n} 个支持向量",
    "{n} of {all} training rows are support vectors, margin {margin}": (
        "{all} 个训练样本中有 {n} 个支持向量，间隔 {margin}"
    ),
    "the shared covariance is singular (rank {n} of {all}): directions without variance are given "
    "{share} of the variance of their columns; a ridge makes it regular": (
        "共享的协方差矩阵是奇异的（秩 {n}，共 {all} 维）：没有方差的方向取所在列方差的 {share}；"
        "加岭项可使其正则"
    ),
    "the covariances of {some} of {classes} classes are singular (rank {n} of {all}): directions "
    "without variance are given {share} of the variance of their columns; a ridge makes it "
    "regular": (
        "{classes} 个类别中有 {some} 个的协方差矩阵是奇异的（秩 {n}，共 {all} 维）："
        "没有方差的方向取所在列方差的 {share}；加岭项可使其正则"
    ),
}

LOOKS = {
    "The network is large: chymist explain draws its maps, and the report leaves them out.": (
        "网络较大，报告中略去热力图：可用 `chymist explain` 绘制。"
    ),
    "No layer of this model gives feature maps, so there is nothing to lay over a picture.": (
        "这个模型没有任何一层给出特征图，因此没有可以叠在图像上的热力图。"
    ),
    "Whether the maps depend on the weights was not checked: the network is large.": (
        "网络较大，没有检验热力图是否取决于权重。"
    ),
    "Whether the map depends on the weights cannot be told: it is constant.": (
        "无法判断热力图是否取决于权重：它是常数。"
    ),
    "Whether the map depends on the weights cannot be told ({about}).": (
        "无法判断热力图是否取决于权重（{about}）。"
    ),
    "The map depends on the weights ({about}).": "热力图取决于权重（{about}）。",
    "The map does not depend on what the network has learned ({about}, {limit} is the limit): it "
    "shows the image, not the network.": (
        "热力图不取决于网络学到的内容（{about}，界限为 {limit}）：它显示的是图像，不是网络。"
    ),
    "rank correlation {value} [{low}, {high}] with the map of a network of random weights, {n} "
    "draws": "与随机权重网络的热力图的秩相关系数为 {value}［{low}，{high}］，随机 {n} 次",
    "it is 0 everywhere": "处处为 0",
    "it has values that are no numbers": "其中有不是数的值",
    "none of it is a number": "没有一个值是数",
    "its values are all alike: {low} to {high}": "各处的值几乎相同：{low} 至 {high}",
    "{n} of {all} maps are constant: {why}": "{all} 张热力图中有 {n} 张是常数：{why}",
}

STEERED = {
    "stopped by its user at step {n} of {all}": "由用户在第 {n} 步停止（共计划 {all} 步）",
    "branched from step {n} of {parent}: {changes}": "从 {parent} 的第 {n} 步分出：{changes}",
    "the moments of the optimizer could not be carried over: they start anew": (
        "优化器的动量无法沿用：从头开始"
    ),
    "what early stopping remembered could not be carried over: it starts anew": (
        "早停所记的最佳值无法沿用：从头开始"
    ),
}

WORDS = {**STEERED, **LOOKS, **FLOORS, **VERDICT, **SPLITS, **DATA, **FITTED}
