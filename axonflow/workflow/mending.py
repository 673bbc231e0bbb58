"""What of a store was damaged since an earlier run wrote it, made anew by the next one, which says so."""

from __future__ import annotations

import logging

from axonflow.engine.events import Listener, Noted
from axonflow.engine.proof import DAMAGED, mend, named, prove
from axonflow.kernel.files import remove
from axonflow.stages.layout import Layout

__all__ = ["mend_store"]

log = logging.getLogger(__name__)


def mend_store(layout: Layout, on_event: Listener, *, thorough: bool = False) -> bool:
    """Have the next run make anew what is damaged.

    Parameters
    ----------
    layout : Layout
        Of the store, which no other run may be writing.
    on_event : callable
        Called with a note of it.
    thorough : bool
        Whether all bytes of all files are looked at, as they also are where an earlier look has found something.

    Returns
    -------
    bool
        Whether anything was damaged.
    """
    mark, journal = layout.private / DAMAGED, layout.private / "journal"
    if journal.is_symlink() or not journal.is_dir():
        remove(journal)  # whatever is there
    damages = prove(journal, quick=not thorough and not mark.exists()).damages
    if damages:
        for damage in damages:
            log.warning("%s %s", damage.path, damage.what)
        list(mend(damages))
        on_event(Noted(f"Damaged, and made anew: {named(damages, layout.store)}."))
    remove(mark)
    return bool(damages)
