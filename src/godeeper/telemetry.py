"""Nothing about its use leaves the machine: the libraries below would send it, or keep an identifier for that purpose."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Read when the library is imported, from the environment, whose variables child processes inherit.
OPT_OUTS = {
    "DO_NOT_TRACK": "1",  # what several libraries have agreed on
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "NNCF_CI": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime also keeps a device id and a database of events in the cache folder
}


def opt_out() -> None:
    """Opts out of the telemetry of what godeeper imports, for this process and its children; to be called before those imports.

    The environment is overruled: no variable of it opts in again.
    """
    os.environ.update(OPT_OUTS)
    # It sends an event for each `import openvino` and each use of NNCF, with an identifier that it keeps in the home folder, and
    # knows of no variable that means no. OpenVINO and NNCF do without it where it cannot be imported.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    _keep_matplotlib_out_of_config()


def _keep_matplotlib_out_of_config() -> None:
    """matplotlib makes a folder for settings that nobody has made; its cache stays where it is."""
    home = os.path.expanduser("~")
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or f"{home}/.config", "matplotlib")
    if "MPLCONFIGDIR" not in os.environ and not settings.is_dir() and home != "~":
        os.environ["MPLCONFIGDIR"] = str(Path(os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache", "matplotlib"))
