"""Names of chymist's own: parts of a split, metrics, floors, kinds, slots of a recipe."""

WORDS = {
    # parts of a split
    "training": "训练", "validation": "验证", "test": "测试", "out-of-fold": "折外",
    # metrics
    "metric: accuracy": "准确率", "metric: error": "错误率",
    "metric: balanced accuracy": "平衡准确率", "metric: F1 macro": "宏平均 F1",
    "metric: F1 micro": "微平均 F1", "metric: AUC": "AUC", "metric: log loss": "对数损失",
    "metric: perplexity": "困惑度", "metric: RMSE": "均方根误差（RMSE）",
    "metric: MAE": "平均绝对误差（MAE）", "metric: R²": "决定系数 R²",
    "metric: RMSE pooled": "合并均方根误差（RMSE）", "metric: loss": "损失",
    # kinds of data and of columns
    "table": "表格", "array of numbers": "数值数组", "images": "图像", "sequences": "序列",
    "texts": "文本", "numbers of tokens": "词元编号", "nodes of a graph": "图的节点",
    "number": "数值", "category": "类别", "date": "日期", "text": "文本", "id": "编号",
    # slots of a recipe
    "model": "模型", "init": "初始化", "loss": "损失", "penalty": "惩罚项", "optimizer": "优化器",
    "schedule": "学习率调度", "batch size": "批大小", "length": "训练长度", "stop": "停止条件",
    "clip": "梯度裁剪", "gradient noise": "梯度噪声", "augment": "数据增强",
    # how sure a finding is
    "observation": "现象", "finding": "诊断", "confirmed": "已证实", "certain": "确定",
    # series of the doctor, shares of a gap
    "loss of a batch": "批损失", "norm of the gradient": "梯度范数",
    "update over weight": "更新量与权重之比", "overfitting": "过拟合", "mismatch": "分布不一致",
}  # fmt: skip
