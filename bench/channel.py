"""Messages between the harness and its processes: JSON over a Unix socket, a file descriptor riding along."""

from __future__ import annotations

import json
import select
import socket
import struct
from collections.abc import Mapping
from typing import Any

from data.types import Seconds

_LENGTH = struct.Struct("<Q")


class PeerGone(Exception):  # noqa: N818 - a state of the other side
    """The other side has closed its end, usually by dying."""


class Channel:
    """One end of a conversation. Messages are JSON objects; audio never travels here (`bench.pool`)."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    @classmethod
    def from_descriptor(cls, descriptor: int) -> Channel:
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: Mapping[str, Any], descriptor: int | None = None) -> None:
        """Raises `PeerGone` where nobody listens any more."""
        body = json.dumps(message).encode()
        head = _LENGTH.pack(len(body))
        try:
            if descriptor is None:
                self._end.sendall(head)
            else:
                socket.send_fds(self._end, [head], [descriptor])
            self._end.sendall(body)
        except OSError as error:
            raise PeerGone(str(error)) from error

    def ready(self, timeout: Seconds) -> bool:
        """Whether a message, or the news that the other side is gone, can be read within `timeout`."""
        return bool(select.select([self._end], [], [], timeout)[0])

    def receive(self) -> tuple[dict[str, Any], int | None]:
        """The next message and the descriptor that came with it. Raises `PeerGone`."""
        try:
            head, descriptors, _, _ = socket.recv_fds(self._end, _LENGTH.size, 1)
            head += self._exactly(_LENGTH.size - len(head)) if head else b""
            if not head:
                raise PeerGone("closed")
            body = json.loads(self._exactly(_LENGTH.unpack(head)[0]))
        except OSError as error:
            raise PeerGone(str(error)) from error
        return body, descriptors[0] if descriptors else None

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            part = self._end.recv(min(size - len(parts), 1 << 20))
            if not part:
                raise PeerGone("closed in the middle of a message")
            parts += part
        return bytes(parts)

    def close(self) -> None:
        self._end.close()


def pair() -> tuple[Channel, socket.socket]:
    """Our end, and the other to be inherited by a child."""
    ours, theirs = socket.socketpair()
    return Channel(ours), theirs
