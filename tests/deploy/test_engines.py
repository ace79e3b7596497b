"""Engines behind one call, the choice between them, and the predictor that runs one."""

import copy
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from small_table import STAGES

from godeeper import GodeeperError, Predictor, create_model, load
from godeeper.data.decode import FORMATS
from godeeper.data.pixels import normalise, take_crops
from godeeper.deploy import engine_choice, engines, image_loop, predictor
from godeeper.deploy.engines import check_engine, from_onnx, make_engine
from godeeper.deploy.export_metadata import ExportMetadata
from godeeper.deploy.fuse import fuse
from godeeper.deploy.onnx_graph import to_onnx
from godeeper.deploy.openvino_core import openvino_core
from godeeper.errors import BadImage
from godeeper.files import cache_folder
from godeeper.preprocess import Preprocess

BF16 = "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")  # elsewhere OpenVINO computes in fp32


@pytest.fixture(scope="module")
def network():
    """Twenty classes of 32 pixels, told apart with some confidence."""
    torch.manual_seed(3)
    network = create_model("googlenet_bn", num_classes=20, width=0.25, small=True)
    for name, buffer in network.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(std=0.1)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
    torch.nn.init.normal_(network.head["linear"].linear.weight, std=0.1)
    network.preprocess = Preprocess.of(32)
    return network.eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(5, 3, 32, 32, generator=torch.Generator().manual_seed(4))


