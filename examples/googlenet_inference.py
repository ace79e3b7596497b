"""Name what is in images with a trained network.
用训练好的网络认一认图片里是什么。

    python examples/googlenet_inference.py RUN_OR_WEIGHTS IMAGE...
"""

import sys

import torch

import godeeper

if len(sys.argv) < 3:
    sys.exit(__doc__)

# A run folder or weights file knows its network, its classes and its preprocessing.
# 权重文件里记着网络结构、类别名和预处理方式，不用再手工对一遍。
try:
    network = godeeper.load(sys.argv[1])
except godeeper.GodeeperError as error:
    sys.exit(f"{error}")
classes = network.classes or tuple(map(str, range(network.num_classes)))

for path in sys.argv[2:]:
    try:
        image = godeeper.decode(path)  # RGB, upright  统一成 RGB、摆正方向
    except godeeper.BadImage as error:
        sys.exit(f"{error}")
    # The paper's views: 1, 10 or 144 crops; their probabilities are averaged.
    # 论文的多裁剪测试：1、10 或 144 个视图，概率取平均。
    x = godeeper.normalise(godeeper.take_crops(image, network.preprocess, 10), network.preprocess)  # (10, 3, size, size)
    with torch.inference_mode():
        probabilities = network(x).softmax(dim=1).mean(dim=0)  # (classes,)
    print(path)
    for probability, index in zip(*probabilities.topk(min(5, len(classes))), strict=True):
        print(f"  {100 * probability.item():6.2f} %  {classes[int(index)]}")
