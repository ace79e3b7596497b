"""The texts of the web app in English and Chinese."""

from __future__ import annotations

from typing import Literal

from ..data.decode import FORMATS, MAX_PIXELS
from ..errors import GodeeperError
from ..text import Text

AppLang = Literal["en", "zh"]

TEXTS = {
    "title": Text("godeeper", "godeeper"),
    "subtitle": Text("the Inception papers in PyTorch", "Inception 系列论文的 PyTorch 实现"),
    "classify": Text("Classify", "分类"),
    "explore": Text("Explore", "浏览"),
    "compare": Text("Compare", "对比"),
    "runs": Text("Runs", "训练记录"),
    "image": Text("An image: drop, choose, paste or take one", "图片：拖入、选择、粘贴或拍摄"),
    "drop": Text("Drop an image here\nor click to choose one", "把图片拖到这里\n或点这里选择"),
    "samples": Text("Samples", "示例"),
    "crops": Text("Crops", "裁剪数"),
    "crop_predictions": Text("Prediction for each crop", "每个裁剪的预测"),
    "predict_crops": Text("Predict the crops", "预测各个裁剪"),
    "top5": Text("Top-5 predictions", "前五个预测"),
    "heat_map": Text("Where the evidence for “{name}” lies", "“{name}”的依据在哪里"),
    "heat_map_hint": Text("Choose a class to see what speaks for it.", "点一个类别，看它的依据在哪里。"),
    "no_image": Text(
        "Give it an image: the predictions appear here. The network knows {classes}.",
        "给它一张图片，预测会出现在这里。这个网络认识：{classes}。",
    ),
    "bad_image": Text("This image cannot be read: {reason}. Try another one.", "这张图片无法读取：{reason}。请换一张。"),
    "network": Text("Network", "网络"),
    "other": Text("The other network", "另一个网络"),
    "stage": Text("stage", "阶段"),
    "kind": Text("kind", "类型"),
    "output": Text("output", "输出"),
    "parameters": Text("parameters", "参数量"),
    "multiply_adds": Text("multiply-adds", "乘加次数"),
    "receptive_field": Text("receptive field", "感受野"),
    "head": Text("auxiliary head", "辅助分类器"),
    "depth": Text("layers with parameters", "有参数的层"),
    "image_size": Text("image size", "图片尺寸"),
    "minimum_size": Text("minimum image size", "最小图片尺寸"),
    "table": Text("Its table: choose a row to open it", "结构表：点一行展开"),
    "drawing": Text("The whole network: choose a stage to open it", "整个网络：点一个阶段展开"),
    "sum": Text("sum", "合计"),
    "stage_of": Text("{stage} of {network}", "{network} 的 {stage}"),
    "no_stage": Text("Choose a row of the table, or a stage in the drawing.", "点表里的一行，或图里的一个阶段。"),
    "print": Text("What the paper prints, and ours", "论文印的与我们算的"),
    "where": Text("where", "位置"),
    "printed": Text("printed", "论文印的"),
    "computed": Text("computed", "我们算的"),
    "verdict": Text("verdict", "判定"),
    "note": Text("note", "说明"),
    "reproduced": Text("reproduced", "复现"),
    "erratum": Text("erratum", "勘误"),
    "unexplained": Text("unexplained", "未解释"),
    "audit": Text(
        "The audit of {network}: {reproduced} printed values reproduced, {erratum} errata, {unexplained} unexplained.",
        "{network} 的核对：论文印出的值，{reproduced} 个复现，{erratum} 处勘误，{unexplained} 处未解释。",
    ),
    "no_audit": Text("No paper prints numbers of {network} itself.", "没有论文印过 {network} 本身的数字。"),
    "no_print": Text("The paper prints no number of this stage by itself.", "论文没有单独给出这个阶段的数字。"),
    "cost": Text("What each stage costs", "每个阶段的开销"),
    "totals": Text("Totals", "合计"),
    "ratio": Text("ratio", "比值"),
    "run": Text("run", "训练目录"),
    "choose_runs": Text("Run folders", "训练目录"),
    "refresh": Text("Refresh", "刷新"),
    "no_runs": Text("No runs in {folder}. “make demo” makes one.", "{folder} 里没有训练记录。“make demo” 会生成一个。"),
    "choose_one": Text("Choose one run or several.", "请选一个或几个训练目录。"),
    "model": Text("model", "模型"),
    "data": Text("data", "数据"),
    "epochs": Text("epochs", "轮数"),
    "loss": Text("loss", "损失"),
    "optimizer": Text("optimizer", "优化器"),
    "batch_size": Text("batch size", "批大小"),
    "lr": Text("learning rate", "学习率"),
    "top1_error": Text("top-1 error, %", "top-1 错误率，%"),
    "map": Text("mAP, %", "平均精度均值（mAP），%"),
    "coverage": Text("coverage, %", "覆盖率，%"),
    "seconds": Text("seconds per epoch", "每轮秒数"),
    "curves": Text("Loss, error and learning rate", "损失、错误率和学习率"),
    "no_metrics": Text("{run} cannot be read: metrics.jsonl holds no epoch", "{run} 无法读取：metrics.jsonl 里没有一轮的记录"),
}
# The words of a stage's kind, "convolution 7x7/2", longer ones before those that are parts of them.
KINDS = (
    Text("separable convolution", "可分离卷积"),
    Text("convolution", "卷积"),
    Text("whitening", "白化"),
    Text("max pool", "最大池化"),
    Text("avg pool to", "平均池化到"),
    Text("avg pool", "平均池化"),
    Text("local response norm", "局部响应归一化"),
    Text("fully connected", "全连接"),
    Text("linear and norm", "线性、归一化"),
    Text("linear", "线性"),
    Text("inception-resnet", "Inception-ResNet"),
    Text("inception", "Inception"),
)

