"""What our tables give for a printed value, by the quantity that it measures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from ..text import Text
from .describe import Description, StageDescription, describe
from .facts import Fact
from .facts_googlenet import ALEXNET_PARAMETERS
from .figure_text import figure_branches, figure_text
from .notation import SAME, Avg, Cat, Conv, Definition, Dropout, Max, Residual, Row, Stage, rows
from .readings import PRINTED_V4, Reading
from .registry import definition

NO_NOTE = Text("", "")


@dataclass(frozen=True)
class Computed:
    """Our value for a printed value, with a note; `agrees`, if given, decides instead of equal texts."""

    value: str | tuple[str, ...]
    note: Text = NO_NOTE
    agrees: bool | None = None


@dataclass(frozen=True)
class Subject:
    """A fact, and the network that it is compared with."""

    fact: Fact
    reading: Reading
    table: Definition
    description: Description

    @property
    def printed(self) -> str:
        return str(self.fact.printed)

    @property
    def stages(self) -> tuple[str, ...]:
        return self.reading.our_stages(self.fact.stage)

    @property
    def rows(self) -> tuple[Row, ...]:
        stages = {**self.table.stages, **self.table.head}
        return tuple(row for stage in self.stages for row in rows(stages[stage]))

    @property
    def last(self) -> StageDescription:
        return self.description[self.stages[-1]]

    def network(self, name: str) -> Description:
        """Another network of the paper, by the paper's name."""
        return describe(self.reading.networks[name])


Measure = Callable[[Subject], str | Computed]


def size_text(output: tuple[int, int, int]) -> str:
    """(C, H, W) as the papers print it: height x width x channels."""
    channels, height, width = output
    return f"{height}x{width}x{channels}"


def _input(subject: Subject) -> str:
    """Of the whole network, the image; of softmax, the logits."""
    table, names = subject.table, [stage.name for stage in subject.description]
    if subject.fact.stage == "softmax":
        return size_text(subject.description["linear"].output)
    position = names.index(subject.stages[0]) if subject.stages else 0
    image = (table.in_channels, table.image_size, table.image_size)
    return size_text(subject.description[names[position - 1]].output if position else image)


def _output(subject: Subject) -> str:
    """Only the channels where only they are printed, as after the last pool."""
    text = size_text(subject.last.output)
    return text if "x" in subject.printed else text.removeprefix("1x1x")


def _patch(subject: Subject) -> str:
    """Filter size and stride of the last row; of a module, only its stride."""
    block = subject.rows[-1]
    if isinstance(block, Cat):
        (stride,) = {branch[-1].stride for branch in block.branches if isinstance(branch[-1], Conv | Max)}
        return f"stride {stride}"
    return subject.last.kind.split()[-1]


def _kind(subject: Subject) -> str:
    """A stage as the first two columns of arXiv 1512.00567's Table 1 name it."""
    first, kind = subject.rows[0], subject.last.kind
    if isinstance(first, Conv):
        return f"conv {'padded ' if first.padding == SAME and first.size != '1x1' else ''}{first.size}/{first.stride}"
    if isinstance(first, Max):
        return f"pool {first.size}/{first.stride}"
    if kind.startswith("avg pool"):
        return f"pool {kind.split()[-1].partition('/')[0]}"
    return f"{len(subject.rows)} x Inception" if isinstance(first, Cat) else kind


def filter_columns(stage: Stage) -> dict[str, str]:
    """The filter columns of arXiv 1409.4842's Table 1 and arXiv 1502.03167's Figure 5, as the stage has them."""
    columns: dict[str, str] = {}
    for branch in stage.branches if isinstance(stage, Cat) else (rows(stage),):
        match branch:
            case (Conv(filters),):
                columns["1x1"] = str(filters)
            case (Conv(reduce), Conv(filters) as conv):
                columns |= {f"{conv.size} reduce": str(reduce), conv.size: str(filters)}
            case (Conv(reduce), Conv(first), Conv(second)) if first == second:
                columns |= {"double 3x3 reduce": str(reduce), "double 3x3": str(second)}
            case (Max() | Avg() as pool, Conv(filters)):
                columns["pool proj"] = f"{type(pool).__name__.lower()} + {filters}"
            case (Max() as pool,):
                columns["pool proj"] = "max + pass through"
    return columns


def _filters(subject: Subject) -> str:
    """A column without filters is printed as 0; arXiv 1409.4842 does not print the kind of pool, which is always max."""
    stage = subject.rows if len(subject.rows) > 1 else subject.rows[0]
    filters = filter_columns(stage).get(subject.fact.quantity, "0")
    return filters if "+" in subject.printed else filters.removeprefix("max + ")


def _params(subject: Subject) -> Computed:
    """In arXiv 1409.4842's K, which is 1024: its "112K" is 114,944. Some cells of the column are truncated."""
    thousands = subject.last.parameters / 1024
    decimals = len(subject.printed.removesuffix("K").partition(".")[2])
    rounded = f"{thousands:.{decimals}f}K"
    if rounded != subject.printed == f"{int(thousands)}K":
        note = Text("{exact} K, truncated; the column's other cells round", "{exact} K，是截断；这一列的其他格是四舍五入")
        return Computed(rounded, note.format(exact=f"{thousands:.2f}"), agrees=True)
    return Computed(rounded)


