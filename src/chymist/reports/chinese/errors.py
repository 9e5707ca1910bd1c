"""Errors and the hardest rows."""

WORDS = {
    "All metrics on the {rows}": "在 {rows}上的全部指标",
    "{errors} on {rows}{most}.": "{rows}中有 {errors}{most}。",
    "Recall: share of the class that was found, with Wilson's 95 % interval. Precision: share of "
    "right ones among those said to be of the class.": (
        "召回率：该类样本中被找出的比例，附 95 % Wilson 置信区间。"
        "精确率：预测为该类的样本中正确的比例。"
    ),
    "Half of the predictions of {name} are within {middle} of the truth.": (
        "{name} 的预测中，一半与真实值相差不超过 {middle}。"
    ),
    "{rows}, {drawn}. The table has the {n} largest errors.": (
        "{rows}，{drawn}。数据表列出误差最大的 {n} 个。"
    ),
    "Predictions are {mean} {way} on average, with a spread of {spread}.": (
        "预测值平均{way} {mean}，离散程度为 {spread}。"
    ),
    "prediction − truth, {name}": "预测值 − 真实值，{name}",
    "{rows}; spread is the standard deviation.": "{rows}；离散程度指标准差。",
    "; most often {true} is taken for {said} ({rows})": (
        "；最常见的是把 {true} 认作 {said}（{rows}）"
    ),
    "Down: the true class; across: what the model said. Counts, and below them the share of the "
    "true class in percent.": (
        "每行是真实类别，每列是模型的预测。上面是样本数，下面是占该真实类别的百分比。"
    ),
    "The {shown} most confused of {n} pair of classes.": "{n} 对混淆的类别中最多的 {shown} 对。",
    "The {shown} most confused of {n} pairs of classes.": "{n} 对混淆的类别中最多的 {shown} 对。",
    "true \\ said": "真实 \\ 预测",
    "true class": "真实类别",
    "the model said": "模型预测",
    "of the true class": "占真实类别",
    "{low} to {high} %": "{low} 至 {high} %",
    "Each class by itself, the hardest first": "各个类别，最难的在前",
    "Each class by itself": "各个类别",
    "all drawn": "全部画出",
    "{n} drawn: the largest errors and an even sample of the others": (
        "画出 {n} 个：误差最大的，以及其余样本的均匀抽样"
    ),
    "true {name}": "真实的 {name}",
    "predicted {name}": "预测的 {name}",
    "too high": "偏高",
    "too low": "偏低",
    "There are no rows to look at.": "没有可看的样本。",
    "metric": "指标",
    "direction": "方向",
    "{n} error": "{n} 个错误",
    "{n} errors": "{n} 个错误",
    "recall": "召回率",
    "95 % interval": "95 % 置信区间",
    "precision": "精确率",
    "truth": "真实值",
    "prediction": "预测值",
    "error": "误差",
    "more is better": "越大越好",
    "less is better": "越小越好",
    # the hardest rows
    "Row numbers count from 1 in the data as it was read.": "行号按读入的顺序从 1 数起。",
    "The {rows} with the largest loss of {all}; {n} of them is wrong. ": (
        "全部 {all} 个中损失最大的 {rows}，其中 {n} 个预测错误。"
    ),
    "The {rows} with the largest loss of {all}; {n} of them are wrong. ": (
        "全部 {all} 个中损失最大的 {rows}，其中 {n} 个预测错误。"
    ),
    "Loss is −ln of the probability given to the truth. ": "损失是真实类别的预测概率取 −ln。",
    "Loss is −ln of the softmax of the scores (sigmoid of two classes), which is no probability. ":
        "损失是得分的 softmax（两类时为 sigmoid）取 −ln；它不是概率。",
    "The {rows} with the largest error of {all}. ": "全部 {all} 个中误差最大的 {rows}。",
    "The first {n} of {all} columns.": "共 {all} 列，显示前 {n} 列。",
    "row {n}": "第 {n} 行",
    " {size} pixels, enlarged or reduced to fit.": "{size} 像素，显示时放大或缩小。",
    "said ": "预测 ",
    "said": "预测",
    "row": "行",
    "(empty)": "（空）",
    "true ": "真实 ",
    "loss ": "损失 ",
    "sure": "置信度",
    "error ": "误差 ",
    # where it looked
    "Grad-CAM of what the model predicts, at layer {layer}, whose maps of {places} are drawn over "
    "the {pixels} pixels. The more vermilion, the more a place speaks for the prediction; every "
    "map has colours of its own, from 0 to its strongest hundredth.": (
        "对模型所预测类别的 Grad-CAM，取自 {layer} 层；"
        "该层 {places} 的特征图画在 {pixels} 的像素上。"
        "颜色越朱红，该处越支持这一预测；每张图有自己的色标，从 0 到其最强的百分之一。"
    ),
    "The hardest rows": "最难的样本",
    "The surest of the right ones": "预测正确且最有把握的样本",
    "row {n}, its map": "第 {n} 行的热力图",
}  # fmt: skip
