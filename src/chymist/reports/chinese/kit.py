"""What tables, figures, charts, pictures and numbers say."""

WORDS = {
    "The first {limit} of {all} rows; {more} are left out.": (
        "共 {all} 行，列出前 {limit} 行，其余 {more} 行从略。"
    ),
    "The numbers": "数据表",
    ", logarithmic axis": "（对数坐标）",
    "equal": "相等",
    "Brightness runs from {low} (black) to {high} (white).": "亮度从 {low}（黑）到 {high}（白）。",
    "Shown is the mean of the channels. ": "显示的是各通道的平均值。",
    "{n} {part} row": "{n} 个{part}样本",
    "{n} {part} rows": "{n} 个{part}样本",
    "{n} row": "{n} 个样本",
    "{n} rows": "{n} 个样本",
    "{low} to {high}": "{low} 至 {high}",
    "unknown": "未知",
    "{n} s": "{n} 秒",
    "{m} min {s} s": "{m} 分 {s} 秒",
    "{h} h {m} min": "{h} 小时 {m} 分",
    ", ": "，",
    ".": "。",
    ": ": "：",
}
