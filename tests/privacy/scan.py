"""Looks for traces of people in bytes: templates in any common encoding, faces in any picture. An oracle knows them.

    template   16 bytes in a row of a vector as float32, float64, float16 or big-endian float32, raw or packed (below);
               eight numbers in a row of one, as text;
               any run of floats or of int8 as long as a vector, or as one of its halves, that points where it does
    crop       24 bytes in a row of a face crop, RGB or BGR, raw, packed, or as a list of integers;
               a picture in which a face is found whose template is like a stranger's, or that looks like the crop

Packed: hexadecimal (either case, with or without separators), base64 (any alignment, either alphabet), gzip, zlib, zip,
and Python's escapes, also inside one another.
"""

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from habeas.types import F32, F64, U8

DTYPES = ("<f4", "<f8", "<f2", ">f4")
WINDOW_BYTES, CROP_WINDOW_BYTES, CROP_STRIDE = 16, 24, 7
NUMBERS_IN_A_ROW, NUMBER_TOLERANCE = 8, 6e-4
SAME_TEMPLATE, SAME_FACE, SAME_LOOK = 0.9, 0.6, 0.92
HALVES = (slice(0, 192), slice(192, None))
"""The two networks' parts of a template."""
_DEPTH = 3
_BLOCK = 1 << 20
_DEFLATE_STARTS = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_PICTURE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"GIF8")

Recognise = Callable[[U8], Sequence[tuple[U8, F32]]]
"""A picture -> (aligned crop, template) of every face that might be in it."""


@dataclass(frozen=True)
class Trace:
    """Something found.

    Args:
        where: the file or stream, and how it was packed.
        what: which kind of trace.
        whose: row of the oracle's vectors or crops.
    """

    where: str
    what: str
    whose: int


