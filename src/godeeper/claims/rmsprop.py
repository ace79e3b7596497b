"""RMSProp with an epsilon of 1.0 against momentum; averaged weights against the last (arXiv 1602.07261, Section 4)."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

from ..evaluate.classify import evaluate
from ..models.network import Network, best_device, device_of, to_device
from ..papers.registry import definition
from ..tensor_files import load_tensors
from .claim import Cell, Claim, Outcome, Part, Table, Words
from .jobs import Arm, Training
from .lab import Lab
from .sizes import cpu, gpu, imagenet
from .stats import is_above, mean, paired
from .words import curves, errors, measured

RATES = {"rmsprop": (0.015, 0.045, 0.135), "momentum": (0.01, 0.03, 0.1)}  # 0.045 is the paper's


def last_error(lab: Lab, run: Training) -> float:
    """The top-1 error (%) of the weights of the last step, not averaged, from the run's last checkpoint."""
    newest = max((run.folder / "checkpoints").glob("*.safetensors"))
    tensors, _ = load_tensors(newest)
    network = Network(run.arm.definition)
    network.load_state_dict(
        {name.removeprefix("network."): value for name, value in tensors.items() if name.startswith("network.")}
    )
    network = to_device(network.eval(), best_device())
    workers = lab.images.workers
    device = device_of(network)
    return evaluate(network, lab.source.test, network.preprocess, workers=workers, skip_bad=True, device=device).top1_error


def test(lab: Lab) -> Outcome:
    """Inception-v3 by either optimiser, each with three rates; both kinds of weights."""
    table = lab.variant(replace(definition("inception_v3"), auxiliary={}))
    common = lab.recipe()
    arms = [Arm(f"rmsprop {rate}", table, replace(common, lr=rate)) for rate in RATES["rmsprop"]]
    arms += [
        Arm(f"momentum {rate}", table, replace(common, optimizer="sgd", nesterov=False, lr=rate)) for rate in RATES["momentum"]
    ]
    runs = lab.train(arms)
    best = {
        kind: min((f"{kind} {rate}" for rate in rates), key=lambda name: mean([run.error for run in runs[name]]).value)
        for kind, rates in RATES.items()
    }
    averaged = {name: [run.error for run in of_name] for name, of_name in runs.items()}
    last = {name: [last_error(lab, run) for run in of_name] for name, of_name in runs.items()}
    gain = paired(averaged[best["momentum"]], averaged[best["rmsprop"]])
    by_seed = [[fmean(of_seed) for of_seed in zip(*which.values(), strict=True)] for which in (last, averaged)]  # over the arms
    averaging = paired(*by_seed)
    parts = [
        Part(
            Words("RMSProp with epsilon 1.0 gives better models than momentum", "epsilon 为 1.0 的 RMSProp 得到的模型比动量法好"),
            is_above(gain),
            measured(
                Words(
                    f"error of {best['momentum']} minus that of {best['rmsprop']}, the best rates, points",
                    f"{best['momentum']} 的错误率减去 {best['rmsprop']} 的（各取最好的学习率），百分点",
                ),
                gain,
            ),
        ),
        Part(
            Words("averaged weights are better than the last", "平均权重比最后的权重好"),
            is_above(averaging),
            measured(
                Words(
                    "error of the last weights minus of the averaged, points, means over the arms",
                    "各对照组平均，最后权重的错误率减去平均权重的，百分点",
                ),
                averaging,
            ),
        ),
    ]
    rows: list[list[Cell]] = [
        [name, seed, *(round(which[name][seed], 2) for which in (averaged, last))]
        for name in runs
        for seed in range(lab.scale.seeds)
    ]
    tables = {
        "top-1 error (%)": errors(runs),
        "averaged and last weights, top-1 error (%)": Table(["arm", "seed", "averaged weights", "last weights"], rows),
    }
    return Outcome(
        parts, tables, {"curves": curves(runs, Words("Top-1 error by optimiser and rate", "不同优化方法、学习率的 top-1 错误率"))}
    )


CLAIM = Claim(
    name="rmsprop",
    title=Words("RMSProp with epsilon 1.0; averaged weights", "epsilon 为 1.0 的 RMSProp；平均权重"),
    source="arXiv 1602.07261, Section 4",
    says=Words(
        (
            "the best models were achieved by RMSProp with decay 0.9 and epsilon 1.0, "
            "not momentum; a running average of the weights was evaluated"
        ),
        "最好的模型用的是衰减 0.9、epsilon 1.0 的 RMSProp，而不是动量法；评测用权重的滑动平均",
    ),
    limits=Words(
        (
            "Rates are searched coarsely (three each), one schedule is used, and twenty "
            "asynchronous replicas, with which the paper trained, are not imitated."
        ),
        "学习率只粗略试了三档，调度只用一种；论文用二十个异步副本训练，这里没有模仿。",
    ),
    scales={
        "cpu": cpu(13, train=8000, test=2500, epochs=4, recipe="inception_2016"),
        "gpu": gpu(18, recipe="inception_2016"),
        "imagenet": imagenet(18, epochs=100, hours=111, recipe="inception_2016"),
    },
    test=test,
)
