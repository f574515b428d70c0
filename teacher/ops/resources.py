"""What a compiled GPU kernel takes of a multiprocessor, read out of its cubin: no CUDA tools, no GPU.

A cubin is an ELF file. Section `.text.<kernel>` holds machine code, `.nv.shared.<kernel>` static
shared memory, and `.nv.info` a list of attributes of functions: REGCOUNT, and FRAME_SIZE, the stack
in local memory (arrays that are indexed at run time, and what did not fit in registers). These are
the figures that `ptxas -v` prints; formats and numbers were found by comparing with it.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

_SECTION = struct.Struct("<IIQQQQIIQQ")
"""ELF64's section header: name, type, flags, address, offset, size, link, info, alignment, entry."""
_SYMBOL = struct.Struct("<IBBHQQ")
"""ELF64's symbol: name, info, other, section, value, size."""
_SYMBOL_TABLE, _NO_BITS = 2, 8
_FRAME_SIZE, _REGCOUNT = 0x11, 0x2F
"""The attributes EIATTR_FRAME_SIZE and EIATTR_REGCOUNT: (symbol, bytes or registers)."""
_RESERVED = ".nv.shared.reserved.0"
"""Where chips (sm_90 and newer) have this section, shared memory begins with 1024 bytes of the system's."""
_WITH_SIZE = 4
"""An attribute's format that is followed by a size and as many bytes; others are 4 bytes in all."""


class Resources(NamedTuple):
    """What each thread (registers, local) or block (shared) of a kernel takes."""

    registers: int
    """32-bit registers per thread."""
    shared: int
    """Bytes of static shared memory per block; what a launch asks for beside it is not in a cubin."""
    local: int
    """Bytes of stack per thread, in memory: zero for a kernel that spills nothing."""


class _Section(NamedTuple):
    type: int
    offset: int
    size: int
    link: int
    info: int


def resources(cubin: bytes) -> dict[str, Resources]:
    """Registers, static shared memory and local memory of each entry point.

    Args:
        cubin: machine code for one architecture, as `build.compile_cubin` gives it.

    Raises:
        ValueError: it is no cubin.
    """
    if cubin[:5] != b"\x7fELF\x02":
        raise ValueError("not a cubin: it does not begin as a 64-bit ELF file")
    sections = _sections(cubin)
    registers = _values(cubin, sections, _REGCOUNT)
    frames = _values(cubin, sections, _FRAME_SIZE)
    entries = [name.removeprefix(".text.") for name in sections if name.startswith(".text.")]
    return {
        entry: Resources(registers[entry], _shared(sections, entry), frames.get(entry, 0))
        for entry in entries
    }


def _shared(sections: dict[str, _Section], entry: str) -> int:
    section = sections.get(f".nv.shared.{entry}")
    if section is None:
        return 0
    return section.size - (1024 if _RESERVED in sections else 0)


def _sections(cubin: bytes) -> dict[str, _Section]:
    (start,) = struct.unpack_from("<Q", cubin, 40)
    size, count, names_index = struct.unpack_from("<HHH", cubin, 58)
    headers = [_SECTION.unpack_from(cubin, start + size * index) for index in range(count)]
    names = headers[names_index][4]
    return {
        _text(cubin, names + name): _Section(kind, offset, length, link, info)
        for name, kind, _, _, offset, length, link, info, _, _ in headers
    }


def _values(cubin: bytes, sections: dict[str, _Section], attribute: int) -> dict[str, int]:
    """The value of an attribute that functions have, by function."""
    symbols = _symbols(cubin, sections)
    return {
        symbols[index]: value
        for found, data in _attributes(cubin, sections.get(".nv.info"))
        if found == attribute
        for index, value in [struct.unpack("<II", data)]
    }


def _symbols(cubin: bytes, sections: dict[str, _Section]) -> list[str]:
    table = next(section for section in sections.values() if section.type == _SYMBOL_TABLE)
    names = list(sections.values())[table.link].offset
    data = cubin[table.offset : table.offset + table.size]
    return [_text(cubin, names + name) for name, *_ in _SYMBOL.iter_unpack(data)]


def _attributes(cubin: bytes, section: _Section | None) -> Iterator[tuple[int, bytes]]:
    """The attributes of a `.nv.info` that carry bytes: (which, bytes)."""
    if section is None or section.type == _NO_BITS:
        return
    at, end = section.offset, section.offset + section.size
    while at < end:
        form, attribute, size = struct.unpack_from("<BBH", cubin, at)
        at += 4
        if form == _WITH_SIZE:
            yield attribute, cubin[at : at + size]
            at += size


def _text(cubin: bytes, at: int) -> str:
    return cubin[at : cubin.index(b"\0", at)].decode()