class Scanner:
    """Knows templates and face crops, and looks for them.

    Args:
        vectors: (n, d) float32, unit length.
        crops: (112, 112, 3) uint8 each, aligned.
        recognise: finds faces in pictures.
    """

    def __init__(self, vectors: F32, crops: Sequence[U8], recognise: Recognise) -> None:
        self._vectors = np.asarray(vectors, np.float32)
        self._crops = crops
        self._recognise = recognise
        encoded = [row.astype(dtype).tobytes() for dtype in DTYPES for row in self._vectors]
        self._template_bytes = _Needles(encoded, WINDOW_BYTES, 1, 1)
        raw = [crop[..., order].tobytes() for order in (slice(None), slice(None, None, -1)) for crop in crops]
        self._crop_bytes = _Needles(raw, CROP_WINDOW_BYTES, CROP_STRIDE, 5)
        self._looks = np.stack([_look(crop) for crop in crops]) if crops else np.zeros((0, 28 * 28))
        self._directions = [_unit_rows(self._vectors)] + [_unit_rows(self._vectors[:, half]) for half in HALVES]

    def folders(self, roots: Sequence[Path]) -> list[Trace]:
        """Scan every file below the folders, and their names."""
        return [trace for root in roots for path in sorted(root.rglob("*")) for trace in self._path(path)]

    def _path(self, path: Path) -> list[Trace]:
        blob = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        return self.blob(str(path), blob) + self.blob(f"name of {path}", path.name.encode("utf-8", "surrogateescape"))

    def streams(self, streams: Mapping[str, bytes]) -> list[Trace]:
        """Scan what a program printed."""
        return [trace for name, blob in streams.items() for trace in self.blob(name, blob)]

    def blob(self, name: str, blob: bytes) -> list[Trace]:
        """Scan one run of bytes, and whatever is packed in it."""
        found: list[Trace] = []
        for how, layer in layers(blob):
            where = f"{name}{how}"
            found += [
                Trace(where, "template bytes", row % len(self._vectors)) for row in self._template_bytes.hits(layer)
            ]
            found += [Trace(where, "crop bytes", row % len(self._crops)) for row in self._crop_bytes.hits(layer)]
            found += [Trace(where, "floats", row) for row in self._floats(layer)]
            found += [Trace(where, "numbers", row) for row in self._numbers(layer)]
            found += [Trace(where, "picture", row) for picture in pictures(layer) for row in self._picture(picture)]
        return found

    # --- templates ---

    def _floats(self, blob: bytes) -> set[int]:
        rows: set[int] = set()
        for dtype in DTYPES:
            size = np.dtype(dtype).itemsize
            for phase in range(size):
                usable = max(0, len(blob) - phase) // size * size
                with np.errstate(all="ignore"):  # most bytes are no numbers
                    values = np.frombuffer(blob[phase : phase + usable], dtype).astype(np.float64)
                rows |= self._aligned(values, unit=True)
        return rows | self._aligned(np.frombuffer(blob, np.int8).astype(np.float64), unit=False)

    def _aligned(self, values: F64, *, unit: bool) -> set[int]:
        """Return whose vector, or half of one, some run of values points along; `unit`: with the length of one."""
        values = np.where(np.isfinite(values) & (np.abs(values) <= (1.01 if unit else np.inf)), values, 9.0)
        rows: set[int] = set()
        for directions in self._directions:
            width = directions.shape[1]
            if len(values) < width or not len(directions):
                continue
            squares = np.concatenate([[0.0], np.cumsum(values**2)])
            lengths = np.sqrt(np.maximum(squares[width:] - squares[:-width], 0))
            near = (np.abs(lengths - 1) < 0.1) | (np.abs(lengths - 0.5**0.5) < 0.07) if unit else lengths > 0
            starts = np.flatnonzero(near)
            windows = np.lib.stride_tricks.sliding_window_view(values.astype(np.float32), width)
            for first in range(0, len(starts), 4096):
                some = starts[first : first + 4096]
                cosines = windows[some] @ directions.T / lengths[some, None]
                rows |= set(np.flatnonzero((cosines > SAME_TEMPLATE).any(axis=0)).tolist())
        return rows

    def _numbers(self, blob: bytes) -> set[int]:
        """Find numbers written out: eight in a row to three decimals, or a whole vector however rounded."""
        texts = re.findall(rb"-?\d*\.\d+(?:[eE][-+]?\d+)?|-?\d+\.|-?\d+e[-+]?\d+", blob)
        values = np.array([float(text) for text in texts], np.float64)
        if len(values) < NUMBERS_IN_A_ROW or not len(self._vectors):
            return set()
        return self._in_a_row(values) | self._aligned(values, unit=True)

    def _in_a_row(self, values: F64) -> set[int]:
        width, count = self._vectors.shape[1], NUMBERS_IN_A_ROW
        flat = self._vectors.astype(np.float64).ravel()
        order = np.argsort(flat)
        low = np.searchsorted(flat[order], values - NUMBER_TOLERANCE)
        high = np.searchsorted(flat[order], values + NUMBER_TOLERANCE)
        rows: set[int] = set()
        for start in range(len(values) - count + 1):
            at = order[low[start] : high[start]]
            at = at[at % width <= width - count]
            for step in range(1, count):
                at = at[np.abs(flat[at + step] - values[start + step]) < NUMBER_TOLERANCE]
            rows |= set((at // width).tolist())
        return rows

    # --- faces ---

    def _picture(self, picture: U8) -> set[int]:
        rows: set[int] = set()
        for crop, vector in self._recognise(picture):
            rows |= set(np.flatnonzero(self._vectors @ vector > SAME_FACE).tolist())
            rows |= set(np.flatnonzero(self._looks @ _look(crop) > SAME_LOOK).tolist())
        return rows


class _Needles:
    """Byte strings of which any `width` bytes in a row count, every `stride` bytes.

    Args:
        needles: what to find.
        width: how many bytes in a row.
        stride: 1: any window; more: any run of `width + stride` bytes.
        distinct: windows whose first eight bytes hold fewer different values are flat, and say nothing.
    """

    def __init__(self, needles: Sequence[bytes], width: int, stride: int, distinct: int) -> None:
        self._needles, self._width = needles, width
        keys, which, offsets = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for number, needle in enumerate(needles):
            at = np.arange(0, len(needle) - width + 1, stride)
            windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(needle, np.uint8), 8)[at]
            varied = 1 + (np.diff(np.sort(windows, axis=1), axis=1) != 0).sum(axis=1) >= distinct
            keys.append(np.ascontiguousarray(windows[varied]).view("<u8")[:, 0])
            which.append(np.full(int(varied.sum()), number))
            offsets.append(at[varied])
        order = np.argsort(np.concatenate(keys), kind="stable")
        self._keys, self._which, self._offsets = (np.concatenate(part)[order] for part in (keys, which, offsets))

    def hits(self, blob: bytes) -> set[int]:
        """Return which needles the bytes hold a window of."""
        found: set[int] = set()
        for start in range(0, len(blob) - self._width + 1, _BLOCK):
            part = np.frombuffer(blob[start : start + _BLOCK + 7], np.uint8)
            keys = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(part, 8)).view("<u8")[:, 0]
            first = np.searchsorted(self._keys, keys, "left")
            held = np.flatnonzero(first < np.searchsorted(self._keys, keys, "right"))
            for at in held.tolist():
                found |= self._verified(blob[start + at : start + at + self._width], int(first[at]), keys[at])
        return found

    def _verified(self, window: bytes, row: int, key: np.uint64) -> set[int]:
        found: set[int] = set()
        while row < len(self._keys) and self._keys[row] == key:
            number, offset = int(self._which[row]), int(self._offsets[row])
            if self._needles[number][offset : offset + self._width] == window:
                found.add(number)
            row += 1
        return found


