"""The page of promises: each test that it names exists, and the two languages name the same."""

import ast
import re

from pages import ROOT, read

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises(language):
    """The rows of the page's tables of promises: what is promised, and the tests that keep it, as (file, function)."""
    rows = re.findall(r"^\| (.+?) \| (`tests/.+?) \|$", read(f"docs/{language}/reliability.md"), re.M)
    return [(promise, NAMED.findall(tests)) for promise, tests in rows]


def functions(file):
    return {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_promise_is_kept_by_tests_that_exist():
    kept = promises("en")
    assert len(kept) > 35
    missing = [f"{file}::{name}" for _, tests in kept for file, name in tests if name not in functions(file)]
    assert missing == []
    assert all(tests for _, tests in kept)
    assert [tests for _, tests in promises("zh")] == [tests for _, tests in kept]
    assert "test_nothing_of_the_kind" not in functions("tests/test_reliability.py")
