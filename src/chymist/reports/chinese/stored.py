"""What a run holds in English: its verdict, floors, notes on data and training."""

WORDS = {
    "column '{name}' is skewed: its logarithm is used": "“{name}”列分布偏斜：取其对数",
}
