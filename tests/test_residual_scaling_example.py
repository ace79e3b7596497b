"""The experiment of the guide's page on residual scaling, cut short."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parent.parent / "examples" / "residual_scaling.py"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def arms():
    """What one seed finds in three steps, by filters, rate and scale."""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, str(EXAMPLE), "3", "1"]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
    assert done.returncode == 0, done.stderr
    _, *rows = (line.split() for line in done.stdout.splitlines())
    return {(filters, rate, scale): tuple(map(float, numbers)) for filters, rate, scale, *numbers in rows}


def test_every_arm_is_run(arms):
    assert len(arms) == 2 * 2 * 4
    assert {filters for filters, _, _ in arms} == {"256", "1792"}
    for loss, greatest, before, after, dead, error in arms.values():
        assert 0 < loss <= greatest + 0.05  # the one is printed with two digits, the other with one
        assert before > 0
        assert after > 0
        assert 0 <= dead <= 100
        assert 0 < error <= 100


def test_only_the_wide_stack_that_is_not_scaled_leaps(arms):
    assert arms["1792", "0.045", "1.0"][1] > 10
    assert all(numbers[1] < 10 for arm, numbers in arms.items() if arm != ("1792", "0.045", "1.0"))


def test_the_control_starts_as_small_as_the_scaled(arms):
    for filters in ("256", "1792"):
        _, _, unscaled, *_ = arms[filters, "0.045", "1.0"]
        _, _, scaled, *_ = arms[filters, "0.045", "0.1"]
        _, _, control, *_ = arms[filters, "0.045", "1.0*"]
        assert control == scaled < 0.7 * unscaled
