"""What a witness signs: c2sp.org/tlog-cosignature@v1.0.1, with Ed25519.

It says: as of this time, this is the largest tree of this log that I saw, and it continues every tree of it that I saw.
"""

import struct
from typing import Final

from habeas.errors import FormatError, InputError, ProofError
from habeas.keys.signing import SIGNATURE_BYTES, SigningKey, verify

MAX_TIME_S: Final = (1 << 63) - 1

_TIMED: Final = struct.Struct(f">Q{SIGNATURE_BYTES}s")


def message(body: str, time_s: int) -> bytes:
    """Return the bytes that are signed.

    Args:
        body: text of a checkpoint, up to its last newline.
        time_s: seconds since 1970 UTC.
    """
    return f"cosignature/v1\ntime {time_s}\n{body}".encode()


def cosign(key: SigningKey, body: str, time_s: int) -> bytes:
    """Return a timestamped signature, 72 bytes: what stands behind the key id in a signature line.

    Args:
        key: the witness's.
        body: text of a checkpoint, up to its last newline.
        time_s: now, seconds since 1970 UTC.

    Raises:
        InputError: the time is before 1970 or after what the format can say.
    """
    if not 0 <= time_s <= MAX_TIME_S:
        raise InputError(f"{time_s} s is no time of a cosignature", remedy="set the clock of this machine")
    return _TIMED.pack(time_s, key.sign(message(body, time_s)))


def check(public_bytes: bytes, body: str, timed: bytes) -> int:
    """Return the time at which a witness signed, seconds since 1970 UTC.

    It is the witness's word. Whoever needs it compares it with a clock: a time ahead of one's own may be refused.

    Args:
        public_bytes: of the witness, 32.
        body: text of a checkpoint, up to its last newline.
        timed: as `cosign` returns it.

    Raises:
        FormatError: that is no timestamped signature.
        ProofError: the witness did not sign this.
    """
    if len(timed) != _TIMED.size:
        raise FormatError(f"a cosignature has {_TIMED.size} bytes, not {len(timed)}", remedy="ask the witness again")
    time_s, signature = _TIMED.unpack(timed)
    if time_s > MAX_TIME_S:
        raise FormatError(f"a cosignature of the time {time_s} s", remedy="ask the witness again")
    if not verify(public_bytes, message(body, time_s), signature):
        raise ProofError("the witness did not sign this checkpoint", remedy="ask the witness again")
    return int(time_s)
