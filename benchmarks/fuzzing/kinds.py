"""Every kind of file that axonflow is given or keeps: how a right one is made, how it is changed, and who opens it."""

from __future__ import annotations

from benchmarks.fuzzing import drawings, models, nnunet, stores, texts, tiffs, zarrs

__all__ = ["KINDS"]

KINDS = (*tiffs.KINDS, *zarrs.KINDS, *drawings.KINDS, *texts.KINDS, *models.KINDS, *nnunet.KINDS, *stores.KINDS)
