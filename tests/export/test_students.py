"""Every student exports, runs on a browser's GPU alone, and survives half precision."""

from dataclasses import replace

import pytest
import torch

from export.operators import check_operators
from export.proof import Exportable, prove_size
from export.verify import REQUIRED
from student.models.base import LightField
from student.models.light_slab import LightSlabConfig
from student.models.mobile_r2l import MobileR2LConfig
from student.models.surface_guided import SurfaceGuidedConfig
from student.presets import PRESETS

Config = SurfaceGuidedConfig | MobileR2LConfig | LightSlabConfig


def _small(config: Config) -> Config:
    """The same kind of network, exported faster."""
    if isinstance(config, MobileR2LConfig | LightSlabConfig):
        channels = (16, 16, 8)[-len(config.factors) :]
        return replace(config, width=32, blocks=3, channels=channels, stage_blocks=1)
    return config


def _awake(model: LightField) -> LightField:
    """Give every weight a value as large as training does: fresh residual blocks are zero."""
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            spread = (
                0.5
                if "planes" in name or "table" in name
                else 0.7 / max(1, tensor[0].numel()) ** 0.5
            )
            tensor.normal_(0, spread, generator=random)
        for name, tensor in model.named_buffers():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 2, generator=random)
    return model.eval()


@pytest.mark.parametrize("name", PRESETS)
def test_a_student_is_proved_in_both_precisions(name: str, source: Exportable) -> None:
    _, config = PRESETS[name]
    box = torch.tensor([[-1.0, -0.8, -0.6], [1.0, 0.8, 0.6]])
    model = _awake(_small(config.model).build(box))
    proved = prove_size(replace(source, model=model))
    for precision, graph in proved.graphs.items():
        agreements = [
            found[precision] for found in (proved.agreements, proved.split_agreements) if found
        ]
        assert all(agreement.psnr >= REQUIRED[precision] for agreement in agreements)
        on_gpu = proved.splits[precision].network if proved.splits else graph
        warnings = check_operators(on_gpu)
        assert bool(warnings) == (name == "mobile_r2l_paper")  # its transposed convolutions
    pictures = torch.stack([picture.rgba[0] for _, picture in proved.references])
    assert float(pictures.std(0).max()) > 0.01  # the cameras see different things
