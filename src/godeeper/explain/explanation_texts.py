"""The texts of an explanation's page. They are HTML; placeholders are filled with escaped values."""

from __future__ import annotations

from ..text import Text

TEXTS = {
    "title": Text("What the network looked at", "网络看了哪里"),
    "predictions": Text("The predictions", "预测"),
    "predictions_how": Text(
        "{model} is given the framed part of {name}, resized to {size}x{size} pixels, and gives each class a probability.",
        "{model} 看到的是 {name} 里框出的部分，缩放到 {size}x{size} 像素，给每个类别一个概率。",
    ),
    "maps": Text("Where the evidence is", "依据在哪里"),
    "maps_how": Text(
        "Grad-CAM on stage {stage}: the features at each position, weighted by what they add to the class’s logit. Only the"
        " framed part was looked at. Each map has a scale of its own, from nothing to its maximum; evidence against the class is"
        " not shown.",
        "在 {stage} 阶段上做 Grad-CAM：每个位置的特征，按它们给这一类的 logit 加多少来加权。只看框内的部分。每张图各有标度，"
        "从零到该图的最大值；反对这一类的依据不画。",
    ),
    "none": Text("none", "无"),
    "most": Text("most", "最强"),
    "branches": Text("What each branch of {module} contributes", "{module} 的每个分支贡献了多少"),
    "branches_how": Text(
        "The branch’s output is set to zero and the rest of the network is run again: the number is by how much the class’s logit"
        " falls. Each branch is measured alone, so the numbers need not add up. In a stage of several modules, these are the"
        " branches of the last.",
        "把这个分支的输出置零，网络余下的部分重新算一遍：数字是这一类的 logit 因此降了多少。"
        "每个分支单独测，各数之和不必等于 logit。一个阶段里有好几个模块的，测的是最后一个。",
    ),
    "branch": Text("branch", "分支"),
    "shortcut": Text("shortcut", "快捷连接"),
    "residual": Text("residual, all branches", "残差（全部分支）"),
    "branch_maps": Text(
        "Where each branch finds evidence for {best}, on one scale for all branches.",
        "每个分支在哪里找到“{best}”的依据；各分支共用一个标度。",
    ),
    "crops": Text("Predictions for {crops} crops", "{crops} 个裁剪的预测"),
    "crops_how": Text(
        "The probability is the mean over all {crops} crops: the answer of <code>godeeper predict --crops {crops}</code>.",
        "概率是 {crops} 个裁剪的平均，也就是 <code>godeeper predict --crops {crops}</code> 的答案。",
    ),
    "class": Text("class", "类别"),
    "crop_count": Text("crops", "裁剪数"),
    "mean_probability": Text("mean probability", "平均概率"),
    "crops_drawn": Text(
        "Each crop is framed in the colour of its most likely class; the bar below it is as long as the class is probable. In a"
        " row: four corners, centre and whole square, each beside its mirror image.",
        "每个裁剪的边框是它最可能的类别的颜色，下面的横条越长，置信度越高。一行依次是四角、中心、整个正方形，各与自己的镜像相邻。",
    ),
    "crops_144": Text(
        "The rows: the left, middle and right square (of an upright image, upper, middle and lower) at each of four scales,"
        " the smallest first.",
        "各行：四个尺度由小到大，每个尺度依次是左、中、右三个正方形（竖幅图片是上、中、下）。",
    ),
    "channel": Text("What activates channel {channel}", "通道 {channel} 对什么有反应"),
    "channel_how": Text(
        "The images of the folder with the largest values of the channel, and beside each the patch around the largest: all"
        " that this unit can see (its receptive field, cut off at the crop’s edge).",
        "文件夹里这个通道取值最大的图片，旁边是最大值所在的图块：这个单元所能看到的全部（感受野，在裁剪边缘处截断）。",
    ),
}
