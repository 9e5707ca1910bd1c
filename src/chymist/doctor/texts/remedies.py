"""What a remedy changes, in a few words of English and Chinese, for codes with changes."""

from __future__ import annotations

DONE: dict[str, dict[str, str]] = {
    "lr_too_high": {
        "en": "a tenth of the learning rate",
        "zh": "学习率降为十分之一",
    },
    "lr_too_low": {
        "en": "ten times the learning rate",
        "zh": "学习率提高到十倍",
    },
    "undertrained": {
        "en": "train for longer",
        "zh": "延长训练",
    },
    "nan_inf_loss": {
        "en": "clipped gradients, and a tenth of the learning rate",
        "zh": "裁剪梯度，学习率降为十分之一",
    },
    "exploding_gradient": {
        "en": "clipped gradients, and a tenth of the learning rate",
        "zh": "裁剪梯度，学习率降为十分之一",
    },
    "vanishing_gradient": {
        "en": "units that do not saturate, and residual connections",
        "zh": "不饱和的激活函数和残差连接",
    },
    "hidden_activation_misuse": {
        "en": "ReLU between the layers",
        "zh": "层间用 ReLU",
    },
    "dead_relu": {
        "en": "units that never die, and a tenth of the learning rate",
        "zh": "不会死亡的激活函数，学习率降为十分之一",
    },
    "saturated_activation": {
        "en": "standardised inputs, and ReLU",
        "zh": "标准化输入，改用 ReLU",
    },
    "init_scale": {
        "en": "standardised inputs",
        "zh": "标准化输入",
    },
    "unnormalised_input": {
        "en": "standardised inputs",
        "zh": "标准化输入",
    },
    "optimisation_failure": {
        "en": "residual connections, or else fewer layers",
        "zh": "残差连接，否则减少层数",
    },
    "model_bias": {
        "en": "a larger function set",
        "zh": "更大的函数集",
    },
    "missing_nonlinearity": {
        "en": "hidden layers with ReLU",
        "zh": "带 ReLU 的隐藏层",
    },
    "over_regularised": {
        "en": "no dropout and no weight decay",
        "zh": "去掉 dropout 和权重衰减",
    },
    "dropout_misuse": {
        "en": "a dropout of 0.2",
        "zh": "dropout 设为 0.2",
    },
    "overfitting": {
        "en": "the weights with the best validation loss",
        "zh": "取验证损失最低时的权重",
    },
    "bn_small_batch": {
        "en": "larger batches",
        "zh": "加大批次",
    },
    "batch_too_small": {
        "en": "larger batches",
        "zh": "加大批次",
    },
    "label_noise": {
        "en": "leave out rows whose labels are contradicted, and stop early",
        "zh": "去掉标签被否定的行，并提前停止",
    },
    "class_imbalance": {
        "en": "rows weighed by class",
        "zh": "按类别给行加权",
    },
    "data_leakage": {
        "en": "no copies of training rows in validation, no feature that tells",
        "zh": "验证集不含训练行的副本，不用泄露答案的特征",
    },
    "distribution_mismatch": {
        "en": "training and validation rows drawn alike",
        "zh": "训练行与验证行同样抽取",
    },
    "unshuffled_data": {
        "en": "training and validation rows drawn at random",
        "zh": "随机抽取训练行与验证行",
    },
}
