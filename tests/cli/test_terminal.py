"""What reaches a terminal: names that only stand there, tables that fit, and nothing once nobody reads."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.cells import cell_len

import godeeper
from godeeper import load, save
from godeeper.cli.main import main, status
from godeeper.cli.output import print_json, print_table, show
from godeeper.text import printable, stands
from processes import GODEEPER

NASTY = ("\x1b[31mred", "two\nlines", "\x9b2J\u202edlrow")  # colours; a line of its own; C1's clearing, and right to left


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("金鱼 goldfish", "金鱼 goldfish"),
        ("a\u3000b", "a\u3000b"),
        (NASTY[0], "\\x1b[31mred"),
        (NASTY[1], "two\\nlines"),
        (NASTY[2], "\\x9b2J\\u202edlrow"),
        ("\udcff", "\\udcff"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    ],
)
def test_what_would_act_on_a_terminal_is_escaped(text, shown, capsys):
    assert printable(text) == shown
    print_table(("name",), [(text,)])
    assert capsys.readouterr().out == f"name\n{shown}\n"
    print_json([text])
    out = capsys.readouterr().out
    assert json.loads(out) == [text]
    assert all(letter == "\n" or stands(letter) for letter in out)
    show(text, err=True)
    assert all(letter == "\n" or stands(letter) for letter in capsys.readouterr().err)


def test_names_of_classes_and_files_do_nothing_to_a_terminal(weights_file, tmp_path, capsys):
    network = load(weights_file)
    network.classes = NASTY
    save(network, tmp_path / "nasty.safetensors")
    Image.new("RGB", (40, 40)).save(tmp_path / f"{NASTY[0]}.png")
    (tmp_path / f"{NASTY[0]}.jpg").write_bytes(b"")
    line = ["predict", str(tmp_path / "nasty.safetensors"), str(tmp_path)]
    assert status(line) == 2
    text = capsys.readouterr()
    assert status([*line, "--json"]) == 2
    as_json = capsys.readouterr()
    assert status(["predict", NASTY[0], NASTY[0], f"--{NASTY[0]}"]) == 2
    assert all(letter == "\n" or stands(letter) for out in (*text, *as_json, *capsys.readouterr()) for letter in out)
    assert "\\x1b[31mred" in text.out
    assert {label for row in json.loads(as_json.out) for label in row.get("labels", [])} <= set(NASTY)


def test_warnings_that_name_a_file_do_nothing_to_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(logging, "lastResort", None)  # which is put back at the end
    unhandled = logging.Logger("of nobody")  # pytest handles the others
    monkeypatch.setattr("godeeper.cli.main.status", lambda _: unhandled.warning("%s carries no checksum", NASTY[0]))
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().err == "\\x1b[31mred carries no checksum\n"


def test_commands_print_by_show_alone():
    folder = Path(godeeper.__file__).parent / "cli"
    printing = [file.name for file in folder.glob("*.py") if re.search(r"(?<![\w.])print\(|echo\(|\.write\(", file.read_text())]
    assert sorted(printing) == ["output.py", "streams.py"]


@pytest.mark.parametrize("columns", [20, 40, 79])
@pytest.mark.parametrize(
    "line", ["models", "models googlenet", "describe googlenet", "audit googlenet", "models godeeper/digits"]
)
def test_tables_fit_a_narrow_terminal(line, columns, monkeypatch, capsys):
    """All that a wide table says, in lines that fit; sentences around it are for the terminal to break."""
    assert status(line.split()) == 0
    wide = capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", str(columns))
    assert status(line.split()) == 0
    narrow = capsys.readouterr().out
    sentences = set(wide.splitlines())
    assert all(cell_len(row) <= columns or row in sentences for row in narrow.splitlines())
    letters = re.sub(r"\s", "", narrow)
    assert all(re.sub(r"\s", "", cell) in letters for row in wide.splitlines() for cell in re.split(r"  +", row))


def test_a_table_is_as_wide_as_its_letters(capsys):
    print_table(("name", "n"), [("金鱼", 1), ("dog", 22)], right=("n",))
    assert capsys.readouterr().out == "name   n\n金鱼   1\ndog   22\n"


@pytest.mark.parametrize(
    ("line", "unbuffered"), [("models", ""), pytest.param("models", "1", marks=pytest.mark.slow), ("--help", "")]
)
def test_nobody_reads_is_141_in_silence(line, unbuffered):
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen([*GODEEPER, line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("line", ["models", "describe googlenet --json"])  # the second is more than a buffer holds
def test_output_that_does_not_fit_is_one_line(line):
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*GODEEPER, *line.split()], stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert (done.returncode, done.stderr) == (2, "godeeper: the output: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_message_that_does_not_fit_ends_no_work():
    """`godeeper train ... 2> log` on a full disk trains on."""
    code = "from godeeper.cli import output, streams; streams.watch_streams(); "
    code += "output.show('message', err=True); output.show('result')"
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "result\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "closed", "code"), [("models googlenet --json", 1, 0), ("models googlenet", 1, 0), ("describe nope", 2, 2)]
)
def test_what_is_closed_at_the_start_is_nowhere(line, closed, code):
    """As under `>&-`; what belongs there goes neither into another stream nor into a file that is opened later."""
    words = ["sh", "-c", f'exec "$@" {closed}>&-', "sh", *GODEEPER, *line.split()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


INTERRUPTED = """
import runpy, sys

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "godeeper.cli.output":
            raise KeyboardInterrupt

sys.meta_path.insert(0, CtrlC())
runpy.run_module("godeeper", run_name="__main__")
"""


def test_ctrl_c_before_the_command_begins_is_one_line():
    """While its modules are imported, which takes a second on a busy machine."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "godeeper: interrupted\n")


def test_completion_names_the_commands():
    environment = {"_GODEEPER_COMPLETE": "complete_bash", "COMP_WORDS": "godeeper mod", "COMP_CWORD": "1", "PATH": "/usr/bin"}
    code = "import sys; sys.argv[0] = 'godeeper'; from godeeper.cli.main import main; main()"
    path = str(Path(godeeper.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["models"], done.stderr
