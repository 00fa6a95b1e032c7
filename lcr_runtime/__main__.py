"""``python -m lcr_runtime`` is ``lcr``."""

from .commands.main import main

main()
