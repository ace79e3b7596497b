"""Where the papers print a stage: which findings of an audit are about it."""

from __future__ import annotations

from collections.abc import Iterable

from .findings import Finding

V4_STEM = {
    "conv1": ("Figure 3 row 1",), "conv2": ("Figure 3 row 2",), "conv3": ("Figure 3 row 3",),
    "concat1": ("Figure 3 row 4",), "concat2": ("Figure 3 row 5",), "concat3": ("Figure 3 row 6",),
}  # fmt: skip
V4 = {
    **V4_STEM,
    "A": ("Figure 9 A", "Figure 4"), "B": ("Figure 9 B", "Figure 5"), "C": ("Figure 9 C", "Figure 6"),
    "reduction_a": ("Figure 9 reduction_a", "Figure 7", "Table 1"), "reduction_b": ("Figure 9 reduction_b", "Figure 8"),
    "avgpool": ("Figure 9 avgpool",), "dropout": ("Figure 9 dropout",), "linear": ("Figure 9 softmax",),
}  # fmt: skip
RESNET_V2 = {
    **V4_STEM,
    "A": ("Figure 15 A", "Figure 16", "Section 3.3, scale of A"), "B": ("Figure 15 B", "Figure 17", "Section 3.3, scale of B"),
    "C": ("Figure 15 C", "Figure 19", "Section 3.3, scale of C"),
    "reduction_a": ("Figure 15 reduction_a", "Figure 7", "Table 1"), "reduction_b": ("Figure 15 reduction_b", "Figure 18"),
    "avgpool": ("Figure 15 avgpool",), "dropout": ("Figure 15 dropout",), "linear": ("Figure 15 softmax",),
}  # fmt: skip
PLACES = {  # of the networks whose audits do not go by stages: how the places begin that print a stage
    "inception_v3": {
        "conv1": ("Table 1 row 1",), "conv2": ("Table 1 row 2",), "conv3": ("Table 1 row 3",), "pool1": ("Table 1 row 4",),
        "conv4": ("Table 1 row 5",), "conv5": ("Table 1 row 6",), "pool2": ("Table 1 row 7",),
        "A": ("Table 1 A", "Figure 5"), "B": ("Table 1 B", "Figure 6"), "C": ("Table 1 C", "Figure 7"),
        "reduction_a": ("Figure 10",), "avgpool": ("Table 1 row 11",), "linear": ("Table 1 row 12", "Table 1 softmax"),
        "aux": ("Figure 8",),
    },
    "inception_v4": V4,
    "inception_v4_printed": V4,
    "inception_resnet_v1": {
        "conv1": ("Figure 14 row 1",), "conv2": ("Figure 14 row 2",), "conv3": ("Figure 14 row 3",),
        "pool1": ("Figure 14 row 4",), "conv4": ("Figure 14 row 5",), "conv5": ("Figure 14 row 6",),
        "conv6": ("Figure 14 row 7",),
        "A": ("Figure 15 A", "Figure 10", "Section 3.3, scale of A"),
        "B": ("Figure 15 B", "Figure 11", "Section 3.3, scale of B"),
        "C": ("Figure 15 C", "Figure 13", "Section 3.3, scale of C"),
        "reduction_a": ("Figure 15 reduction_a", "Figure 7", "Table 1"), "reduction_b": ("Figure 15 reduction_b", "Figure 12"),
        "avgpool": ("Figure 15 avgpool",), "dropout": ("Figure 15 dropout",), "linear": ("Figure 15 softmax",),
    },
    "inception_resnet_v2": RESNET_V2,
    "inception_resnet_v2_printed": RESNET_V2,
}  # fmt: skip


def of_stage(network: str, stage: str, findings: Iterable[Finding]) -> list[Finding]:
    """The findings of a network's audit that are about one stage, or one auxiliary head."""
    begins = PLACES[network].get(stage, ()) if network in PLACES else (stage,)
    return [finding for finding in findings if any(_begins(finding.where, start) for start in begins)]


def _begins(where: str, start: str) -> bool:
    return where == start or (where.startswith(start) and where[len(start)] in " ,")
