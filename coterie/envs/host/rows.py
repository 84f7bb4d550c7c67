"""Encodings of whole batches: of what many copies show at once, and of their actions."""

from dataclasses import replace
from typing import Any

import numpy as np

from coterie.encoding import ActionEncoding, Bytes, Choice, Choices, Encoding, Fields, Numbers, Row


def encoded_rows(
    encoding: Encoding, value: Any, copies: int, where: str = "observation"
) -> np.ndarray:
    """Encode what `copies` copies show as numbers `[copies, size]`, float32.

    value: as a batched space of Gymnasium has it: arrays with a leading axis of copies, inside the
           dictionaries and tuples of one copy.

    Raises `ValueError` that names the place of what does not fit; numbers may be infinite, or NaN.

    >>> goal = Fields(("goal", "me"), (Numbers((2,)), Choice(2)))
    >>> encoded_rows(goal, {"goal": np.ones((3, 2)), "me": np.array([0, 1, 1])}, 3).tolist()
    [[1.0, 1.0, 1.0, 0.0], [1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 1.0]]
    """
    match encoding:
        case Numbers(shape) | Bytes(shape):
            whole: Encoding = replace(encoding, shape=(copies, *shape))
        case Choice(count, start):
            whole = Choices((copies,), (count,) * copies, (start,) * copies)
        case Choices(shape, counts, starts):
            whole = Choices((copies, *shape), counts * copies, starts * copies)
        case Fields(keys, parts):
            return _joined(keys, parts, value, copies, where)
        case Row(parts):
            return _joined(range(len(parts)), parts, value, copies, where)
        case _:
            each = zip(range(copies), value, strict=True)
            return np.stack([encoding.encode(one, f"{where} of copy {k}") for k, one in each])
    return whole.encode(value, where).reshape(copies, -1)


def decoded_rows(coding: ActionEncoding, actions: np.ndarray) -> np.ndarray:
    """The actions of a batch as its action space has them, from integers `[copies]` or numbers
    `[copies, size]`.

    >>> decoded_rows(Choices((2,), (3, 2), (1, 0)), np.array([0, 4])).tolist()
    [[1, 0], [3, 0]]
    >>> decoded_rows(Numbers((1,), "float32", (0.0,), (1.0,)), np.array([[0.5], [9.0]])).tolist()
    [[0.5], [1.0]]
    """
    copies = len(actions)
    match coding:
        case Numbers(shape):
            return replace(coding, shape=(copies, *shape)).decode(actions)
        case Choice():
            return actions.astype(np.int64) + coding.start
    chosen = np.stack(np.unravel_index(actions, coding.counts), axis=-1) + coding.starts
    return chosen.reshape(copies, *coding.shape).astype(coding.dtype)


def _joined(keys: Any, parts: tuple[Encoding, ...], value: Any, copies: int, where: str) -> Any:
    """The parts of a batch side by side."""
    rows = [np.zeros((copies, 0), np.float32)]
    for key, part in zip(keys, parts, strict=True):
        try:
            given = value[key]
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"{where} has no part {key!r}") from None
        rows.append(encoded_rows(part, given, copies, f"{where}[{key!r}]"))
    return np.concatenate(rows, axis=1)
