"""Name what is in photographs, and show where the evidence for it lies: one sheet with all of them.
认一认照片里是什么，并画出判断的依据在图上哪里：全部画在一张图里。

    python examples/photographs.py NETWORK OUT.png [IMAGE...]

Without images: the photographs that come with godeeper.
不给图片时，用 godeeper 自带的照片。
"""

import sys
from pathlib import Path

import godeeper
from godeeper.data.photos import photographs
from godeeper.explain.cam import class_maps, overlay
from godeeper.explain.draw_predictions import draw_predictions
from godeeper.explain.explanation import display_size

if len(sys.argv) < 3:
    sys.exit(__doc__)

name, out, *given = sys.argv[1:]
files = [Path(file) for file in given] or [photograph.file for photograph in photographs()]
try:
    network = godeeper.load(name)
    classes = network.classes or tuple(map(str, range(network.num_classes)))
    predictions = godeeper.Predictor(network, "torch")(files, top=3)
    heat_maps = []
    for file, prediction in zip(files, predictions, strict=True):
        print(f"{file.name}: {prediction.labels[0]}, {100 * prediction.probabilities[0]:.1f} %")
        image = godeeper.decode(file)
        # What the answer to the centre crop rests on: 0 to 1, for the class that is thought most likely.
        # 对中心裁剪的回答依据何在：取最可能的类别，数值从 0 到 1。
        (heat,) = class_maps(network, image, [classes.index(prediction.labels[0])], display_size(image.size))  # (H, W)
        heat_maps.append(overlay(image, heat))
    draw_predictions(list(zip(files, predictions, strict=True)), Path(out), heat_maps)
except godeeper.GodeeperError as error:
    sys.exit(f"{error}")
print(f"drawn: {out}")
