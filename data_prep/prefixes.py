"""Drawing prefixes by hashing: what one pair gets depends on the seed and that pair, not on order or threads."""

import hashlib
from collections.abc import Sequence


def seed_key(seed: int) -> bytes:
    """Return ``seed`` as the key of the hashes below."""
    return str(seed).encode()[:64]


def draw(seed: bytes, purpose: bytes, key: bytes) -> int:
    """Return a uniform 64-bit number that depends on the arguments alone."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8, key=seed, person=purpose).digest(), "little")


def prefix_lengths(length: int, wanted: int | None, seed: bytes, key: bytes) -> Sequence[int]:
    """Return ``wanted`` distinct prefix lengths of 1 .. ``length``, uniformly drawn, ascending; None: all of them."""
    if wanted is None or wanted >= length:
        return range(1, length + 1)
    if wanted == 1:
        return (1 + draw(seed, b"prefix", key) % length,)
    # Floyd's algorithm: every subset is equally likely, and a draw is needed per member only.
    chosen: set[int] = set()
    for i, highest in enumerate(range(length - wanted + 1, length + 1)):
        n = 1 + draw(seed, b"prefix", key + b"/%d" % i) % highest
        chosen.add(highest if n in chosen else n)
    return sorted(chosen)
