"""How each network is read against its paper: which printed values are about it, and how the paper's names map to ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from . import cross_checks, errata
from . import facts_inception_v4 as v4
from .cross_checks import CrossCheck
from .facts import Fact
from .facts_bn_inception import BN_INCEPTION_CLAIMS, BN_INCEPTION_FIGURE_5
from .facts_googlenet import GOOGLENET_CLAIMS, GOOGLENET_TABLE_1
from .facts_inception_v3 import INCEPTION_V3_CLAIMS, INCEPTION_V3_FIGURES, INCEPTION_V3_TABLE_1
from .figure_text import figure_text, outline_text
from .notation import Row


@dataclass(frozen=True)
class Reading:
    """The printed values that are about one network.

    `stages` maps stages of the paper to ours, where ours are others or several. `networks` maps networks, as the paper calls
    them, to our names, the network itself among them. `label` writes a row as the paper's figures do.
    """

    facts: tuple[Fact, ...]
    checks: tuple[CrossCheck, ...]
    notes: tuple[errata.Note, ...]
    networks: Mapping[str, str] = field(default_factory=dict)
    stages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label: Callable[[Row], str] = figure_text

    def our_stages(self, stage: str) -> tuple[str, ...]:
        """Our stages for a stage of the paper; none for the whole network."""
        return self.stages.get(stage, (stage,) if stage else ())


def _counted_elsewhere(source: str, parameters: int) -> Fact:
    """Parameters that no paper prints, and who counts so."""
    return Fact(source, "", "parameters, not printed", f"{parameters:,}")


def _googlenet() -> Reading:
    # Softmax keeps the shape of the logits; what else the row prints has no counterpart in a network that ends in logits.
    facts = tuple(fact for fact in GOOGLENET_TABLE_1 if (fact.stage, fact.quantity) != ("softmax", "depth"))
    return Reading(
        (*facts, *GOOGLENET_CLAIMS), tuple(cross_checks.googlenet()), errata.GOOGLENET, stages={"softmax": ("linear",)}
    )


def _bn_inception(googlenet: str) -> Reading:
    """`googlenet` is what it is compared with: their first layers are both separable, or neither is."""
    facts = (*BN_INCEPTION_FIGURE_5, *BN_INCEPTION_CLAIMS)
    return Reading(facts, (), errata.BN_INCEPTION, networks={"GoogLeNet": googlenet})


def _inception_v3() -> Reading:
    table_1 = tuple(fact for fact in INCEPTION_V3_TABLE_1 if fact.quantity != "figure")
    return Reading(
        (*table_1, *INCEPTION_V3_FIGURES, *INCEPTION_V3_CLAIMS),
        tuple(cross_checks.inception_v3()),
        errata.INCEPTION_V3,
        networks={"GoogLeNet": "googlenet_counted", "BN-Inception": "bn_inception"},
        stages={"softmax": ("linear",)},
        label=outline_text,
    )


STEM_OF_V4 = {"stem": ("concat3",), "softmax": ("linear",)}
STEM_OF_V1 = {"stem": ("conv6",), "softmax": ("linear",)}
RELEASED_V2 = {"concat1": ("pool1",), "concat2": ("conv4", "conv5"), "concat3": ("pool2",), "C": ("C", "C_last")}


def _inception_v4(name: str, rival: str, counted_by: str) -> Reading:
    facts = (*v4.V4_FACTS, _counted_elsewhere(counted_by, 42_679_816))
    networks = {v4.V4: name, v4.RESNET_V2: rival}
    return Reading(facts, tuple(cross_checks.curves("Figure 23", "Figure 24")), errata.INCEPTION_V4, networks, STEM_OF_V4)


def _inception_resnet_v1() -> Reading:
    facts = (*v4.RESNET_V1_FACTS, _counted_elsewhere("our count of the figures", 22_756_328))  # nobody released it for ImageNet
    networks = {v4.RESNET_V1: "inception_resnet_v1", "Inception-v3": "inception_v3"}
    return Reading(facts, tuple(cross_checks.curves("Figure 21", "Figure 22")), errata.INCEPTION_V4, networks, STEM_OF_V1)


def _inception_resnet_v2(name: str, rival: str, *more: Fact, stages: Mapping[str, tuple[str, ...]]) -> Reading:
    networks = {v4.RESNET_V2: name, v4.V4: rival}
    checks = (*cross_checks.curves("Figure 23", "Figure 24"), *cross_checks.resnet_quotes())
    return Reading((*v4.RESNET_V2_FACTS, *more), checks, errata.INCEPTION_V4, networks, stages)


PUBLIC = "public implementations"
READINGS = {  # in the papers' order; the printed networks are compared with the printed, the released with the released
    "googlenet": _googlenet(),
    "googlenet_counted": _googlenet(),
    "bn_inception": _bn_inception("googlenet_counted"),
    "bn_inception_caffe": _bn_inception("googlenet"),
    "inception_v3": _inception_v3(),
    "inception_v4_printed": _inception_v4("inception_v4_printed", "inception_resnet_v2_printed", "the released network"),
    "inception_v4": _inception_v4("inception_v4", "inception_resnet_v2", PUBLIC),
    "inception_resnet_v1": _inception_resnet_v1(),
    "inception_resnet_v2_printed": _inception_resnet_v2(
        "inception_resnet_v2_printed", "inception_v4_printed", stages=STEM_OF_V4
    ),
    "inception_resnet_v2": _inception_resnet_v2(
        "inception_resnet_v2", "inception_v4",
        Fact("Section 3.3", "C_last", "scale", "0.1 to 0.3"), _counted_elsewhere(PUBLIC, 55_843_464),
        stages=RELEASED_V2,
    ),
}  # fmt: skip
PRINTED_V4 = {  # of arXiv 1602.07261, the networks as its figures print them
    v4.V4: "inception_v4_printed", v4.RESNET_V1: "inception_resnet_v1", v4.RESNET_V2: "inception_resnet_v2_printed",
}  # fmt: skip
