"""timm's door: after `import godeeper.timm`, `timm.create_model("godeeper_googlenet")` makes the network of a registered table.

It has timm's interface: `forward_features`, `forward_head`, `reset_classifier`, `forward_intermediates`, `feature_info`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn

from .errors import GodeeperError
from .models.build import build_stages, initialise
from .models.network import Network
from .models.spec import ModelSpec
from .models.weights.fill import fill
from .models.weights.read import Weights, read_weights
from .packages import require
from .papers.notation import AvgTo, Definition, Dropout, Row, altered
from .papers.registry import DEFINITIONS, variant
from .papers.shape import FeatureShape, stage_output

_timm: Any = require("timm.models", "compare")
PREFIX = "godeeper_"
CLASSIFIER = "linear"  # the last stage of every head


class TimmNetwork(Network):
    """A network with timm's interface on top; its weights have the same names, so that `save`'s files are timm's checkpoints.

    `num_classes` is 0 without a classifier: it then gives embeddings (N, units), or features (N, C, H, W) where `global_pool`
    is "". `feature_info` lists the last stage of every resolution.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.feature_info = feature_levels(spec.definition)
        self.in_chans = spec.definition.in_channels
        self.num_features = self.feature_info[-1]["num_chs"]
        self.head_hidden_size = self.get_classifier().in_features
        self.global_pool = "avg" if _averages(spec.definition) else ""

    @property
    def num_classes(self) -> int:
        return super().num_classes if CLASSIFIER in self.head else 0

    def forward_features(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W), normalised -> the last stage's output (N, num_features, H', W')."""
        return self.features(x)[0]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """`forward_features`' output -> logits (N, classes), or with `pre_logits` what the classifier sees, (N, units)."""
        if not self.head:
            return x
        for name, stage in self.head.items():
            x = stage(x) if name != CLASSIFIER else x
        return x.flatten(1) if pre_logits or CLASSIFIER not in self.head else self.get_classifier()(x.flatten(1))

    def classify(self, features: Tensor) -> Tensor:
        """`forward_head` without `pre_logits`."""
        return self.forward_head(features)

    def embed(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W), normalised -> what the classifier sees, (N, units)."""
        return self.forward_head(self.forward_features(x), pre_logits=True)

    def get_classifier(self) -> Any:
        """The linear layer that gives the logits; nn.Identity where there is none."""
        return self.head[CLASSIFIER][-1] if CLASSIFIER in self.head else nn.Identity()  # type: ignore[index]

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A fresh classifier of `num_classes`, or none for 0; with `global_pool` "" nothing of the head is left, either."""
        _check_pool(self.definition, global_pool, num_classes)
        kept = {name: stage for name, stage in self.head.items() if name != CLASSIFIER and global_pool != ""}
        if num_classes:
            table = variant(self.definition, num_classes=num_classes)
            self.spec = replace(self.spec, definition=table, classes=None)
            fresh, _ = build_stages(table.head, self._last_shape(), table.batch_norm)
            initialise(fresh)
            kept = {name: kept.get(name, stage) for name, stage in fresh.items()}
        parameter = next(self.parameters())
        self.head = nn.ModuleDict(kept).to(parameter.device, parameter.dtype).train(self.training)
        self.global_pool = "avg" if _averages(self.definition) and self.head else ""

    def _last_shape(self) -> FeatureShape:
        """Of the last stage's output, for images of the table's size."""
        table = self.definition
        shape = FeatureShape(table.in_channels, table.image_size, table.image_size)
        for name in self.stages:
            shape, _ = stage_output(table.stages[name], shape, table.batch_norm)
        return shape

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:
        """Images -> the features at `feature_info`'s places: `indices` of them, the last so many, or all; and the last stage's.

        `norm` and `stop_early` change nothing of them. GodeeperError for an `output_fmt` that is not "NCHW".
        """
        if output_fmt != "NCHW":
            raise GodeeperError(f"features come as NCHW, not as {output_fmt!r}")
        taken, _ = _timm._features.feature_take_indices(len(self.feature_info), indices)
        names = [self.feature_info[index]["module"].removeprefix("stages.") for index in taken]
        last, tapped = self.features(x, names)
        features = [tapped[name] for name in names]
        return features if intermediates_only else (last, features)

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drops the stages after the last of `indices` into `feature_info`, and the head; returns the indices, from 0."""
        taken: list[int]
        taken, last = _timm._features.feature_take_indices(len(self.feature_info), indices)
        names = list(self.stages)
        end = names.index(self.feature_info[last]["module"].removeprefix("stages.")) + 1
        self.stages = nn.ModuleDict({name: self.stages[name] for name in names[:end]})
        self.num_features = self.head_hidden_size = self.feature_info[last]["num_chs"]
        if prune_head or end < len(names):
            self.reset_classifier(0, "")
        return taken

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """GodeeperError where it is asked for."""
        if enable:
            raise GodeeperError("these networks have no gradient checkpointing: train without --grad-checkpointing")


def feature_levels(table: Definition) -> list[dict[str, Any]]:
    """timm's `feature_info` of a table: of each resolution the last stage, its channels, and by how much it is reduced."""
    shape, levels = FeatureShape(table.in_channels, table.image_size, table.image_size), dict[int, dict[str, Any]]()
    for name, stage in table.stages.items():
        shape, _ = stage_output(stage, shape, table.batch_norm)
        levels[shape.jump] = {"num_chs": shape.channels, "reduction": shape.jump, "module": f"stages.{name}"}
    return list(levels.values())


