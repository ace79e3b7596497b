"""What the tests of sources share."""

import pytest


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty folder of fetched sets, and no network."""
    monkeypatch.setenv("GODEEPER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"
