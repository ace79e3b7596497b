"""Write networks and detectors for other engines, each file checked before it is there.

The functions are those of `deploy`: they already take typed options, give typed results and print nothing.
"""

from __future__ import annotations

from ..deploy.detector_export import DetectorExportReport, export_detector
from ..deploy.export import ExportReport, export

__all__ = ["DetectorExportReport", "ExportReport", "export", "export_detector"]
