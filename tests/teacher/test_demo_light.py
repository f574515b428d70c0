"""Light, textures and shadows of the still life, against integrals and limits."""

import math

import numpy as np
import torch

from teacher.demo.geometry import Sphere, unit
from teacher.demo.glyphs import GLYPHS, text_distance, text_width
from teacher.demo.light import Lighting, SoftBox
from teacher.demo.materials import InlaidWood, Material, Plain
from teacher.demo.scene import still_life
from teacher.demo.shadows import ambient_openness, key_light
from teacher.demo.textures import Texture, chips, label, linear_from_srgb, srgb_from_linear, wood
from teacher.demo.things import StillLife, Thing
from teacher.demo.tracer import shade


def random_directions(count: int) -> torch.Tensor:
    return unit(torch.randn(3, count, generator=torch.Generator().manual_seed(0)))


def test_ambient_irradiance_is_the_cosine_integral_of_the_radiance():
    """Nine harmonics against Monte Carlo: E(n) = mean over the sphere of 4 L(d) max(n.d, 0)."""
    lighting = still_life().lighting
    d = random_directions(400_000)
    radiance = lighting.radiance(d, torch.zeros(d.shape[1])) - lighting.key.radiance(
        d, torch.zeros(d.shape[1])
    )
    n = random_directions(12)
    expected = torch.stack([4 * (radiance * (m @ d).clamp_min(0)).mean(1) for m in n.T], 1)
    error = (lighting.ambient_irradiance(n) - expected).abs() / expected.amax()
    assert error.max() < 0.04


def test_lamp_irradiance_is_the_cosine_integral_of_its_radiance():
    """The closed form for a disc against Monte Carlo; the soft edge makes a little more."""
    lamp = SoftBox((1.0, 0.6, 0.9), 0.38, 6.5, (1.0, 0.94, 0.84))
    d = random_directions(400_000)
    radiance = lamp.radiance(d, torch.zeros(d.shape[1]))
    n = lamp.axis
    integral = 4 * (radiance * (n[:, 0] @ d).clamp_min(0)).mean(1)
    torch.testing.assert_close(lamp.irradiance(n)[:, 0], integral, rtol=0.08, atol=0)


def test_perfect_mirror_shows_the_lamps_unchanged():
    """A ball of reflectance 1 alone in the scene returns the radiance of the mirrored direction."""
    lighting = still_life().lighting
    ball = Thing("ball", Sphere(0.5), Material((1.0, 1.0, 1.0), 0.0, None), (0.0, 0.0, 0.0))
    scene = StillLife((ball,), lighting)
    n = random_directions(200)
    d = unit(-n + 0.3 * random_directions(200).roll(1, 1))
    colour, t = shade(scene, 0.5 * n - 2 * d, d, bounces=1)
    torch.testing.assert_close(t, torch.full_like(t, 2.0), atol=1e-5, rtol=0)
    mirror = d - 2 * (d * n).sum(0) * n
    torch.testing.assert_close(colour, lighting.radiance(mirror, t * 0), atol=2e-3, rtol=2e-3)


def ball_above_ground() -> StillLife:
    """A ball of radius 0.3 whose centre is 1 above the origin, under a lamp straight overhead."""
    lamp = SoftBox((0.0, 0.0, 1.0), 0.3, 1.0, (1.0, 1.0, 1.0))
    white = Material((0.04, 0.04, 0.04), 0.0, Plain((1.0, 1.0, 1.0)))
    return StillLife((Thing("ball", Sphere(0.3), white, (0.0, 0.0, 1.0)),), Lighting(lamp, ()))


def test_shadow_is_full_below_the_ball_gone_far_away_and_monotone_between():
    """Moving out from below the ball, the lamp only ever comes into view."""
    scene = ball_above_ground()
    x = torch.linspace(0, 2, 81)
    p = torch.stack([x, 0 * x, 0 * x])
    up = torch.tensor([0.0, 0.0, 1.0])[:, None].expand_as(p)
    light = key_light(scene, p, up, torch.full((81,), -1))[0]
    full = math.sin(0.3) ** 2
    assert light[0] < 0.02 * full
    torch.testing.assert_close(light[-1], torch.tensor(full))
    assert (light.diff() >= -1e-6).all()
    half = float(x[(light < 0.5 * full).sum()])
    assert abs(half - 0.3) < 0.08  # the shadow's edge is where the ball's silhouette falls


