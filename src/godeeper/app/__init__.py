"""The web app: classify an image, explore a network's table, compare two networks, look at training runs."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before Gradio is imported: nothing leaves this machine
