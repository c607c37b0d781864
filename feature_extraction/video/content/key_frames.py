"""Whether a packet begins with a picture that decoding may start at: found from the picture, not from the container.

A container's mark of key frames can be missing or wrong. What is asked here is more than a picture without
references: no picture shown after it may need one from before it. So an I picture of H.264 that is not
IDR counts only where its recovery point says so. Pictures shown before it may still need what came earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from feature_extraction.video.content.bits import Bits, start_codes, units

# Codecs whose every picture stands alone.
_ALONE = frozenset({
    "mjpeg", "mjpegb", "prores", "dnxhd", "rawvideo", "png", "bmp", "tiff", "jpeg2000", "huffyuv", "ffvhuff",
    "utvideo", "dvvideo", "v210", "v308", "v408", "v410", "r210", "yuv4", "ayuv", "hap", "targa", "dxv",
    "magicyuv", "cllc", "aic", "avui", "avrp", "jpegls", "ljpeg", "dpx", "exr", "sgi", "sunrast", "qoi",
    "asv1", "asv2", "apv", "speedhq", "notchlc", "photocd"
})  # fmt: skip
# Codecs with one picture, or a kept one that an I picture replaces too, to refer to: the decoder's word is enough.
_DECODER_TELLS = frozenset({
    "theora", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1", "rv10", "rv20", "rv30",
    "rv40", "vp3", "vp6", "vp6f", "svq1", "ffv1"
})  # fmt: skip


def starts_alone(codec: str, content: bytes, extradata: bytes) -> bool | None:
    """Whether decoding may start at a packet; `codec` is FFmpeg's name, `extradata` what the container has of it.

    None: the packet does not say, and the decoder's value for its first frame has to be taken.
    """
    if codec in _ALONE:
        return True
    if codec in _DECODER_TELLS:
        return None
    look = _LOOKS.get(codec)
    if look is None:
        return False  # of other codecs nothing is known: only the start of the file is safe
    try:
        return look(content, extradata)
    except IndexError:  # cut short
        return False


def _h264(content: bytes, extradata: bytes) -> bool:
    length_size = (extradata[4] & 3) + 1 if extradata[:1] == b"\1" and len(extradata) > 6 else 0
    recovers = False
    for unit in units(content, length_size):
        kind = unit[0] & 31 if unit else 0
        if kind == 6:
            recovers = recovers or _recovers_at_once(unit[1:])
        elif kind in (1, 2):
            return recovers and _is_intra_slice(unit)
        elif kind == 5:
            return True
    return False


def _is_intra_slice(unit: bytes) -> bool:
    bits = Bits(unit[1:16])
    bits.exp_golomb()  # first macroblock
    return bits.exp_golomb() % 5 in (2, 4)  # I, SI


def _recovers_at_once(message: bytes) -> bool:
    """Whether supplemental information holds a recovery point of 0 frames that promises exact pictures."""
    message, place = message.replace(b"\0\0\3", b"\0\0"), 0
    while place + 2 < len(message):
        numbers = []
        for _ in range(2):  # kind and size, each 255 a byte and the rest
            number = 0
            while message[place] == 255:
                number, place = number + 255, place + 1
            numbers.append(number + message[place])
            place += 1
        kind, size = numbers
        if kind == 6:
            bits = Bits(message[place : place + size])
            return bits.exp_golomb() == 0 and bits.take(1) == 1
        place += size
    return False


def _hevc(content: bytes, extradata: bytes) -> bool:
    in_box = len(extradata) > 22 and extradata[:3] not in (b"\0\0\0", b"\0\0\1")
    for unit in units(content, (extradata[21] & 3) + 1 if in_box else 0):
        kind = unit[0] >> 1 & 63 if unit else 63
        if kind < 32:  # a slice: of a picture that is a random access point, or not
            return 16 <= kind <= 21
    return False


def _mpeg12(content: bytes, extradata: bytes) -> bool:
    for place in start_codes(content):
        if content[place] == 0:
            return content[place + 2] >> 3 & 7 == 1
    return False


def _mpeg4(content: bytes, extradata: bytes) -> bool:
    for place in start_codes(content):
        if content[place] == 0xB6:
            return content[place + 1] >> 6 == 0
    return _h263(content, extradata)  # a short header


def _h263(content: bytes, extradata: bytes) -> bool:
    bits = Bits(content[:16])
    if bits.take(22) != 32:
        return False
    bits.take(8 + 5)  # time, and flags up to the size of the picture
    if bits.take(3) != 7:
        return bits.take(1) == 0
    if bits.take(3) == 1:  # the options of the sequence stand here, too
        bits.take(18)
    return bits.take(3) == 0


def _flv1(content: bytes, extradata: bytes) -> bool:
    bits = Bits(content[:16])
    if bits.take(17) != 1:
        return False
    bits.take(5 + 8)
    size = bits.take(3)
    bits.take({0: 16, 1: 32}.get(size, 0))
    return bits.take(2) == 0


def _vp8(content: bytes, extradata: bytes) -> bool:
    return content[0] & 1 == 0 and content[3:6] == b"\x9d\x01\x2a"


def _vp9(content: bytes, extradata: bytes) -> bool:
    bits = Bits(content[:4])
    if bits.take(2) != 2:
        return False
    profile = bits.take(1) + 2 * bits.take(1)
    if profile == 3:
        bits.take(1)
    return bits.take(1) == 0 and bits.take(1) == 0  # not one shown again; a key frame


def _av1(content: bytes, extradata: bytes) -> bool:
    place = 0
    while place < len(content):
        head = content[place]
        kind, extended, sized = head >> 3 & 15, head >> 2 & 1, head >> 1 & 1
        place += 1 + extended
        size = len(content) - place
        if sized:
            size, place = _leb128(content, place)
        if kind in (3, 6):  # a frame, or the head of one
            bits = Bits(content[place : place + 1])
            again, frame_type, shown = bits.take(1), bits.take(2), bits.take(1)
            return not again and frame_type == 0 and shown == 1
        place += size
    return False


def _leb128(content: bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place after it."""
    value = 0
    for shift in range(0, 56, 7):
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, place


_LOOKS: Mapping[str, Callable[[bytes, bytes], bool]] = {
    "h264": _h264,
    "hevc": _hevc,
    "mpeg1video": _mpeg12,
    "mpeg2video": _mpeg12,
    "mpeg4": _mpeg4,
    "h263": _h263,
    "h263i": _h263,
    "h263p": _h263,
    "flv": _flv1,
    "flv1": _flv1,
    "vp8": _vp8,
    "vp9": _vp9,
    "av1": _av1,
}
