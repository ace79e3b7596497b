"""What people name a model by -> its spec."""

from __future__ import annotations

from pathlib import Path

from ..errors import GodeeperError, unknown
from ..files import could_exist
from ..models.spec import ModelSpec, read_spec
from ..papers.notation import Definition
from ..papers.registry import DEFINITIONS, list_models

Model = str | Path | Definition | ModelSpec


def spec_of(model: Model) -> ModelSpec:
    """The spec of a registered name, a SPEC.json, a run folder or weights file, a network that comes with godeeper, or a table.

    GodeeperError, with the nearest name, where there is none.
    """
    if isinstance(model, ModelSpec):
        return model
    if isinstance(model, Definition):
        return ModelSpec.of(model)
    name = str(model)
    if name in DEFINITIONS:
        return ModelSpec.of(DEFINITIONS[name])
    path = Path(name)
    if path.suffix == ".json":
        return read_spec(path)
    from ..models.weights.read import WEIGHTS_FILE, read_weights  # here, as it needs torch, and tables do not
    from ..models.weights.shipped import PREFIX, shipped

    if not could_exist(name):
        raise GodeeperError(f"there is no model {name[:40]!r}...: the name is too long")
    if path.is_file() or (path / WEIGHTS_FILE).is_file() or name in shipped():
        return read_weights(name).spec
    if name.startswith(PREFIX):
        raise unknown("network that comes with godeeper", name, shipped())
    if "/" in name or path.is_dir():
        raise GodeeperError(f"{name!r} is no model: give a name, a run folder, a weights file or a spec (.json)")
    raise unknown("model", name, list_models())


def name_of(model: Model) -> str:
    """What a run's description calls the model."""
    if isinstance(model, ModelSpec):
        return model.definition.name
    return model.name if isinstance(model, Definition) else str(model)
