"""Train GoogLeNet on handwritten digits, written out: read it, change it, run it.
把 GoogLeNet 训练一遍，每一步都写在明面上：读一读，改一改，跑起来。

    python examples/train_googlenet.py [EPOCHS [FILE]]        about a minute on two cores / 双核约一分钟
"""

import sys
from pathlib import Path
from random import Random

import torch

import godeeper
from godeeper.evaluate import evaluate

epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 12
out = Path(sys.argv[2] if len(sys.argv) > 2 else "runs/example.safetensors")
torch.manual_seed(0)

# The images: 8x8 digits, 80 % to learn from, 20 % held out.  数据：8x8 手写数字，八成训练，两成测试。
source = godeeper.open_data("digits")
training = source.subset("train")
augment = godeeper.Augment(
    crop_scale=(0.6, 1.0), color_jitter=False
)  # patches of 60-100 % of the area  随机裁剪，面积占 60%–100%

# The network: Table 1 at a quarter of its width, for small images, with both auxiliary heads.
# 网络：论文表 1，通道数取四分之一，改成适合小图的步长，带两个辅助分类器。
network = godeeper.create_model("googlenet_bn", num_classes=len(source.classes), width=0.25, small=True, aux=True)
network.classes = source.classes
criterion = godeeper.ClassificationLoss(auxiliary_weight=0.3)  # loss + 0.3 x each head's  总损失 = 主损失 + 0.3 × 各辅助损失
optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)

for epoch in range(epochs):
    network.train()
    order = torch.randperm(len(training)).tolist()  # a new order every epoch  每轮重新打乱
    for start in range(0, len(order) - 31, 32):
        chosen = order[start : start + 32]
        images = [augment(training.image(i), 32, Random(f"{epoch}/{i}")) for i in chosen]
        x = godeeper.normalise(torch.stack(images), network.preprocess)  # (32, 3, 32, 32)
        labels = torch.tensor([training.labels[i] for i in chosen])
        logits, auxiliary = network.with_auxiliary(x)  # (32, 10), and the same of each head
        loss = criterion(logits, labels, auxiliary)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 2.0)  # keeps the first steps calm  防止开头几步跑飞
        optimizer.step()
    schedule.step()
    result = evaluate(network.eval(), source.test, network.preprocess)
    print(f"epoch {epoch + 1}/{epochs}: loss {loss.item():.3f}, top-1 error {result.top1_error:.2f} %", flush=True)

godeeper.save(network, out)
print(f"saved / 已保存: {out}")
