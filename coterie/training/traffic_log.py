"""Traffic of every link since a run began, counted on the host in integers of 64 bits."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from coterie.internal.files import write_whole
from coterie.network import Traffic
from coterie.training.state import IterationStats

HEADINGS = ("payload", "from", "to", "messages", "bytes", "lost")


class Ledger:
    """Messages, bytes and losses of one repetition, per payload and link.

    neighbor: the agent in each place, `[N, K]`; the agent itself where a place is empty.
    bytes:    the bytes that each agent has sent in all, `[N]`: over its links, to a centre, to all.
    """

    def __init__(self, neighbor: np.ndarray, names: tuple[str, ...]):
        self._neighbor, self._names = neighbor, names
        self._counts: dict[str, np.ndarray] = {}
        self.bytes = np.zeros(len(names), np.int64)

    def add(self, report: IterationStats) -> None:
        """Count the iterations of a block, `[B, N, ...]`."""
        self.bytes += np.sum(report.bytes, axis=0, dtype=np.int64)
        for payload, traffic in report.traffic.items():
            block = np.stack([_total(part) for part in _links(traffic)])
            self._counts[payload] = self._counts.get(payload, 0) + block

    def saved(self) -> dict[str, Any]:
        """Return the counts as JSON, for a checkpoint."""
        counts = {payload: count.tolist() for payload, count in self._counts.items()}
        return {"bytes": self.bytes.tolist(), "links": counts}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from the counts that `saved` returned."""
        self.bytes = np.array(saved["bytes"], np.int64)
        self._counts = {p: np.array(count, np.int64) for p, count in saved["links"].items()}

    def write(self, path: Path) -> None:
        """A table with a row for each payload and direction of a link; none if nothing is sent."""
        if not self._counts:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(HEADINGS)
        for payload, (messages, carried, lost) in self._counts.items():
            for sender, place in np.argwhere(self._neighbor != _own(self._neighbor)):
                receiver = self._neighbor[sender, place]
                back = int(np.flatnonzero(self._neighbor[receiver] == sender)[0])
                ends = self._names[sender], self._names[receiver]
                counts = messages[sender, place], carried[sender, place], lost[receiver, back]
                writer.writerow((payload, *ends, *counts))
        write_whole(path, text.getvalue())


def _links(traffic: Traffic) -> tuple[np.ndarray, ...]:
    return np.asarray(traffic.sent), traffic.carried.whole(), np.asarray(traffic.lost)


def _total(counts: np.ndarray) -> np.ndarray:
    return counts.sum(axis=0, dtype=np.int64)


def _own(neighbor: np.ndarray) -> np.ndarray:
    return np.arange(len(neighbor))[:, None]
