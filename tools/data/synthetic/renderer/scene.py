"""The room, the body and the camera around the hand."""

from __future__ import annotations

import cv2
import numpy as np

from .motion import wander
from .person import FRAME_HEIGHT, Person

SHIFT = 4  # OpenCV's fixed-point coordinates: 1/16 pixel
_SCALE = 1 << SHIFT
_MARGIN = 24
_NOISE_BANK: dict[int, tuple[np.ndarray, np.ndarray]] = {}


def light_map(person: Person, height: int, width: int) -> np.ndarray:
    """Relative brightness over the picture `[height, width, 1]`."""
    across, down = person.light
    x = np.linspace(-0.5, 0.5, width)[None, :, None]
    y = np.linspace(-0.5, 0.5, height)[:, None, None]
    return (1.0 + across * x + down * y).astype(np.float32)


def make_room(person: Person) -> np.ndarray:
    """Background `[H + 48, W + 48, 3]` uint8: blotches, grain and furniture."""
    rng = np.random.default_rng(person.room_seed)
    height, width = FRAME_HEIGHT + 2 * _MARGIN, person.width + 2 * _MARGIN
    level = rng.uniform(45, 215)
    # Rooms of the very brightness of the skin would hide the hand.
    level += np.sign(level - person.skin.mean()) * 25
    base = np.clip(level, 25, 235) + rng.normal(0, 12, 3)
    clutter = person.clutter

    def texture(rows: int, strength: float) -> np.ndarray:
        small = rng.normal(0, strength, (rows, int(rows * 1.5), 3)).astype(np.float32)
        small += rng.normal(0, strength, (*small.shape[:2], 1)).astype(np.float32)
        return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    room = texture(5, rng.uniform(6, 20) * clutter)
    room += texture(26, rng.uniform(2, 10) * clutter)
    room += base.astype(np.float32)
    for _ in range(rng.integers(0, 2 + round(8 * clutter))):
        left, top = rng.integers(0, width), rng.integers(0, height)
        size = rng.integers(8, 70, 2)
        colour = np.clip(base + rng.normal(0, 44 * clutter, 3), 5, 250).tolist()
        thickness = -1 if rng.random() < 0.7 else int(rng.integers(1, 4))
        corner = (int(left + size[0]), int(top + size[1]))
        if rng.random() < 0.75:
            cv2.rectangle(room, (int(left), int(top)), corner, colour, thickness)
        else:
            radius = int(size[0] // 3)
            cv2.circle(room, (int(left), int(top)), radius, colour, thickness)
    room *= light_map(person, height, width)
    return np.clip(room, 0, 255).astype(np.uint8)


def _noise(level: int) -> tuple[np.ndarray, np.ndarray]:
    """Positive and negative part of sensor noise, larger than any picture."""
    if level not in _NOISE_BANK:
        rng = np.random.default_rng([77, level])
        shape = (FRAME_HEIGHT + 40, 220, 3)
        grain = rng.normal(0, level / 2, shape) + rng.normal(
            0, level / 4, (*shape[:2], 1)
        )
        grain = np.rint(grain)
        _NOISE_BANK[level] = (
            np.clip(grain, 0, 255).astype(np.uint8),
            np.clip(-grain, 0, 255).astype(np.uint8),
        )
    return _NOISE_BANK[level]


def fixed(points: np.ndarray) -> np.ndarray:
    """Pixel coordinates to OpenCV's fixed point."""
    return np.rint(points * _SCALE).astype(np.int32)


def _ellipse(x: float, y: float, a: float, b: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return np.stack([x + a * np.cos(angle), y + b * np.sin(angle)], -1)


class Scene:
    """Draws what is behind the hand and what the camera does to the picture."""

    def __init__(
        self, person: Person, rng: np.random.Generator, num_frames: int
    ) -> None:
        self.person = person
        self.room = make_room(person)
        size = FRAME_HEIGHT
        shake = wander(rng, num_frames, 2) + 0.5 * rng.normal(0, 1, (num_frames, 2))
        self.camera = person.jitter * size * shake
        self.pan = self._pan(rng, num_frames)
        sway = wander(rng, num_frames, 2) * rng.uniform(0.0, 0.012) * size
        self.body_at = self.camera + sway
        flicker = wander(rng, num_frames, 1)[:, 0] * rng.uniform(0.0, 0.05)
        self.gain = person.gain * (1.0 + flicker)
        self.grain_at = rng.integers(0, 40, (num_frames, 2))
        self.grain = _noise(max(1, int(round(person.noise * rng.uniform(0.6, 1.3)))))
        self.body = self._body_shapes() if person.shows_body else []

    def _pan(self, rng: np.random.Generator, num_frames: int) -> np.ndarray:
        """Shift of the room `[T, 2]` in pixels; some rooms slide to and fro."""
        speed = rng.normal(0, 0.6, 2) * self.person.clutter * (rng.random() < 0.35)
        time = np.arange(num_frames)[:, None]
        start = rng.uniform(0, 2 * np.pi, 2)
        slide = 12.0 * np.sin(start + speed / 12.0 * time)
        return np.clip(slide + self.camera, 1 - _MARGIN, _MARGIN - 1)

    def _body_shapes(self) -> list[tuple[np.ndarray, tuple[float, ...]]]:
        person, size = self.person, FRAME_HEIGHT
        x, y, a, b = person.head
        x, y = person.width / 2 + x * size, size / 2 + y * size
        a, b = a * size, b * size
        half, top = person.shoulders[0] * size, size / 2 + person.shoulders[1] * size
        top = float(np.clip(top, y + 1.1 * b, y + 1.4 * b))
        torso = np.array(
            [
                [x - 0.4 * half, top],
                [x + 0.4 * half, top],
                [x + 0.9 * half, top + 0.14 * size],
                [x + 1.05 * half, top + 0.3 * size],
                [x + 1.1 * half, 1.4 * size],
                [x - 1.1 * half, 1.4 * size],
                [x - 1.05 * half, top + 0.3 * size],
                [x - 0.9 * half, top + 0.14 * size],
            ]
        )
        neck = np.array(
            [
                [x - 0.5 * a, y],
                [x + 0.5 * a, y],
                [x + 0.55 * a, top + 3],
                [x - 0.55 * a, top + 3],
            ]
        )
        # The lamp stands nearer to the hand than to the face.
        skin = person.skin * 0.8
        shapes = [
            (neck, skin * 0.8),
            (torso, person.sleeve * 0.9),
            (_ellipse(x, y - 0.15 * b, 1.1 * a, 1.02 * b), person.hair),
            (_ellipse(x, y + 0.08 * b, 0.92 * a, 0.92 * b), skin),
            (_ellipse(x - 0.38 * a, y, 0.13 * a, 0.07 * b), skin * 0.35),
            (_ellipse(x + 0.38 * a, y, 0.13 * a, 0.07 * b), skin * 0.35),
            (_ellipse(x, y + 0.55 * b, 0.3 * a, 0.06 * b), skin * 0.6),
        ]
        return [
            (fixed(points), tuple((self.shade(points.mean(0)) * colour).tolist()))
            for points, colour in shapes
        ]

    def shade(self, point: np.ndarray) -> float:
        """Relative brightness at a pixel."""
        across, down = self.person.light
        x = np.clip(point[..., 0] / self.person.width - 0.5, -0.6, 0.6)
        y = np.clip(point[..., 1] / FRAME_HEIGHT - 0.5, -0.6, 0.6)
        return 1.0 + across * x + down * y

    def backdrop(self, frame: int) -> np.ndarray:
        """Room and body `[H, W, 3]`, blue-green-red uint8."""
        shift = self.pan[frame] - _MARGIN
        warp = np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float64)
        size = (self.person.width, FRAME_HEIGHT)
        picture = cv2.warpAffine(self.room, warp, size, flags=cv2.INTER_LINEAR)
        at = fixed(self.body_at[frame])
        for points, colour in self.body:
            cv2.fillConvexPoly(picture, points + at, colour, cv2.LINE_AA, SHIFT)
        return picture

    def develop(self, picture: np.ndarray, frame: int) -> np.ndarray:
        """Apply the lens, the exposure and the sensor noise."""
        if self.person.blur > 0.35:
            sigma = self.person.blur
            picture = cv2.GaussianBlur(picture, (3, 3), sigma)
        picture = cv2.convertScaleAbs(picture, alpha=self.gain[frame])
        top, left = self.grain_at[frame]
        window = np.s_[top : top + FRAME_HEIGHT, left : left + self.person.width]
        plus, minus = self.grain
        picture = cv2.add(picture, plus[window])
        return cv2.subtract(picture, minus[window])