def test_surfaces_that_face_away_get_no_key_light():
    """Lambert's cosine is clamped at 0."""
    p = torch.zeros(3, 1)
    down = torch.tensor([[0.0], [0.0], [-1.0]])
    assert key_light(ball_above_ground(), p, down, torch.tensor([-1])).abs().max() == 0


def test_openness_is_one_in_the_open_and_falls_towards_contact():
    """Far from everything nothing is occluded; in the gap below the ball, most is."""
    scene = ball_above_ground()
    heights = torch.tensor([-3.0, 0.2, 0.5, 0.65])
    p = torch.stack([0 * heights, 0 * heights, heights])
    up = torch.tensor([0.0, 0.0, 1.0])[:, None].expand_as(p)
    openness = ambient_openness(scene, p, up, torch.full((4,), -1))
    assert openness[0] == 1 and (openness.diff() < 0).all() and openness[-1] < 0.5


def test_convex_things_do_not_occlude_themselves():
    """On the ball's own surface nothing is occluded and nothing shadowed."""
    scene = ball_above_ground()
    n = random_directions(50)
    p = 0.3 * n + torch.tensor([0.0, 0.0, 1.0])[:, None]
    assert (ambient_openness(scene, p, n, torch.zeros(50).long()) == 1).all()


def test_srgb_transfer_functions_are_inverse():
    """Round trip, and the two pieces of the curve meet."""
    x = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(linear_from_srgb(srgb_from_linear(x)), x, atol=1e-6, rtol=0)
    assert srgb_from_linear(x).diff().max() < 0.02


def test_texture_returns_texels_at_their_centres():
    """(u, v) of the centre of row i from the top, column j gives texel [i, j]: v runs upwards."""
    texels = torch.arange(24.0).reshape(1, 4, 6)
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(6), indexing="ij")
    u, v = (columns + 0.5) / 6, 1 - (rows + 0.5) / 4
    sampled = Texture(texels).sample(u.flatten(), v.flatten())
    torch.testing.assert_close(sampled[0], texels.flatten(), atol=1e-4, rtol=0)


def test_rim_of_the_board_is_wood_without_chips():
    """Where the normal points sideways, the inlay does not show (it would streak down the rim)."""
    inlay = Texture(torch.ones(4, 8, 8))
    board = InlaidWood(inlay, 1.0)
    p = torch.tensor([[0.3, 0.3], [0.4, 0.4], [0.0, -0.05]])
    n = torch.tensor([[0.0, 0.6], [0.0, 0.8], [1.0, 0.0]])
    colour = board(p, n)
    torch.testing.assert_close(colour[:, 0], torch.ones(3))
    torch.testing.assert_close(colour[:, 1], wood(p)[:, 1])


def test_every_glyph_fills_the_em_and_nothing_else():
    """Strokes stay within the em box and reach from the base line (0) up to 0.5 at least."""
    for character, strokes in GLYPHS.items():
        points = np.array([point for stroke in strokes for point in stroke])
        assert points.min() > -0.03 and points[:, 1].max() < 1.03, character
        assert points[:, 1].min() < 0.05 and points[:, 1].max() > 0.5, character


def test_text_distance_is_zero_on_the_pen_and_grows_linearly():
    """An L is a corner: on its stem 0, and 0.2 to the left of it 0.2."""
    half = 0.5 * text_width("L")
    y = np.full(2, 0.5)
    np.testing.assert_allclose(text_distance(np.array([-half, -half - 0.2]), y, "L"), [0, 0.2])


def test_textures_are_the_same_every_time_and_differ_from_face_to_face():
    """Structure from motion fails on a box with six equal faces."""
    labels = [label(face, "RAY", 64).texels for face in range(6)]
    assert torch.equal(labels[2], label(2, "RAY", 64).texels)
    for a in range(6):
        for b in range(a):
            assert (labels[a] - labels[b]).abs().mean() > 0.05
    assert torch.equal(chips(20, 128, 7).texels, chips(20, 128, 7).texels)
    assert not torch.equal(chips(20, 128, 7).texels, chips(20, 128, 8).texels)
