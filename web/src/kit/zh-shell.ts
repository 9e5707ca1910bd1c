export const ZH_SHELL: Record<string, string> = {
  "Runs": "运行",
  "Loading": "加载中",
  "No such page": "没有这个页面",
  "What am I looking at?": "这是什么？",
  "Numbers": "数值",
  "Save as CSV": "另存为 CSV",
  "{n} of {all} rows": "{all} 行中的 {n} 行",
  "The script that does this": "做同样事情的脚本",
  "Command": "命令",
  "Copy": "复制",
  "Copied": "已复制",
};
