"""Run AxonDeepSeg's morphometrics on an image's masks, as its command does, and time the part of it that measures.

Run by the Python of AxonDeepSeg's environment, in the folder of the image: ``measure_axondeepseg.py IMAGE PIXEL_UM``.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from AxonDeepSeg.morphometrics import launch_morphometrics_computation as command

said: dict[str, Any] = {}
compute = command.get_axon_morphometrics


def timed(*words: Any, **options: Any) -> Any:
    """Measure, and note how long it took and what came out."""
    started = time.perf_counter()
    output = compute(*words, **options)
    table = output[0]
    said["seconds"] = time.perf_counter() - started
    said["axons"] = len(table)
    said["gratio"] = float(table["gratio"].mean())
    said["diameter_um"] = float(table["axon_diam"].mean())
    return output


command.get_axon_morphometrics = timed
try:
    command.main(["-i", sys.argv[1], "-s", sys.argv[2]])
except SystemExit as end:
    if end.code:
        raise
print(json.dumps(said))
