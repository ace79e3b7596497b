"""Labels of predictions in English, Chinese or both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..labels import Lang, display_names
from .predictor import Prediction


class ClassNames:
    """What a network's `classes` are called in a language; probabilities and their order are those of the prediction."""

    def __init__(self, classes: Sequence[str], lang: Lang) -> None:
        self._shown = dict(zip(classes, display_names(classes, lang), strict=True))
        self._label = dict(zip(classes, display_names(classes, "en" if lang == "both" else lang), strict=True))
        self._chinese = dict(zip(classes, display_names(classes, "zh"), strict=True)) if lang == "both" else self._label

    def shown(self, prediction: Prediction) -> Prediction:
        """The prediction for people: with `both`, the Chinese name, where it is known, before the English one."""
        return Prediction(tuple(self._shown[label] for label in prediction.labels), prediction.probabilities)

    def entries(self, prediction: Prediction) -> list[dict[str, Any]]:
        """The prediction for machines: with `both`, the Chinese name, where it is known, as `label_zh`."""

        def entry(own: str, probability: float) -> dict[str, Any]:
            label, chinese = self._label[own], self._chinese[own]
            return {"label": label} | ({"label_zh": chinese} if chinese != label else {}) | {"probability": probability}

        return [entry(*pair) for pair in zip(prediction.labels, prediction.probabilities, strict=True)]
