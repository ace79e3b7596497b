"""What several tests of the exporters share, made once."""

import pytest
from made_images import made_images

from godeeper.deploy.export import export


@pytest.fixture(scope="session")
def sixty_images(tmp_path_factory):
    """A folder of sixty images."""
    folder = tmp_path_factory.mktemp("images")
    for number, image in enumerate(made_images(60, seed=1)):
        image.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="session")
def exported(weights_file, tmp_path_factory):
    """The report of a file of each format, all named net."""
    folder = tmp_path_factory.mktemp("exported")
    return {suffix: export(weights_file, folder / f"net{suffix}") for suffix in (".onnx", ".xml", ".pt2", ".pte")}
