"""How a NIfTI file is known by its first bytes, packed or not; needs no nibabel."""

import zlib

HEADER_BYTES = 540
"""Of the longer of the two kinds of header."""

GZIP = b"\x1f\x8b"

_MAGIC = {348: (344, b"n+1\0"), 540: (4, b"n+2\0\r\n\x1a\n")}
"""Size of a header, which it starts with -> where its magic stands; pairs of `.hdr` and `.img` are not read."""


def is_nifti(head: bytes) -> bool:
    """Tell by the first `HEADER_BYTES` bytes of a file, unpacked where it is packed."""
    for size in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big")):
        at, magic = _MAGIC.get(size, (0, b"?"))
        if head[at : at + len(magic)] == magic:
            return True
    return False


def unpacked_head(head: bytes) -> bytes:
    """Return the first bytes of what a gzip file's first bytes hold; other bytes, and damaged ones, as they are."""
    if not head.startswith(GZIP):
        return head
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEADER_BYTES)
    except zlib.error:
        return head
