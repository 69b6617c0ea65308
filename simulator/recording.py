"""Makes recordings to listen to: a valid MP3, written bit by bit, that beeps where somebody speaks.

MPEG-2 Layer III, 16 kHz, mono, 8 kbit/s (ISO/IEC 13818-3): 36 bytes are 36 ms of sound. A beep is one spectral line
of 1 in the Huffman code's "count1" region, where a group of four lines is four inverted bits and a sign.
"""

from __future__ import annotations

from collections.abc import Sequence

FRAME_SECONDS = 576 / 16_000
_HEADER = b"\xff\xf3\x18\xc0"  # MPEG-2, Layer III, no CRC; 8 kbit/s, 16 kHz; mono
_FRAME_BYTES = 36
_SILENT_GAIN, _BEEP_GAIN = 0, 200  # `global_gain`, in quarter powers of two: 200 is a fifth of full scale
# A line is 13.9 Hz wide: the agent speaks at about 610 Hz, the driver at 390.
_LINES = {"agent": 44, "user": 28}


def beeps(utterances: Sequence[tuple[str, float]]) -> bytes:
    """Return an MP3 of the utterances (role, seconds): each is a beep with its speaker's pitch, then a pause."""
    frames = []
    for role, seconds in utterances:
        count = max(2, round(seconds / FRAME_SECONDS))
        spoken = max(1, count * 2 // 3)
        frames += [_frame(_LINES[role])] * spoken + [_frame(None)] * (count - spoken)
    return b"".join(frames)


def _frame(line: int | None) -> bytes:
    """Return one independent frame (`main_data_begin` is 0), with a tone at a spectral line, or silence for None."""
    data, gain = ("", _SILENT_GAIN) if line is None else (_tone(line), _BEEP_GAIN)
    side_information = "".join(
        [
            f"{0:08b}{0:01b}",  # main_data_begin, private
            f"{len(data):012b}{0:09b}{gain:08b}{0:09b}",  # part2_3_length, big_values, global_gain, scalefac_compress
            f"{0:01b}{0:015b}{0:04b}{0:03b}",  # long blocks, table_select, region counts
            f"{0:01b}{1:01b}",  # scalefac_scale, count1table_select
        ]
    )
    bits = (side_information + data).ljust((_FRAME_BYTES - len(_HEADER)) * 8, "0")
    return _HEADER + int(bits, 2).to_bytes(len(bits) // 8)


def _tone(line: int) -> str:
    """Return the bits of the groups of four lines up to this one.

    A group of zeros is 1111. A group with a one has a 0 bit at its place, and the sign bit at the end.
    """
    group, place = divmod(line, 4)
    return "1111" * group + "".join("0" if at == place else "1" for at in range(4)) + "0"
