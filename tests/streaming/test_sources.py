"""Arrays, files, cameras and network streams."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time

import cv2
import numpy as np
import pytest
from stream_cases import Camera, moving_square, numbered, wait_until, write_video
from video_files import Kind, write

from lcr_runtime.live import LiveSource
from lcr_runtime.sources import ArraySource, VideoSource, open_source
from lcr_runtime.video import VideoError
from lcr_runtime.video.limit import within


def test_arrays_come_with_times():
    frames = moving_square(3)
    source = ArraySource(iter(frames), fps=10, channel_order="rgb")
    read = list(source)
    assert [frame.time for frame in read] == pytest.approx([0, 0.1, 0.2])
    assert all(frame.image is image for frame, image in zip(read, frames, strict=True))
    assert source.ended and source.channel_order == "rgb"
    assert source.read() is None


def test_video_file_gives_bgr_frames(tmp_path):
    frames = moving_square(6)
    path = write_video(tmp_path / "v.mp4", frames)
    with open_source(path) as source:
        read = list(source)
    assert [frame.index for frame in read] == list(range(6))
    for frame, original in zip(read, frames, strict=True):
        assert np.abs(frame.image.astype(int) - original).mean() < 6  # lossy codec
    assert source.ended


@pytest.mark.parametrize(("wanted", "given"), [(None, 10), (5, 5), (25, 10)])
def test_video_file_tells_the_rate_it_gives(tmp_path, wanted, given):
    path = write_video(tmp_path / "v.mp4", moving_square(6))
    assert open_source(path, wanted).fps == pytest.approx(given)


def test_missing_and_broken_files_are_told_apart(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.mp4"):
        open_source(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(VideoError, match="text.mp4 cannot be read by pyav"):
        open_source(tmp_path / "text.mp4")


def test_an_empty_source_is_an_error():
    with pytest.raises(ValueError, match="the source is empty"):
        list(ArraySource(iter([])))


@pytest.mark.parametrize("orientation", [90, 180, 270, "mirror"])
def test_a_phone_held_in_any_way_gives_upright_frames(tmp_path, orientation):
    lossless = dict(codec="qtrle", pixels="rgb24")
    upright = write(Kind("upright.mov", **lossless), tmp_path)
    turned = Kind("turned.mov", orientation=orientation, **lossless)
    with (
        open_source(upright, fps=4) as one,
        open_source(write(turned, tmp_path), fps=4) as other,
    ):
        frames = list(zip(one, other, strict=True))
    assert len(frames) == 5
    for frame, same in frames:
        assert frame.time == same.time
        assert np.array_equal(frame.image, same.image)


def test_times_come_from_the_container_and_thin_it_out(tmp_path):
    times = [500, 540, 590, 900, 940, 2000]
    path = write(Kind("variable.mp4", count=6, times=times), tmp_path)
    with open_source(path, fps=10) as source:
        read = [(frame.index, round(frame.time, 3)) for frame in source]
    assert read == [(0, 0.0), (3, 0.4), (5, 1.5)]


def test_missing_camera_is_named():
    with pytest.raises(ConnectionError, match="camera 63"):
        open_source(63)


def test_slow_reader_gets_the_newest_frame_and_the_count_of_lost_ones():
    camera = Camera(numbered(10))
    source = LiveSource(0, max_attempts=0, opener=lambda _: camera)
    wait_until(lambda: not source._thread.is_alive())
    frame = source.read()
    assert frame.image[0, 0, 0] == 9 and frame.index == 9
    assert source.dropped == 9
    with pytest.raises(ConnectionError, match="lost 0"):
        source.read()
    source.close()


def test_a_driver_that_fails_in_its_own_way_ends_the_reading():
    class Faulty(Camera):
        def read(self):
            if not self.frames:
                raise ValueError("frame of 0 x 0")
            return super().read()

    camera = Faulty(numbered(1))
    with LiveSource(0, opener=lambda _: camera) as source:
        assert source.read().index == 0
        with pytest.raises(ConnectionError, match="lost 0: ValueError: frame of 0 x 0"):
            within(10, source.read)
        assert not camera.isOpened()


def test_fast_reader_loses_nothing():
    camera = Camera(numbered(20), pace=0.01)
    source = LiveSource(0, max_attempts=0, opener=lambda _: camera)
    seen = []
    with pytest.raises(ConnectionError):
        for frame in source:
            seen.append(int(frame.image[0, 0, 0]))
    # A busy machine may still drop some; then they are counted.
    assert len(seen) + source.dropped == 20
    assert seen == sorted(seen) and seen[-1] == 19
    source.close()


def test_lost_camera_is_found_again_with_growing_patience():
    attempts = []
    cameras = [
        Camera(numbered(2)),
        Camera([], opens=False),
        Camera([], opens=False),
        Camera(numbered(50, first=100), pace=0.01),
    ]

    def opener(target):
        attempts.append(time.monotonic())
        return cameras[len(attempts) - 1]

    source = LiveSource("rtsp://camera", first_delay=0.05, opener=opener)
    while source.read().image[0, 0, 0] < 100:
        pass
    assert source.reconnects == 1
    gaps = np.diff(attempts)
    assert all(gaps >= [0.05, 0.1, 0.2])
    source.close()
    assert all(camera.released for camera in cameras)


def test_attempts_run_out():
    opened = []

    def opener(target):
        opened.append(Camera(numbered(1)) if not opened else Camera([], opens=False))
        return opened[-1]

    source = LiveSource(0, max_attempts=2, first_delay=0.01, opener=opener)
    wait_until(lambda: not source._thread.is_alive())
    assert len(opened) == 3
    source.read()
    with pytest.raises(ConnectionError, match="2 attempts"):
        source.read()


def test_closing_releases_the_device_and_the_reader():
    camera = Camera(numbered(1000), pace=0.005)
    source = LiveSource(0, opener=lambda _: camera)
    source.read()
    source.close()
    source.close()
    assert camera.released
    assert not source._thread.is_alive()
    assert source.read() is None


def test_closing_interrupts_the_wait_for_a_reconnect():
    source = LiveSource(0, first_delay=60, opener=lambda _: Camera(numbered(1)))
    source.read()
    began = time.monotonic()
    source.close()
    assert time.monotonic() - began < 30
    assert not source._thread.is_alive()


def test_errors_of_the_driver_count_as_a_lost_connection():
    class Broken(Camera):
        def read(self):
            raise cv2.error("bad packet")

    cameras = [Camera(numbered(1)), Broken([]), None, Camera(numbered(9, first=100))]

    def opener(target):
        camera = cameras.pop(0)
        if camera is None:
            raise cv2.error("no driver")
        return camera

    source = LiveSource(0, max_attempts=3, first_delay=0.01, opener=opener)
    while source.read().image[0, 0, 0] < 100:
        pass
    assert source.reconnects == 2
    source.close()


class MotionJpeg(http.server.BaseHTTPRequestHandler):
    """An IP camera: JPEG frames without end, over HTTP."""

    def do_GET(self):  # noqa: N802
        self.server.clients += 1
        if self.server.clients > self.server.max_clients:
            self.send_error(503)
            return
        self.send_response(200)
        kind = "multipart/x-mixed-replace; boundary=frame"
        self.send_header("Content-Type", kind)
        self.end_headers()
        frames = self.server.frames
        try:
            for i in range(self.server.frames_per_connection):
                data = cv2.imencode(".jpg", frames[i % len(frames)])[1].tobytes()
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: "
                self.wfile.write(head + b"%d\r\n\r\n" % len(data) + data + b"\r\n")
                time.sleep(0.01)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serve_camera(max_clients=1000, frames=()):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), MotionJpeg)
    server.daemon_threads = True
    server.frames_per_connection = 60
    server.frames = frames or moving_square(16, 48, 64)
    server.clients, server.max_clients = 0, max_clients
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/video.mjpg"
    server.shutdown()
    server.server_close()


def test_a_stream_may_change_the_size_of_its_pictures():
    frames = [np.full((48, 64, 3), 50, np.uint8)] * 25
    frames += [np.full((96, 128, 3), 200, np.uint8)] * 35
    with serve_camera(frames=frames) as url, open_source(url) as source:
        seen = [source.read().image for _ in range(60)]
    sizes = [image.shape[:2] for image in seen]
    assert set(sizes) == {(48, 64), (96, 128)}
    for image in seen:
        assert abs(image.mean() - (50 if len(image) == 48 else 200)) < 3


@pytest.fixture
def ip_camera():
    with serve_camera() as url:
        yield url


@pytest.fixture
def ip_camera_of_one_client():
    with serve_camera(max_clients=1) as url:
        yield url


def test_http_stream_is_live_and_survives_a_lost_connection(ip_camera):
    with open_source(ip_camera, fps=30) as source:
        assert isinstance(source, LiveSource)
        source.first_delay = 0.05
        assert source.read().image.shape == (48, 64, 3)
        while source.reconnects == 0:  # a connection gives 60 frames
            assert source.read() is not None
        assert source.read() is not None


def test_a_camera_that_serves_one_client_is_opened_once(ip_camera_of_one_client):
    with open_source(ip_camera_of_one_client) as source:
        assert source.read().image.shape == (48, 64, 3)


def test_a_camera_that_opens_and_sends_nothing_is_named():
    source = LiveSource(
        "rtsp://camera", first_delay=0.01, opener=lambda _: Camera([]), patience=0.2
    )
    with pytest.raises(ConnectionError, match="rtsp://camera opens, but gave no frame"):
        source.read()
    assert source.read() is None and not source._thread.is_alive()


def test_http_stream_that_is_not_there_is_named():
    with pytest.raises(ConnectionError, match="cannot open http://127.0.0.1:9/x"):
        open_source("http://127.0.0.1:9/x")


def test_video_file_over_http_is_read_whole(tmp_path):
    write_video(tmp_path / "v.mp4", moving_square(6))

    def handler(*args):
        return Quiet(*args, directory=str(tmp_path))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/v.mp4"
        with open_source(url) as source:
            assert isinstance(source, VideoSource)
            assert len(list(source)) == 6
    finally:
        server.shutdown()
        server.server_close()
