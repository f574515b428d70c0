"""Rays and space in WGSL: the same functions as `student.models.base` and `student.models.space`.

pixel --ray_through--> Ray --clip--> interval; fraction --distance_at--> distance
point --place--> coordinates in [-1, 1]^3, in which feature grids are read
"""

import torch

from export.split.protocol import Splittable
from export.split.stages import number, vector
from student.models.encoding import PARALLEL
from student.models.space import HORIZON, LEAST

_RAY = """\
struct Camera {
  pose: array<vec4f, 4>, // the rows of T_norm_camera
  intrinsics: vec4f,     // fx, fy, cx, cy as fractions of the picture's width and height
}
@group(0) @binding(0) var<uniform> camera: Camera;

struct Ray {
  origin: vec3f,
  direction: vec3f, // of length 1
}

// The camera's ray through `at`, a fraction of the picture's width and of its height.
fn ray_through(at: vec2f) -> Ray {
  let right_down = (at - camera.intrinsics.zw) / camera.intrinsics.xy;
  let local = vec3f(right_down.x, -right_down.y, -1.0);
  let x = camera.pose[0];
  let y = camera.pose[1];
  let z = camera.pose[2];
  let direction = vec3f(dot(x.xyz, local), dot(y.xyz, local), dot(z.xyz, local));
  return Ray(vec3f(x.w, y.w, z.w), normalize(direction));
}"""

_CLIP = """\
// Distances at which the ray enters and leaves the scene's box: the slab test, see clip_to_box.
fn clip(ray: Ray) -> vec2f {
  let safe = select(ray.direction, vec3f(PARALLEL), abs(ray.direction) < vec3f(PARALLEL));
  let middle = (CENTRE - ray.origin) / safe;
  let extent = HALF / abs(safe);
  let first = middle - extent;
  let last = middle + extent;
  let enter = max(max(first.x, first.y), first.z);
  let leave = min(min(last.x, last.y), last.z);
  let mean = 0.5 * (enter + leave);
  let reach = 0.5 * max(leave - enter, 0.0);
  let farthest = distance(CENTRE, ray.origin) + length(HALF);
  return clamp(vec2f(mean - reach, mean + reach), vec2f(0.0), vec2f(farthest));
}"""

_DISTANCE = """\
// How far along the ray a fraction of its interval lies.
fn distance_at(interval: vec2f, fraction: f32) -> f32 {
  return interval.x + (interval.y - interval.x) * fraction;
}"""

_PLACE = """\
// Where in the feature grids a point lies: the box becomes [-1, 1]^3.
fn place(point: vec3f) -> vec3f {
  return clamp((point - CENTRE) / HALF, vec3f(-1.0), vec3f(1.0));
}"""

# Without bounds: rays go on beyond the box, evenly in one over the distance, and all of space fits the grids.
_DISTANCE_BEYOND = """\
// How far along the ray a fraction of its way lies: beyond INSIDE it has left the box.
fn distance_at(interval: vec2f, fraction: f32) -> f32 {
  let far = max(interval.y, LEAST);
  let inside = min(fraction, INSIDE) / INSIDE;
  let out = max(fraction - INSIDE, 0.0) / (1.0 - INSIDE);
  return (interval.x + (far - interval.x) * inside) / (1.0 - (1.0 - 1.0 / HORIZON) * out);
}"""

_PLACE_BEYOND = """\
// Where in the feature grids a point lies: the box becomes [-INSIDE, INSIDE]^3, what is beyond the rest of [-1, 1]^3.
fn place(point: vec3f) -> vec3f {
  let scaled = (point - CENTRE) / HALF;
  let size = max(max(max(abs(scaled.x), abs(scaled.y)), abs(scaled.z)), 1.0);
  return scaled / size * (1.0 - (1.0 - INSIDE) / size);
}"""


def space_code(model: Splittable) -> str:
    """`Camera`, `ray_through`, `clip`, `distance_at` and `place` for the student's scene."""
    low, high = model.aabb.cpu()
    constants = [
        f"const CENTRE = {vector(0.5 * (high + low))};",
        f"const HALF = {vector(0.5 * (high - low))};",
        f"const PARALLEL = {number(PARALLEL)};",
    ]
    if not model.beyond:
        return "\n\n".join(["\n".join(constants), _RAY, _CLIP, _DISTANCE, _PLACE])
    constants += [
        f"const INSIDE = {number(1 - model.beyond)};",
        f"const HORIZON = {number(HORIZON)};",
        f"const LEAST = {number(LEAST * 0.5 * float((high - low).max()))};",
    ]
    return "\n\n".join(["\n".join(constants), _RAY, _CLIP, _DISTANCE_BEYOND, _PLACE_BEYOND])


def size_code(name: str, size: tuple[int, int]) -> str:
    """A constant vec2u (width, height) for `size` = (height, width)."""
    assert torch.tensor(size).min() > 0, f"{name} is empty"
    return f"const {name} = vec2u({size[1]}u, {size[0]}u);"
