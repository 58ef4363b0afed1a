"""Replies of a judge on disk, so that a question that was asked is not asked again.

The key is the whole request: model, messages, decoding. Change a word of the prompt, and nothing
old is found. What is stored are replies with a verdict; a failure is never stored, so what could
not be judged today can be judged tomorrow. Keep one file for each deployment: two servers may
give one name to different weights.

Standard library only (sqlite3). Threads and processes may share a file.
"""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["ReplyCache"]


class ReplyCache:
    """A table of requests and replies in the file `path`, which is made where there is none.

    Raises:
        sqlite3.Error: the file cannot be opened or written, or is no database.
    """

    def __init__(self, path: str | Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(
            path, timeout=30, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode=WAL")  # readers do not wait for a writer
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS replies (request TEXT PRIMARY KEY, reply TEXT)"
        )

    def get(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """The stored reply to this request, or None."""
        with self._lock:
            row = self._database.execute(
                "SELECT reply FROM replies WHERE request = ?", [_key(request)]
            ).fetchone()
        reply: dict[str, Any] | None = json.loads(row[0]) if row else None
        return reply

    def put(self, request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
        """Store a reply, JSON; the first one stays."""
        with self._lock:
            self._database.execute(
                "INSERT OR IGNORE INTO replies VALUES (?, ?)", [_key(request), json.dumps(reply)]
            )

    def close(self) -> None:
        self._database.close()


def _key(request: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
