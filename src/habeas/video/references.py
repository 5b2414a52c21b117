"""Whether a picture is missing that others need, by the numbers in H.264's headers (ITU-T H.264, 7.3, 8.2.5.2).

FFmpeg says nothing of it: it takes another picture instead, and draws by guess what follows. Of H.265 it tells.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from habeas.video.remux import nal_type, nal_units

_SEQUENCE: Final = 7
_PICTURE: Final = 8
_SLICES: Final = frozenset({1, 5})
_IDR: Final = 5
"""Types of NAL units (table 7-1)."""
_HIGH: Final = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244})
"""Profiles whose parameters say what colours there are."""
_444: Final = 3
_HEAD_BYTES: Final = 32
"""Of a slice: what is read of it is at its beginning."""
_MOST_ZEROS: Final = 32
_CODEC: Final = "h264"


class References:
    """Follows the pictures of one H.264 stream. Used by one thread.

    Args:
        parameters: what came before the first packet, as FFmpeg calls it extradata.
    """

    def __init__(self, parameters: bytes) -> None:
        self._lengths = parameters[:1] == b"\x01"
        self._sequences: dict[int, tuple[int, bool]] = {}
        self._pictures: dict[int, int] = {}
        self._last = 0
        units = _of_mp4(parameters) if self._lengths else nal_units(parameters, lengths=False)
        for unit in units:
            with suppress(IndexError):
                if nal_type(unit, _CODEC) in (_SEQUENCE, _PICTURE):
                    self._learn(unit)

    def misses(self, packet: bytes) -> bool:
        """Tell whether a picture is missing before this packet that it may need, or its headers cannot be read."""
        try:
            gaps = [self._is_gap(unit) for unit in nal_units(packet, lengths=self._lengths) if unit]
        except (IndexError, KeyError):
            return True
        return any(gaps)

    def _is_gap(self, unit: bytes) -> bool:
        kind = nal_type(unit, _CODEC)
        if kind in (_SEQUENCE, _PICTURE):
            self._learn(unit)
        if kind not in _SLICES:
            return False
        number, of = self._number(unit)
        gap = kind != _IDR and number not in (self._last, (self._last + 1) % of)
        if unit[0] & 0x60:  # others may need it
            self._last = number
        return gap

    def _number(self, unit: bytes) -> tuple[int, int]:
        """Return a slice's frame number, and how many there are."""
        bits = _Bits(unit[1:_HEAD_BYTES])
        bits.number()  # where it begins
        bits.number()  # its kind
        length, planes = self._sequences[self._pictures[bits.number()]]
        if planes:
            bits.take(2)
        return bits.take(length), 1 << length

    def _learn(self, unit: bytes) -> None:
        """Learn how long frame numbers are from a parameter set; another one replaces it."""
        bits = _Bits(unit[1:])
        if nal_type(unit, _CODEC) == _PICTURE:
            self._pictures[bits.number()] = bits.number()
            return
        profile = bits.take(8)
        bits.take(16)
        identity, planes = bits.number(), False
        if profile in _HIGH:
            planes = _skip_colours(bits)
        self._sequences[identity] = 4 + bits.number(), planes


def _skip_colours(bits: "_Bits") -> bool:
    """Read what sequence parameters say of colours; return whether each colour has slices of its own."""
    form = bits.number()
    planes = bool(form == _444 and bits.take(1))
    bits.number()
    bits.number()
    bits.take(1)
    if bits.take(1):
        for number in range(12 if form == _444 else 8):
            if bits.take(1):
                _skip_scaling(bits, 16 if number < 6 else 64)  # noqa: PLR2004 - 4x4 first (7.3.2.1.1.1)
    return planes


def _skip_scaling(bits: "_Bits", size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
            last = following or last


def _of_mp4(parameters: bytes) -> Iterator[bytes]:
    """Yield the parameter sets of an avcC box (ISO/IEC 14496-15, 5.3.3.1)."""
    at = 5
    for mask in (0x1F, 0xFF):
        for _ in range(parameters[at] & mask if at < len(parameters) else 0):
            size = int.from_bytes(parameters[at + 1 : at + 3], "big")
            yield parameters[at + 3 : at + 3 + size]
            at += 2 + size
        at += 1


class _Bits:
    """Reads the bits of a NAL unit one after another.

    Raises:
        IndexError: there are no more (from each method).
    """

    def __init__(self, data: bytes) -> None:
        plain = data.replace(b"\x00\x00\x03", b"\x00\x00")
        self._left = len(plain) * 8
        self._value = int.from_bytes(plain, "big")

    def take(self, count: int) -> int:
        """Return so many bits as a number."""
        if count > self._left:
            raise IndexError
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def number(self) -> int:
        """Return an Exp-Golomb coded number (9.1)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _MOST_ZEROS:
                raise IndexError
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """Return a signed one (9.1.1)."""
        number = self.number()
        return (number + 1) // 2 if number % 2 else -(number // 2)
