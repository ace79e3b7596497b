"""Files and functions of a size that is read in one go."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "src" / "godeeper"
FILES = sorted(ROOT.rglob("*.py"))
LONGEST_FILE, LONGEST_FUNCTION = 350, 50  # lines


def too_long(source, name):
    """The names of the file, and of its functions, that are too long."""
    lines = source.splitlines()
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    long = [function.name for function in functions if function.end_lineno - function.lineno + 1 > LONGEST_FUNCTION]
    return [name] * (len(lines) > LONGEST_FILE) + long


def test_no_file_and_no_function_is_too_long():
    assert [each for file in FILES for each in too_long(file.read_text(), file.name)] == []
    assert len(FILES) > 200


@pytest.mark.parametrize(("lines", "names"), [(49, []), (50, ["f"]), (400, ["a.py", "f"])])
def test_one_that_is_too_long_is_seen(lines, names):
    assert too_long("def f():\n" + "    x = 1\n" * lines, "a.py") == names
