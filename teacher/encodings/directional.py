"""Real spherical harmonics of a direction, the view encoding of instant-ngp (Müller et al. 2022, section 5.4)."""

import torch
from jaxtyping import Float
from torch import Tensor

COMPONENTS = 16


def spherical_harmonics(directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 16"]:
    """The 16 real harmonics of degree 0 to 3 at unit `directions`; orthonormal over the sphere.

    Constants: https://en.wikipedia.org/wiki/Table_of_spherical_harmonics#Real_spherical_harmonics
    """
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479177387814),
            0.4886025119029199 * y,
            0.4886025119029199 * z,
            0.4886025119029199 * x,
            1.0925484305920792 * x * y,
            1.0925484305920792 * y * z,
            0.31539156525252005 * (3 * zz - 1),
            1.0925484305920792 * x * z,
            0.5462742152960396 * (xx - yy),
            0.5900435899266435 * y * (3 * xx - yy),
            2.890611442640554 * x * y * z,
            0.4570457994644658 * y * (5 * zz - 1),
            0.3731763325901154 * z * (5 * zz - 3),
            0.4570457994644658 * x * (5 * zz - 1),
            1.445305721320277 * z * (xx - yy),
            0.5900435899266435 * x * (xx - 3 * yy),
        ],
        -1,
    )
