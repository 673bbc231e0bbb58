"""The command ``axonflow``: flags in, exit code out. All else is done elsewhere; a file here is a group of commands."""

from __future__ import annotations

from axonflow.cli import analyse as _analyse
from axonflow.cli import astih as _astih
from axonflow.cli import batch as _batch
from axonflow.cli import check as _check
from axonflow.cli import cluster as _cluster
from axonflow.cli import doctor as _doctor
from axonflow.cli import evaluate as _evaluate
from axonflow.cli import export as _export
from axonflow.cli import figure as _figure
from axonflow.cli import info as _info
from axonflow.cli import models as _models
from axonflow.cli import phantom as _phantom
from axonflow.cli import plan as _plan
from axonflow.cli import report as _report
from axonflow.cli import score as _score
from axonflow.cli import status as _status
from axonflow.cli import submit as _submit
from axonflow.cli import train as _train
from axonflow.cli import view as _view
from axonflow.cli.terminal import app, replace_what_cannot_be_shown

__all__ = ["app", "main"]

# imported, in this order, for what they hang on app
_GROUPS = (
    _analyse,
    _plan,
    _info,
    _export,
    _figure,
    _phantom,
    _view,
    _report,
    _batch,
    _submit,
    _status,
    _check,
    _cluster,
    _train,
    _score,
    _evaluate,
    _models,
    _astih,
    _doctor,
)


def main() -> None:
    """Run the command and leave with its exit code."""
    replace_what_cannot_be_shown()
    app()
