"""Puts a trained network into the package: `python docs/shipped.py RUN NAME [--data DATA] [--crops N]`.

The weights of the run folder RUN, in half precision, and what is known of them become `src/godeeper/models/shipped/NAME.*`, from
where `godeeper/NAME` is loaded. The error is that of the written file itself. DATA is by default what the run was trained on; the
pages show it, so give another path to it where that is one of this machine alone. From those files come the parts of the pages
between `<!-- NAME -->` and `<!-- /NAME -->`, also where no run is named; `--check` changes nothing and names those that differ.
"""

from __future__ import annotations

import argparse
import copy
import shlex
from collections.abc import Iterator
from dataclasses import asdict, fields
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from marked_parts import ROOT, filled, write

from godeeper import GodeeperError, describe, load, save, workflows
from godeeper.claims.result_file import write_json
from godeeper.claims.result_table import Table, markdown
from godeeper.data.photos import photographs
from godeeper.files import atomic_write
from godeeper.labels import display_names
from godeeper.models.network import Network
from godeeper.models.weights.shipped import FOLDER, LARGEST, PREFIX, Shipped, shipped
from godeeper.text import Text
from godeeper.train.curves import draw_curves
from godeeper.train.recipe import Recipe, recipe_named
from godeeper.train.run import RunFolder

CURVES = ROOT / "docs/images/shipped"
PAGES = {
    ROOT / "docs/en/shipped.md": "en",
    ROOT / "docs/zh/shipped.md": "zh",
}
SHORTHANDS = {"epochs": "--epochs", "batch_size": "--batch-size", "seed": "--seed"}
HEAD = (
    Text("network", "网络"), Text("table", "表"), Text("parameters", "参数量"), Text("multiply-adds", "乘加次数"),
    Text("classes", "类别数"), Text("top-1 error", "top-1 错误率"), Text("95 %", "95 % 区间"), Text("test images", "测试图片"),
    Text("file", "文件"),
)  # fmt: skip
PHOTOGRAPHS = Text("photograph", "照片"), Text("author", "作者"), Text("licence", "许可"), Text("from", "来源")
COMMA = Text(", ", "、")
ONE_CROP, CROPS = Text("one crop each", "每张一个裁剪"), Text("{crops} crops each", "每张 {crops} 个裁剪")
MEASURED = Text(
    "`{title}`, {epochs} epochs. Of {images:,} test images of `{data}`, {crops}: top-1 error {top1:.2f} % (95 %: {interval1}),"
    " top-5 error {top5:.2f} % (95 %: {interval5}). Trained with torch {torch}, Python {python}.",
    "`{title}`，{epochs} 个 epoch。在 `{data}` 的 {images:,} 张测试图片上（{crops}）：top-1 错误率 {top1:.2f} %"
    "（95 %：{interval1}），top-5 错误率 {top5:.2f} %（95 %：{interval5}）。训练时用 torch {torch}、Python {python}。",
)
CLASSES = Text("Its classes: {classes}.", "类别：{classes}。")
CURVE = Text("Loss, error and learning rate of {name} in training", "{name} 训练时的损失、错误率和学习率")


def publish(run: Path, name: str, data: str | None, crops: int) -> None:
    """Writes the weights of a run and their record; GodeeperError for what is too large, or names a path of this machine."""
    description = RunFolder(run).read()
    options = {**_options(run, description), **({} if data is None else {"data": data})}
    for key in ("model", "data", "weights"):
        if Path(options[key] or "").is_absolute():
            raise GodeeperError(f"the run's {key} is {options[key]!r}, a path of this machine: name a relative one with --data")
    network = load(run)
    content, measured = _half_precision(network, options["data"], crops)
    record = Shipped(
        name=PREFIX + name,
        **_facts(network),
        data=options["data"],
        **{key: measured[key] for key in ("images", "crops", "top1_error", "top1_interval", "top5_error", "top5_interval")},
        commands={
            "train": _train_command(options, Recipe.from_dict(description["recipe"]), name),
            "evaluate": _evaluate_command(options, crops, name),
        },
        recipe=description["recipe"],
        curve=RunFolder(run).metrics(),
        versions=description["versions"],
        sha256=sha256(content).hexdigest(),
    )
    with atomic_write(FOLDER / f"{name}.safetensors") as partial:
        partial.write_bytes(content)
    write_json(FOLDER / f"{name}.json", asdict(record))
    CURVES.mkdir(parents=True, exist_ok=True)
    draw_curves({record.name: record.curve}, CURVES / f"{name}-curves.png")  # type: ignore[dict-item]
    shipped.cache_clear()


