"""The web app as Gradio blocks: what is where, and what happens when."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from PIL import Image

from ..data.crops import CROPS
from ..data.decode_workers import DecodeWorkers
from ..models.network import Network
from ..papers.registry import list_models
from . import classify_tab, compare_tab, explore_tab, runs_tab
from .app_texts import AppLang, text
from .fragments import fragment

Component = TypeVar("Component", bound=gr.blocks.Block)
LANGUAGES: list[tuple[str, str | int | float]] = [("English", "en"), ("中文", "zh")]
FIRST, SECOND = "googlenet", "inception_v4"  # the networks that the tabs begin with
OPENED = "3a"  # the stage of the first that is open


def static(name: str) -> str:
    """The text of a stylesheet or script of the app."""
    return files("godeeper.app").joinpath("static", name).read_text(encoding="utf-8")


def clickable(value: str = "", **options: Any) -> gr.HTML:
    """HTML whose buttons and drawn stages send a click event with the value that was opened."""
    return gr.HTML(value, js_on_load=static("open_stage.js"), **options)


class WebApp:
    """The app for a network and a folder of runs; `workers` decode what is uploaded; `blocks` is Gradio's."""

    def __init__(self, network: Network, workers: DecodeWorkers, folder: Path, lang: AppLang) -> None:
        self.decoder = lru_cache(maxsize=1)(workers.image)  # an event reads its image several times
        self.network, self.folder, self.start = network, folder, lang
        self.texts: list[tuple[Any, dict[str, str]]] = []  # components, and the texts' keys of their properties
        with gr.Blocks(title="godeeper", analytics_enabled=False) as self.blocks:
            with gr.Row(equal_height=True, elem_id="header"):
                self.title = gr.HTML(_title(lang), scale=1)
                self.lang = gr.Radio(
                    LANGUAGES, value=lang, show_label=False, container=False, min_width=190, scale=0, elem_id="lang"
                )
            with gr.Tabs():
                self._classify()
                self._explore()
                self._compare()
                self._runs()
            self._switch_language()

    def _translated(self, component: Component, **keys: str) -> Component:
        """Remembers which texts the properties of a component show, for the other language."""
        self.texts.append((component, keys))
        return component

    def _tab(self, key: str) -> Any:
        return self._translated(gr.Tab(text(key, self.start), id=key), label=key)

    def _on(self, event: Any, function: Any, inputs: list[Any], outputs: list[Any], **options: Any) -> None:
        """Of the events that arrive while one is answered, the last is answered next: the browser shows its values."""
        options = {"trigger_mode": "always_last", **options}
        event(function, inputs, outputs, api_visibility="private", show_progress="minimal", **options)

    def _on_network(self, event: Any, function: Any, inputs: list[Any], outputs: list[Any], **options: Any) -> None:
        """Events that run the network: one at a time, of all of these together."""
        self._on(event, function, inputs, outputs, concurrency_limit=1, concurrency_id="network", **options)

    def _classify(self) -> None:
        network, lang = self.network, self.start
        with self._tab("classify"):
            samples = classify_tab.samples(network)  # the first is open at the start
            first = samples[0] if samples else None
            start = classify_tab.predicted(network, lambda: samples[0]) if samples else classify_tab.ImageState()
            self.state = gr.State(start)
            with gr.Row():
                with gr.Column(min_width=300):
                    self.image, self.samples = self._image(first), self._samples(samples)
                with gr.Column(min_width=300):
                    self.predictions = clickable(classify_tab.predictions(network, start, lang), elem_id="predictions")
                    heat_map = classify_tab.heat_map(network, start, lang)
                    self.heat_map = gr.HTML(heat_map, elem_id="heat-map", elem_classes="heat-map")
            with gr.Row(equal_height=True):
                self.crop_count = self._translated(
                    gr.Radio(list(CROPS), value=144, label=text("crops", lang), interactive=True), label="crops"
                )
                button = gr.Button(text("predict_crops", lang), variant="primary", elem_id="predict-crops")
                self.predict_crops = self._translated(button, value="predict_crops")
            self.crops = gr.HTML(elem_id="crop-predictions")
        self._classify_events(network)

    def _image(self, start: Image.Image | None) -> gr.Image:
        """Where an image is put."""
        image = gr.Image(
            start, type="filepath", label=text("image", self.start), placeholder=text("drop", self.start), height=320, buttons=[],
            sources=["upload", "clipboard", "webcam"], interactive=True, elem_id="image",
        )  # fmt: skip
        return self._translated(image, label="image", placeholder="drop")

    def _samples(self, images: list[Image.Image]) -> gr.Gallery:
        """Images to begin with."""
        gallery = gr.Gallery(
            images, label=text("samples", self.start), columns=4, object_fit="contain", allow_preview=False,
            interactive=False, visible=bool(images), buttons=[], elem_id="samples",
        )  # fmt: skip
        return self._translated(gallery, label="samples")

    def _classify_events(self, network: Network) -> None:
        shown = [self.predictions, self.heat_map, self.crops]

        def open_image(upload: dict[str, Any] | None, lang: AppLang) -> list[Any]:
            state = classify_tab.open_image(network, self.decoder, upload["path"] if upload else None)
            predictions = classify_tab.predictions(network, state, lang)
            return [state, predictions, classify_tab.heat_map(network, state, lang), ""]

        def open_sample(event: gr.SelectData) -> str:
            path: str = event.value["image"]["path"]
            return path

        def choose_class(state: classify_tab.ImageState, lang: AppLang, event: gr.EventData) -> list[Any]:
            if str(event.open).isdecimal() and int(event.open) in state.top:
                state.chosen = int(event.open)
            return [state, classify_tab.heat_map(network, state, lang)]

        def predict_crops(state: classify_tab.ImageState, crops: int, lang: AppLang) -> list[Any]:
            state = classify_tab.predict_crops(network, state, crops)
            crops_shown = classify_tab.crop_predictions(network, state, lang)
            return [state, crops_shown or classify_tab.predictions(network, state, lang)]

        # Without preprocessing: the file as it was uploaded. Events other than `change` may come with the image before.
        self._on_network(self.image.change, open_image, [self.image, self.lang], [self.state, *shown], preprocess=False)
        self._on(self.samples.select, open_sample, [], [self.image])
        self._on_network(self.predictions.click, choose_class, [self.state, self.lang], [self.state, self.heat_map])
        inputs = [self.state, self.crop_count, self.lang]
        self._on_network(self.predict_crops.click, predict_crops, inputs, [self.state, self.crops], trigger_mode="once")

    def _explore(self) -> None:
        lang = self.start
        with self._tab("explore"):
            networks = gr.Dropdown(list_models(), value=FIRST, label=text("network", lang), elem_id="explored")
            self.explored = self._translated(networks, label="network")
            self.opened = gr.State(OPENED)  # the name of the stage that is open; none after another network was chosen
            self.audit = gr.HTML(explore_tab.audit_summary(FIRST, lang), elem_id="audit")
            with gr.Row():
                with gr.Column(scale=7, min_width=300):
                    self.table = clickable(explore_tab.stage_table(FIRST, lang, OPENED), elem_id="table")
                with gr.Column(scale=5, min_width=300):
                    stage = explore_tab.stage(FIRST, OPENED, lang)
                    self.stage = gr.HTML(stage, elem_id="stage", js_on_load=static("scroll_to_stage.js"))
            self.drawing = clickable(explore_tab.drawing(FIRST, lang), elem_id="drawing")

        def choose_network(network: str, lang: AppLang) -> list[Any]:
            return [None, *_explored(network, None, lang)]

        def open_stage(network: str, lang: AppLang, event: gr.EventData) -> list[Any]:
            return [str(event.open), explore_tab.stage(network, str(event.open), lang)]

        outputs = [self.opened, self.audit, self.table, self.stage, self.drawing]
        self._on(self.explored.change, choose_network, [self.explored, self.lang], outputs)
        for part in (self.table, self.drawing):
            self._on(part.click, open_stage, [self.explored, self.lang], [self.opened, self.stage])

    def _compare(self) -> None:
        lang = self.start
        with self._tab("compare"):
            with gr.Row():
                first = gr.Dropdown(list_models(), value=FIRST, label=text("network", lang))
                second = gr.Dropdown(list_models(), value=SECOND, label=text("other", lang))
                self.first, self.second = self._translated(first, label="network"), self._translated(second, label="other")
            self.totals = gr.HTML(compare_tab.totals(FIRST, SECOND, lang), elem_id="totals")
            with gr.Row():
                self.left = gr.HTML(compare_tab.costs(FIRST, lang), min_width=300)
                self.right = gr.HTML(compare_tab.costs(SECOND, lang), min_width=300)
        for choice in (self.first, self.second):
            self._on(choice.change, _compared, [self.first, self.second, self.lang], [self.totals, self.left, self.right])

    def _runs(self) -> None:
        lang, folder = self.start, self.folder
        with self._tab("runs"):
            names = runs_tab.find_runs(folder)
            choices = gr.CheckboxGroup(_choices(names), value=names[:1], label=text("choose_runs", lang))
            self.chosen_runs = self._translated(choices, label="choose_runs")
            self.refresh = self._translated(gr.Button(text("refresh", lang), size="sm"), value="refresh")
            self.curves = gr.HTML(runs_tab.curves(folder, names[:1], lang), elem_id="curves")

        def refresh(chosen: list[str], lang: AppLang) -> list[Any]:
            names = runs_tab.find_runs(folder)
            kept = [name for name in chosen if name in names]
            return [gr.update(choices=_choices(names), value=kept), runs_tab.curves(folder, kept, lang)]

        def choose_runs(chosen: list[str], lang: AppLang) -> str:
            return runs_tab.curves(folder, chosen, lang)

        self._on(self.refresh.click, refresh, [self.chosen_runs, self.lang], [self.chosen_runs, self.curves])
        self._on(self.chosen_runs.input, choose_runs, [self.chosen_runs, self.lang], [self.curves])

    def _switch_language(self) -> None:
        """The switch: every text is rendered again, and what is open stays open."""
        network, folder = self.network, self.folder
        inputs = [self.lang, self.state, self.explored, self.opened, self.first, self.second, self.chosen_runs]
        outputs = [
            self.title, self.predictions, self.heat_map, self.crops, self.audit, self.table, self.stage, self.drawing,
            self.totals, self.left, self.right, self.curves,
        ]  # fmt: skip

        def switch(
            lang: AppLang, state: classify_tab.ImageState, explored: str, opened: str | None, first: str, second: str,
            chosen: list[str],
        ) -> list[Any]:  # fmt: skip
            updates: list[Any] = [
                gr.update(**dict[str, Any]((name, text(key, lang)) for name, key in keys.items())) for _, keys in self.texts
            ]
            return [
                _title(lang), classify_tab.predictions(network, state, lang), classify_tab.heat_map(network, state, lang),
                classify_tab.crop_predictions(network, state, lang), *_explored(explored, opened, lang),
                *_compared(first, second, lang), runs_tab.curves(folder, chosen, lang), *updates,
            ]  # fmt: skip

        self._on_network(self.lang.change, switch, inputs, [*outputs, *(component for component, _ in self.texts)])


def _title(lang: AppLang) -> str:
    return fragment("title.html", lang)


def _explored(network: str, opened: str | None, lang: AppLang) -> list[str]:
    return [
        explore_tab.audit_summary(network, lang), explore_tab.stage_table(network, lang, opened),
        explore_tab.stage(network, opened, lang), explore_tab.drawing(network, lang),
    ]  # fmt: skip


def _compared(first: str, second: str, lang: AppLang) -> list[str]:
    return [compare_tab.totals(first, second, lang), compare_tab.costs(first, lang), compare_tab.costs(second, lang)]


def _choices(names: list[str]) -> list[tuple[str, str | int | float]]:
    return [(name, name) for name in names]
