"""Train Inception-ResNet-v1, as the paper prints it, on handwritten digits: the whole loop on one page.
把论文原样的 Inception-ResNet-v1 放到手写数字上训练，整个循环就这一页。

    python examples/train_inception_resnet.py [EPOCHS [FILE]]        about a minute on two cores / 双核约一分钟
"""

import sys
from random import Random

import torch

import godeeper
from godeeper.evaluate import evaluate
from godeeper.train.batch_norm import MomentumWarmup

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 10
out = sys.argv[2] if len(sys.argv) > 2 else "runs/inception_resnet.safetensors"
torch.manual_seed(0)
source = godeeper.open_data("digits")
training = source.subset("train")
augment = godeeper.Augment(crop_scale=(0.6, 1.0), color_jitter=False)

# Figures 10-15 at a quarter of their width. Each residual block is x + scale * linear(branches), then ReLU.
# 论文图 10–15，通道数取四分之一。每个残差块：x + 缩放系数 × 线性 1x1（各分支），再过 ReLU。
network = godeeper.create_model("inception_resnet_v1", num_classes=len(source.classes), width=0.25, small=True)
network.classes = source.classes
criterion = godeeper.ClassificationLoss(label_smoothing=0.05)
warm_up_momentum = MomentumWarmup(network)
optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
steps = len(training) // 32
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=epochs * steps)

for step in range(epochs * steps):
    if step % steps == 0:
        order = torch.randperm(len(training)).tolist()  # a new order every epoch  每轮重新打乱
    chosen = order[step % steps * 32 :][:32]
    images = [augment(training.image(i), 32, Random(f"{step}/{i}")) for i in chosen]
    x = godeeper.normalise(torch.stack(images), network.preprocess)  # (32, 3, 32, 32)
    warm_up_momentum(step)  # its batch norm's slow averages, for a short run  短训练里让批归一化的滑动平均跟得上
    loss = criterion(network.train()(x), torch.tensor([training.labels[i] for i in chosen]))
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimizer.step()
    schedule.step()
    if (step + 1) % steps == 0:
        error = evaluate(network.eval(), source.test, network.preprocess).top1_error
        print(f"epoch {(step + 1) // steps}/{epochs}: loss {loss.item():.3f}, top-1 error {error:.2f} %", flush=True)

godeeper.save(network, out)
print(f"saved / 已保存: {out}")
