"""The papers' tables beside ours: what fills a cell, and what must not. Printed figures are read from the PDFs, not the code."""

import pytest

from godeeper import GodeeperError
from godeeper.evaluate.tables import IlsvrcResult, difference, ilsvrc_results, printed_errors, table_rows

PRINTED = {  # table -> rows of (printed top-1, printed top-5), in the paper's order
    "arXiv 1409.4842, Table 3": [("", "10.07"), ("", "9.15"), ("", "7.89"), ("", "8.09"), ("", "7.62"), ("", "6.67")],
    "arXiv 1602.07261, Table 2": [("25.2", "7.8"), ("21.2", "5.6"), ("21.3", "5.5"), ("20", "5"), ("19.9", "4.9")],
    "arXiv 1602.07261, Table 3": [("21.4", "5.7"), ("19.8", "4.6"), ("19.8", "4.6"), ("18.7", "4.2"), ("18.7", "4.1")],
    "arXiv 1602.07261, Table 4": [("19.4", "4.5"), ("18.9", "4.3"), ("18.8", "4.3"), ("17.7", "3.8"), ("17.8", "3.7")],
    "arXiv 1602.07261, Table 5": [("", "3.6"), ("17.3", "3.6"), ("16.5", "3.1")],
}


def cells(runs):
    return {row[:3]: (row[4], row[6]) for row in table_rows(runs) if row[4] or row[6]}


def test_without_runs_the_tables_are_the_print_and_nothing_else():
    found = {}
    for table, _, _, top1, ours1, top5, ours5, apart in table_rows([]):
        found.setdefault(table, []).append((top1, top5))
        assert (ours1, ours5, apart) == ("", "", "")
    assert found == PRINTED


def test_a_run_fills_the_cell_whose_rule_it_keeps():
    one = IlsvrcResult(("googlenet",), 10, 50_000, 0, 30.0, 9.0)
    assert cells([one]) == {("arXiv 1409.4842, Table 3", "1 x GoogLeNet", "10"): ("30.00", "9.00")}
    seven = IlsvrcResult(("googlenet",) * 6 + ("googlenet_torchvision",), 144, 50_000, 0, 27.0, 6.5)
    assert cells([seven]) == {("arXiv 1409.4842, Table 3", "7 x GoogLeNet", "144"): ("27.00", "6.50")}
    four = IlsvrcResult(
        ("inception_resnet_v2", "inception_v4", "inception_resnet_v2", "inception_resnet_v2"), 144, 50_000, 0, 16.4, 3.2
    )
    assert cells([four]) == {("arXiv 1602.07261, Table 5", "Inception-v4 + 3 x Inception-ResNet-v2", "144"): ("16.40", "3.20")}
    assert printed_errors(four) == (16.5, 3.1)
    resnet = IlsvrcResult(("resnet152",), 10, 50_000, 0, 21.0, 5.5)
    assert cells([resnet]) == {("arXiv 1602.07261, Table 3", "ResNet-151", "10"): ("21.00", "5.50")}


def test_table_2_wants_the_blacklisted_left_out_and_the_others_all():
    without = IlsvrcResult(("inception_v4",), 1, 48_238, 1_762, 19.8, 4.9)
    assert cells([without]) == {("arXiv 1602.07261, Table 2", "Inception-v4", "1"): ("19.80", "4.90")}
    for run in (
        IlsvrcResult(("inception_v4",), 1, 50_000, 0, 20.1, 5.05),  # all images
        IlsvrcResult(("inception_v4",), 12, 48_238, 1_762, 18.0, 4.0),  # 12 crops are of all images
        IlsvrcResult(("inception_v4",), 144, 49_999, 0, 18.0, 4.0),  # one could not be decoded
        IlsvrcResult(("inception_v4",), 144, 1_000, 0, 18.0, 4.0),
        IlsvrcResult(("googlenet_bn",), 1, 50_000, 0, 18.0, 4.0),  # not the paper's network
        IlsvrcResult(("resnet152",), 144, 50_000, 0, 18.0, 4.0),  # the paper's is dense
    ):
        assert cells([run]) == {}
        assert printed_errors(run) == (None, None)


def test_the_difference_and_its_interval():
    assert difference(3335, 50_000, 6.67) == "+0.00 (-0.22 to +0.22)"  # by hand: 1.96 * sqrt(0.0667 * 0.9333 / 50000) = 0.22 %
    assert difference(4335, 50_000, 6.67).startswith("+2.00 (")


def test_results_of_other_images_fill_nothing():
    result = {
        "ilsvrc": False, "average": "softmax", "crops": 144, "blacklisted": 0, "architectures": ["googlenet"], "images": 50_000,
        "top1_error": 30.0, "top5_error": 9.0, "members": [{"images": 50_000, "top1_error": 30.0, "top5_error": 9.0}],
    }  # fmt: skip
    assert ilsvrc_results(result) == []
    (run,) = ilsvrc_results(result | {"ilsvrc": True})
    assert run == IlsvrcResult(("googlenet",), 144, 50_000, 0, 30.0, 9.0)
    assert ilsvrc_results(result | {"ilsvrc": True, "average": "max"}) == []  # the papers average the softmax
    for wrong in ({"top5_error": 500}, {"top1_error": "a"}, {"top1_error": float("nan")}, {"architectures": [["a"]]}):
        member = {"members": [result["members"][0] | wrong]}
        with pytest.raises((GodeeperError, ValueError)):
            ilsvrc_results(result | {"ilsvrc": True} | member | wrong)


@pytest.mark.parametrize("count", [2, 7])
def test_an_ensembles_result_gives_its_members_runs_too(count):
    member = {"images": 50_000, "top1_error": 30.0, "top5_error": 9.0}
    result = member | {
        "ilsvrc": True,
        "average": "softmax",
        "crops": 10,
        "blacklisted": 0,
        "architectures": ["googlenet"] * count,
    }
    runs = ilsvrc_results(result | {"members": [member | {"top5_error": 10.0}] * count})
    assert [len(run.architectures) for run in runs] == [count] + [1] * count
