"""The data card."""

WORDS = {
    "{kind}, {n} rows": "{kind}，{n} 个样本",
    "The first {n} training pictures of each class.": "每个类别的前 {n} 张训练图像。",
    "The first {n} training pictures of the first {classes} classes.": (
        "前 {classes} 个类别各自的前 {n} 张训练图像。"
    ),
    "{used} of {n} column are used as features.": "共 {n} 列，其中 {used} 列用作特征。",
    "{used} of {n} columns are used as features.": "共 {n} 列，其中 {used} 列用作特征。",
    "{n} empty training cell filled": "填补了 {n} 个空的训练单元格",
    "{n} empty training cells filled": "填补了 {n} 个空的训练单元格",
    "The {n} class are about equally frequent.": "只有 {n} 个类别。",
    "The {n} classes are about equally frequent.": "{n} 个类别的样本数大致相同。",
    "test (sealed) rows": "测试样本（封存）",
    "test rows": "测试样本",
    "training rows": "训练样本",
    "validation rows": "验证样本",
    "{n} class": "{n} 个类别",
    "{n} classes": "{n} 个类别",
    "a number": "数值",
    "column": "列",
    "kind": "类型",
    "missing": "缺失",
    "distinct": "不同取值",
    "use": "用途",
    "feature": "特征",
    "not used": "未使用",
    "{n} column": "{n} 列",
    "{n} columns": "{n} 列",
    "one number": "一个数",
    "Class {most} is {ratio} times as frequent as {least}.": (
        "类别 {most} 的样本数是 {least} 的 {ratio} 倍。"
    ),
    "Rows of each class in all {n} rows.": "全部 {n} 个样本中各类别的样本数。",
    "Steps of each class in all {n} rows.": "全部 {n} 个样本中各类别的时间步数。",
    " The {n} most frequent of {all} classes.": "图中是 {all} 个类别中样本最多的 {n} 个。",
    "Half of the rows have a {name} below {middle}; nine in ten are between {low} and {high}.": (
        "一半样本的 {name} 低于 {middle}；九成在 {low} 与 {high} 之间。"
    ),
    "Mean {mean}, standard deviation {spread}, {n} rows.": (
        "均值 {mean}，标准差 {spread}，{n} 个样本。"
    ),
    "The first {n} of {all} outputs.": "共 {all} 个输出，显示前 {n} 个。",
    "class": "类别",
    "all": "全部",
    "share": "占比",
    "train": "训练",
    "valid": "验证",
    "test": "测试",
    "name": "名称",
    "input": "输入",
    "target": "目标",
    "split": "划分",
    "{method}, seed {seed}": "{method}，随机种子 {seed}",
    "fingerprint": "指纹",
    "from": "从",
    "to": "到",
    "rows": "样本数",
}
