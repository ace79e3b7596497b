"""Where the printed values stand and what they measure, in Chinese: "Table 1, 3a output" is "表 1，3a 的输出"."""

from __future__ import annotations

import re

# Parts of a `Fact`'s source; as patterns, for the numbers stay.
SOURCES = {
    r"Table (\d+)": r"表 \1",
    r"Figure (\d+)": r"图 \1",
    r"Section ([\d.]+)": r"第 \1 节",
    r" row (\d+)": r" 第 \1 行",
    "(arXiv [^,]+), ": r"\1 的",
    "Abstract": "摘要",
    "Appendix": "附录",
    "our count of the figures": "我们按图计数",
    "public implementations": "公开的实现",
    "the released network": "发布的网络",
}
# A whole quantity; what is not here, such as "1x1" or "params", is the same in Chinese.
QUANTITIES = {
    "input": "输入",
    "output": "输出",
    "patch/stride": "窗口/步幅",
    "type": "类型",
    "depth": "深度",
    r"(\dx\d) reduce": r"\1 降维",
    r"double 3x3": "两个 3x3",
    r"double 3x3 reduce": "两个 3x3 的降维",
    "pool proj": "池化投影",
    r"branch (\d+)": r"分支 \1",
    "branches": "各分支",
    "branches in letters": "各分支",
    "([klmn])": r"卷积核数 \1",
    "linear": "线性层",
    "caption": "图注",
    "blocks": "块数",
    "scale": "缩放系数",
    "keep": "保留比例",
    "multiplier": "每个通道的卷积核数",
    "pool output": "池化输出",
    "1x1 output": "1x1 卷积输出",
    "fully connected output": "全连接层输出",
    "layers with parameters": "有参数的层数",
    "layers with pools": "连池化的层数",
    "layers more than GoogLeNet": "比 GoogLeNet 多的层数",
    "layers of (.+) over (.+)'s": r"\1 与 \2 的层数",
    "multiply-adds": "乘加次数",
    "multiply-adds over (.+)'s": r"乘加次数与 \1 之比",
    "multiply-adds more than GoogLeNet": "乘加次数比 GoogLeNet 多出的比例",
    "cost of (.+) over (.+)'s": r"\1 与 \2 的计算量之比",
    "parameters": "参数量",
    "parameters, not printed": "参数量（论文没有印）",
    "parameters of GoogLeNet": "GoogLeNet 的参数量",
    "parameters of (.+) over (.+)'s": r"\1 与 \2 的参数量之比",
    "parameters more than GoogLeNet": "参数量比 GoogLeNet 多出的比例",
    "fewer parameters than AlexNet": "参数只有 AlexNet 的几分之一",
    "modules on 28x28": "28x28 上的模块数",
    "filters of a double 3x3 at most": "两个 3x3 的卷积核数上限",
    r"(\d+) x (\d+) crops, against base": r"\1 个模型、\2 个裁剪，与单模型单裁剪之差",
    r"mAP of (\d+) x GoogLeNet, against Table (\d+)": r"\1 个 GoogLeNet 的 mAP，与表 \2 对照",
    "grid after it": "输出尺寸",
    "figure of the (.+) modules": r"图号（\1 的模块）",
    "(top-.) error of GoogLeNet": r"GoogLeNet 的 \1 错误率",
    "(top-.) error of the ensemble": r"集成的 \1 错误率",
    "cut of the (top-.) error": r"\1 错误率的降幅",
    "errors of BN-Inception": "BN-Inception 的错误率",
    "columns": "列名",
    "He et al.'s network": "何恺明等人的网络",
}


def location_in_chinese(source: str, stage: str, quantity: str) -> str:
    """Source, stage and quantity of a finding in Chinese, in one line; `stage` is empty for the whole network."""
    for english, chinese in SOURCES.items():
        source = re.sub(english, chinese, source)
    matches = ((re.fullmatch(english, quantity), chinese) for english, chinese in QUANTITIES.items())
    measured = next((match.expand(chinese) for match, chinese in matches if match), quantity)
    if not stage:
        return f"{source}，{measured}"
    return f"{source}，{stage} 的{' ' if measured[0].isascii() else ''}{measured}"
