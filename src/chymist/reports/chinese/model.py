"""The model card, trees included."""

WORDS = {
    "Beside each leaf: what it says ({counted}). Dots grow with the rows.": (
        "叶子旁是它的预测（{counted}）。圆点越大，样本越多。"
    ),
    "The model is linear: its weights in {unit} per unit of each feature.": (
        "模型是线性的：各特征每增加一个单位对应的权重，以{unit}计。"
    ),
    "Sorted by size; features with large units have small weights. ": (
        "按大小排序；数值大的特征，权重就小。"
    ),
    "{free} of {all} parameters are trained.": "{all} 个参数中，训练其中的 {free} 个。",
    "none": "无",
    "layer": "层",
    "type": "类型",
    "output shape": "输出形状",
    "parameters": "参数量",
    "{layers}, {parameters}.": "{layers}，{parameters}。",
    "{n} more layers are left out of the table.": "表中略去其余 {n} 层。",
    "training rows/errors": "训练样本数/错误数",
    "The tree in words": "用文字表示的树",
    "log-odds": "对数几率",
    "units of {target}": " {target} 的单位",
    "(intercept)": "（截距）",
    "{n} layer": "{n} 层",
    "{n} layers": "{n} 层",
    "{n} parameter": "{n} 个参数",
    "{n} parameters": "{n} 个参数",
    "(model)": "（模型）",
    "total": "合计",
    "weight": "权重",
    "output {n}": "输出 {n}",
    "{n} leaf": "{n} 个叶子",
    "{n} leaves": "{n} 个叶子",
    "{n} cut": "{n} 层划分",
    "{n} cuts": "{n} 层划分",
    "A tree with {leaves}, {cuts} deep.": "一棵树：{leaves}，最深 {cuts}。",
    "{n} trees with {leaves} in all; the first of them is shown.": (
        "{n} 棵树，共 {leaves}；图中是第一棵。"
    ),
    "Decision tree. ": "决策树。",
    " … {n} leaves": " … {n} 个叶子",
    "= {n} others": "= 其余 {n} 个",
    "is other": "其他",
    ", {n} more": " 等另外 {n} 个",
    "in {names}{more}": "属于 {names}{more}",
}
