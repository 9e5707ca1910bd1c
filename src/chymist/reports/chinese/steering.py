"""Chinese for what may be asked of a run that trains, and for what its history says."""

WORDS = {
    "waits after the step under way; memory is kept; the result stays the same to the bit": (
        "当前步结束后等待；内存保留；结果逐位相同"
    ),
    "goes on where it paused; the result is the same to the bit": ("从暂停处继续；结果逐位相同"),
    "saves where the run stands and reads it back; the result stays the same": (
        "保存当前状态并读回检查；结果不变"
    ),
    "ends after the epoch under way, keeps the best weights and scores them": (
        "本轮结束后停止，保留最佳权重并评分"
    ),
    "ends after the step under way, keeps the best weights and scores them": (
        "当前步结束后停止，保留最佳权重并评分"
    ),
    "saves and ends without a score; chymist resume goes on bit-identically": (
        "保存后结束，不评分；chymist resume 可逐位一致地继续"
    ),
    "training started": ("训练开始"),
    "training continued from step {n}": ("从第 {n} 步继续训练"),
    "branched from step {n} of {parent}": ("从 {parent} 的第 {n} 步分出"),
    "paused after step {n}; memory is kept": ("在第 {n} 步后暂停；内存保留"),
    "went on after step {n}, bit-identically": ("在第 {n} 步后逐位一致地继续"),
    "checkpoint of step {n} saved and read back": ("第 {n} 步的检查点已保存并读回"),
    "the epoch under way is finished, then the run concludes at step {ends}": (
        "完成本轮，然后在第 {ends} 步结束"
    ),
    "stopped by its user at step {ends}; the best weights are kept and scored": (
        "由用户在第 {ends} 步停止；保留最佳权重并评分"
    ),
    "saved and ended at step {n}; it can be resumed": ("在第 {n} 步保存并结束；可以恢复"),
    "interrupted and saved at step {n}; it can be resumed": ("在第 {n} 步中断并保存；可以恢复"),
    "the loss or a weight was not finite after step {n}": ("第 {n} 步后损失或权重不是有限数"),
    "training ended at step {n}": ("训练在第 {n} 步结束"),
    "nothing changed: {why}": ("没有变化：{why}"),
    "the run is paused already": ("训练已经暂停"),
    "the run is not paused": ("训练没有暂停"),
    "the run has taken its last step": ("训练已走完最后一步"),
    "the epoch under way is the last one": ("当前这一轮是最后一轮"),
}
