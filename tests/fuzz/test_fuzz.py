"""Fuzzing: of files from anyone come a sound result or a GodeeperError of one line, within the limits, whatever is in them."""

import pytest
from large_inputs import LARGE
from targets import NOISE, TARGETS

import fuzzing
from fuzzing import CORPUS, fuzz, tried
from godeeper.data import decode as decode_module

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
CASES = [(target, file) for target in TARGETS for file in sorted((CORPUS / target).glob("*"))]
# What is sound for all that it asks: notes that nobody needs, stranger classes, many objects. Everything else is refused.
SOUND = {"length_of_5000_digits"}
SOUND_LARGE = {"categories that group each other", "an image of very many objects", "digits in a note"}


@pytest.fixture(autouse=True)
def _usual_limit(monkeypatch):
    monkeypatch.setattr(decode_module, "MAX_PIXELS", decode_module.MAX_PIXELS)  # which a target lowers


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_only_a_line_or_a_sound_result(name, tmp_path):
    target = TARGETS[name]
    try_one = target.prepare(tmp_path)
    for content in NOISE:
        assert try_one(content) == "refused"
    outcomes = fuzz(name, target.inputs(tmp_path), try_one)
    assert set(outcomes) <= {"taken", "refused"}
    assert sum(outcomes.values()) < 200 or min(outcomes.values()) > sum(outcomes.values()) / 200  # else too little is tried


@pytest.mark.slow
@pytest.mark.parametrize("case", LARGE)
def test_large_files_are_read_or_refused_within_the_limits(case, tmp_path):
    name, make = LARGE[case]
    assert TARGETS[name].prepare(tmp_path)(make()) == ("taken" if case in SOUND_LARGE else "refused")


@pytest.mark.parametrize(("name", "file"), CASES, ids=[f"{target}-{file.stem}" for target, file in CASES])
def test_what_was_found_stays_mended(name, file, tmp_path):
    assert TARGETS[name].prepare(tmp_path)(file.read_bytes()) == ("taken" if file.stem in SOUND else "refused")


def test_fuzzing_sees_what_it_looks_for(monkeypatch):
    """Errors of other types, messages of two lines, endless computing and too much memory: each is a failure."""
    monkeypatch.setattr(fuzzing, "COMPUTING", 0.05)

    def endless():
        while True:
            pass

    def lines():
        error = fuzzing.GodeeperError()
        error.args = ("two\nlines",)
        raise error

    for broken, error in (
        (endless, fuzzing.Overrun),
        (lines, AssertionError),
        (lambda: bytearray(2 * fuzzing.MEMORY), MemoryError),
        (lambda: {}["x"], KeyError),
    ):
        with pytest.raises(error):
            tried(broken)
    assert tried(lambda: bytearray(1000)) == "taken"
