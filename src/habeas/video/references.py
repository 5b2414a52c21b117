"""Whether a picture is missing that others need, by the numbers in H.264's headers (ITU-T H.264, 7.3, 8.2.5.2).

FFmpeg says nothing of it: it takes another picture instead, and draws by guess what follows. The numbers of pictures
that others need go up by one, and begin again after 16 of them, or more, and with each that stands alone: where so many
are missing, or such a one, only times tell.
"""

import statistics
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
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
_LEAP: Final = 1.5
"""Of the usual step between two packets: a picture is missing, or the camera is irregular."""
_STEPS: Final = 15
_CODEC: Final = "h264"


@dataclass(frozen=True)
class _Head:
    """What a slice says first.

    Args:
        first: macroblock that it begins with; 0: it begins a picture.
        number: of its frame.
        numbers: how many there are.
        field: 0: it is of a whole frame; 1, 2: of its upper or lower field.
    """

    first: int
    number: int
    numbers: int
    field: int


class References:
    """Follows the pictures of one H.264 stream. Used by one thread.

    Args:
        parameters: what came before the first packet, as FFmpeg calls it extradata.
        usual: time between two packets until it is known, in their ticks; None: until then pictures count as missing.
    """

    def __init__(self, parameters: bytes, usual: float | None) -> None:
        self._lengths = parameters[:1] == b"\x01"
        self._sequences: dict[int, tuple[int, bool, bool]] = {}
        self._pictures: dict[int, int] = {}
        self._last = 0
        self._current: _Head | None = None
        self._lone: _Head | None = None
        self._first_field = 0
        self._times = _Times(usual)
        units = _of_mp4(parameters) if self._lengths else nal_units(parameters, lengths=False)
        for unit in units:
            with suppress(IndexError):
                if nal_type(unit, _CODEC) in (_SEQUENCE, _PICTURE):
                    self._learn(unit)

    def misses(self, packet: bytes, at: int | None) -> bool:
        """Tell whether a picture is missing before this packet that it may need, or its headers cannot be read.

        Args:
            packet: the next one: a picture, or one of its fields.
            at: when it is decoded, in ticks; None: unknown, and pictures count as missing.
        """
        leaps, self._current = self._times.leap(at), None
        units = [unit for unit in nal_units(packet, lengths=self._lengths) if unit]
        try:
            gaps = [self._is_gap(unit) for unit in units]
        except (IndexError, KeyError):
            return True
        return any(gaps) or (leaps and all(nal_type(unit, _CODEC) != _IDR for unit in units))

    def _is_gap(self, unit: bytes) -> bool:
        kind = nal_type(unit, _CODEC)
        if kind in (_SEQUENCE, _PICTURE):
            self._learn(unit)
        if kind not in _SLICES:
            return False
        head, current = self._head(unit), self._current
        if current is not None and head.first:
            return (head.number, head.field) != (current.number, current.field)
        self._current = head
        return self._is_gap_before(head, needed=bool(unit[0] & 0x60)) and kind != _IDR

    def _is_gap_before(self, head: _Head, *, needed: bool) -> bool:
        """Tell whether a picture or field is missing before this one, which begins, and which others may need."""
        lone, self._lone = self._lone, None
        last, first_field = self._last, self._first_field
        if needed:
            self._last = head.number
        if lone is not None and (head.number, head.field) == (lone.number, 3 - lone.field):
            return False
        if needed and head.field:
            self._lone, self._first_field = head, head.field
        turned = head.field and first_field and head.field != first_field
        return lone is not None or bool(turned) or head.number != (last + 1) % head.numbers

    def _head(self, unit: bytes) -> _Head:
        bits = _Bits(unit[1:_HEAD_BYTES])
        first = bits.number()
        bits.number()  # its kind
        length, planes, fields = self._sequences[self._pictures[bits.number()]]
        if planes:
            bits.take(2)
        number = bits.take(length)
        field = 1 + bits.take(1) if fields and bits.take(1) else 0
        return _Head(first, number, 1 << length, field)

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
        length = 4 + bits.number()
        _skip_order(bits)
        self._sequences[identity] = length, planes, not bits.take(1)


class _Times:
    """The times of a stream's packets: where they leap, something is missing.

    Args:
        usual: step until some are known; None: the first is a leap.
    """

    def __init__(self, usual: float | None) -> None:
        self._usual = usual
        self._last: int | None = None
        self._steps: deque[int] = deque(maxlen=_STEPS)

    def leap(self, at: int | None) -> bool:
        """Tell whether the next packet is later than usual, or earlier than the last, or nobody knows."""
        if at is None:
            return True
        last, self._last = self._last, at
        if last is None or at == last:  # two fields may have one time
            return False
        step = at - last
        usual = self._usual
        if self._steps:
            usual = statistics.median_low((*self._steps, step) if len(self._steps) == 1 else self._steps)
        longest = max(step, self._steps[0]) if len(self._steps) == 1 else step
        if step > 0:
            self._steps.append(step)
        return usual is None or step < 0 or longest > _LEAP * usual


def _skip_order(bits: "_Bits") -> None:
    """Read what sequence parameters say between the length of frame numbers and whether there are fields."""
    kind = bits.number()
    if kind == 0:
        bits.number()
    elif kind == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.number()):
            bits.signed()
    bits.number()  # frames that others need
    bits.take(1)  # whether numbers may be left out: they may not be, here
    bits.number()
    bits.number()


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
