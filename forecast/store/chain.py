"""What makes a list of rows tamper-evident: every row is hashed together with the one before it.

    row 1                      row 2                      row 3
    previous = 000...0    ┌──> previous = hash of 1  ┌──> previous = hash of 2
    values                │    values                │    values
    hash ─────────────────┘    hash ─────────────────┘    hash ─────────> witness

A row's hash is the SHA-256 of its canonical text: one line `column=value` for `previous`,
`sequence` and each further column in its order, joined by newlines, with texts as ASCII JSON
strings, whole numbers in decimal, reals as `0x` and the 16 hex digits of their IEEE 754 bits, and
`null` where there is nothing.

What is found: a row changed in any bit, deleted, inserted or moved; and, by the witness, a file
that says how far the chain had come, its last rows lost. What cannot be found: somebody who writes
the rows, all later hashes and the witness anew, unless the head was written down elsewhere; and a
clock that was wrong at the writing.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from forecast.errors import RunError

BEFORE_THE_FIRST = "0" * 64


@dataclass(frozen=True)
class Head:
    """How far a chain reaches: its number of rows and the hash of the last one.

    Written down elsewhere, it proves later that nothing up to there was rewritten.
    """

    count: int = 0
    hash: str = BEFORE_THE_FIRST


def hash_row(previous: str, sequence: int, values: Mapping[str, object]) -> str:
    """The hash of a row's canonical text, 64 hex digits."""
    named = {"previous": previous, "sequence": sequence, **values}
    text = "\n".join(f"{name}={_canonical(value)}" for name, value in named.items())
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def check_rows(rows: Iterable[tuple[int, Mapping[str, object], str, str]], path: Path) -> list[str]:
    """Follow a chain from its first row.

    Args:
        rows: (sequence, values, previous, hash) of each, ascending.
        path: where they stand, for the message.

    Returns:
        The hashes, that before the first row included: the n-th row's is the n-th.

    Raises:
        RunError: names the first row that was changed, deleted or inserted.
    """
    hashes = [BEFORE_THE_FIRST]
    for expected, (sequence, values, previous, stored) in enumerate(rows, start=1):
        if sequence != expected:
            raise RunError(f"{path}: row {expected} is missing; the next one is row {sequence}.")
        if previous != hashes[-1] and previous in hashes:
            raise RunError(f"{path}: row {hashes.index(previous) + 1} was inserted afterwards.")
        if previous != hashes[-1] or stored != hash_row(previous, sequence, values):
            words = [f"{name} {v!a}" for name, v in values.items() if isinstance(v, (str, int))]
            raise RunError(
                f"{path}: row {sequence} was changed afterwards; it now says {', '.join(words)}."
            )
        hashes.append(stored)
    return hashes


def check_length(found: int, written: int, path: Path) -> None:
    """Compare the number of rows that are there with the number that were once written.

    Raises:
        RunError: names the first row that is missing or too many.
    """
    if found < written:
        raise RunError(f"{path}: row {found + 1} is missing; {found} of {written} rows are left.")
    if found > written:
        raise RunError(f"{path}: row {written + 1} was inserted afterwards.")


def check_witness(hashes: list[str], witness: Head, path: Path) -> None:
    """Compare a chain of the right length with an earlier head of it.

    Raises:
        RunError: the row that the witness knows has another hash now.
    """
    if hashes[witness.count] != witness.hash:
        raise RunError(
            f"{path}: row {witness.count} has the hash {hashes[witness.count]}, but"
            f" {witness_path(path)} says {witness.hash}; one of the two was changed afterwards."
        )


def witness_path(path: Path) -> Path:
    """The witness of the chain that is kept in `path`."""
    return path.with_suffix(".head")


def save_witness(path: Path, head: Head) -> None:
    """Write down how far the chain in `path` reaches; the caller lets nobody else write.

    A power cut may bring an older witness back, which is true as well.
    """
    temporary = path.with_suffix(".head.part")
    with open(temporary, "w", encoding="ascii") as file:
        file.write(f"{head.count} {head.hash}\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, witness_path(path))


def load_witness(path: Path) -> Head:
    """How far the chain in `path` had come; no further than nothing where there is no witness.

    Raises:
        RunError: the witness is damaged.
    """
    try:
        count, digest = witness_path(path).read_text(encoding="ascii").split()
        return Head(int(count), digest)
    except FileNotFoundError:
        return Head()
    except ValueError as error:
        raise RunError(f"{witness_path(path)} is damaged: it holds no count and hash.") from error


def _canonical(value: object) -> str:
    """One value in the one way in which it can be written; a blob stands in no honest row."""
    if isinstance(value, float):
        return "0x" + struct.pack(">d", value).hex()
    return json.dumps(value, default=repr)
