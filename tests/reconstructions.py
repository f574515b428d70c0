"""Reconstructions without pictures: cameras round a cloud of points, in a frame that is turned, shifted and scaled."""

import math
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from teacher.cameras import look_at
from teacher.capture.model import Comparison, LensFit, Model, Pair

LENS = LensFit(
    "SIMPLE_RADIAL", 400, 300, {"fl_x": 420.0, "fl_y": 420.0, "cx": 190.0, "cy": 160.0, "k1": 0.01}
)


def ring(count: int = 40, elevation: float = 0.5, turn: float = 1.0) -> Float[np.ndarray, "n 4 4"]:
    """Poses of cameras 2 units from the origin that look at it, one round (or `turn` of it)."""
    poses = []
    for k in range(count):
        azimuth = 2 * math.pi * turn * k / count
        flat = math.cos(elevation)
        away = [flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(elevation)]
        poses.append(look_at(2 * torch.tensor(away).double(), torch.zeros(3).double()).numpy())
    return np.array(poses)


def reconstruction(poses: Float[np.ndarray, "n 4 4"], points: int = 600, seed: int = 0) -> Model:
    """Points on a ball of radius 0.5, each seen by the cameras in front of it."""
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(points, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    places = 0.5 * normals
    to_camera = poses[None, :, :3, 3] - places[:, None]
    to_camera /= np.linalg.norm(to_camera, axis=-1, keepdims=True)
    seen_point, seen_image = np.nonzero((to_camera * normals[:, None]).sum(-1) > 0.7)
    model = Model(
        tuple(f"frame_{k + 1:05}.jpg" for k in range(len(poses))),
        poses,
        np.zeros(len(poses), int),
        (LENS,),
        places,
        rng.integers(0, 256, (points, 3)).astype(np.uint8),
        rng.uniform(0.3, 0.7, points),
        *(seen_image, seen_point),
    )
    return model.without(np.zeros(len(poses), bool))


def compared(model: Model, agreeing: float = 0.9) -> Comparison:
    """What matching would have found: every shared point is a match, of which `agreeing` went into one point."""
    shows = np.zeros((len(model.names), len(model.points)), int)
    shows[model.seen_image, model.seen_point] = 1
    shared = shows @ shows.T
    pairs = [
        Pair(a, b, int(shared[i, j]), int(agreeing * shared[i, j]), int(shared[i, j]))
        for i, a in enumerate(model.names)
        for j, b in enumerate(model.names)
        if i < j and shared[i, j]
    ]
    features = {name: 500 for name in model.names}
    return Comparison(features, tuple(pairs), (len(model.names),))


def folded(model: Model) -> tuple[Model, Comparison]:
    """Four sides taken for one: cameras a quarter round apart stand in one place, and their matches contradict."""
    quarter = len(model.names) // 4
    fold = replace(
        model, T_world_camera=model.T_world_camera[np.arange(len(model.names)) % quarter]
    )
    alike = [
        Pair(a, b, 80, 3, 75)
        for i, a in enumerate(model.names)
        for j, b in enumerate(model.names)
        if i < j and (j - i) % quarter <= 1 and j - i > 1
    ]
    known = compared(model)
    return fold, replace(known, pairs=(*known.pairs, *alike))
