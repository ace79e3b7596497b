"""A photograph -> five labels, by Inception-v4 with published weights.
用 Inception-v4 的公开权重，给一张照片列出最可能的五个类别。

    python examples/inception_v4_inference.py PHOTO [WEIGHTS]

WEIGHTS: a published name, a weights file or a run folder; without a network connection, give one of the latter two.
WEIGHTS 可以是公开权重的名字、权重文件或训练目录；没有网络时用后两种。
"""

import sys

import torch

import godeeper

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
photo, weights = sys.argv[1], sys.argv[2] if len(sys.argv) == 3 else "timm/inception_v4.tf_in1k"

try:
    # Fetched once, then from the cache; names translated, every tensor accounted for.
    # 首次使用时下载，之后读缓存；参数名自动对应，多一个、少一个都会报错。
    network = godeeper.load(weights)
    image = godeeper.decode(photo)
except godeeper.GodeeperError as error:
    sys.exit(f"{error}")

# Resized, cropped and normalised as the weights expect it: getting this wrong costs accuracy without any error.
# 缩放、裁剪、归一化都按权重自带的约定来：这里弄错不会报错，只会悄悄掉精度。
x = godeeper.normalise(godeeper.take_crops(image, network.preprocess), network.preprocess)  # (1, 3, 299, 299)
with torch.inference_mode():
    probabilities = network(x).softmax(dim=1)[0]  # (classes,)
classes = network.classes or tuple(map(str, range(network.num_classes)))
for probability, index in zip(*probabilities.topk(min(5, len(classes))), strict=True):
    print(f"{100 * probability.item():6.2f} %  {classes[int(index)]}")
