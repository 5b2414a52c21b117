"""What a model file must be before anything parses it for real: the pinned bytes, no pickle, no external data."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Final

from habeas.errors import ModelError
from habeas.models.manifest import PackagedFile

_PICKLE_STARTS: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04", b"\x93NUMPY")
"""Pickle protocols 2 to 5, and the containers that usually hold one (PyTorch zip, NumPy objects)."""

# The parts of onnx.proto through which a tensor can be reached: message -> field number -> message.
_ONNX_MESSAGES: Final = MappingProxyType(
    {
        "model": {7: "graph", 25: "function"},
        "graph": {1: "node", 5: "tensor", 15: "sparse"},
        "function": {7: "node"},
        "node": {5: "attribute"},
        "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
        "sparse": {1: "tensor", 2: "tensor"},
        "tensor": {},
    }
)
_TENSOR_EXTERNAL_DATA: Final = 13
_TENSOR_DATA_LOCATION: Final = 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check_file(path: Path, file: PackagedFile) -> bytes:
    """Read `path` and return its bytes if they are the ones `file` pins.

    Raises:
        ModelError: it is missing, a pickle, refers to data outside itself, or has another hash.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}", remedy="run `habeas models pull`") from error
    check_bytes(data, file)
    return data


def check_bytes(data: bytes, file: PackagedFile) -> None:
    """Check that `data` is what `file` pins; name the worst thing wrong with it first.

    Raises:
        ModelError: a pickle, external data, or another hash.
    """
    if data.startswith(_PICKLE_STARTS):
        raise ModelError(f"{file.name} is a pickle or an archive of one", remedy="pickles are code: never loaded")
    if file.name.endswith(".onnx") and has_external_data(data):
        raise ModelError(f"{file.name} keeps weights outside itself", remedy="only self-contained files are loaded")
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise ModelError(
            f"{file.name} is not the pinned file (SHA-256 differs)",
            remedy="delete it and run `habeas models pull`; if it differs again, the package was changed",
        )


def has_external_data(data: bytes) -> bool:
    """Tell whether an ONNX file refers to tensors in other files (onnx.proto, TensorProto fields 13 and 14).

    Bytes that are no protocol buffer, or nested beyond any real one, refer to nothing; their hash refuses them.
    """
    try:
        return _external(memoryview(data), "model")
    except (IndexError, ValueError, RecursionError):
        return False


def _external(message: memoryview, kind: str) -> bool:
    inner = _ONNX_MESSAGES[kind]
    for number, wire, value in _fields(message):
        if kind == "tensor" and (number == _TENSOR_EXTERNAL_DATA or (number == _TENSOR_DATA_LOCATION and value)):
            return True
        if wire == _BYTES and number in inner and isinstance(value, memoryview) and _external(value, inner[number]):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview | int]]:
    """Yield (field number, wire type, value) of one protocol-buffer message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, at = _varint(message, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(message, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(wire)
        if at + size > len(message):
            raise ValueError(size)
        yield number, wire, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the continuation bit of a varint
            return value, at
        shift += 7
