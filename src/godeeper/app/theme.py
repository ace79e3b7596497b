"""The look of the web app: the colours of the guide's site (docs/stylesheets/site.css) as a theme of Gradio."""

from __future__ import annotations

import gradio as gr

BLUE = gr.themes.Color(
    name="godeeper-blue",
    c50="#eaf4fb", c100="#d0e7f5", c200="#a5d0ec", c300="#6cc0ee", c400="#56b4e9", c500="#0072b2", c600="#00639c",
    c700="#14557c", c800="#0b3954", c900="#082b40", c950="#06202f",
)  # fmt: skip
GREY = gr.themes.Color(
    name="godeeper-grey",
    c50="#f6f8fa", c100="#eceff3", c200="#d8dee4", c300="#c3cad2", c400="#a3adb8", c500="#6b7684", c600="#57606a",
    c700="#30363d", c800="#21272f", c900="#161b22", c950="#0d1117",
)  # fmt: skip


def theme() -> gr.themes.Base:
    """Blue and grey as in the drawings, system fonts, small corners, no shadows; text darker than Gradio's own."""
    made = gr.themes.Base(
        primary_hue=BLUE, secondary_hue=BLUE, neutral_hue=GREY, radius_size=gr.themes.sizes.radius_sm,
        font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace"),
    )  # fmt: skip
    return made.set(
        body_background_fill="#ffffff", body_background_fill_dark="#1e2329",
        body_text_color="#1f2328", body_text_color_dark="#e8ebef",
        block_background_fill="#ffffff", block_background_fill_dark="#161b22",
        link_text_color="#00639c", link_text_color_dark="#6cc0ee",
    )  # fmt: skip
