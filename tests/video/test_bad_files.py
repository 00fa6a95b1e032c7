"""Damaged, empty and misleading files: an error that names them, never a guess."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_files import Kind, pictures, set_display_matrix, write

from lcr_runtime.video import DECODERS, VideoError, open_video
from lcr_runtime.video.limit import within


def read_whole(path, decoder="pyav", **options):
    with open_video(path, decoder, **options) as reader:
        return list(reader)


@pytest.mark.parametrize("decoder", DECODERS)
def test_missing_file(tmp_path, decoder):
    with pytest.raises(FileNotFoundError, match="none.mp4"):
        open_video(tmp_path / "none.mp4", decoder)
    with pytest.raises(FileNotFoundError):
        open_video(tmp_path, decoder)


def test_unknown_decoder():
    with pytest.raises(ValueError, match="'x' is unknown.*pyav.*opencv.*decord"):
        open_video("a.mp4", "x")


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("content", [b"", b"no video", bytes(20000)])
def test_no_video(tmp_path, decoder, content):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(VideoError, match="broken.mp4 cannot be read by"):
        read_whole(path, decoder)


def test_sound_alone(tmp_path):
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), "fltp", "mono"
        )
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(VideoError, match="sound.mp4.*no video in it"):
        read_whole(path)


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mov", "a.mkv"])
def test_cut_short(tmp_path, name, decoder):
    options = {} if name in ("a.avi", "a.mkv") else {"movflags": "faststart"}
    kind = Kind(name, "mpeg4", count=30, container=options)
    path = Path(write(kind, tmp_path))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(VideoError, match=f"{name} cannot be read by (pyav|{decoder})"):
        read_whole(path, decoder)
    with pytest.raises(VideoError), open_video(path, decoder) as reader:
        reader.read([len(reader) - 1])


def test_times_that_go_back(tmp_path):
    """One damaged stamp: nothing is put in another order."""
    path = Path(
        write(Kind("a.webm", "libvpx-vp9", options={"cpu-used": "8"}), tmp_path)
    )
    content = path.read_bytes()
    # A simple block: its track, its time of 300 ms, not a key frame.
    assert content.count(b"\x81\x01\x2c\x00") == 1
    path.write_bytes(content.replace(b"\x81\x01\x2c\x00", b"\x81\x21\x2c\x00"))
    with pytest.raises(VideoError, match="a.webm.*its times go back at frame 4"):
        read_whole(path)


def test_a_codec_that_nobody_knows(tmp_path):
    path = Path(write(Kind("a.mp4"), tmp_path))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"what"))
    with pytest.raises(VideoError, match="a.mp4 cannot be read by pyav"):
        read_whole(path)


def test_damage_is_found_or_does_no_harm(tmp_path):
    """Seeded damage: the frames of the whole file, or an error that names it."""
    kind = Kind("a.mp4", count=20, options={"g": "5", "bf": "2"})
    path = Path(write(kind, tmp_path))
    whole = [frame.image for frame in read_whole(path)]
    content = np.frombuffer(path.read_bytes(), np.uint8)
    generator = np.random.default_rng(0)
    found = 0
    for trial in range(40):
        damaged = content.copy()
        place = generator.integers(0, len(content) - 200)
        length = generator.integers(20, 200)
        damaged[place : place + length] = generator.integers(0, 256, length)
        path.write_bytes(damaged.tobytes())
        try:
            frames = read_whole(path)
            with open_video(path) as reader:
                some = reader.read([len(reader) - 1, 0])
        except VideoError as error:
            found += 1
            assert "a.mp4 cannot be read by pyav" in str(error)
            continue
        assert len(frames) == len(whole), trial
        assert np.array_equal(some[0], frames[-1].image)
    assert found > 10


def write_changing(path, *sizes):
    """Five VP9 frames of each size, one after the other in one track."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=10)
        stream.height, stream.width = sizes[0]
        for part, (height, width) in enumerate(sizes):
            encoder = av.CodecContext.create("libvpx-vp9", "w")
            encoder.height, encoder.width, encoder.pix_fmt = height, width, "yuv420p"
            encoder.time_base, encoder.bit_rate = Fraction(1, 10), 4_000_000
            encoder.options = {"cpu-used": "8", "lag-in-frames": "0"}
            for number, image in enumerate(pictures(5, height, width)):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts, frame.time_base = 5 * part + number, Fraction(1, 10)
                for packet in encoder.encode(frame):
                    packet.stream = stream
                    container.mux(packet)
            for packet in encoder.encode(None):
                packet.stream = stream
                container.mux(packet)
    return path


@pytest.mark.parametrize("decoder", DECODERS)
def test_pictures_that_change_their_size(tmp_path, decoder):
    path = write_changing(tmp_path / "larger.webm", (48, 64), (96, 128))
    if decoder != "pyav":
        with pytest.raises(VideoError, match="larger.webm.*64x48 to 128x96.*'pyav'"):
            read_whole(path, decoder)
        return
    frames = read_whole(path, decoder)
    assert {frame.image.shape for frame in frames} == {(48, 64, 3)}
    for frame, expected in zip(frames, pictures(5) * 2, strict=True):
        assert np.abs(frame.image.astype(int) - expected).mean() < 5
    path = write_changing(tmp_path / "square.webm", (48, 64), (64, 64))
    with pytest.raises(VideoError, match="square.webm.*64x48 to 64x64.*Cut it where"):
        read_whole(path, decoder)


def test_display_matrix_that_is_no_turn(tmp_path):
    path = Path(write(Kind("a.mp4"), tmp_path))
    set_display_matrix(path, (0.7, 0.7, -0.7, 0.7))
    for decoder in DECODERS:
        with pytest.raises(VideoError, match="a.mp4.*no turn by a multiple of 90"):
            read_whole(path, decoder)


def test_numbers_outside(tmp_path):
    with open_video(write(Kind("a.mp4"), tmp_path)) as reader:
        assert reader.read([]) == []
        for number in (-1, 12):
            with pytest.raises(
                IndexError, match=f"a.mp4 has the frames 0 to 11.*{number}"
            ):
                reader.read([number])


def test_a_server_that_falls_silent():
    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.end_headers()
            over.wait(20)

        def log_message(self, *args):
            pass

    over = threading.Event()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/a.mp4"
        with pytest.raises(VideoError, match="a.mp4 cannot be read by pyav"):
            read_whole(url, timeout=0.3)
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def test_calls_have_a_limit():
    assert within(5, lambda: 3) == 3
    with pytest.raises(TimeoutError, match="no frame for 0.05 s"):
        within(0.05, lambda: time.sleep(1))
    with pytest.raises(KeyError):
        within(5, lambda: {}["a"])


def test_reading_needs_neither_torch_nor_mmaction():
    """As far as this package goes; the whole one registers with MMAction2."""
    code = (
        "import sys, types\n"
        "import importlib.util as u\n"
        f"path = {str(Path(sys.modules['lcr_runtime.video'].__file__).parent)!r}\n"
        "sys.modules['lcr_mmaction'] = types.ModuleType('lcr_mmaction')\n"
        "spec = u.spec_from_file_location('lcr_runtime.video', path + '/__init__.py',"
        " submodule_search_locations=[path])\n"
        "module = u.module_from_spec(spec)\n"
        "sys.modules[spec.name] = module\n"
        "spec.loader.exec_module(module)\n"
        "assert module.open_video\n"
        "assert not {'torch', 'mmaction', 'mmengine', 'decord'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