def made_images(count, size=(40, 48), seed=0):
    """Images of a few colours in blocks, no two alike."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, (count, 4, 5, 3), dtype=np.uint8)
    return [Image.fromarray(block).resize(size, Image.Resampling.BICUBIC) for block in blocks]


@torch.no_grad()
def probabilities(network, x):
    return network(x).softmax(1)


@pytest.mark.parametrize(
    ("engine", "precision", "message"),
    [
        ("openvinoo", "fp32", r"^unknown engine 'openvinoo': did you mean 'openvino'\?$"),
        ("onnx-runtime", "auto", r"did you mean 'onnxruntime'\?"),
        ("caffe2go", "auto", r"^unknown engine 'caffe2go': choose one of: auto, onnxruntime, openvino, torch"),
        ("torch", "fp23", r"^unknown precision 'fp23': did you mean 'fp32'\?$"),
        ("auto", "bf-16", r"did you mean 'bf16'\?"),
        ("onnxruntime", "bf16", r"^onnxruntime does not compute in bf16: choose the engine torch or openvino"),
        ("torch", "int8", r"^torch does not compute in int8: choose the engine openvino or onnxruntime"),
    ],
)
def test_engines_and_precisions_that_there_are_not(engine, precision, message, network):
    with pytest.raises(GodeeperError, match=message):
        check_engine(engine, precision)
    with pytest.raises(GodeeperError, match=message):
        Predictor(network, engine, precision)


@pytest.mark.parametrize("engine", ["auto", "torch", "openvino", "onnxruntime"])
def test_pairs_that_go_together(engine):
    check_engine(engine, "auto")
    check_engine(engine, "fp32")


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_eight_bits_need_a_file(engine, network):
    for make in (make_engine, Predictor):
        with pytest.raises(GodeeperError, match=r"godeeper export RUN --precision int8 --images FOLDER --out FILE\.onnx"):
            make(network, engine, "int8")


@pytest.mark.parametrize("name", ["torch", "openvino", "onnxruntime"])
def test_engines_agree(name, network, x):
    expected = probabilities(network, x)
    assert expected.max() > 0.3  # far from all alike
    engine = make_engine(network, name)
    assert (engine.name, engine.precision) == (name, "fp32")
    for count in (5, 1, 3):
        found = engine(x[:count].to(engine.device))
        assert found.dtype == torch.float32
        assert torch.allclose(found.cpu().softmax(1), expected[:count], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_an_earlier_answer_is_not_overwritten(name, network, x):
    engine = make_engine(network, name)
    first = engine(x[:2])
    kept = first.clone()
    engine(x[2:4])
    assert torch.equal(first, kept)


def test_threads_share_a_batch(network, x, monkeypatch):
    """Of even and odd numbers of images, in order."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    engine, together = make_engine(network, "openvino"), make_engine(network, "torch")(x)
    assert len(engine._halves) == 2
    for count in range(1, 6):
        torch.testing.assert_close(engine(x[:count]), together[:count], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_memory_in_any_order(name, network, x):
    engine = make_engine(network, name)
    assert torch.equal(engine(x.contiguous(memory_format=torch.channels_last)), engine(x))


@pytest.mark.parametrize("name", ["torch", "openvino"])
def test_sixteen_bits_are_near_and_not_the_same(name, network, x):
    exact, short = (make_engine(network, name, precision) for precision in ("fp32", "bf16"))
    expected, found = (engine(x.to(engine.device)).cpu() for engine in (exact, short))
    assert found.dtype == torch.float32
    assert (found.softmax(1) - expected.softmax(1)).abs().max() < 0.05
    if name == "torch" or BF16:
        assert not torch.equal(found, expected)
    assert next(network.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_an_operator_that_an_engine_lacks_is_named(name, network):
    model = to_onnx(fuse(network))
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "Reluctant"
    with pytest.raises(GodeeperError, match=r"cannot take this network: .*Reluctant") as caught:
        from_onnx(model.SerializeToString(), name, "fp32")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_what_is_no_graph_is_refused_in_one_line(name):
    with pytest.raises(GodeeperError, match=r"cannot take this network: .") as caught:
        from_onnx(b"no graph", name, "fp32")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_missing_engine_is_said_with_the_line_that_installs_it(name, network, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GodeeperError, match=rf"^{name} is not installed .*: pip install .*\[deploy\]'$"):
        make_engine(network, name)
    assert not engine_choice.installed(name)
    assert name not in engine_choice.candidates("fp32")


def test_without_onnx_torch_remains(network, monkeypatch, x):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert engine_choice.candidates("bf16") == engine_choice.candidates("fp32") == ("torch",)
    assert Predictor(network).engine.name == "torch"
    with pytest.raises(GodeeperError, match=r"^onnx is not installed"):
        make_engine(network, "openvino")


class Sleeper:
    """An engine that takes its time; the first pass, as with real ones, takes longest."""

    precision, device = "fp32", torch.device("cpu")

    def __init__(self, name, seconds, first=0.0):
        self.name, self.seconds, self.waits = name, seconds, first

    def __call__(self, x):
        time.sleep(self.seconds + self.waits)
        self.waits = 0
        return x


NAMES = ("torch", "openvino", "onnxruntime")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and one turn of a few passes."""
    monkeypatch.setenv("GODEEPER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(engine_choice, "measure", partial(engine_choice.measure, turns=1, seconds=0.01))
    return tmp_path / "cache" / "engines.json"


@pytest.fixture
def make():
    """What makes sleepers of the given seconds, and remembers which; the fastest of all has the slowest first pass."""

    def maker(seconds):
        def make(name):
            make.built.append(name)
            return Sleeper(name, seconds[name], 0.1 if seconds[name] == min(seconds.values()) else 0)

        make.built = []
        return make

    return maker


@pytest.mark.parametrize("best", NAMES)
def test_the_fastest_is_chosen_and_remembered(best, cache, make):
    maker = make({name: 0.002 if name == best else 0.006 for name in NAMES})
    assert engine_choice.fastest(maker, NAMES, {"model": "a"}, (1, 3, 4, 4)).name == best
    assert sorted(maker.built) == sorted(NAMES)
    (entry,) = json.loads(cache.read_text()).values()
    assert entry["engine"] == best
    assert 2 <= entry["ms"][best] < 5.9 < min(ms for name, ms in entry["ms"].items() if name != best)

    maker.built.clear()
    assert engine_choice.fastest(maker, NAMES, {"model": "a"}, (1, 3, 4, 4)).name == best
    assert maker.built == [best]
    assert [file.name for file in cache.parent.iterdir()] == [cache.name]


def test_the_first_pass_of_a_turn_is_not_counted(cache):
    engines = {"torch": Sleeper("torch", 0.001, first=0.1), "openvino": Sleeper("openvino", 0.003)}
    seconds = engine_choice.measure(engines, torch.zeros(1), turns=2, fewest=6, seconds=0.01)
    assert 0.001 <= min(seconds["torch"]) <= max(seconds["torch"]) < 0.1
    assert min(len(seconds["torch"]), len(seconds["openvino"])) >= 6


@pytest.mark.parametrize("other", ["about", "shape", "names", "threads"])
def test_what_was_measured_for_something_else_is_measured_again(other, cache, make, monkeypatch):
    maker = make({"torch": 0.001, "openvino": 0.003, "onnxruntime": 0.003})
    about, names, shape = {"model": "a"}, ("torch", "openvino"), (1, 3, 4, 4)
    engine_choice.fastest(maker, names, about, shape)
    maker.built.clear()
    if other == "threads":
        threads = torch.get_num_threads() + 1
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    changed = {"about": {"model": "b"}, "names": ("torch", "onnxruntime"), "shape": (2, 3, 4, 4)}
    engine_choice.fastest(
        maker,
        changed["names"] if other == "names" else names,
        changed["about"] if other == "about" else about,
        changed["shape"] if other == "shape" else shape,
    )
    assert len(maker.built) == 2
    assert len(json.loads(cache.read_text())) == 2  # what was known before is kept


def test_a_single_candidate_is_not_measured(cache, make):
    maker = make({"torch": 100})
    assert engine_choice.fastest(maker, ["torch"], {}, (1, 3, 4, 4)).name == "torch"
    assert not cache.exists()


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_cache_is_written_anew(content, cache, make):
    cache.parent.mkdir()
    cache.write_bytes(content)
    maker = make({"torch": 0.003, "openvino": 0.001})
    for built in (["openvino", "torch"], ["openvino"]):
        maker.built.clear()
        assert engine_choice.fastest(maker, ("torch", "openvino"), {}, (1, 3, 4, 4)).name == "openvino"
        assert sorted(maker.built) == built


@pytest.mark.parametrize("entry", [{"engine": "caffe"}, [], {"engine": ["torch"]}])
def test_a_damaged_entry_is_measured_anew(entry, cache, make):
    maker = make({"torch": 0.003, "openvino": 0.001})
    engine_choice.fastest(maker, ("torch", "openvino"), {}, (1, 3, 4, 4))
    cache.write_text(json.dumps(dict.fromkeys(json.loads(cache.read_text()), entry)))
    maker.built.clear()
    assert engine_choice.fastest(maker, ("torch", "openvino"), {}, (1, 3, 4, 4)).name == "openvino"
    assert len(maker.built) == 2


@pytest.mark.parametrize("obstacle", ["a file where the folder should be", "a folder where the file should be"])
def test_a_cache_that_cannot_be_written(obstacle, cache, make):
    if obstacle.startswith("a file"):
        cache.parent.write_text("")
    else:
        cache.mkdir(parents=True)
    maker = make({"torch": 0.003, "openvino": 0.001})
    for _ in range(2):
        assert engine_choice.fastest(maker, ("torch", "openvino"), {}, (1, 3, 4, 4)).name == "openvino"
    assert len(maker.built) == 4


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU there is no choice")
def test_the_predictors_choice_is_one_of_the_measured(network, cache):
    chosen = Predictor(network).engine.name
    (entry,) = json.loads(cache.read_text()).values()
    assert set(entry["ms"]) == set(NAMES)
    assert chosen == entry["engine"] == min(entry["ms"], key=entry["ms"].get)


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU there is no choice")
def test_networks_without_a_name_of_their_own_are_not_mixed_up(cache):
    """Two edited tables of the same name, and one of them again."""
    full = create_model("googlenet_bn", num_classes=3, width=0.25, small=True).definition
    for filters, entries in ((8, 1), (24, 2), (8, 2)):
        stages = {name: full.stages[name] for name in STAGES} | {"conv1": replace(full.stages["conv1"], filters=filters)}
        network = create_model(replace(full, stages=stages, auxiliary={})).eval()
        network.preprocess = Preprocess.of(32)
        Predictor(network)
        assert len(json.loads(cache.read_text())) == entries


def test_what_a_network_calls_its_classes_does_not_change_its_speed(network, cache, monkeypatch):
    built = []
    monkeypatch.setattr(engine_choice, "make_engine", lambda network, name, precision: built.append(name) or Sleeper(name, 0.001))
    monkeypatch.setattr(engine_choice, "candidates", lambda precision: ("torch", "onnxruntime"))
    other = copy.deepcopy(network)
    other.classes, other.preprocess = tuple(map(str, range(20))), Preprocess.of(32, (0.1, 0.2, 0.3))
    Predictor(network)
    Predictor(other)
    assert (len(built), len(json.loads(cache.read_text()))) == (3, 1)
    other.preprocess = Preprocess.of(48)
    Predictor(other)
    assert (len(built), len(json.loads(cache.read_text()))) == (5, 2)


def test_what_another_process_measured_meanwhile_is_kept(cache, make):
    def slowly(name):
        cache.parent.mkdir(exist_ok=True)
        cache.write_text('{"another": {"engine": "torch"}}')
        return Sleeper(name, 0.001)

    engine_choice.fastest(slowly, ("torch", "openvino"), {}, (1, 3, 4, 4))
    assert len(json.loads(cache.read_text())) == 2


@pytest.mark.parametrize("there", [("openvino", "onnxruntime"), ("onnxruntime",)])
def test_beside_a_gpu_a_file_runs_on_what_is_installed_and_fastest(there, network, cache, monkeypatch):
    """An .onnx file's engines compute on the CPU, whatever else the machine has."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(engine_choice, "installed", lambda name: name in ("torch", *there))
    monkeypatch.setattr(predictor, "is_exported", lambda model: True)
    monkeypatch.setattr(predictor, "read_metadata", lambda file: ExportMetadata(network.spec, "fp32", {}))
    monkeypatch.setattr(
        engine_choice, "from_onnx", lambda file, name, precision: Sleeper(name, 0.001 if name == there[-1] else 0.01)
    )
    assert Predictor("net.onnx").engine.name == "onnxruntime"
    assert cache.is_file() == (len(there) > 1)
    monkeypatch.setattr(engine_choice, "make_engine", lambda network, name, precision: Sleeper(name, 0.001))
    assert engine_choice.network_engine(network, "auto", "auto").name == "torch"


def test_a_network_stays_where_it_is_when_its_engine_moves_on(network, monkeypatch):
    """So what a program does with the network next meets images where it left them."""
    monkeypatch.setattr(engines, "best_device", lambda: torch.device("meta"))
    engine = make_engine(network, "torch")
    assert engine.device.type == engine(torch.zeros(1, 3, 32, 32)).device.type == "meta"
    assert network.embed(torch.zeros(1, 3, 32, 32)).device.type == "cpu"


@pytest.fixture(scope="module")
def by_torch(network):
    return Predictor(network, "torch")


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_bad_images_keep_their_places(batch_size, network):
    good = made_images(5)
    mixed = [b"nothing", good[0], good[1], b"", b"no image", good[2], good[3], good[4], b"at last"]
    predictor = Predictor(network, "torch")
    predictor.batch_size = batch_size
    alone = [predictor([image], top=1)[0] for image in good]
    assert len({prediction.probabilities for prediction in alone}) == 5
    outcomes = list(predictor.outcomes(mixed, top=1))
    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, BadImage)] == [0, 3, 4, 8]
    for found, expected in zip((one for one in outcomes if not isinstance(one, BadImage)), alone, strict=True):
        assert found.labels == expected.labels
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
    with pytest.raises(BadImage):
        predictor(mixed)
    assert list(predictor.outcomes([b"1", b"2"]))[1].args == ("1 bytes: not an image in one of " + IMAGES,)
    assert list(predictor.outcomes([])) == []