LARGEST_UPLOAD = 20  # MB
# Why an image cannot be read, by the code of the error.
REASONS = {
    "file-too-large": Text(f"the file is larger than {LARGEST_UPLOAD} MB", f"文件超过 {LARGEST_UPLOAD} MB"),
    "upload-gone": Text("the upload is no longer there", "上传的文件已不在"),
    "empty-file": Text("the file is empty", "文件是空的"),
    "not-an-image": Text(
        f"it is not an image in one of {', '.join(FORMATS)}", f"不是图片，或者格式不在 {', '.join(FORMATS)} 之内"
    ),
    "damaged-image": Text("the file is damaged", "文件已损坏"),
    "too-many-pixels": Text(
        f"it has too many pixels: more than {MAX_PIXELS:,}, or more than its format takes memory for",
        f"像素太多：超过 {MAX_PIXELS:,}，或超过该格式的内存上限",
    ),
    "slow-format": Text("its format is slow to decode: save it as PNG or JPEG", "这种格式解码太慢，请另存为 PNG 或 JPEG"),
    "stuck-decoder": Text("decoding it takes too long", "解码时间过长"),
    "too-much-memory": Text("decoding it takes too much memory", "解码占用内存过多"),
    "32-bit-pixels": Text(
        "its pixels have 32 bits, whose range is not defined: save it with 8 or 16 bits",
        "像素是 32 位的，取值范围不明，请另存为 8 位或 16 位",
    ),
    "signed-pixels": Text(
        "its pixels are signed, whose range is not defined: save it unsigned, with 8 or 16 bits",
        "像素是有符号数，取值范围不明，请另存为无符号的 8 位或 16 位",
    ),
}


def text(key: str, lang: AppLang, **values: object) -> str:
    """A text in a language, its placeholders filled."""
    return TEXTS[key].get(lang).format(**values)


def kind_text(kind: str, lang: AppLang) -> str:
    """A stage's kind, as `describe` has it, in a language."""
    for word in KINDS:
        if word.en in kind:
            return kind.replace(word.en, word.get(lang))
    return kind


def reason(error: GodeeperError, lang: AppLang) -> str:
    """Why an image cannot be read, in a language; the error's own message where its code has no text."""
    return REASONS[error.code].get(lang) if error.code in REASONS else str(error)
