"""How many connections a server takes, where the system lets a process open few files."""

import resource

import pytest

from godeeper import GodeeperError
from godeeper.serve.connections import MAX_CONNECTIONS, OTHER_FILES, most_connections


@pytest.mark.parametrize(("allowed", "most"), [(256, 256 - OTHER_FILES), (1 << 20, MAX_CONNECTIONS), (-1, MAX_CONNECTIONS)])
def test_connections_leave_room_for_other_files(allowed, most, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda what: (allowed, allowed))
    assert most_connections() == most


def test_a_server_that_could_open_nothing_does_not_start(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda what: (32, 32))
    with pytest.raises(GodeeperError, match="have 32 files open, which is too few for a server: see ulimit -n"):
        most_connections()
