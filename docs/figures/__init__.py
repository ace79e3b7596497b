"""The figures of the guide, in English and in Chinese: `figures.draw(name, lang)`; docs/drawings.py keeps them in docs/images."""

from __future__ import annotations

from collections.abc import Callable

from . import compute, costs, detection, evaluation, halving, idea, memory, results, signals, training

FIGURES: dict[str, Callable[[str], str]] = {
    "correlation": idea.correlation,
    "filters": idea.filters,
    "module-costs": costs.module_costs,
    "reduction": costs.reduction,
    "factorised": costs.factorised,
    "batch-norm": signals.batch_norm,
    "halving": halving.halving,
    "auxiliary-heads": training.auxiliary_heads,
    "crops-144": evaluation.crops_144,
    "crops-and-networks": evaluation.crops_and_networks,
    "tables-inception-v4": evaluation.tables_inception_v4,
    "detection": detection.pipeline,
    "residual-scaling": training.residual_scaling,
    "rmsprop-epsilon": training.rmsprop_epsilon,
    "memory": memory.memory,
    "compute": compute.compute,
    **dict(results.published()),
}


def draw(name: str, lang: str) -> str:
    """The SVG of a figure in "en" or "zh"; KeyError for an unknown one."""
    return FIGURES[name](lang)
