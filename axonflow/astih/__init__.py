"""The public data sets of ASTIH: what they are, how to get them, how a model is scored on them.

The Axon Segmentation Training Initiative for Histology publishes labelled microscopy images, names the subjects that
no model may learn from, and publishes models of its own (https://github.com/axondeepseg/ASTIH).
"""

from __future__ import annotations

from axonflow.astih.download import download, download_model
from axonflow.astih.offered import OFFERED, OfferedModel, fetch_model, find_offered
from axonflow.astih.sets import MODELS, SETS, Archive, DataSet, PublishedModel, find_model, find_set
from axonflow.astih.split import images_of_test_split, make_splits

__all__ = [
    "MODELS",
    "OFFERED",
    "SETS",
    "Archive",
    "DataSet",
    "OfferedModel",
    "PublishedModel",
    "download",
    "download_model",
    "fetch_model",
    "find_model",
    "find_offered",
    "find_set",
    "images_of_test_split",
    "make_splits",
]
