"""The papers' claims, each as an experiment that anyone can run."""

from __future__ import annotations

from .auxiliary_heads import CLAIM as AUXILIARY_HEADS
from .average_pooling import CLAIM as AVERAGE_POOLING
from .claim import Claim
from .counting import CLAIM as COUNTING
from .crops_and_models import CLAIM as CROPS_AND_MODELS
from .ensemble_gains import CLAIM as ENSEMBLE_GAINS
from .factorised_filters import CLAIM as FACTORISED_FILTERS
from .residual_connections import CLAIM as RESIDUAL_CONNECTIONS
from .residual_scaling import CLAIM as RESIDUAL_SCALING
from .rmsprop import CLAIM as RMSPROP

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        COUNTING, AUXILIARY_HEADS, AVERAGE_POOLING, CROPS_AND_MODELS, RESIDUAL_CONNECTIONS, RESIDUAL_SCALING, RMSPROP,
        ENSEMBLE_GAINS, FACTORISED_FILTERS,
    )
}  # fmt: skip
