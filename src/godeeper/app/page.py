"""The page put together: what is where, and what happens when."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from ..data.crops import CROPS
from ..models.network import Network
from ..papers.registry import list_models
from . import classify, compare, explore, runs
from .html import note
from .style import OPEN, SHOW
from .words import Lang, say

Component = TypeVar("Component", bound=gr.blocks.Block)
LANGUAGES: list[tuple[str, str | int | float]] = [("English", "en"), ("中文", "zh")]


def opener(value: str = "", **options: Any) -> gr.HTML:
    """HTML whose buttons and drawn stages tell which was chosen."""
    return gr.HTML(value, js_on_load=OPEN, **options)


class Page:
    """The page of a network and a folder of runs; `blocks` is Gradio's."""

    def __init__(self, network: Network | None, folder: Path, lang: Lang) -> None:
        self.network, self.folder, self.start = network, folder, lang
        self.texts: list[tuple[Any, dict[str, str]]] = []  # components, and which of their properties are which words
        with gr.Blocks(title="godeeper", analytics_enabled=False) as self.blocks:
            with gr.Row(equal_height=True):
                self.title = gr.HTML(self._title(lang), scale=1)
                self.lang = gr.Radio(
                    LANGUAGES, value=lang, show_label=False, container=False, min_width=190, scale=0, elem_id="lang"
                )
            with gr.Tabs():
                self._classify()
                self._explore()
                self._compare()
                self._runs()
            self._language()

    def _word(self, component: Component, **words: str) -> Component:
        """Remembers what a component says, for the other language."""
        self.texts.append((component, words))
        return component

    def _title(self, lang: str) -> str:
        return f"<h1>{say('title', lang)}<small>{say('subtitle', lang)}</small></h1>"  # type: ignore[arg-type]

    def _tab(self, key: str) -> Any:
        return self._word(gr.Tab(say(key, self.start), id=key), label=key)

    def _classify(self) -> None:
        network, lang = self.network, self.start
        with self._tab("classify"):
            self.seen = gr.State(classify.Seen())
            with gr.Row():
                with gr.Column(min_width=300):
                    self.image, self.samples = self._drop(), self._samples()
                with gr.Column(min_width=300):
                    self.answer = opener(classify.answer(network, classify.Seen(), lang), elem_id="answer")
                    self.heat = gr.HTML(elem_id="heat", elem_classes="heat")
            on = network is not None
            with gr.Row(equal_height=True):
                self.scheme = self._word(
                    gr.Radio(list(CROPS), value=144, label=say("crops", lang), interactive=on), label="crops"
                )
                self.vote = self._word(gr.Button(say("vote", lang), interactive=on, elem_id="vote"), value="vote")
            self.votes = gr.HTML(elem_id="votes")
        if network is not None:
            self._classified(network)

    def _drop(self) -> gr.Image:
        """Where an image is put."""
        image = gr.Image(
            type="filepath", label=say("image", self.start), placeholder=say("drop", self.start), height=320, buttons=[],
            sources=["upload", "clipboard", "webcam"], interactive=self.network is not None, elem_id="image",
        )  # fmt: skip
        return self._word(image, label="image", placeholder="drop")

    def _samples(self) -> gr.Gallery:
        """Images to begin with."""
        images = classify.samples(self.network)
        gallery = gr.Gallery(
            images, label=say("samples", self.start), columns=4, object_fit="contain", allow_preview=False,
            interactive=False, visible=bool(images), buttons=[], elem_id="samples",
        )  # fmt: skip
        return self._word(gallery, label="samples")

    def _classified(self, network: Network) -> None:
        """What happens on the first tab."""
        shown = [self.answer, self.heat, self.votes]

        def look(upload: dict[str, Any] | None, lang: Lang) -> list[Any]:
            seen = classify.look(network, upload["path"] if upload else None)
            return [seen, classify.answer(network, seen, lang), classify.evidence(network, seen, lang), ""]

        def sample(lang: Lang, event: gr.SelectData) -> list[Any]:
            file = event.value["image"]["path"]
            return [file, *look(event.value["image"], lang)]

        def choose(seen: classify.Seen, lang: Lang, event: gr.EventData) -> list[Any]:
            if str(event.open).isdecimal() and int(event.open) in seen.best:
                seen.chosen = int(event.open)
            return [seen, classify.evidence(network, seen, lang)]

        def vote(seen: classify.Seen, scheme: int, lang: Lang) -> list[Any]:
            seen = classify.vote(network, seen, scheme)
            return [seen, classify.ballots(network, seen, lang) or note(say("no_image", lang))]

        for event in (self.image.input, self.image.clear):
            self._ask(event, look, [self.image, self.lang], [self.seen, *shown], preprocess=False)  # the file, as it came
        self._ask(self.samples.select, sample, [self.lang], [self.image, self.seen, *shown])
        self._ask(self.answer.click, choose, [self.seen, self.lang], [self.seen, self.heat])
        self._ask(self.vote.click, vote, [self.seen, self.scheme, self.lang], [self.seen, self.votes], trigger_mode="once")

    def _on(self, event: Any, function: Any, inputs: list[Any], outputs: list[Any], **options: Any) -> None:
        """Of what is asked while an answer is under way, the last is answered next: none may be lost that the page shows."""
        options = {"trigger_mode": "always_last", **options}
        event(function, inputs, outputs, api_visibility="private", show_progress="minimal", **options)

    def _ask(self, event: Any, function: Any, inputs: list[Any], outputs: list[Any], **options: Any) -> None:
        """What needs the network: one at a time, of all of these together."""
        self._on(event, function, inputs, outputs, concurrency_limit=1, concurrency_id="network", **options)

    def _explore(self) -> None:
        lang = self.start
        with self._tab("explore"):
            self.explored = self._word(
                gr.Dropdown(list_models(), value="googlenet", label=say("network", lang), elem_id="explored"), label="network"
            )
            self.stage = gr.State(None)
            self.audit = gr.HTML(explore.summary("googlenet", lang), elem_id="audit")
            with gr.Row():
                with gr.Column(scale=6, min_width=300):
                    self.table = opener(explore.rows("googlenet", lang), elem_id="table")
                with gr.Column(scale=5, min_width=300):
                    self.opened = gr.HTML(explore.opened("googlenet", None, lang), elem_id="opened", js_on_load=SHOW)
            self.whole = opener(explore.whole("googlenet", lang), elem_id="whole")

        def other(network: str, lang: Lang) -> list[Any]:
            return [
                None, explore.summary(network, lang), explore.rows(network, lang), explore.opened(network, None, lang),
                explore.whole(network, lang),
            ]  # fmt: skip

        def opening(network: str, lang: Lang, event: gr.EventData) -> list[Any]:
            return [str(event.open), explore.opened(network, str(event.open), lang)]

        self._on(
            self.explored.change, other, [self.explored, self.lang], [self.stage, self.audit, self.table, self.opened, self.whole]
        )
        for part in (self.table, self.whole):
            self._on(part.click, opening, [self.explored, self.lang], [self.stage, self.opened])

    def _compare(self) -> None:
        lang, first, second = self.start, "googlenet", "inception_v4"
        with self._tab("compare"):
            with gr.Row():
                self.first = self._word(gr.Dropdown(list_models(), value=first, label=say("network", lang)), label="network")
                self.second = self._word(gr.Dropdown(list_models(), value=second, label=say("other", lang)), label="other")
            self.totals = gr.HTML(compare.totals(first, second, lang), elem_id="totals")
            with gr.Row():
                self.left = gr.HTML(compare.costs(first, lang), min_width=300)
                self.right = gr.HTML(compare.costs(second, lang), min_width=300)
        for choice in (self.first, self.second):
            self._on(choice.change, _compared, [self.first, self.second, self.lang], [self.totals, self.left, self.right])

    def _runs(self) -> None:
        lang, folder = self.start, self.folder
        with self._tab("runs"):
            names = runs.found(folder)
            self.chosen = self._word(
                gr.CheckboxGroup(_choices(names), value=names[:1], label=say("choose_runs", lang)), label="choose_runs"
            )
            self.again = self._word(gr.Button(say("refresh", lang), size="sm"), value="refresh")
            self.curves = gr.HTML(runs.page(folder, names[:1], lang), elem_id="curves")

        def again(chosen: list[str], lang: Lang) -> list[Any]:
            names = runs.found(folder)
            kept = [name for name in chosen if name in names]
            return [gr.update(choices=_choices(names), value=kept), runs.page(folder, kept, lang)]

        def page(chosen: list[str], lang: Lang) -> str:
            return runs.page(folder, chosen, lang)

        self._on(self.again.click, again, [self.chosen, self.lang], [self.chosen, self.curves])
        self._on(self.chosen.input, page, [self.chosen, self.lang], [self.curves])

    def _language(self) -> None:
        """The switch: everything that is said is said anew, and what is shown stays."""
        network, folder = self.network, self.folder
        inputs = [self.lang, self.seen, self.explored, self.stage, self.first, self.second, self.chosen]
        outputs = [
            self.title, self.answer, self.heat, self.votes, self.audit, self.table, self.opened, self.whole,
            self.totals, self.left, self.right, self.curves,
        ]  # fmt: skip

        def switch(
            lang: Lang, seen: classify.Seen, name: str, stage: str | None, first: str, second: str, chosen: list[str]
        ) -> list[Any]:
            said: list[Any] = [gr.update(**_said(words, lang)) for _, words in self.texts]
            return [
                self._title(lang), classify.answer(network, seen, lang), classify.evidence(network, seen, lang),
                classify.ballots(network, seen, lang), explore.summary(name, lang), explore.rows(name, lang, stage),
                explore.opened(name, stage, lang), explore.whole(name, lang), *_compared(first, second, lang),
                runs.page(folder, chosen, lang), *said,
            ]  # fmt: skip

        self._ask(self.lang.change, switch, inputs, [*outputs, *(component for component, _ in self.texts)])


def _compared(first: str, second: str, lang: Lang) -> list[str]:
    return [compare.totals(first, second, lang), compare.costs(first, lang), compare.costs(second, lang)]


def _said(words: dict[str, str], lang: Lang) -> dict[str, Any]:
    return {prop: say(key, lang) for prop, key in words.items()}


def _choices(names: list[str]) -> list[tuple[str, str | int | float]]:
    return [(name, name) for name in names]