IMAGES = ", ".join(FORMATS)


@pytest.mark.parametrize("crops", [10, 144])
def test_views_are_averaged_after_the_softmax(crops, network, by_torch):
    for image in made_images(2, (90, 61)):
        x = normalise(take_crops(image, network.preprocess, crops), network.preprocess)
        assert len(x) == crops
        expected = probabilities(network, x).mean(0)
        (found,) = by_torch([image], top=20, crops=crops)
        by_class = dict(zip(found.labels, found.probabilities, strict=True))
        assert [by_class[str(index)] for index in range(20)] == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_scheme_that_there_is_not(by_torch):
    with pytest.raises(GodeeperError, match="no scheme of 7 crops"):
        by_torch(made_images(1), crops=7)


def test_images_are_pulled_a_few_passes_ahead(network):
    predictor = Predictor(network, "torch")
    predictor.batch_size = 2
    pulled = []

    def endless():
        for number in range(10_000):
            pulled.append(number)
            yield made_images(1, seed=number)[0]

    outcomes = predictor.outcomes(endless())
    assert pulled == []
    first = next(outcomes)
    assert len(pulled) <= 4 * 2  # three passes ahead of the one that is taken
    assert first.labels == predictor(made_images(1))[0].labels
    for _ in range(9):
        next(outcomes)
    assert len(pulled) <= 10 + 4 * 2
    outcomes.close()
    assert len(pulled) < 30


