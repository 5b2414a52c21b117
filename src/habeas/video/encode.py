"""Encoding: what scenes and test clips are written with."""

from collections.abc import Iterable
from pathlib import Path

import av

from habeas.types import U8
from habeas.video.edge import quiet


def encode_h264(images: Iterable[U8], path: Path, rate_hz: int, crf: int = 23) -> None:
    """Write pictures as H.264 in MP4.

    Args:
        images: (h, w, 3) uint8 RGB, all of one even size.
        path: of the file.
        rate_hz: pictures a second.
        crf: x264's constant rate factor, 0 (best) to 51.
    """
    quiet()
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate_hz, options={"preset": "veryfast", "crf": str(crf)})
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if not index:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