def _branches(subject: Subject) -> Computed:
    return Computed(_in_printed_order(figure_branches(subject.rows, subject.reading.label), subject.fact))


def _lettered_branches(subject: Subject) -> Computed:
    """With the letters of arXiv 1602.07261's Figure 7 for the filter counts, in the order of our branches."""
    letters = iter("nklm")
    label = partial(figure_text, filters=lambda _: next(letters))
    return Computed(_in_printed_order(figure_branches(subject.rows, label), subject.fact))


def _in_printed_order(branches: tuple[str, ...], fact: Fact) -> tuple[str, ...]:
    """Our branches where their equals are printed, for a figure's order from left to right means nothing."""
    if len(branches) != len(fact.printed):
        return branches
    missing, others = Counter(fact.printed) - Counter(branches), (Counter(branches) - Counter(fact.printed)).elements()
    ordered = []
    for printed in fact.printed:
        ordered.append(next(others) if missing[printed] else printed)
        missing[printed] -= 1
    return tuple(ordered)


def _reduction_filters(subject: Subject) -> str:
    (block,) = subject.rows
    assert isinstance(block, Cat)
    filters = [row.filters for branch in block.branches for row in branch if isinstance(row, Conv)]
    return str(dict(zip("nklm", filters, strict=True))[subject.fact.quantity])


def _caption(subject: Subject) -> str:
    """The network of which a block has the most branches in common with the figure."""
    figure = subject.fact.source
    (printed,) = (fact.printed for fact in subject.reading.facts if (fact.source, fact.quantity) == (figure, "branches"))

    def most_in_common(network: str) -> int:
        stages = (rows(stage) for stage in definition(PRINTED_V4[network]).stages.values())
        blocks = (figure_branches(stage[:1], figure_text) for stage in stages if isinstance(stage[0], Cat | Residual))
        return max((Counter(printed) & Counter(block)).total() for block in blocks)

    return max(PRINTED_V4, key=most_in_common)


def _scale(subject: Subject) -> Computed:
    block = subject.rows[0]
    assert isinstance(block, Residual)
    least, most = map(float, subject.printed.split(" to "))
    inside = least <= block.scale <= most
    return Computed(f"{block.scale:.2f}", Text("the released scale", "发布的系数") if inside else NO_NOTE, agrees=inside)


def _keep(subject: Subject) -> str:
    (dropout,) = subject.rows
    assert isinstance(dropout, Dropout)
    return f"{1 - dropout.ratio:.1f}"


def _head_output(position: int, subject: Subject) -> str:
    (head,) = subject.stages
    return size_text(subject.description.auxiliary[head][position].output)


def _number(number: str) -> Text:
    return Text(number, number)


def _multiply_adds(subject: Subject) -> Computed:
    billions = subject.description.multiply_adds / 1e9
    return Computed(f"{billions:.1f}G", _number(f"{billions:.2f} G"))


def _parameters(subject: Subject) -> Computed:
    """In millions; a printed bound is kept by anything below it."""
    parameters = subject.description.parameters
    bound = subject.printed.removeprefix("< ").removesuffix("M")
    agrees = parameters < float(bound) * 1e6 if subject.printed.startswith("<") else None
    return Computed(f"{parameters / 1e6:.1f}M", _number(f"{parameters:,}"), agrees)


def _times(network: str, subject: Subject) -> str:
    return f"{subject.description.multiply_adds / subject.network(network).multiply_adds:.1f}x"


def _modules_on_28x28(subject: Subject) -> str:
    stages = subject.description.stages
    inputs = {stage.name: before.output[1:] for before, stage in pairwise(stages)}
    modules = (name for name, stage in subject.table.stages.items() if isinstance(stage, Cat))
    return str(sum(inputs[name] == (28, 28) for name in modules))


def _double_at_most(subject: Subject) -> str:
    return str(max(int(filter_columns(stage).get("double 3x3", 0)) for stage in subject.table.stages.values()))


def _more_layers(subject: Subject) -> Computed:
    ours, googlenet = subject.description, subject.network("GoogLeNet")
    older = {stage.name: stage.depth for stage in googlenet}
    modules = [name for name, stage in subject.table.stages.items() if isinstance(stage, Cat) and name in older]
    deeper = sum(ours[name].depth - older[name] for name in modules)
    note = Text(
        "one in each module that GoogLeNet has too; with 3c and its {depth} the network is {deeper} deeper",
        "GoogLeNet 也有的模块各多一层；加上 3c 的 {depth} 层，整个网络深了 {deeper} 层",
    )
    return Computed(str(deeper), note.format(depth=ours["3c"].depth, deeper=ours.depth - googlenet.depth))