def layers(blob: bytes, depth: int = _DEPTH, how: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the bytes, and everything unpacked from them, with how it was packed."""
    yield how, blob
    if depth:
        for name, inner in _unpacked(blob):
            if len(inner) >= WINDOW_BYTES and inner != blob:
                yield from layers(inner, depth - 1, f"{how} > {name}")


def _unpacked(blob: bytes) -> Iterator[tuple[str, bytes]]:
    bare = re.sub(rb"\s+", b"", blob)
    for run in re.findall(rb"[A-Za-z0-9+/_-]{24,}", bare):
        standard = run.translate(bytes.maketrans(b"-_", b"+/"))
        for phase in range(4):
            part = standard[phase:]
            yield "base64", base64.b64decode(part + b"A" * (-len(part) % 4))  # a byte too many does no harm
    for run in re.findall(rb"[0-9A-Fa-f]{32,}", re.sub(rb"\\x|0x|[\s:,-]", b"", blob)):
        for phase in range(2):
            whole = (len(run) - phase) // 2 * 2
            yield "hex", bytes.fromhex(run[phase : phase + whole].decode())
    if b"\\x" in blob:
        escape = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([nrt\\'\"]))")
        named = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
        yield "escapes", escape.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else named.get(m[2], m[2]), blob)
    integers = [int(text) for text in re.findall(rb"(?<![\d.])\d{1,3}(?![\d.])", blob)]
    if len(integers) >= CROP_WINDOW_BYTES:
        yield "integers", bytes(value for value in integers if value < 256)
    yield from _inflated(blob)


def _inflated(blob: bytes) -> Iterator[tuple[str, bytes]]:
    for start in sorted({at for magic in _DEFLATE_STARTS for at in _places(blob, magic)}):
        try:
            yield "deflate", zlib.decompressobj(wbits=47).decompress(blob[start:])  # also what is cut off
        except zlib.error:
            continue
    if b"PK\x03\x04" in blob:
        try:
            with zipfile.ZipFile(io.BytesIO(blob)) as archive:
                for name in archive.namelist():
                    yield f"zip {name}", archive.read(name)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error):
            return


def _places(blob: bytes, start: bytes) -> Iterator[int]:
    at = blob.find(start)
    while at >= 0:
        yield at
        at = blob.find(start, at + 1)


def pictures(blob: bytes) -> Iterator[U8]:
    """Yield every still picture in the bytes, RGB, wherever in them it begins."""
    starts = {0} | {at for magic in _PICTURE_STARTS for at in _places(blob, magic)}
    for start in sorted(starts):
        try:
            with Image.open(io.BytesIO(blob[start:])) as image:
                yield np.asarray(image.convert("RGB"))
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
            continue


def _look(crop: U8) -> F64:
    """Return a crop as 28 x 28 grey values of mean 0 and length 1."""
    grey = np.asarray(Image.fromarray(crop).convert("L").resize((28, 28), Image.Resampling.BOX), np.float64).ravel()
    centred = grey - grey.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-9)


def _unit_rows(vectors: F32) -> F32:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
