"""One self-contained file, made only of what a browser has."""

import dataclasses

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from export.graph import CameraToPicture, camera_pose
from export.passes import values
from export.proof import Exportable, Proved
from export.to_onnx import OPSET, to_onnx, to_sampled_onnx
from export.verify import OnnxPicture
from student.models.base import LightField, LightFieldOutput, grid_rays
from student.models.light_slab import LightSlabConfig
from teacher.cameras import Camera
from teacher.errors import UserError
from tests.bundles import Ball


def test_the_graph_has_the_contracts_inputs_and_outputs(source: Exportable, proved: Proved) -> None:
    height, width = source.size
    for model in proved.graphs.values():
        found, graph = values(model), model.graph
        assert {v.name: found[v.name].shape for v in graph.input} == {
            "T_norm_camera": (4, 4),
            "intrinsics": (4,),
        }
        assert {v.name: found[v.name].shape for v in graph.output} == {
            "rgba": (1, 4, height, width),
            "depth": (1, 1, height, width),
        }
        floats = {found[v.name].kind for v in (*graph.input, *graph.output)}
        assert floats == {onnx.TensorProto.FLOAT}


def test_the_file_is_self_contained_and_of_one_opset(proved: Proved) -> None:
    for model in proved.graphs.values():
        assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
        assert all(not tensor.external_data for tensor in model.graph.initializer)
        onnx.checker.check_model(model, full_check=True)


def test_no_node_computes_in_64_bits(proved: Proved) -> None:
    for model in proved.graphs.values():
        found = values(model)
        computed = {found[name].kind for node in model.graph.node for name in node.output}
        assert computed.isdisjoint({onnx.TensorProto.INT64, onnx.TensorProto.DOUBLE})


def test_the_same_student_gives_the_same_bytes(source: Exportable, proved: Proved) -> None:
    again = to_onnx(source.model, source.size)
    expected = proved.graphs["fp32"].SerializeToString(deterministic=True)
    assert again.SerializeToString(deterministic=True) == expected


class Sampled(LightField):
    """A student that reads a plane with GridSample and has no other form."""

    def __init__(self) -> None:
        super().__init__(1, torch.tensor([[-1.0] * 3, [1.0] * 3]))
        self.plane = nn.Parameter(torch.ones(1, 4, 8, 8))

    def forward(
        self, T_norm_camera: Tensor, intrinsics: Tensor, size: tuple[int, int]
    ) -> LightFieldOutput:
        """See `LightField.forward`."""
        _, directions = grid_rays(T_norm_camera, intrinsics, size)
        at = directions[:, :2].permute(0, 2, 3, 1)
        rgba = nn.functional.grid_sample(self.plane, at, align_corners=True)
        return LightFieldOutput(rgba, directions[:, :1])


def test_a_student_that_would_fall_back_to_the_cpu_is_refused() -> None:
    with pytest.raises(UserError) as error:
        to_onnx(Sampled(), (8, 8))
    assert "GridSample" in error.value.given
    assert "index_select" in error.value.remedy


@pytest.mark.parametrize("size", [(60, 64), (64, 60), (0, 64), (-8, 64)])
def test_a_size_that_is_no_multiple_of_the_upsampling_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="multiples of 8"):
        CameraToPicture(Ball(), size)


def test_the_picture_is_the_students_in_evaluation_mode(source: Exportable) -> None:
    """The graph takes a camera without a batch axis, and adds nothing to the student."""
    camera = source.cameras[3]
    pose = camera_pose(camera)
    rgba, depth, _ = CameraToPicture(source.model, source.size).render(pose)
    with torch.no_grad():
        expected = source.model(
            camera.T_world_camera[None], torch.tensor([camera.fractions]), source.size
        )
    torch.testing.assert_close(rgba, expected.rgba)
    torch.testing.assert_close(depth, expected.depth)
    assert not rgba.requires_grad


def test_a_cameras_pose_holds_at_any_resolution(source: Exportable) -> None:
    camera: Camera = source.cameras[0]
    resized = camera.resized(3 * camera.width, camera.height)
    assert camera_pose(resized).intrinsics == pytest.approx(camera_pose(camera).intrinsics)
    matrix = np.reshape(camera_pose(camera).T_norm_camera, (4, 4))
    np.testing.assert_array_equal(matrix, camera.T_world_camera)
    distorted = dataclasses.replace(camera, lens="opencv", distortion=(0.1, 0.0, 0.0, 0.0))
    assert camera_pose(distorted) == camera_pose(camera)


def test_a_student_with_planes_has_a_graph_with_grid_sample_too(source: Exportable) -> None:
    """For WebAssembly, where that is faster: the same picture as with gathers."""
    config = LightSlabConfig(
        planes=(8,), features=2, width=8, blocks=1, factors=(2, 2), channels=(8, 8)
    )
    model = config.build(source.model.aabb).eval()
    sampled = to_sampled_onnx(model, (8, 8))
    assert sampled is not None
    assert "GridSample" in {node.op_type for node in sampled.graph.node}
    pose = camera_pose(source.cameras[3])
    pictures = [
        OnnxPicture(g.SerializeToString()).render(pose) for g in (sampled, to_onnx(model, (8, 8)))
    ]
    torch.testing.assert_close(pictures[0].rgba, pictures[1].rgba, atol=1e-5, rtol=0)
    assert to_sampled_onnx(source.model, source.size) is None
