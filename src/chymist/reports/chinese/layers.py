"""What the layers of a run did."""

WORDS = {
    "update over weights": "更新量与权重之比",
    "norm of the gradient": "梯度范数",
    "norm of the weights": "权重范数",
    "mean of the activations": "激活均值",
    "deviation of the activations": "激活标准差",
    "share of units that give 0 for the whole batch": "对整批输出均为 0 的单元占比",
    "share of units at the rails of a sigmoid or tanh": "处于 sigmoid 或 tanh 饱和区的单元占比",
    "{title}: {rows} layers at {looks} steps": "{title}：{rows} 层，{looks} 步",
    "{layer}: {share} of its units gave 0 for every row of the batch at step {step}.":
        "{layer}：第 {step} 步时，{share} 的单元对整批每一行都输出 0。",
    "{layer}: {share} of its units were at their rails at step {step}.":
        "{layer}：第 {step} 步时，{share} 的单元处于饱和区。",
    "{layer}: a step moved it by {share} of its size (step {step}).":
        "{layer}：一步更新移动了自身大小的 {share}（第 {step} 步）。",
    "{layer}: its gradient is {times} times that of the first step ({step}).":
        "{layer}：梯度是第一步的 {times} 倍（第 {step} 步）。",
    "{layer}: its {quantity} was not finite at step {step}.":
        "{layer}：第 {step} 步时其{quantity}不是有限值。",
    "No step was looked at yet.": "尚未观察任何一步。",
    "Looked at {n} steps from {first} to {last}, {least} to {most} steps apart; looking took "
    "{share} of the time, {seconds} s.":
        "观察了第 {first} 至 {last} 步之间的 {n} 步，间隔 {least} 至 {most} 步；"
        "观察占用 {share} 的时间，共 {seconds} 秒。",
    "This folder holds no single run: its members have layers, it has none.":
        "此文件夹不是单个运行：各成员有自己的层，它本身没有。",
    "An imported log has curves, and no layers.": "导入的日志只有曲线，没有层。",
    "The model was solved in one step: nothing happened over time.":
        "该模型一步求解：没有随时间的变化。",
    "This run has no record of its layers: it is older than such records, or was trained "
    "with layers=False.":
        "此运行没有层的记录：它早于这种记录，或训练时使用了 layers=False。",
    "No member has ended an epoch yet.": "还没有成员完成一轮。",
    "So far: members train, and all of this may change.":
        "目前为止：成员仍在训练，以上都可能改变。",
    "It was interrupted: this is how far its members came, and none was kept.":
        "训练已中断：这是各成员到达的位置，没有成员被保存。",
    "Usual steps move a tensor by about a thousandth of its size (1e-3): far above a hundredth "
    "training is restless, far below 1e-5 it stands still.":
        "通常每步使张量移动约自身大小的千分之一（1e-3）：远高于百分之一则训练不稳，"
        "远低于 1e-5 则几乎停滞。",
}  # fmt: skip
