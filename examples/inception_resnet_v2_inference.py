"""Photographs -> five labels each, by Inception-ResNet-v2 with published weights and ten crops, and how alike they are.
用 Inception-ResNet-v2 的公开权重识别照片（十裁剪取平均），并比较照片之间有多像。

    python examples/inception_resnet_v2_inference.py [--weights WEIGHTS] PHOTO...

WEIGHTS: a published name, a weights file or a run folder.  WEIGHTS：公开权重的名字、权重文件或训练目录。
"""

import argparse
import sys

import torch
from torch.nn.functional import normalize

import godeeper

options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
options.add_argument("--weights", default="timm/inception_resnet_v2.tf_in1k")
options.add_argument("photos", nargs="+")
given = options.parse_args()

try:
    network = godeeper.load(given.weights)
    predictor = godeeper.Predictor(network)
    predictions = predictor(given.photos, top=5, crops=10)
except godeeper.GodeeperError as error:
    sys.exit(f"{error}")
for photo, prediction in zip(given.photos, predictions, strict=True):
    print(photo)
    for label, probability in zip(prediction.labels, prediction.probabilities, strict=True):
        print(f"{100 * probability:6.2f} %  {label}")

# What the classifier sees, as unit vectors: their products are cosines, 1 for the same image.
# 取分类层之前的特征，归一化成单位向量；两两内积就是余弦相似度，同一张图为 1。
preprocess = network.preprocess
views = torch.cat([godeeper.take_crops(godeeper.decode(photo), preprocess) for photo in given.photos])
with torch.inference_mode():
    vectors = normalize(network.embed(godeeper.normalise(views, preprocess)))  # (photos, 1536)
print("cosines / 余弦相似度:")
for row in vectors @ vectors.T:
    print("  ".join(f"{value:5.2f}" for value in row.tolist()))
