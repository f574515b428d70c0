"""How a step is computed changes nothing but rounding, and what must not be rounded is not."""

from collections.abc import Callable

import pytest
import torch

from student import execution
from student.execution import Compiled, ExecutionConfig, executed, resolved
from student.models.base import LightField, LightFieldOutput
from student.models.mobile_r2l import MobileR2LConfig
from student.optimiser import OptimiserConfig, StudentOptimiser
from tests.student.toys import toy

BOX = torch.tensor([[-1.0] * 3, [1.0] * 3])
SURFACE = toy(points=4, blocks=2)
MODELS = {
    "surface-guided": SURFACE,
    "mobile_r2l": MobileR2LConfig(points=4, width=16, blocks=2, channels=(8, 8, 8)),
    "with BatchNorm": MobileR2LConfig(
        points=4, width=16, blocks=2, channels=(8, 8, 8), norm="batch"
    ),
}


def camera() -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    poses = torch.eye(4).repeat(2, 1, 1)
    poses[:, 2, 3] = 3
    return poses, torch.tensor([[1.4, 1.4, 0.5, 0.5]]).repeat(2, 1), (32, 32)


def build(name: str) -> LightField:
    """With weights that are not the initial zeros."""
    torch.manual_seed(0)
    model = MODELS[name].build(BOX)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_layout_changes_nothing(name: str) -> None:
    """The same pictures and gradients; weights keep their values."""
    plain, other = build(name), build(name)
    network = executed(other, ExecutionConfig(layout="channels_last"))
    for a, b in zip(plain(*camera())[:2], network(*camera())[:2], strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)
        (a.sum() + b.sum()).backward(retain_graph=True)
    largest = max(float(p.grad.abs().max()) for p in plain.parameters() if p.grad is not None)
    for a, b in zip(plain.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b) and a.grad is not None and b.grad is not None
        # not relative to each: a bias ahead of BatchNorm has no gradient but rounding
        torch.testing.assert_close(a.grad, b.grad, atol=1e-5 * largest, rtol=1e-3)


@pytest.mark.parametrize("name", MODELS)
def test_bf16_rounds_layers_and_not_rays(name: str) -> None:
    """Within bf16's rounding of float32, outputs and gradients float32; the model itself stays."""
    model = build(name).eval()
    network = executed(model, ExecutionConfig(precision="bf16")).eval()  # type: ignore[attr-defined]
    exact, rounded = model(*camera()), network(*camera())
    for a, b in zip(exact[:2], rounded[:2], strict=True):
        assert b.dtype == torch.float32
        difference = (a - b).abs()
        assert 0 < difference.max() < 0.1 and difference.mean() < 0.01
    rounded.rgba.sum().backward()
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in model.parameters())
    assert torch.equal(model(*camera()).rgba, exact.rgba)
    assert {id(p) for p in network.parameters()} == {id(p) for p in model.parameters()}  # type: ignore[attr-defined]


def test_rays_are_not_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the convolutions are given is float32, bit for bit as without bf16."""
    model = build("surface-guided")
    seen: list[torch.Tensor] = []
    kind = type(model)
    one: Callable[..., torch.Tensor] = kind.predict  # type: ignore[attr-defined]
    monkeypatch.setattr(kind, "predict", lambda self, x: (seen.append(x), one(self, x))[1])
    model(*camera())
    executed(model, ExecutionConfig(precision="bf16"))(*camera())
    assert torch.equal(*seen)


def test_the_default_is_the_model_itself() -> None:
    model = build("surface-guided")
    assert executed(model, ExecutionConfig()) is model


def test_moments_come_back_in_their_parameters_layout() -> None:
    """Files keep values only; a step after loading is the same step."""
    states = []
    for reload in (False, True):
        model = build("surface-guided")
        network = executed(model, ExecutionConfig(layout="channels_last"))
        optimiser = StudentOptimiser(model, OptimiserConfig(warmup=0.0))
        for step in range(3):
            if reload and step == 2:
                saved = {k: v.detach().clone().contiguous() for k, v in optimiser.state().items()}
                optimiser = StudentOptimiser(model, OptimiserConfig(warmup=0.0))
                optimiser.load(saved)
            network(*camera()).rgba.square().sum().backward()
            optimiser.step(step, 0.5)
        states.append(model.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_compiled_is_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced whole, with autocast inside, for two sizes (the code generator itself is torch's)."""
    compile_whole = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda f, **given: compile_whole(f, backend="eager", fullgraph=True, **given),
    )
    model = build("surface-guided")
    network = executed(model, ExecutionConfig(precision="bf16", compiled=True))
    plain = executed(model, ExecutionConfig(precision="bf16"))
    for side in (32, 16):
        given = (*camera()[:2], (side, side))
        torch.testing.assert_close(network(*given).rgba, plain(*given).rgba)


def test_no_compiler_is_said_once_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(execution.shutil, "which", lambda name: None)
    model = build("surface-guided")
    network = executed(model, ExecutionConfig(compiled=True))
    for _ in range(2):
        assert torch.equal(network(*camera()).rgba, model(*camera()).rgba)
    said = capsys.readouterr().out
    assert said.count("without torch.compile") == 1 and "C++ compiler" in said


def test_a_failing_compiler_is_said_once_and_training_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(graph: object, inputs: object) -> None:
        raise OSError("no space left")

    compile_whole = torch.compile
    monkeypatch.setattr(
        torch, "compile", lambda f, **given: compile_whole(f, backend=broken, **given)
    )
    network = Compiled(lambda x: LightFieldOutput(x.sin(), x[:, :1]), torch.device("cpu"))
    x = torch.rand(1, 4, 2, 2)
    for _ in range(2):
        assert torch.equal(network(x).rgba, x.sin())
    said = capsys.readouterr().out
    assert said.count("without torch.compile") == 1 and "no space left" in said


def test_auto_is_bf16_where_the_processor_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for supported, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda found=supported: found)
        assert resolved("auto", cpu) == expected
        assert resolved("fp32", cpu) == "fp32" and resolved("bf16", cpu) == "bf16"