def test_an_abandoned_stream_leaves_no_thread_and_no_work(network, monkeypatch):
    image, decoded = made_images(1)[0], []

    def slow(content):
        time.sleep(0.02)
        decoded.append(content)
        return image

    monkeypatch.setattr(image_loop, "as_image", slow)
    monkeypatch.setattr(image_loop.os, "cpu_count", lambda: 1)
    running = Predictor(network, "torch")
    running.batch_size = 8
    outcomes = running.outcomes(b"image" for _ in range(1000))
    next(outcomes)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("godeeper-decode")]
    outcomes.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("godeeper-decode")]
    assert 8 <= len(decoded) < 24  # of the 31 that were pulled


def test_an_error_of_the_source_itself_is_not_swallowed(by_torch):
    def broken():
        yield made_images(1)[0]
        raise RuntimeError("the disk")

    with pytest.raises(RuntimeError, match="the disk"):
        by_torch(broken())


@pytest.mark.parametrize("single", ["image.png", b"bytes"])
def test_a_single_name_is_no_list(single, by_torch):
    with pytest.raises(GodeeperError, match="give the images as a list, even a single one"):
        by_torch(single)


def test_seconds_are_counted(network, monkeypatch, tmp_path):
    made_images(1)[0].save(tmp_path / "a.png")
    predictor = Predictor(network, "torch")
    assert predictor.seconds == {"decode": 0, "preprocess": 0, "network": 0}
    begun = time.perf_counter()
    predictor([tmp_path / "a.png"] * 3)
    took = time.perf_counter() - begun
    assert all(seconds > 0 for seconds in predictor.seconds.values())
    assert predictor.seconds["network"] < took


