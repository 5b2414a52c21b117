"""One end of the pair of sockets between a node and a worker: whole messages in order, and descriptors with them."""

import array
import os
import select
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from habeas.engine.messages import MAX_DESCRIPTORS, Message
from habeas.engine.wire import LEAD_BYTES, Lead, decode, encode, parse_lead
from habeas.errors import InputError

_DESCRIPTOR: Final = array.array("i").itemsize
_ROOM: Final = socket.CMSG_SPACE(MAX_DESCRIPTORS * _DESCRIPTOR)
_REMEDY: Final = "it is started again"


@dataclass(frozen=True)
class Received:
    """A message, and the descriptors that came along, which the receiver owns.

    Args:
        message: checked.
        descriptors: as many as the message says.
    """

    message: Message
    descriptors: tuple[int, ...]

    def close(self) -> None:
        """Close the descriptors: the message is not wanted."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Channel:
    """One end; owns its socket. Any thread may send, one receives.

    Args:
        end: a connected stream socket of the local kind.
        known: what the other side may say.
        patience_s: how long one message may take, either way; None: for ever.
    """

    def __init__(self, end: socket.socket, known: dict[int, type[Message]], patience_s: float | None = None) -> None:
        self._end = end
        self._known = known
        self._patience_s = patience_s
        self._sending = threading.Lock()
        self._sent = 0
        self._received = 0
        end.setblocking(False)

    def fileno(self) -> int:
        """Return what to poll for reading."""
        return self._end.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._end.close()

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message, and copies of descriptors with it.

        Raises:
            InputError: it is over the limits, or the other side is gone or does not read.
        """
        with self._sending:
            data = memoryview(encode(message, self._sent))
            self._sent += 1
            deadline_s = self._deadline_s()
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
            try:
                while data:
                    self._await(select.POLLOUT, deadline_s)
                    try:
                        data = data[self._end.sendmsg([data], rights) :]
                        rights = []
                    except BlockingIOError:  # room for less than this: polled for again
                        time.sleep(0)
            except OSError as error:
                raise _gone(error) from None

    def receive(self) -> Received | None:
        """Wait for a message; None where the other side closed between two messages.

        Raises:
            InputError: it is malformed, cut short, out of order, or takes too long.
        """
        descriptors: list[int] = []
        try:
            message = self._message(self._deadline_s(), descriptors)
        except BaseException as error:
            for descriptor in descriptors:
                os.close(descriptor)
            if isinstance(error, OSError):
                raise _gone(error) from None
            raise
        return None if message is None else Received(message, tuple(descriptors))

    def _message(self, deadline_s: float | None, descriptors: list[int]) -> Message | None:
        data = self._lead_bytes(deadline_s, descriptors)
        if not data:
            return None
        lead = parse_lead(data, self._received, self._known)
        self._received += 1
        if lead.descriptors != len(descriptors):
            raise InputError(f"{len(descriptors)} descriptors came along", remedy=_REMEDY)
        return decode(lead, self._body(lead, deadline_s))

    def _lead_bytes(self, deadline_s: float | None, descriptors: list[int]) -> bytes:
        """Read the fixed part; descriptors come with its first byte. Reading never runs into the next message."""
        data = b""
        while len(data) < LEAD_BYTES:
            self._await(select.POLLIN, deadline_s)
            part, rights, flags, _ = self._end.recvmsg(LEAD_BYTES - len(data), _ROOM, socket.MSG_CMSG_CLOEXEC)
            for _level, _kind, raw in rights:
                descriptors.extend(array.array("i", raw[: len(raw) - len(raw) % _DESCRIPTOR]))
            if flags & socket.MSG_CTRUNC or len(descriptors) > MAX_DESCRIPTORS:
                raise InputError("too many descriptors came along", remedy=_REMEDY)
            if not part:
                break
            data += part
        return data

    def _body(self, lead: Lead, deadline_s: float | None) -> bytes:
        body = bytearray(lead.header_bytes + lead.payload_bytes)
        left = memoryview(body)
        while left:
            self._await(select.POLLIN, deadline_s)
            # Descriptors that come here are not taken: the kernel closes them.
            got = self._end.recv_into(left)
            if not got:
                raise InputError("a message is cut short", remedy=_REMEDY)
            left = left[got:]
        return bytes(body)

    def _deadline_s(self) -> float | None:
        return None if self._patience_s is None else time.monotonic() + self._patience_s

    def _await(self, event: int, deadline_s: float | None) -> None:
        poll = select.poll()
        poll.register(self._end, event)
        wait_ms = None if deadline_s is None else max(0.0, deadline_s - time.monotonic()) * 1000
        if not poll.poll(wait_ms):
            raise InputError("the other side took too long over a message", remedy=_REMEDY)


def _gone(error: OSError) -> InputError:
    return InputError(f"the other side is gone ({error.strerror})", remedy=_REMEDY)