def _averages(table: Definition) -> bool:
    return any(row == AvgTo(1) for row in table.head.values())


def _check_pool(table: Definition, global_pool: str | None, num_classes: int) -> None:
    """GodeeperError for a pool before the classifier that the table does not have."""
    if global_pool == "" and num_classes:
        raise GodeeperError("global_pool='' leaves no classifier: give num_classes=0 with it")
    if global_pool and not (global_pool == "avg" and _averages(table)):
        own = "'avg', or '' with num_classes=0" if _averages(table) else "'' with num_classes=0"
        raise GodeeperError(f"{table.name} cannot pool by global_pool={global_pool!r}: it is {own}")


def _with_dropout(table: Definition, rate: float | None) -> Definition:
    """The table with another dropout in its head; GodeeperError where it has none."""
    if rate is None:
        return table
    dropout = Dropout(rate)

    def changed(row: Row) -> Row:
        return dropout if isinstance(row, Dropout) else row

    head = {name: altered(stage, changed) for name, stage in table.head.items()}
    if rate and head == dict(table.head) and dropout not in head.values():
        raise GodeeperError(f"{table.name} has no dropout whose rate could be drop_rate={rate}")
    return replace(table, head=head)


def _build(
    table: Definition,
    weights: Weights | None,
    *,
    num_classes: int,
    in_chans: int,
    drop_rate: float | None = None,
    global_pool: str | None = None,
    width: float = 1.0,
    small: bool = False,
    device: Any = None,
    dtype: Any = None,
    **others: Any,
) -> TimmNetwork:
    """The network that timm's arguments describe; GodeeperError, naming it, for an argument that it cannot honour."""
    for name, value in others.items():
        if value:  # timm's scripts pass zeros for what nobody asked for
            raise GodeeperError(f"{PREFIX}{table.name} cannot honour {name}={value!r}: leave it out")
    _check_pool(table, global_pool, num_classes)
    table = _with_dropout(table, drop_rate)
    table = variant(table, num_classes=num_classes or None, in_channels=in_chans, width=width, small=small)
    network = TimmNetwork(ModelSpec.of(table))
    if weights is not None:
        fill(network, weights)
    if not num_classes:
        network.reset_classifier(0, global_pool)
    return network.to(device=device, dtype=dtype)


def _data_config(spec: ModelSpec) -> dict[str, Any]:
    """Preprocessing and classes as timm's `pretrained_cfg` has them."""
    resize, size = spec.preprocess.resize, spec.preprocess.image_size
    same = int(size / resize.crop_fraction) == resize.shorter_side  # timm rounds down, ours to the nearest
    crop_pct = resize.crop_fraction if same else size / (resize.shorter_side + 0.5)
    return {
        "input_size": (spec.definition.in_channels, size, size),
        "crop_mode": "center" if resize.mode == "crop" else "squash",
        "crop_pct": crop_pct if resize.mode == "crop" else 1.0,
        "interpolation": "box" if resize.interpolation == "area" else resize.interpolation,
        "mean": spec.preprocess.normalize.mean,
        "std": spec.preprocess.normalize.std,
        "num_classes": spec.num_classes,
    }


def _entry(table: Definition) -> Callable[..., nn.Module]:
    def create(pretrained: bool = False, weights: Any = None, pretrained_cfg_overlay: Any = None, **options: Any) -> nn.Module:
        read = None if weights is None else read_weights(weights, table.name)
        overlay = dict(pretrained_cfg_overlay or {})
        if read is not None:
            options.setdefault("num_classes", read.spec.num_classes)
            overlay = _data_config(read.spec) | overlay
        if pretrained and not {"url", "file", "state_dict", "hf_hub_id"} & overlay.keys():
            raise GodeeperError(f"{create.__name__} has no weights of its own: give weights=, a run, a file or a published name")
        levels = tuple(range(len(feature_levels(table))))
        network: nn.Module = _timm.build_model_with_cfg(
            partial(_build, table, read), create.__name__, pretrained,
            pretrained_cfg_overlay=overlay, feature_cfg={"feature_cls": "getter", "out_indices": levels}, **options,
        )  # fmt: skip
        return network

    create.__name__ = create.__qualname__ = f"{PREFIX}{table.name}"
    create.__doc__ = (
        f"""{table.name}, after {table.source}, with fresh weights or those of `weights`, as `create_model` takes them."""
    )
    return create


__all__: list[str] = []  # timm adds the names of what it registers
default_cfgs = _timm.generate_default_cfgs({
    f"{PREFIX}{name}": _data_config(ModelSpec.of(table)) | {"classifier": f"head.{CLASSIFIER}.linear"}
    for name, table in DEFINITIONS.items()
})  # fmt: skip
for _table in DEFINITIONS.values():
    globals()[f"{PREFIX}{_table.name}"] = _timm.register_model(_entry(_table))
