"""The page for the browser: classify, explore a network's table, compare two, look at runs."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: nothing leaves this machine
