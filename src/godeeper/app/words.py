"""What the page says, in English and Chinese."""

from __future__ import annotations

import re
from typing import Literal

Lang = Literal["en", "zh"]

WORDS = {
    "title": ("godeeper", "godeeper"),
    "subtitle": ("the Inception papers, open", "打开 Inception 论文"),
    "classify": ("Classify", "分类"),
    "explore": ("Explore", "浏览"),
    "compare": ("Compare", "对比"),
    "runs": ("Runs", "训练记录"),
    "image": ("An image: drop, choose, paste or take one", "图片：拖入、选择、粘贴或拍摄"),
    "drop": ("Drop an image here\nor click to choose one", "把图片拖到这里\n或点这里选择"),
    "samples": ("Samples", "示例"),
    "crops": ("Crops that vote", "投票的裁剪数"),
    "votes": ("How the crops voted", "各裁剪的投票"),
    "vote": ("Let the crops vote", "让裁剪投票"),
    "answer": ("The five likeliest classes", "最可能的五个类别"),
    "heat": ("Where the evidence for “{name}” lies", "“{name}”的依据在哪里"),
    "heat_hint": ("Choose a class to see what speaks for it.", "点一个类别，看支持它的依据。"),
    "no_run": (
        "No network yet. Train one with “make demo”, then start “godeeper app runs/demo”; or name a run folder, a weights file or"
        " published weights. The other pages work without one.",
        "还没有网络。先用“make demo”训练一个，再启动“godeeper app runs/demo”；也可以给出训练目录、权重文件或公开权重的名字。"
        "其他几页不需要网络。",
    ),
    "no_image": ("Give it an image: the answer appears here.", "给它一张图片，结果会出现在这里。"),
    "bad_image": ("That is no image that can be read: {reason}. Try another one.", "这张图读不了：{reason}。换一张试试。"),
    "too_large": (
        "The file is larger than {limit} MB. Try a smaller image.",
        "文件超过 {limit} MB。换一张小一点的试试。",
    ),
    "network": ("Network", "网络"),
    "other": ("The other network", "另一个网络"),
    "stage": ("stage", "级"),
    "kind": ("kind", "类型"),
    "output": ("output", "输出"),
    "parameters": ("parameters", "参数量"),
    "multiply_adds": ("multiply-adds", "乘加次数"),
    "receptive_field": ("receptive field", "感受野"),
    "head": ("auxiliary head", "辅助分类器"),
    "depth": ("layers with parameters", "有参数的层"),
    "image_size": ("image", "图片"),
    "smallest": ("smallest image", "最小的图片"),
    "table": ("Its table: choose a row to open it", "它的表：点一行打开"),
    "drawing": ("The whole network: choose a stage to open it", "整个网络：点一级打开"),
    "opened": ("{stage} of {network}", "{network} 的 {stage}"),
    "no_stage": ("Choose a row of the table, or a stage in the drawing.", "点表里的一行，或图里的一级。"),
    "print": ("What the paper prints, and ours", "论文印的与我们算的"),
    "where": ("where", "位置"),
    "printed": ("printed", "印的"),
    "computed": ("computed", "算出"),
    "verdict": ("verdict", "结论"),
    "note": ("note", "说明"),
    "reproduced": ("reproduced", "复现"),
    "erratum": ("erratum", "勘误"),
    "unexplained": ("unexplained", "无法解释"),
    "audit": (
        "The audit of {network}: {reproduced} printed values reproduced, {erratum} errata, {unexplained} unexplained.",
        "{network} 的核对：{reproduced} 个印出的值复现，{erratum} 处勘误，{unexplained} 处无法解释。",
    ),
    "no_audit": ("No paper prints numbers of {network} itself.", "没有论文印过 {network} 本身的数字。"),
    "no_print": ("The paper prints nothing of this stage by itself.", "论文没有单独印这一级的数字。"),
    "cost": ("What each stage costs", "每一级的开销"),
    "totals": ("Totals", "合计"),
    "ratio": ("ratio", "比值"),
    "run": ("run", "训练目录"),
    "choose_runs": ("Run folders", "训练目录"),
    "refresh": ("Look again", "重新查看"),
    "no_runs": ("No runs in {folder}. “make demo” makes one.", "{folder} 里没有训练记录。“make demo” 会生成一个。"),
    "choose_one": ("Choose one run or several.", "选一个或几个训练目录。"),
    "model": ("model", "模型"),
    "data": ("data", "数据"),
    "epochs": ("epochs", "epoch"),
    "loss": ("loss", "损失"),
    "optimizer": ("optimizer", "优化器"),
    "batch_size": ("batch", "批大小"),
    "lr": ("learning rate", "学习率"),
    "top1_error": ("top-1 error, %", "top-1 错误率，%"),
    "map": ("mAP, %", "平均精度 mAP，%"),
    "coverage": ("coverage, %", "覆盖率，%"),
    "seconds": ("seconds an epoch", "每个 epoch 秒数"),
    "curves": ("Loss, error and learning rate", "损失、错误率和学习率"),
    "gone": ("{run} cannot be read: {reason}", "{run} 读不了：{reason}"),
}


def say(key: str, lang: Lang, **values: object) -> str:
    """A phrase in a language, its gaps filled."""
    return WORDS[key][("en", "zh").index(lang)].format(**values)


# What `decode` says of images that it cannot read, and that in Chinese.
REASONS = {
    "the file is empty": "文件是空的",
    "not an image in one of (.+)": "不是图片，或者格式不在 {} 之内",
    "damaged: (.+)": "文件已损坏（{}）",
    ".*limit of ([0-9,]+)": "像素太多，上限是 {}",
    "32-bit pixels .+": "像素是 32 位的，取值范围不明，请另存为 8 位或 16 位",
}


def reason(english: str, lang: Lang) -> str:
    """Why an image cannot be read, in a language; as `decode` says it where that is not known in Chinese."""
    matches = ((re.fullmatch(pattern, english, re.DOTALL), chinese) for pattern, chinese in REASONS.items())
    known = [chinese.format(*match.groups()) for match, chinese in matches if match]
    return known[0] if known and lang == "zh" else english
