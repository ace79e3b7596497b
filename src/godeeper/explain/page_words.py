"""What an explanation's page says, in English and Chinese, and how it looks."""

WORDS = {
    "title": ("What the network looked at", "网络看了哪里"),
    "answer": ("The answer", "判断"),
    "answer_how": (
        "{model} is shown the framed part of {name}, resized to {size}x{size} pixels, and gives each class a probability.",
        "{model} 看到的是 {name} 里框出的部分，缩放到 {size}x{size} 像素，给每个类别一个概率。",
    ),
    "maps": ("Where the evidence is", "依据在哪里"),
    "maps_how": (
        "Grad-CAM on stage {stage}: the features of each place, weighted by what they add to the class’s logit. Only the framed"
        " part was looked at. Each map has a scale of its own, from nothing to its greatest value; evidence against the class is"
        " not shown.",
        "在 {stage} 级上做 Grad-CAM：每个位置的特征，按它们给这一类的 logit 加多少来加权。只看框内的部分。每张图各有标度，"
        "从零到该图的最大值；反对这一类的依据不画。",
    ),
    "none": ("none", "无"),
    "most": ("most", "最强"),
    "branches": ("What each branch of {module} contributes", "{module} 的每个分支贡献了多少"),
    "branches_how": (
        "The branch’s output is set to zero and the rest of the network run again: the number is by how much the class’s logit"
        " falls. Each branch is measured alone, so the numbers need not add up. Of several modules in a row, it is the last.",
        "把这个分支的输出置零，网络余下的部分重新算一遍：数字是这一类的 logit 因此降了多少。"
        "每个分支单独测，各数之和不必等于 logit。一级里有好几个模块的，测的是最后一个。",
    ),
    "branch": ("branch", "分支"),
    "shortcut": ("shortcut", "旁路"),
    "residual": ("residual, all branches", "残差（全部分支）"),
    "branch_maps": (
        "Where each branch finds evidence for {best}, on one scale for all branches.",
        "每个分支在哪里找到“{best}”的依据；各分支共用一个标度。",
    ),
    "crops": ("How {crops} crops voted", "{crops} 个裁剪怎么投票"),
    "votes_how": (
        "The probability is the mean over all {crops} crops: the answer of <code>godeeper predict --crops {crops}</code>.",
        "概率是 {crops} 个裁剪的平均，也就是 <code>godeeper predict --crops {crops}</code> 的答案。",
    ),
    "class": ("class", "类别"),
    "votes": ("votes", "票数"),
    "probability": ("mean probability", "平均概率"),
    "votes_drawn": (
        "Each crop is framed in the colour of the class it votes for; the bar below is as long as it is sure. In a row: four"
        " corners, centre and whole square, each beside its mirror image.",
        "每个裁剪的边框是它所投类别的颜色，下面的横条越长，把握越大。一行依次是四角、中心、整个正方形，各与自己的镜像相邻。",
    ),
    "votes_144": (
        "The rows: the left, middle and right square (of an upright image, upper, middle and lower) at each of four scales,"
        " the smallest first.",
        "各行：四个尺度由小到大，每个尺度依次是左、中、右三个正方形（竖幅图片是上、中、下）。",
    ),
    "channel": ("What channel {channel} answers to", "通道 {channel} 对什么有反应"),
    "channel_how": (
        "The images of the folder with the largest values of the channel, and beside each the patch around the largest: all"
        " that this unit can see (its receptive field, cut off at the crop’s edge).",
        "文件夹里这个通道取值最大的图片，旁边是最大值所在的图块：这个单元所能看到的全部（感受野，在裁剪边缘处截断）。",
    ),
}

STYLE = """
:root { color-scheme: light dark;
  --ink: #1f2328; --soft: #59636e; --paper: #fff; --line: #d1d9e0; --for: #0072b2; --against: #d55e00 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --line: #3d444d; --for: #56b4e9; --against: #e69f00 }
}
body { font: 16px/1.5 system-ui, "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; margin: 0 auto; max-width: 62rem;
  padding: 1rem; color: var(--ink); background: var(--paper); overflow-wrap: anywhere }
h1 { font-size: 1.6rem; margin: .5rem 0 1rem }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; padding-top: .6rem; border-top: 1px solid var(--line) }
p { max-width: 46rem; margin: .5rem 0; color: var(--soft) }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; font-variant-numeric: tabular-nums }
th, td { padding: .3rem 1.2rem .3rem 0; text-align: left; vertical-align: top; min-width: 5.5rem;
  border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--soft) }
td b { display: block; height: 4px; margin-top: 2px; min-width: 1px; border-radius: 2px }
.for { background: var(--for) }
.against { background: var(--against) }
.key { display: inline-block; width: .8em; height: .8em; margin-right: .5em; border-radius: 2px }
.scale { display: inline-flex; align-items: center; gap: .5em; font-size: .85rem }
.scale i { width: 9em; height: .7em; border-radius: 3px }
.figures { display: grid; gap: .8rem; margin: 1rem 0; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)) }
.n1 { grid-template-columns: minmax(0, max-content) }
.n2 { grid-template-columns: repeat(2, minmax(0, 1fr)) }
.n3 { grid-template-columns: repeat(3, minmax(0, 1fr)) }
.n4 { grid-template-columns: repeat(4, minmax(0, 1fr)) }
@media (max-width: 40rem) {
  .n3, .n4 { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  th, td { padding-right: .7rem; min-width: 4rem }
}
@media (min-width: 40rem) {
  section:first-of-type { display: grid; grid-template-columns: auto 1fr; gap: 0 2rem; align-items: start }
  section:first-of-type > :is(h2, p) { grid-column: 1 / -1 }
}
figure { margin: 0 }
figcaption { font-size: .85rem; color: var(--soft); white-space: pre-wrap }
img { display: block; max-width: 100%; border-radius: 3px }
"""
