"""Which frames of a clip are kept: sharp ones, that differ, upright, in sRGB; and what is refused."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from teacher.capture import colour
from teacher.capture.frames import Frames, extract
from teacher.capture.photos import groups_of, list_photos, read_photos
from teacher.capture.selection import blurred, change, choose
from teacher.capture.settings import FrameSettings, PoseSettings, check
from teacher.capture.sharpness import sharpness
from teacher.capture.video import Clip
from teacher.errors import UserError
from tests.clips import blur, drifting, noise_picture, pan, write_clip, write_photographs


def test_every_third_frame_blurred_hardly_any_is_chosen(tmp_path: Path) -> None:
    """S0-13: under 5 %, also where windows are so short that some hold one frame only."""
    frames = [blur(frame) if k % 3 == 1 else frame for k, frame in enumerate(pan(90))]
    glances = Clip(write_clip(tmp_path / "clip.mp4", frames)).glances()
    assert len(glances) == 90
    for target in (20, 58):
        kept = choose(glances, target).kept
        assert len(kept) > 0.8 * target
        assert sum(k % 3 == 1 for k in kept) < 0.05 * len(kept)


def test_exposure_that_drifts_changes_no_choice(tmp_path: Path) -> None:
    """By one stop, within the clip and between sharp and blurred frames alike: the same are dropped as blurred."""
    frames = [blur(frame) if k % 3 == 1 else frame for k, frame in enumerate(pan(90))]
    steady = choose(Clip(write_clip(tmp_path / "steady.mp4", frames)).glances(), 58)
    drifted = choose(Clip(write_clip(tmp_path / "drift.mp4", drifting(frames))).glances(), 58)
    dropped = [[fate == "blurred" for fate in choice.fates] for choice in (steady, drifted)]
    assert sum(dropped[0]) >= 28 and dropped[0] == dropped[1]
    assert drifted.count("same") == 0
    assert sum(k % 3 == 1 for k in drifted.kept) < 0.05 * len(drifted.kept)


def test_duplicates_are_dropped_and_the_ends_stay(tmp_path: Path) -> None:
    """S0-14: of 70 % duplicates at least 90 % go; first and last stay."""
    distinct = pan(30)
    frames = [frame for k, frame in enumerate(distinct) for _ in range(1 + 7 * (k % 3 == 1))]
    repeats = np.cumsum([0] + [a is b for a, b in zip(frames[1:], frames, strict=False)])
    assert repeats[-1] == 0.7 * len(frames)
    glances = Clip(write_clip(tmp_path / "clip.mp4", frames)).glances()
    choice = choose(glances, 1000)
    kept = choice.kept
    duplicates = sum(frames[b] is frames[a] for a, b in pairwise(kept))
    assert duplicates <= 0.1 * repeats[-1]
    assert len(kept) >= 28  # and what differs stays
    assert (kept[0], kept[-1]) == (0, len(frames) - 1)
    few = choose(glances, 10).kept
    assert (few[0], few[-1], len(few) <= 10) == (0, len(frames) - 1, True)


def test_quick_parts_of_a_path_get_more_frames() -> None:
    """The window slides three times as fast in the second half: it gets more than half of the frames."""
    wall = pan(1, (96, 1400))[0]
    places = np.cumsum([2] * 60 + [6] * 60)
    glances = _glances([np.ascontiguousarray(wall[:, x : x + 128]) for x in places])
    kept = np.array(choose(glances, 40).kept)
    assert 22 <= (kept >= 60).sum() <= 30


def _glances(frames: list[np.ndarray]) -> list:
    from teacher.capture.video import Glance

    grey = [frame.mean(-1).astype(np.uint8) for frame in frames]
    return [Glance(k, k / 30, sharpness(y), y) for k, y in enumerate(grey)]


def test_the_sharpest_of_each_window_is_kept() -> None:
    """Among frames none of which is blurred."""
    glances = [
        replace(glance, sharpness=1.0 if k % 3 == 2 else 0.85)
        for k, glance in enumerate(_glances(pan(90)))
    ]
    kept = choose(glances, 24).kept[1:-1]
    assert len(kept) == 22 and all(k % 3 == 2 for k in kept)


def test_choice_is_the_same_every_time() -> None:
    glances = _glances(pan(60))
    assert choose(glances, 20) == choose(glances, 20)


def test_a_soft_clip_keeps_its_frames() -> None:
    """Blurred means blurred in comparison: a clip that is soft throughout has no blurred frames."""
    seconds, sharp = np.arange(40) / 30, np.full(40, 0.1)
    assert not blurred(seconds, sharp).any()
    sharp[::4] = 0.05
    assert blurred(seconds, sharp).nonzero()[0].tolist() == list(range(0, 40, 4))


@pytest.mark.parametrize(("step", "most"), [(1, 4), (6, 12)])
def test_a_soft_stretch_keeps_what_overlap_needs(step: int, most: int) -> None:
    """A quick pan, or a plain wall between textured ones: dropped as a whole, it would cut the path in two."""
    frames = [blur(f) if 20 <= k < 32 else f for k, f in enumerate(pan(60, step=step))]
    glances = _glances(frames)
    soft = blurred(np.arange(60) / 30, np.array([glance.sharpness for glance in glances]))
    assert soft.nonzero()[0].tolist() == list(range(20, 32))
    kept = np.array(choose(glances, 60).kept)
    assert step / 128 * np.diff(kept).max() < 0.15  # of the width
    assert 1 <= soft[kept].sum() <= most


def test_sharpness_does_not_depend_on_exposure() -> None:
    """Half as bright and of half the contrast is as sharp; out of focus is not."""
    picture = noise_picture(120, 160)[..., 0]
    assert sharpness(picture // 2) == pytest.approx(sharpness(picture), rel=0.03)
    soft = blur(np.repeat(picture[..., None], 3, -1), 1.6)[..., 0]
    assert sharpness(soft) < 0.7 * sharpness(picture)
    assert sharpness(np.zeros((50, 60), np.uint8)) == 0


@pytest.mark.parametrize("step", [1, 2])
def test_change_is_motion_in_widths(step: int) -> None:
    """Roughly: of a slide by one or two pixels of 96; brightness is not motion."""
    a, b = (frame.mean(-1).astype(np.uint8) for frame in pan(2, (54, 96), step))
    moved = change(a, b)
    assert 0.5 * step / 96 < moved < 1.5 * step / 96
    assert change(a, a) == 0
    assert change(a, np.clip(a.astype(int) + 9, 0, 255).astype(np.uint8)) < 0.2 * moved


def test_times_come_from_the_frames_own_stamps(tmp_path: Path) -> None:
    """A variable frame rate: --start and --end are seconds, not frames."""
    seconds = [0.0, 0.1, 0.2, 1.0, 2.0, 2.1, 2.2, 3.0]
    path = write_clip(tmp_path / "clip.mkv", pan(8), seconds=seconds)
    glances = Clip(path, start=0.15, end=2.15).glances()
    assert [round(glance.seconds, 2) for glance in glances] == [0.2, 1.0, 2.0, 2.1]
    assert [glance.index for glance in glances] == [2, 3, 4, 5]


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_frames_are_turned_as_the_file_asks(tmp_path: Path, rotation: int) -> None:
    """A quarter turn counter-clockwise takes a bright stored right side to the top."""
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:, 72:] = 240
    path = write_clip(tmp_path / "clip.mp4", [frame] * 3, rotation=rotation)
    ((index, shown),) = Clip(path).pictures([1], 1000)
    expected = np.rot90(frame, rotation // 90)
    assert index == 1 and shown.shape == expected.shape
    assert np.abs(shown.astype(int) - expected).mean() < 4


def test_pictures_are_shrunk_to_the_size_asked_for(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", pan(3, (96, 128)))
    shapes = [pixels.shape for _, pixels in Clip(path).pictures([0, 2], 64)]
    assert shapes == [(48, 64, 3)] * 2


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    """Cut off, overwritten in the middle, not a video at all, not there."""
    whole = write_clip(tmp_path / "whole.mp4", pan(60)).read_bytes()
    cut, torn, text = (tmp_path / name for name in ("cut.mp4", "torn.mp4", "text.mp4"))
    cut.write_bytes(whole[: len(whole) // 2])
    start, end = whole.index(b"mdat") + 8, whole.index(b"moov")
    low, high = start + 3 * (end - start) // 10, start + 8 * (end - start) // 10
    torn.write_bytes(whole[:low] + bytes(high - low) + whole[high:])
    text.write_text("not a video")
    for path in (cut, torn, text, tmp_path / "absent.mp4"):
        with pytest.raises(UserError, match=path.name):
            Clip(path).glances()


def test_a_part_outside_the_clip_is_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", pan(10))
    with pytest.raises(UserError, match="earlier --start"):
        Clip(path, start=9).glances()
    with pytest.raises(UserError, match="start < end"):
        Clip(path, start=0.2, end=0.1).glances()


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([np.zeros((96, 128, 3), np.uint8)] * 40, "blank"),
        (pan(3), "3 frames"),
        ([pan(1)[0]] * 40, "tripod"),
    ],
    ids=["black", "three frames", "tripod"],
)
def test_clips_that_show_too_little_are_refused(
    tmp_path: Path, frames: list[np.ndarray], words: str
) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames)
    with pytest.raises(UserError, match=words):
        extract(path, tmp_path / "images", FrameSettings())


def test_record_of_frames_survives_the_disk(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", pan(30))
    frames = extract(path, tmp_path / "images", FrameSettings(num_frames_target=12))
    assert frames.names == sorted(file.name for file in (tmp_path / "images").iterdir())
    assert 8 <= len(frames.names) <= 12 and frames.read == 30 and len(frames.curve) == 30
    frames.save(tmp_path / "frames.json")
    assert Frames.load(tmp_path / "frames.json") == frames


# --- colour ---


def _hdr_frame(codes: tuple[int, int, int], transfer: int) -> av.VideoFrame:
    frame = av.VideoFrame(64, 64, "yuv420p10le")
    for plane, code in zip(frame.planes, codes, strict=True):
        plane.update(np.full(plane.buffer_size // 2, code, np.uint16).tobytes())
    frame.color_trc, frame.colorspace, frame.color_range = transfer, 9, 1
    return frame


@pytest.mark.parametrize(("transfer", "signal"), [(colour.PQ, 0.58), (colour.HLG, 0.75)])
def test_diffuse_white_of_hdr_is_nearly_white(transfer: int, signal: float) -> None:
    """203 cd/m² (58 % PQ, 75 % HLG: BT.2408) is where the roll-off has begun; black is black."""
    white = colour.to_srgb(_hdr_frame((round(64 + 876 * signal), 512, 512), transfer), 64, 64)
    rolled = 0.8 + 0.2 * (1 - np.exp(-1))  # of linear 1
    expected = 255 * (1.055 * rolled ** (1 / 2.4) - 0.055)
    assert np.abs(white.astype(float) - expected).max() < 3
    assert colour.to_srgb(_hdr_frame((64, 512, 512), transfer), 64, 64).max() <= 1
    peak = colour.to_srgb(_hdr_frame((940, 512, 512), transfer), 64, 64)
    assert 252 <= peak.min() and np.ptp(peak) <= 1


def test_hdr_keeps_hues() -> None:
    """A BT.709 red at half of diffuse white comes back as that red; a bright one keeps its ratios."""
    inverse = np.linalg.inv(np.float64(colour._RGB709_FROM_RGB2020))
    linear = (inverse @ np.array([0.5, 0.1, 0.05])).astype(np.float32)
    assert colour.srgb_of_hdr(linear[None, None])[0, 0].tolist() == pytest.approx(
        [188, 89, 63], abs=1
    )
    bright = colour.srgb_of_hdr(6 * linear[None, None])[0, 0] / 255.0
    back = np.where(bright <= 0.04045, bright / 12.92, ((bright + 0.055) / 1.055) ** 2.4)
    assert back[0] / back[1] == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize(("matrix", "height"), [(1, 1080), (5, 480), (2, 1080), (2, 480)])
def test_sdr_uses_the_files_matrix(matrix: int, height: int) -> None:
    """A saturated red in BT.709 or BT.601; where the file names none, the frame's height decides."""
    seven = matrix == 1 or (matrix == 2 and height >= 576)
    y, cb, cr = (63, 102, 240) if seven else (81, 90, 240)
    frame = av.VideoFrame(64, height, "yuv420p")
    for plane, code in zip(frame.planes, (y, cb, cr), strict=True):
        plane.update(bytes([code]) * plane.buffer_size)
    frame.colorspace, frame.color_range = matrix, 1
    middle = colour.to_srgb(frame, 64, height)[height // 2, 32]
    assert middle.tolist() == pytest.approx([255, 0, 0], abs=4)


# --- photographs ---


def _exif(orientation: int = 1, film: int | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = orientation, "Maker", "Phone 3"
    if film is not None:
        exif.get_ifd(0x8769)[0xA405] = film
    return exif


def test_photographs_are_turned_and_their_focal_length_read(tmp_path: Path) -> None:
    """Orientation 6 (stored on its side), 26 mm of film: f = 26 / 43.27 of the diagonal."""
    stored = noise_picture(60, 80)
    stored[:, 60:] = 250
    Image.fromarray(stored).save(tmp_path / "b.jpg", exif=_exif(6, 26), quality=95)
    Image.fromarray(stored).save(tmp_path / "a.png")
    plain, turned = read_photos(list_photos(tmp_path), 1000)
    assert (plain.name, turned.name) == ("a.jpg", "b.jpg")
    assert turned.image.size == (60, 80) and plain.focal is None
    assert np.array(turned.image)[65:].mean() > 240  # the stored right side is the shown bottom
    assert turned.focal == pytest.approx(26 / 43.27 * 100, rel=1e-6)
    (half,) = read_photos(list_photos(tmp_path)[1:], 40)
    assert half.image.size == (30, 40) and half.focal == pytest.approx(26 / 43.27 * 50, rel=1e-6)


def test_masks_are_turned_and_shrunk_with_their_photographs(tmp_path: Path) -> None:
    """The photograph is shown on its side; its mask may be stored as the file is, or upright."""
    stored = noise_picture(60, 80)
    mask = np.zeros((60, 80), np.uint8)
    mask[:, 60:] = 255
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    photos.mkdir()
    masks.mkdir()
    for name, kept in (("a", mask), ("b", np.rot90(mask, -1))):
        Image.fromarray(stored).save(photos / f"{name}.jpg", exif=_exif(6))
        Image.fromarray(kept).save(masks / (f"{name}.png" if name == "a" else f"{name}.jpg.png"))
    for shown in read_photos(list_photos(photos), 40, masks):
        assert shown.mask is not None and shown.mask.size == shown.image.size == (30, 40)
        kept = np.array(shown.mask)
        assert (kept[:30] == 0).all() and (kept[30:] == 255).all()
    (masks / "a.png").unlink()
    with pytest.raises(UserError, match=r"mask of a\.jpg"):
        list(read_photos(list_photos(photos), 40, masks))
    Image.new("L", (9, 9)).save(masks / "a.png")
    with pytest.raises(UserError, match="9 x 9 pixels"):
        list(read_photos(list_photos(photos), 40, masks))


def test_masks_are_for_photographs(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", pan(10))
    with pytest.raises(UserError, match="masks of"):
        extract(path, tmp_path / "images", FrameSettings(masks=tmp_path))


def test_pictures_of_one_lens_share_it() -> None:
    facts = [
        ("a", ("x",), 50.0, (80, 60)),
        ("b", ("y",), None, (80, 60)),
        ("c", ("x",), 50.0, (80, 60)),
    ]
    groups = groups_of(facts)
    assert [group.names for group in groups] == [("a", "c"), ("b",)]
    assert [group.focal for group in groups] == [50.0, None]


def test_names_stay_unique(tmp_path: Path) -> None:
    for name in ("p 1.png", "p_1.jpg", "P_1.jpeg", "p_2.png", "p_10.png"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    names = [photo.name for photo in list_photos(tmp_path)]
    assert len({name.lower() for name in names}) == 5
    assert names.index("p_2") < names.index("p_10")


def test_folders_without_usable_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="empty folder"):
        list_photos(tmp_path)
    (tmp_path / "IMG.HEIC").write_bytes(b"x")
    with pytest.raises(UserError, match=r"only \.heic(.|\n)*JPEG"):
        list_photos(tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    with pytest.raises(UserError, match=r"broken\.jpg"):
        list(read_photos(list_photos(tmp_path), 100))
    with pytest.raises(UserError, match="1 pictures"):
        extract(tmp_path, tmp_path / "out", FrameSettings())
    black = write_photographs(tmp_path / "black", [np.zeros((40, 50, 3), np.uint8)] * 8)
    with pytest.raises(UserError, match="8 of 8 are blank"):
        extract(black, tmp_path / "out", FrameSettings())


def test_impossible_settings_are_refused() -> None:
    with pytest.raises(UserError, match="--num-frames-target"):
        check(FrameSettings(num_frames_target=2), PoseSettings())
    with pytest.raises(UserError, match="--random-seed"):
        check(FrameSettings(), PoseSettings(random_seed=-1))