@pytest.mark.parametrize(("what", "place"), [("as_image", "decode"), ("take_crops", "preprocess"), ("normalise", "preprocess")])
def test_time_goes_to_the_account_where_it_was_spent(what, place, network, monkeypatch, tmp_path):
    made_images(1)[0].save(tmp_path / "a.png")
    running = Predictor(network, "torch")
    running([tmp_path / "a.png"])
    before = dict(running.seconds)
    real = getattr(image_loop, what)

    def slow(*arguments):
        time.sleep(0.2)
        return real(*arguments)

    monkeypatch.setattr(image_loop, what, slow)
    running([tmp_path / "a.png"])
    spent = {name: running.seconds[name] - before[name] for name in before}
    assert spent.pop(place) >= 0.2
    assert max(spent.values()) < 0.2


def test_time_of_the_network(network, tmp_path):
    running = Predictor(network, "torch")
    real = running.engine
    running.engine = lambda x: (time.sleep(0.2), real(x))[1]
    running.engine.device = real.device
    running(made_images(1))
    assert running.seconds["network"] >= 0.2
    assert max(running.seconds["decode"], running.seconds["preprocess"]) < 0.2


@pytest.mark.parametrize("engine", ["auto", "openvino", "onnxruntime"])
def test_only_torch_compiles(engine, network):
    with pytest.raises(GodeeperError, match="only the engine torch compiles: give engine='torch'"):
        Predictor(network, engine, compiled=True)


def test_torch_is_told_to_compile(network, monkeypatch, x):
    given = []
    monkeypatch.setattr(torch, "compile", lambda module, **options: given.append(module) or module)
    Predictor(network, "torch")
    assert not given
    assert Predictor(network, "torch", compiled=True)(made_images(1))
    assert len(given) == 1


def test_answers_that_are_no_numbers(weights_file):
    network = load(weights_file)
    torch.nn.init.constant_(network.head["linear"].linear.bias, float("nan"))
    with pytest.raises(GodeeperError, match="not numbers: its weights are damaged"):
        Predictor(network, "torch")(made_images(1))


A_SIGNAL_AFTERWARDS = """
import faulthandler, os, signal, sys
from godeeper import create_model
from godeeper.deploy.export_metadata import read_metadata
from godeeper.deploy.engines import make_engine
from godeeper.deploy.export import export

faulthandler.enable()  # which gives the process a stack for signals
signal.signal(signal.SIGUSR1, lambda *_: print("caught"))
network = create_model("googlenet_bn", num_classes=3, width=0.25, small=True)
first, second = make_engine(network, "openvino"), make_engine(network, "openvino")
file = export(network, sys.argv[1]).file
read_metadata(file)
del first
del second
os.kill(os.getpid(), signal.SIGUSR1)
"""


@pytest.mark.slow
def test_signals_are_survived_when_engines_are_gone(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", A_SIGNAL_AFTERWARDS, tmp_path / "net.xml"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "caught\n", "")


def test_openvino_has_one_core():
    assert openvino_core() is openvino_core()


def test_a_user_without_a_home_has_nothing_remembered(tmp_path, monkeypatch):
    monkeypatch.delenv("GODEEPER_CACHE")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as it does where there is no home
    monkeypatch.chdir(tmp_path)
    engine_choice._write_cache(cache_folder() / "engines.json", {"a": {"engine": "torch"}})
    assert engine_choice._read_cache(cache_folder() / "engines.json") == {}
    assert list(tmp_path.iterdir()) == []
