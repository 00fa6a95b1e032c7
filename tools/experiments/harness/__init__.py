"""Train the variants of a study over several seeds and compare them."""

import lcr_mmaction  # noqa: F401 - MMAction2 can be imported only after it