def _half_precision(network: Network, data: str, crops: int) -> tuple[bytes, dict[str, Any]]:
    """The network's file in half precision, and the errors of that file."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.safetensors"
        save(copy.deepcopy(network).half(), file)
        content = file.read_bytes()
        if len(content) > LARGEST:
            size, most = len(content) / 1e6, LARGEST / 1e6
            raise GodeeperError(f"{size:.2f} MB in half precision: at most {most:g} MB go into the package")
        return content, workflows.evaluate([file], data, crops=crops).as_dict()


def _options(run: Path, description: dict[str, Any]) -> dict[str, Any]:
    """What the command was asked for; GodeeperError for a run of another kind."""
    if description.get("command") != "train":
        raise GodeeperError(f"{str(run)!r} is no run of `godeeper train`: what comes with godeeper has a command that makes it")
    options: dict[str, Any] = description["options"]
    return options


def _facts(network: Network) -> dict[str, Any]:
    """What the spec says of a network, and its classes in both languages."""
    if network.classes is None:
        raise GodeeperError("the network's classes have no names: train it on classes that have")
    described = describe(network.definition, network.preprocess.image_size)
    return {
        "architecture": network.definition.name,
        "title": network.definition.title,
        "parameters": described.parameters,
        "multiply_adds": described.multiply_adds,
        "image_size": network.preprocess.image_size,
        "classes": {"en": list(display_names(network.classes, "en")), "zh": list(display_names(network.classes, "zh"))},
    }


def _train_command(options: dict[str, Any], recipe: Recipe, name: str) -> str:
    """The command that makes the run again: its options, and what its recipe has otherwise than the one that it names."""
    words = ["godeeper", "train", "--model", options["model"]]
    words += ["--small"] if options["small"] else []
    words += ["--width", f"{options['width']:g}"] if options["width"] != 1 else []
    words += ["--weights", options["weights"]] if options["weights"] else []
    words += ["--data", options["data"], "--recipe", options["recipe"]]
    base = recipe_named(options["recipe"])
    changed = [field.name for field in fields(recipe) if getattr(recipe, field.name) != getattr(base, field.name)]
    settings = {field: _as_setting(getattr(recipe, field)) for field in changed}
    assert base.with_overrides(f"{field}={value}" for field, value in settings.items()) == recipe
    for field, value in settings.items():
        words += [SHORTHANDS[field], value] if field in SHORTHANDS else ["--set", f"{field}={value}"]
    return shlex.join([*words, "--out", f"runs/{name}"])


def _evaluate_command(options: dict[str, Any], crops: int, name: str) -> str:
    """The command that measures the error again."""
    words = ["godeeper", "evaluate", PREFIX + name, "--data", options["data"]]
    return shlex.join([*words, *(["--crops", str(crops)] if crops > 1 else [])])


def _as_setting(value: object) -> str:
    """A field's value as the command line takes it."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def table(lang: str) -> str:
    """A row a network."""
    rows = [
        [
            f"`{n.name}`", f"`{n.title}`", f"{n.parameters:,}", f"{n.multiply_adds / 1e6:.0f} M", len(n.classes[lang]),
            f"{n.top1_error:.2f} %", _interval(n.top1_interval), f"{n.images:,}", f"{n.file.stat().st_size / 1e6:.2f} MB",
        ]
        for n in shipped().values()
    ]  # fmt: skip
    return markdown(Table([head.get(lang) for head in HEAD], rows))


def sections(lang: str) -> str:
    """A section a network: its commands, what was measured, its classes and its curve."""
    parts = []
    for n in shipped().values():
        short = n.name.removeprefix(PREFIX)
        parts += [f"## `{n.name}`", "\n".join(f"    {command}" for command in n.commands.values()), _measured(n).get(lang)]
        parts.append(CLASSES.format(classes=COMMA.get(lang).join(n.classes[lang])).get(lang))
        parts.append(f"![{CURVE.format(name=n.name).get(lang)}](../images/shipped/{short}-curves.png)")
    return "\n\n".join(parts)


def photograph_table(lang: str) -> str:
    """A row a photograph, with whose it is."""
    head = [text.get(lang) for text in PHOTOGRAPHS]
    rows = [[f"`{p.file.name}`", p.author, p.licence, p.source] for p in photographs()]
    return markdown(Table(head, rows))


def _measured(network: Shipped) -> Text:
    return MEASURED.format(
        title=network.title, epochs=len(network.curve), images=network.images, data=network.data,
        crops=ONE_CROP if network.crops == 1 else CROPS.format(crops=network.crops),
        top1=network.top1_error, interval1=_interval(network.top1_interval),
        top5=network.top5_error, interval5=_interval(network.top5_interval),
        torch=network.versions["torch"], python=network.versions["python"],
    )  # fmt: skip


def _interval(interval: Any) -> str:
    return "-".join(f"{bound:.2f}" for bound in interval)


def changed() -> Iterator[tuple[Path, str]]:
    """The pages that are not as the records have them, and what they should be."""
    for page, lang in PAGES.items():
        text = page.read_text(encoding="utf-8")
        parts = {"shipped": table(lang), "shipped-networks": sections(lang), "photographs": photograph_table(lang)}
        expected = filled(text, parts)
        if expected != text:
            yield page, expected


def main(arguments: argparse.Namespace) -> int:
    """Writes; or, with `--check`, only names the pages that it would, and returns 1 where there are any."""
    if arguments.run is not None:
        publish(arguments.run, arguments.name, arguments.data, arguments.crops)
    return write(changed(), arguments.check)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--data")
    parser.add_argument("--crops", type=int, default=1)
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    if (chosen.run is None) != (chosen.name is None) or (chosen.check and chosen.run is not None):
        parser.error("name a run and what the network is to be called, or neither; --check alone")
    try:
        raise SystemExit(main(chosen))
    except GodeeperError as error:
        raise SystemExit(str(error)) from None
