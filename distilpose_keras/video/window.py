"""A window that shows pictures while they are worked on."""

import os
import sys

import cv2
import numpy as np

TITLE = "distilpose (q ends)"
KEYS = (ord("q"), 27)  # 27: escape


class Window:
    """A window on the screen, for the main thread alone."""

    def __init__(self) -> None:
        """Open it.

        Raises:
            ValueError: if there is no screen, or the installed OpenCV has no windows.
        """
        has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if sys.platform.startswith("linux") and not has_screen:
            raise ValueError("--show needs a screen: DISPLAY is not set")
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
        except cv2.error:
            raise ValueError(
                "--show needs an OpenCV with windows: install opencv-contrib-python "
                "in place of opencv-contrib-python-headless"
            ) from None

    def show(self, image: np.ndarray) -> bool:
        """Show an image (RGB); return False once the user has asked to end."""
        cv2.imshow(TITLE, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF not in KEYS

    def close(self) -> None:
        """Close it."""
        cv2.destroyWindow(TITLE)
