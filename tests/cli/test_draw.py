"""`godeeper draw` as a person uses it."""

import pytest

from godeeper import draw
from godeeper.cli.main import status


def test_the_command(tmp_path, capsys):
    out = tmp_path / "4a.svg"
    assert status(["draw", "googlenet", "--block", "4a", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == draw("googlenet", "4a")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", f"drawn: {out}\n")
    assert status(["draw", "vgg16", "--show", "cost", "--image-size", "96", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == draw("vgg16", show="cost", image_size=96)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["googlenet", "--out", "{}/x.png"], "name a .svg file"),
        (["googlenet", "--out", "{}/none/x.svg"], "there is no folder"),
        (["googlenet", "--out", "{}/folder.svg"], "is a folder"),
        (["googlenet", "--block", "9z", "--out", "{}/x.svg"], "unknown stage '9z'"),
        (["nothing", "--out", "{}/x.svg"], "unknown model 'nothing'"),
        (["googlenet", "--show", "all", "--out", "{}/x.svg"], "'all' is not one of"),
        (["googlenet"], "--out"),
    ],
)
def test_the_command_refuses(tmp_path, capsys, arguments, message):
    (tmp_path / "folder.svg").mkdir()
    assert status(["draw", *(argument.format(tmp_path) for argument in arguments)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder.svg"]
