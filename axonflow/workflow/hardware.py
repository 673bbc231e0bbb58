"""What the network will be computed on, known before any stage is declared: the workers' hardware, never the driver's.

A GPU computes in float16, a processor in whole numbers, bfloat16 or float32, and which of them it was is part of what a
result is. So it is decided once for a store, by those who will apply the network:

- threads and processes of this machine: by this machine;
- jobs: by whether they ask for a GPU. None runs yet, so without one the driver's processor stands for theirs;
- a scheduler that runs already: by its workers, which are asked. Where some declare a GPU, these alone apply the
  network, and these alone are asked: workers beside them do the rest, which has no precision. Where workers differ, it
  is what all of them compute fast, or else float32. Where none has come yet, the driver's processor stands for them.
"""

from __future__ import annotations

from dataclasses import replace

from axonflow.engine.fleet.joined import ask_workers
from axonflow.engine.fleet.processes import visible_gpus
from axonflow.engine.profile import Profile
from axonflow.net.precision import Precisions, best_precisions, has_gpu, processor_precisions

__all__ = ["precisions_of_workers", "with_gpus"]


def precisions_of_workers(profile: Profile) -> Precisions:
    """Return in what a profile's workers are to compute networks.

    Raises
    ------
    InputError
        If nothing answers at a scheduler's address.
    """
    if profile.system == "local":
        return best_precisions()
    if profile.system == "scheduler":
        answers = set(ask_workers(profile, best_precisions)) or {processor_precisions()}
        floats = {answer.floats for answer in answers}
        return Precisions(floats.pop() if len(floats) == 1 else "float32", all(answer.bytes for answer in answers))
    return Precisions("float16") if profile.gpus else processor_precisions()


def with_gpus(profile: Profile) -> Profile:
    """Have processes of this machine share out its GPUs, if it has any that compute; threads take turns on one."""
    if profile.system != "local" or profile.in_process or profile.gpus or not visible_gpus() or not has_gpu():
        return profile
    return replace(profile, gpus=1)
