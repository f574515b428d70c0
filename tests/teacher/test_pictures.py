"""Reading pictures: every kind of file, exact shrinking, and errors that name the file."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from teacher.errors import UserError
from teacher.pictures import Picture, box_filter, read_header, shrunk_size

GREY = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7


def saved(folder: Path, image: Image.Image, name: str = "x.png", **options: Any) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def random_rgba(height: int = 5, width: int = 7) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)


def test_rgba_comes_back_as_written(tmp_path: Path) -> None:
    rgba = random_rgba()
    path = saved(tmp_path, Image.fromarray(rgba))
    np.testing.assert_array_equal(Picture(path).rgba(), rgba)
    np.testing.assert_array_equal(Picture(path).alpha(), rgba[..., 3])
    assert Picture(path).rgba().flags.writeable


def test_rgb_and_grey_are_opaque(tmp_path: Path) -> None:
    grey = np.stack([GREY] * 3 + [np.full_like(GREY, 255)], -1)
    for mode in ("L", "RGB"):
        path = saved(tmp_path, Image.fromarray(GREY).convert(mode))
        np.testing.assert_array_equal(Picture(path).rgba(), grey)
        assert (Picture(path).alpha() == 255).all()
        assert not read_header(path).has_alpha


def test_grey_with_alpha(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(255 - GREY)]))
    expected = np.stack([GREY] * 3 + [255 - GREY], -1)
    np.testing.assert_array_equal(Picture(path).rgba(), expected)
    np.testing.assert_array_equal(Picture(path).alpha(), 255 - GREY)
    assert read_header(path).has_alpha


def test_a_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    path = saved(tmp_path, image, transparency=0)
    pixels = Picture(path).rgba()
    assert pixels[0, 0, 3] == 0
    np.testing.assert_array_equal(pixels[0, 1], [200, 100, 50, 255])
    assert read_header(path).has_alpha


def test_sixteen_bit_grey_keeps_its_high_byte(tmp_path: Path) -> None:
    values = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    path = saved(tmp_path, Image.fromarray(values))
    np.testing.assert_array_equal(Picture(path).rgba()[0, :, 0], [0, 0, 1, 128, 255])
    assert (Picture(path).rgba()[..., 3] == 255).all()


def test_sixteen_bit_colour_keeps_its_high_byte(tmp_path: Path) -> None:
    """Pillow cannot write such a file, so its few chunks are put together here."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 6, 0, 0, 0)
    row = struct.pack(">8H", 256, 512, 65535, 65535, 0, 32768, 300, 4096)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" + row))
    path = tmp_path / "deep.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks + chunk(b"IEND", b""))
    expected = [[[1, 2, 255, 255], [0, 128, 1, 16]]]
    np.testing.assert_array_equal(Picture(path).rgba(), expected)


def test_floating_point_pictures_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY.astype(np.float32)), "x.tiff")
    with pytest.raises(UserError, match="floating-point samples"):
        Picture(path).rgba()


