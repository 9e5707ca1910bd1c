"""What a run holds in English: claims of the doctor."""

WORDS = {
    # capacity
    "nothing in the model is nonlinear, and nearest neighbours do much better": (
        "模型中没有任何非线性，而最近邻的表现好得多"
    ),
    "the narrowest hidden layer has {n} unit": "最窄的隐藏层只有 {n} 个单元",
    "the narrowest hidden layer has {n} units": "最窄的隐藏层只有 {n} 个单元",
    "the penalty on the weights outweighs the data: they shrink, and the training rows are not "
    "learned": "权重的惩罚项压过了数据：权重缩小，训练样本没有学会",
    "the bound on the weights holds {share} of the units of a layer, and the training rows are not "
    "learned": "权重的界限约束了某一层 {share} 的单元，训练样本没有学会",
    "with dropout {rate} the loss of the same rows is {times} times that without": (
        "dropout 为 {rate} 时，同样样本的损失是不用时的 {times} 倍"
    ),
    "dropout of {rate} stands behind the last layer: it strikes out answers": (
        "最后一层之后有 {rate} 的 dropout：它把答案也丢掉了"
    ),
    "batch normalisation gets {n} values of a channel": "批归一化每个通道只有 {n} 个值",
    "the validation loss rose from {low} to {last} while training rows are almost all right": (
        "验证损失从 {low} 升到 {last}，而训练样本几乎全对"
    ),
    # rows
    "all targets of the training rows are equal": "所有训练样本的目标都相同",
    "feature {name} alone says the target ({share}); the next best says {next}": (
        "仅凭特征 {name} 就能得出目标（{share}）；次好的特征为 {next}"
    ),
    "the classes differ much in size, and one is found in {share} only": (
        "各类别样本数悬殊，有一类只找出了 {share}"
    ),
    "half of the features differ by {n} deviations or more between training and validation": (
        "一半的特征在训练集与验证集之间相差 {n} 个标准差以上"
    ),
    "a classifier tells training from validation rows ({share} right)": (
        "分类器能分辨训练样本与验证样本（{share} 正确）"
    ),
    "rows come sorted by target": "样本按目标排好了序",
    "{share} of the validation rows are beyond what was trained on": (
        "{share} 的验证样本超出了训练样本的范围"
    ),
    "inputs have mean {mean}, deviation {deviation} and reach {most}": (
        "输入的均值为 {mean}，标准差为 {deviation}，最大达 {most}"
    ),
    "targets have deviation {deviation}": "目标的标准差为 {deviation}",
    "nothing that is learned from the training rows holds for others: neither the model nor cheap "
    "learners are better than a constant": (
        "从训练样本学到的对其他样本都不成立：模型和简单方法都不比常数好"
    ),
    "{n} of {all} rows that the loop feeds have another target in `train`": (
        "训练循环送入的 {all} 个样本中，{n} 个在 `train` 中是另一个目标"
    ),
    "{n} of {all} rows that the loop feeds have another target in `train`, and each batch has the "
    "right targets in another order": (
        "训练循环送入的 {all} 个样本中，{n} 个在 `train` 中是另一个目标；每批的目标只是次序错了"
    ),
    "{share} of the rows have another label than their neighbours agree on; neighbours are right "
    "for {own} of the training rows and for {valid} of the validation rows": (
        "{share} 的样本与其近邻一致的标签不同；近邻对 {own} 的训练样本、{valid} 的验证样本判断正确"
    ),
    "{share} of the validation rows are training rows too": "{share} 的验证样本也在训练集中",
    "{share} of the validation rows are all but training rows": (
        "{share} 的验证样本与训练样本几乎相同"
    ),
    # training
    "signals die out on their way through the layers": "信号在逐层传递中消失",
    "the loss starts at {times} times that of knowing nothing": (
        "起始损失是一无所知时的 {times} 倍"
    ),
    "the loss leaps in the first steps": "损失在最初几步猛增",
    "a step changes the weights by more than a tenth": "一步就使权重改变超过十分之一",
    "the loss runs away": "损失发散",
    "steps are tiny and the loss hardly falls": "步长极小，损失几乎不降",
    "the loss was still falling when training ended": "训练结束时损失仍在下降",
    "{n} of {all} gradients are over 10 times the middle one": (
        "{all} 个梯度中有 {n} 个超过中位数的 10 倍"
    ),
    "outputs start {times} times as large as the targets: signals and gradients grow with each "
    "step of the recurrent layer": (
        "起始输出是目标的 {times} 倍：信号和梯度随循环层的每一步增长"
    ),
    "{share} of the units of layer {name} never fire": "{name} 层有 {share} 的单元从不激活",
    "{share} of the units of layer {name} are at their rails": "{name} 层有 {share} 的单元饱和",
    "training rows are learned worse than cheap learners do on new ones": (
        "训练样本学得还不如简单方法在新样本上的表现"
    ),
    "{share} of the time goes into waiting for the next batch": "{share} 的时间用于等待下一批数据",
    "no gradient passes layer {name}: the slope of {kind_} is 0, and only what comes after it "
    "learns": "梯度传不过 {name} 层：{kind_} 的斜率为 0，只有它之后的部分在学习",
    "the first layer's gradient is {share} of the last one's": "第一层的梯度是最后一层的 {share}",
    "{share} of the time went into waiting for batches: {n} samples/s are read": (
        "{share} 的时间用于等待批次：每秒读取 {n} 个样本"
    ),
    "{share} of the time went into waiting for batches: {n} samples/s are read, {trained} trained":
        "{share} 的时间用于等待批次：每秒读取 {n} 个样本，训练 {trained} 个",
    "{name}: the training rows are learned": "{name}：训练样本学会了",
    # wiring
    "the loss applies {name} itself, and the model gives probabilities": (
        "损失函数自带 {name}，而模型给出的已是概率"
    ),
    "the loss takes the outputs for probabilities, and they are plain scores": (
        "损失函数把输出当作概率，而输出是未归一化的得分"
    ),
    "{share} of the targets are not between 0 and 1, as the loss takes them": (
        "{share} 的目标不在损失函数所要求的 0 与 1 之间"
    ),
    "softmax makes classes exclusive, but {share} of the rows have none or several": (
        "softmax 使各类互斥，但 {share} 的样本没有类别或有多个类别"
    ),
    "outputs {outputs} and targets {targets} broadcast: every row is compared with every other": (
        "输出 {outputs} 与目标 {targets} 发生广播：每个样本都与所有样本比较"
    ),
    "the output of a row depends on the other rows of its batch, in eval() mode too": (
        "一个样本的输出取决于同批的其他样本，在 `eval()` 模式下也如此"
    ),
    "{n} parameters get no gradient ({names}), and the model does worse than cheap learners": (
        "{n} 个参数没有梯度（{names}），模型不如简单方法"
    ),
    "the optimiser makes the loss larger": "优化器使损失增大",
    "the loss is lower for wrong answers than for right ones": "错误答案的损失反而低于正确答案",
    "softmax stands between layers: {names}": "层与层之间有 softmax：{names}",
    "each gradient is the last one plus what the batch adds: they are never cleared": (
        "每个梯度都是上一个加上本批的：梯度从未清零"
    ),
    "in eval() mode the same rows get another output at each call, and the model does worse than "
    "cheap learners: dropout or noise stays on": (
        "`eval()` 模式下，同样的样本每次输出不同，模型不如简单方法：dropout 或噪声没有关闭"
    ),
    "all units of a layer start with the same weights and stay alike: {names}": (
        "同一层的所有单元从相同的权重开始，一直相同：{names}"
    ),
    "all weights of a layer start at the same value, so that its units compute nearly the same: "
    "{names}": "同一层的所有权重从同一个值开始，各单元的计算几乎相同：{names}",
    "the loss grew to {most}, and is not finite at step {n}": (
        "损失增大到 {most}，在第 {n} 步不再是有限值"
    ),
    "the loss is not finite at step {n}": "损失在第 {n} 步不是有限值",
    "the loss is not finite at step {n}, and the inputs have values that are no numbers": (
        "损失在第 {n} 步不是有限值，而输入中有不是数的值"
    ),
    "the loss takes scores and applies softmax itself, but the model ends with a sigmoid: scores "
    "stay between 0 and 1": (
        "损失函数接受得分并自带 softmax，而模型以 sigmoid 结尾：得分限于 0 与 1 之间"
    ),
    "softmax over a single unit is always 1: nothing can be learned": (
        "单个单元的 softmax 恒为 1：什么也学不到"
    ),
    "the scores are cut at 0 by a ReLU before the loss: a class whose score is 0 gets no gradient":
        "得分在损失之前被 ReLU 截断于 0：得分为 0 的类别没有梯度",
    "the scores are held between -1 and 1 by a tanh before the loss": (
        "得分在损失之前被 tanh 限制在 -1 与 1 之间"
    ),
    "{share} of the targets lie outside of what {name} can give": (
        "{share} 的目标超出了 {name} 所能给出的范围"
    ),
    "squared error behind softmax: where the model is sure and wrong there is no gradient": (
        "softmax 之后用平方误差：模型肯定而错误之处没有梯度"
    ),
    "classes are trained by squared error on unbounded outputs": (
        "用无界输出上的平方误差训练分类"
    ),
    "{n} parameters work in the model, but neither it nor the optimiser has them: layers in a "
    "plain list or dictionary": (
        "{n} 个参数参与计算，但模型和优化器都没有登记它们：层放在普通的列表或字典里"
    ),
    "{n} trained parameters are in no group of the optimiser and have not moved: {names}": (
        "{n} 个应训练的参数不在优化器的任何一组中，没有变动：{names}"
    ),
    "no weight has moved": "权重没有任何变动",
    "the model is trained in eval() mode: dropout and batch norm do not work": (
        "模型在 `eval()` 模式下训练：dropout 和批归一化不起作用"
    ),
    "validation outputs are not those of eval() mode": "验证时的输出不是 `eval()` 模式下的输出",
    "the loss takes the outputs for probabilities of exclusive classes, but those of a row do not "
    "sum to 1": "损失函数把输出当作互斥类别的概率，但一个样本的各项之和不为 1",
}  # fmt: skip