def _percent_more(attribute: str, unit: float, symbol: str, subject: Subject) -> Computed:
    """ "About so many percent more" than GoogLeNet has: right to the nearest five."""
    ours, googlenet = subject.description, subject.network("GoogLeNet")
    mine, theirs = getattr(ours, attribute), getattr(googlenet, attribute)
    percent = 100 * (mine / theirs - 1)
    note = Text("{mine} against {theirs} of {name}", "{mine}，{name} 是 {theirs}").format(
        mine=f"{mine / unit:.2f} {symbol}", theirs=f"{theirs / unit:.2f} {symbol}", name=googlenet.name
    )
    return Computed(f"{percent:.0f}%", note, agrees=abs(percent - int(subject.printed.removesuffix("%"))) < 2.5)


def _similar_cost(network: str, other: str, subject: Subject) -> Computed:
    """ "Similar" is within 15 %."""
    ours, theirs = subject.network(network).multiply_adds, subject.network(other).multiply_adds
    note = Text("{ours:.2f} G against {theirs:.2f} G", "{ours:.2f} G 对 {theirs:.2f} G").format(
        ours=ours / 1e9, theirs=theirs / 1e9
    )
    return Computed(f"{ours / theirs:.2f}x", note, agrees=1 / 1.15 < ours / theirs < 1.15)


def _more_convolutions(network: str, other: str, subject: Subject) -> Computed:
    names = [subject.reading.networks[name] for name in (network, other)]
    more, fewer = (convolutions(definition(name)) for name in names)
    ours, theirs = (describe(name).depth for name in names)
    note = Text("convolutions; on the longest path {ours} against {theirs}", "数的是卷积；最长路径是 {ours} 层对 {theirs} 层")
    return Computed(f"{more} and {fewer}", note.format(ours=ours, theirs=theirs), agrees=more > fewer)


def convolutions(table: Definition) -> int:
    """All the convolutions of a network, in all branches, without heads."""

    def inside(row: Row) -> int:
        match row:
            case Conv():
                return 1
            case Residual(body):
                return inside(body) + 1
            case Cat(branches):
                return sum(inside(inner) for branch in branches for inner in branch)
            case _:
                return 0

    return sum(inside(row) for stage in table.stages.values() for row in rows(stage))


FILTER_COLUMNS = ("1x1", "3x3 reduce", "3x3", "5x5 reduce", "5x5", "double 3x3 reduce", "double 3x3", "pool proj")
QUANTITIES: Mapping[str, Measure] = {
    "input": _input,
    "output": _output,
    "patch/stride": _patch,
    "type": _kind,
    "depth": lambda subject: str(subject.last.depth),
    **dict.fromkeys(FILTER_COLUMNS, _filters),
    "params": _params,
    "ops": lambda subject: f"{subject.last.multiply_adds / 1e6:.0f}M",
    "branches": _branches,
    "branches in letters": _lettered_branches,
    **dict.fromkeys("klmn", _reduction_filters),
    "linear": lambda subject: str(subject.last.output[0]),
    "caption": _caption,
    "blocks": lambda subject: str(len(subject.rows)),
    "scale": _scale,
    "keep": _keep,
    "multiplier": lambda subject: str(getattr(subject.rows[0], "multiplier", "none")),
    "pool output": partial(_head_output, 0),
    "1x1 output": partial(_head_output, 1),
    "fully connected output": partial(_head_output, 2),
    "layers with parameters": lambda subject: str(subject.description.depth),
    "layers with pools": lambda subject: str(subject.description.depth_with_pools),
    "multiply-adds": _multiply_adds,
    "parameters": _parameters,
    "parameters, not printed": lambda subject: f"{subject.description.parameters:,}",
    "parameters of GoogLeNet": lambda _: f"{describe('googlenet').parameters / 1e6:.1f}M",
    "parameters of VGG over AlexNet's": lambda _: f"{describe('vgg16').parameters / describe('alexnet').parameters:.1f}x",
    "fewer parameters than AlexNet": lambda subject: f"{ALEXNET_PARAMETERS / subject.description.parameters:.1f}x",
    "multiply-adds over GoogLeNet's": partial(_times, "GoogLeNet"),
    "multiply-adds over BN-Inception's": partial(_times, "BN-Inception"),
    "modules on 28x28": _modules_on_28x28,
    "layers more than GoogLeNet": _more_layers,
    "filters of a double 3x3 at most": _double_at_most,
    "parameters more than GoogLeNet": partial(_percent_more, "parameters", 1e6, "M"),
    "multiply-adds more than GoogLeNet": partial(_percent_more, "multiply_adds", 1e9, "G"),
    "cost of Inception-ResNet-v1 over Inception-v3's": partial(_similar_cost, "Inception-ResNet-v1", "Inception-v3"),
    "cost of Inception-ResNet-v2 over Inception-v4's": partial(_similar_cost, "Inception-ResNet-v2", "Inception-v4"),
    "layers of Inception-v4 over Inception-ResNet-v2's": partial(_more_convolutions, "Inception-v4", "Inception-ResNet-v2"),
}
