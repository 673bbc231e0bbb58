"""``python -m axonflow`` is the command ``axonflow`` of that Python."""

from __future__ import annotations

from axonflow.cli import main

if __name__ == "__main__":
    main()
