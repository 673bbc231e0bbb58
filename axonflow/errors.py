"""The tree of errors a user can meet.

::

    AxonflowError
    ├── InputError            refused before any work: what was given cannot be used  (exit code 2)
    │   ├── SlideError        the file cannot be read as a slide
    │   ├── PixelSizeError    the pixel size is unknown or not believable
    │   ├── ModelError        the model is unknown, damaged or does not fit
    │   ├── StoreError        the store is of another slide, locked, or cannot be read
    │   │   └── DamageError   a file of it is not as it was written
    │   └── PlanError         the run would not fit in memory or on disk
    └── RunError              the work began and failed; run again to continue      (exit code 1)
        ├── FleetError        no worker is left to do it, or none ever came
        └── DeviceError       an accelerator failed, or has too little memory

Each also subclasses the built-in error that describes it, so ``except ValueError`` keeps working for callers of
the Python API. A message says what was expected, what came instead, and what to do next.
"""

from __future__ import annotations

__all__ = [
    "AxonflowError",
    "DamageError",
    "DeviceError",
    "FleetError",
    "InputError",
    "ModelError",
    "PixelSizeError",
    "PlanError",
    "RunError",
    "SlideError",
    "StoreError",
]


class AxonflowError(Exception):
    """Base of every error that axonflow raises on purpose."""


class InputError(AxonflowError, ValueError):
    """What was given cannot be used; nothing was done."""


class SlideError(InputError):
    """The file cannot be read as a slide."""


class PixelSizeError(InputError):
    """The pixel size is unknown or not believable."""


class ModelError(InputError):
    """The model is unknown, damaged, or does not fit the slide."""


class StoreError(InputError):
    """The store belongs to another slide, is in use, or cannot be read."""


class DamageError(StoreError):
    """A file of the store is not as it was written; running again makes it anew."""


class PlanError(InputError, MemoryError):
    """The run does not fit in the memory or on the disk that there is."""


class RunError(AxonflowError, RuntimeError):
    """The work began and could not be finished; what was computed is kept."""


class FleetError(RunError):
    """No worker is left to do the work, or none ever came."""


class DeviceError(RunError):
    """An accelerator failed, or has too little memory for a single window."""