@pytest.mark.parametrize(("calibrated", "turned"), [((5, 7), True), ((7, 5), False), (None, False)])
def test_the_cameras_size_decides_whether_the_exif_turn_is_applied(
    tmp_path: Path, calibrated: tuple[int, int] | None, turned: bool
) -> None:
    """Tag 0x0112 = 6: the stored picture has to be turned by 90 degrees clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.fromarray(GREY), exif=exif)
    picture = Picture(path, size=calibrated)
    expected = np.rot90(GREY, -1) if turned else GREY
    np.testing.assert_array_equal(picture.rgba()[..., 0], expected)
    assert picture.alpha().shape == expected.shape
    picture.check()


def test_a_square_picture_is_taken_as_stored(tmp_path: Path) -> None:
    """Its size cannot tell whether a tool turned it, so the rule of most tools holds."""
    exif = Image.Exif()
    exif[0x0112] = 6
    square = GREY[:5, :5]
    path = saved(tmp_path, Image.fromarray(square), exif=exif)
    np.testing.assert_array_equal(Picture(path, size=(5, 5)).rgba()[..., 0], square)


def test_a_wrong_size_names_both_sizes(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(GREY))
    picture = Picture(path, size=(6, 5))
    for read in (picture.rgba, picture.alpha, picture.check):
        with pytest.raises(UserError, match=r"x\.png\n.*7 x 5 pixels\n.*6 x 5 pixels"):
            read()


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_a_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    noise = Image.fromarray(random_rgba(60, 80)).convert("RGB")
    path = saved(tmp_path, noise, name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    picture = Picture(path, size=(80, 60))
    picture.check()  # the header is whole
    with pytest.raises(UserError, match=f"image .*{name}\n.*truncated"):
        picture.rgba()


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"image .*nothing\.png\n  given:    no such file"):
        Picture(tmp_path / "nothing.png").rgba()
    (tmp_path / "notes.png").write_text("not an image")
    with pytest.raises(UserError, match=r"notes\.png\n.*cannot identify"):
        read_header(tmp_path / "notes.png")


def test_a_png_with_a_wrong_chunk_length_is_named(tmp_path: Path) -> None:
    """Pillow's own word for it is SyntaxError, which must not look like a bug of ours."""
    path = saved(tmp_path, Image.fromarray(random_rgba()))
    data = path.read_bytes()
    place = data.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", data, place)
    path.write_bytes(data[:place] + struct.pack(">I", length - 20) + data[place + 4 :])
    with pytest.raises(UserError, match=r"x\.png\n.*broken PNG"):
        Picture(path).rgba()


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.gif"])
def test_a_damaged_byte_gives_a_picture_or_a_user_error(tmp_path: Path, name: str) -> None:
    """Whatever Pillow raises on damage is turned into the one kind of error that users see."""
    path = saved(tmp_path, Image.fromarray(random_rgba()).convert("RGB"), name)
    whole = path.read_bytes()
    refused = 0
    for place in range(0, len(whole), len(whole) // 200 + 1):
        for value in (whole[place] ^ 1, whole[place] ^ 128):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                assert Picture(path, size=(7, 5)).rgba().shape == (5, 7, 4)
            except UserError as error:
                assert str(path) in str(error)
                refused += 1
    assert refused > 10


# Shrinking.


def test_whole_ratios_average_blocks() -> None:
    image = np.random.default_rng(0).random((1, 6, 8), np.float32)
    expected = image.reshape(1, 3, 2, 2, 4).mean((2, 4))
    np.testing.assert_allclose(box_filter(image, 2, 3), expected, rtol=1e-6)


@given(full=st.integers(1, 40), count=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_shrinking_keeps_the_mean_whatever_the_ratio(full: int, count: int) -> None:
    """Every part of the picture weighs the same, at odd ratios too."""
    count = min(count, full)
    image = np.random.default_rng(full).random((full, 3), np.float32)
    np.testing.assert_allclose(box_filter(image, 3, count).mean(0), image.mean(0), rtol=1e-5)


@pytest.mark.parametrize(("full", "downscale"), [(31, 4), (30, 4), (7, 2), (9, 3)])
def test_a_shrunk_ramp_is_the_ramp_at_the_resized_cameras_pixel_centres(
    full: int, downscale: int
) -> None:
    """Pictures and `Camera.resized` agree: exactly at whole ratios, else but for an edge's share.

    Where an edge cuts an input pixel at a fraction f, the pixel's constant colour stands for both
    parts, which is wrong by f (1 - f) / 2 <= 1/8 of a pixel, averaged over full / width pixels.
    """
    width, _ = shrunk_size((full, 1), downscale)
    ramp = (np.arange(full, dtype=np.float32) + 0.5)[None]
    centres = (np.arange(width) + 0.5) * full / width
    error = np.abs(box_filter(ramp, width, 1)[0] - centres).max()
    assert error < (1e-5 if full % downscale == 0 else 2 / 8 * width / full)


def test_transparent_colours_do_not_bleed(tmp_path: Path) -> None:
    """One opaque green pixel among three transparent red ones: green, a quarter opaque."""
    rgba = np.array([[[255, 0, 0, 0]] * 2, [[255, 0, 0, 0], [0, 200, 0, 255]]], np.uint8)
    path = saved(tmp_path, Image.fromarray(rgba))
    np.testing.assert_array_equal(Picture(path, 2).rgba(), [[[0, 200, 0, 64]]])


def test_opaque_pictures_stay_exact(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.fromarray(np.full((4, 6), 77, np.uint8)))
    np.testing.assert_array_equal(Picture(path, 2).rgba(), np.tile([77, 77, 77, 255], (2, 3, 1)))


@pytest.mark.parametrize(
    ("size", "downscale", "expected"),
    [((7, 5), 2, (3, 2)), ((800, 800), 4, (200, 200)), ((3, 9), 4, (1, 2)), ((7, 5), 1, (7, 5))],
)
def test_sizes_are_rounded_down(
    tmp_path: Path, size: tuple[int, int], downscale: int, expected: tuple[int, int]
) -> None:
    assert shrunk_size(size, downscale) == expected
    path = saved(tmp_path, Image.new("RGB", size))
    assert Picture(path, downscale).rgba().shape[:2] == expected[::-1]


# Masks.


def masked(folder: Path, mask: np.ndarray, **options: Any) -> Picture:
    image = saved(folder, Image.new("RGB", (mask.shape[1], mask.shape[0])))
    return Picture(image, mask_path=saved(folder, Image.fromarray(mask), "mask.png"), **options)


def test_without_a_mask_there_is_none(tmp_path: Path) -> None:
    assert Picture(saved(tmp_path, Image.fromarray(GREY))).mask() is None


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_white_is_kept_unless_the_polarity_is_inverted(tmp_path: Path, depth: type) -> None:
    mask = np.array([[0, 1, np.iinfo(depth).max]], depth)
    np.testing.assert_array_equal(masked(tmp_path, mask).mask(), [[False, True, True]])
    inverted = masked(tmp_path, mask, mask_inverted=True).mask()
    np.testing.assert_array_equal(inverted, [[True, False, False]])


def test_any_colour_counts_as_not_black(tmp_path: Path) -> None:
    mask = np.array([[[0, 0, 0], [0, 0, 9]]], np.uint8)
    np.testing.assert_array_equal(masked(tmp_path, mask).mask(), [[False, True]])


def test_a_shrunk_pixel_is_kept_only_if_all_of_it_is(tmp_path: Path) -> None:
    mask = np.full((4, 4), 255, np.uint8)
    mask[3, 0] = 0
    kept = masked(tmp_path, mask, downscale=2).mask()
    np.testing.assert_array_equal(kept, [[True, True], [False, True]])


def test_a_mask_of_another_size_is_named(tmp_path: Path) -> None:
    picture = Picture(
        saved(tmp_path, Image.fromarray(GREY)),
        mask_path=saved(tmp_path, Image.new("L", (3, 3)), "mask.png"),
    )
    for read in (picture.mask, picture.check):
        with pytest.raises(UserError, match=r"mask .*mask\.png\n.*3 x 3 pixels\n.*7 x 5 pixels"):
            read()
