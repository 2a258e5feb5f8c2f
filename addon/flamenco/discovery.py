# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds managers on the local network by SSDP."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

__all__ = ["SERVICE", "UUID", "read_answer", "search"]

SERVICE = "urn:flamenco:manager:0"
#: All managers announce themselves with this one.
UUID = "aa80bc5f-d0af-46b8-8630-23bd7e80ec4d"
GROUP = ("239.255.255.250", 1900)
#: How often the question is repeated, in seconds.
REPEAT = 1.0

_QUESTION = f'M-SEARCH * HTTP/1.1\r\nHOST: {{host}}:{{port}}\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {SERVICE}\r\n\r\n'


def search(seconds: float = 4.0, group: tuple[str, int] = GROUP) -> list[str]:
    """The addresses of the managers that answer, in the order of their answers, such as `http://10.0.0.5:8080`.

    It takes `seconds`, or one second after the first answer. Raises `OSError` if there is no network.
    """
    question = _QUESTION.format(host=group[0], port=group[1]).encode("ascii")
    found: dict[str, None] = {}
    start = time.monotonic()
    end, repeat = start + seconds, start
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
        while (now := time.monotonic()) < end:
            if now >= repeat:
                _ask(sender, question, group)
                repeat = now + REPEAT
            sender.settimeout(max(0.01, min(repeat, end) - now))
            try:
                answer, _ = sender.recvfrom(4096)
            except (TimeoutError, ConnectionError):
                continue
            url = read_answer(answer)
            if url and url not in found:
                found[url] = None
                # One manager often has several addresses.
                end = min(end, time.monotonic() + 1.0)
    return list(found)


def _ask(sender: socket.socket, question: bytes, group: tuple[str, int]) -> None:
    """Sends the question to every network of this machine. Raises `OSError` if none of them takes it."""
    problem: OSError | None = None
    is_sent = False
    for network in _networks():
        try:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(network))
            sender.sendto(question, group)
            is_sent = True
        except OSError as error:
            # Not every network knows multicast.
            problem = error
    if problem is not None and not is_sent:
        raise problem


def _networks() -> list[str]:
    """Addresses of this machine: the one that the system prefers, those of its name, and loopback, where a manager
    is found that serves only its own machine.
    """
    found = {"0.0.0.0": None}
    try:
        entries = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        found.update(dict.fromkeys(str(entry[4][0]) for entry in entries))
    except OSError:
        pass
    return [*found, *(["127.0.0.1"] if "127.0.0.1" not in found else [])]


def read_answer(answer: bytes) -> str | None:
    """The manager's address in an answer; None if it is not from a manager."""
    lines = answer.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/1.1 200"):
        return None
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().upper()] = value.strip()
    if UUID not in headers.get("USN", "").lower():
        return None
    try:
        parts = urlsplit(headers.get("LOCATION", ""))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}"
