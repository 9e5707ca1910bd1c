"""Chinese for the page of an imported log."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType({
    "chymist report of an imported log": "chymist 导入日志报告",
    "What this is": "这是什么",
    "Findings": "诊断结果",
    "Curves": "曲线",
    "All series": "全部序列",
    "What this report cannot tell": "本报告无法说明的内容",
    "Imported: no model, no rows.": "导入的记录:没有模型,也没有数据行。",
    "from": "来源",
    "event files": "事件文件",
    "a CSV file": "CSV 文件",
    "series": "序列",
    "points": "点数",
    "steps count": "步数单位",
    "steps": "步",
    "epochs": "轮",
    "rows of the table": "表格行",
    "step": "步",
    "epoch": "轮",
    "row of the table": "表格行",
    "loss": "损失",
    "Losses": "损失",
    "value": "数值",
    "The curves alone show nothing wrong.": "仅从曲线看,没有发现问题。",
    "{n} more series are in the table.": "另有 {n} 个序列见下表。",
    "{n} more series are in the record.": "另有 {n} 个序列保存在记录中。",
    "in the log": "日志中的名称",
    "last": "最后值",
    "lowest": "最小值",
    "highest": "最大值",
    "There is no model and there are no rows: nothing can be scored, predicted or explained.":
        "没有模型,也没有数据行:无法评分、预测或解释。",
    "Values are those of the log. How they were made, and on which rows, it does not say.":
        "数值取自日志;日志没有说明它们如何得出,以及来自哪些数据行。",
    "Curves show symptoms; what causes them takes the rows and the model to find out.":
        "曲线只显示症状;要找出原因,需要数据行和模型。",
})  # fmt: skip
