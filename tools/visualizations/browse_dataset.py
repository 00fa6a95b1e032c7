"""Look at a dataset with MMAction2's own ``browse_dataset.py``.

Frames with an edge map appear with it on their right.
"""

from lcr_mmaction.upstream.browsing import show_frames_as_pictures
from lcr_mmaction.upstream.doors import run_stock_script

if __name__ == "__main__":
    show_frames_as_pictures()
    run_stock_script("visualizations/browse_dataset.py")
