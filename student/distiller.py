"""One distillation in memory: network, optimiser and where they stand.

    pool.batch, photographs -> Lesson -> shrink, crop -> network, in parts -> distillation_loss
        ^ Replay: hard views more often                -> gradients -> StudentOptimiser

Each step's randomness comes from (seed, step, process) alone, and `state` holds everything else
that steps depend on.

Several processes: each draws views of its own, gradients are averaged, and everything else that a
step changes is computed alike on all. So they hold the same bits, and learn what one process with
all their pictures would. A network with BatchNorm normalises over its own process's pictures; its
running statistics are averaged too.
"""

import copy
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from student.execution import executed
from student.lessons import Lesson, crop, random_corners, shrink
from student.losses import Losses, distillation_loss
from student.models.base import LightField
from student.models.hashed import with_rounded_tables
from student.optimiser import StudentOptimiser
from student.photographs import Photographs
from student.presets import TrainConfig
from student.replay import Replay
from student.schedule import factor_at, shrunk_size
from teacher import checkpoint
from teacher.errors import UserError
from teacher.metrics import mse_to_psnr
from teacher.parallel import World
from teacher.pseudo.pool import ViewPool
from teacher.seeds import generator_for

STEP_SEED = 1 << 20  # apart from the pool's seeds, so that steps and cameras draw different numbers
_ALONE = World()


class Outcome(NamedTuple):
    """What came of a step, averaged over processes; reading it waits for the device."""

    step: int
    loss: Float[Tensor, ""]
    mse: Float[Tensor, ""]

    def row(self) -> dict[str, float]:
        """What the log says; raises UserError if the loss is not finite."""
        if not self.loss.isfinite():
            raise UserError(
                "distillation",
                f"a loss that is not finite at step {self.step}",
                "a falling loss",
                "lower --optimiser.learning-rate and --optimiser.grids-rate, and start in a new folder",
            )
        return {"loss": float(self.loss), "psnr": mse_to_psnr(self.mse.cpu())}


class Best(NamedTuple):
    """The weights that did best on photographs held back, and how well."""

    psnr: float
    weights: dict[str, Tensor]


class Distiller:
    """A run in memory; see the module's docstring.

    Args:
        config: everything that the result depends on.
        aabb: the scene's box in the norm frame.
        device: where the network is.
        world: the processes that train together.
        photographs: mixed in at the end, if `config` says so.
    """

    def __init__(
        self,
        config: TrainConfig,
        aabb: Float[Tensor, "2 3"],
        device: torch.device | str = "cpu",
        world: World = _ALONE,
        photographs: Photographs | None = None,
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.world = config, torch.device(device), world
        self.photographs, self.best = photographs, None
        self.model = config.model.build(aabb).to(device)
        self.network = executed(self.model, config.execution)
        self.optimiser = StudentOptimiser(self.model, config.optimiser)
        self.replay: Replay | None = None
        self.step, self.seconds, self.kept_back = 0, 0.0, 0.0
        self._replay_state: dict[str, Tensor] = {}

    best: Best | None
    """Kept in place of the averaged weights, once photographs have been learned from."""

    @property
    def fraction(self) -> float:
        """How much of the budget is used up."""
        return self.config.fraction(self.step, self.seconds, self.kept_back)

    def train_step(self, pool: ViewPool) -> Outcome:
        """One step on views of `pool`."""
        generator = generator_for(STEP_SEED + self.config.seed, self.step, rank=self.world.rank)
        # for networks that jitter their rays
        torch.manual_seed(int(torch.randint(1 << 62, (), generator=generator)))
        replay = self._replay(pool)
        lesson, numbers, tiles = self._lesson(pool, replay, generator)
        background = torch.rand(len(lesson), 3, 1, 1, generator=generator).to(self.device)
        losses = self._gradients(lesson, background)
        replay.remember(numbers, losses.mse[: len(numbers)], tiles)
        outcome = Outcome(self.step, *self._share(losses))
        if self.device.type == "cpu":
            outcome.row()  # a GPU is not waited for: there the log looks, and whoever saves
        self.optimiser.step(self.step, self.fraction)
        self.step += 1
        return outcome

    def _replay(self, pool: ViewPool) -> Replay:
        """What is remembered of the views of `pool`."""
        if self.replay is None:
            where = (pool.capacity, pool.size, self.config.patch, self.device)
            self.replay = Replay(self.config.replay, *where)
            self.replay.load(self._replay_state)
        return self.replay

    def _lesson(
        self, pool: ViewPool, replay: Replay, generator: torch.Generator
    ) -> tuple[Lesson, Int[Tensor, " views"], Int[Tensor, " views"] | None]:
        """Pictures of the step, the teacher's first; their views' numbers and, of patches, tiles."""
        config, photographs = self.config, self._photographs_now(generator)
        views = pool.batch(config.batch - photographs, generator, replay.choose)
        lessons = [Lesson.of(views)]
        if photographs and self.photographs is not None:
            lessons.append(self.photographs.draw(photographs, generator))
        factor = factor_at(config.progressive, self.fraction)
        size = shrunk_size(pool.size, factor, self.model.upsampling)
        lesson = Lesson.joined([shrink(part, size) for part in lessons])
        if config.patch is None:
            return lesson, views.numbers, None
        side = min(config.patch, *size)
        corners = replay.corners(random_corners(lesson, side, generator), side, size)
        tiles = replay.tiles(corners[: len(views.numbers)], side, size)
        return crop(lesson, side, corners), views.numbers, tiles

    def _photographs_now(self, generator: torch.Generator) -> int:
        """How many of this step's pictures are photographs: on average, the configured share."""
        config = self.config.photographs
        if self.photographs is None or not config.begun(self.fraction):
            return 0
        return int(config.share * self.config.batch + float(torch.rand((), generator=generator)))

    def _gradients(self, lesson: Lesson, background: Float[Tensor, "batch 3 1 1"]) -> Losses:
        """Add up the gradients of the mean loss, part by part."""
        parts, found = lesson.parts(self.config.accumulate), []
        for part, over in zip(parts, background.tensor_split(len(parts)), strict=True):
            output = self.network(part.T_norm_camera, part.intrinsics, part.size)
            losses = distillation_loss(output, part, over, self.config.loss)
            (losses.total.sum() / len(lesson)).backward()
            found.append(losses)
        total, mse = (torch.cat(values).detach() for values in zip(*found, strict=True))
        return Losses(total, mse)

    def _share(self, losses: Losses) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Average gradients and what BatchNorm has seen over all processes; mean loss and MSE."""
        means = torch.stack([losses.total.mean(), losses.mse.mean()])
        if self.world.size > 1:
            shared = [p.grad for p in self.model.parameters() if p.grad is not None]
            shared = [*shared, *statistics(self.model), means]
            flat = torch.cat([tensor.reshape(-1) for tensor in shared])
            self.world.add([flat])
            pieces = (flat / self.world.size).split([tensor.numel() for tensor in shared])
            for tensor, piece in zip(shared, pieces, strict=True):
                tensor.copy_(piece.view(tensor.shape))
        return means[0], means[1]

    def student(self) -> LightField:
        """The student as it would be saved now, in evaluation mode."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.weights())
        return model.eval()

    def weights(self) -> dict[str, Tensor]:
        """What is saved: the weights that photographs chose, or else the averaged ones; as shipped."""
        chosen = self.optimiser.averaged() if self.best is None else self.best.weights
        return with_rounded_tables(self.model, chosen)

    def judge(self, photographs: Photographs) -> float:
        """PSNR of the averaged weights on what `photographs` hold back; keeps the best so far."""
        model = copy.deepcopy(self.model)
        model.load_state_dict(self.optimiser.averaged())
        found = photographs.judge(model.eval())
        if self.best is None or found > self.best.psnr:
            kept = {name: value.clone() for name, value in self.optimiser.averaged().items()}
            self.best = Best(found, kept)
        return found

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and numbers that `load` needs to go on from here; all processes must ask."""
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"optimiser.{k}": v for k, v in self.optimiser.state().items()}
        remembered = {} if self.replay is None else self.replay.state()
        mine = {name: value.cpu() for name, value in remembered.items()}
        for rank, errors in enumerate(self.world.gather([mine])):
            tensors |= {f"replay.{rank}.{name}": value for name, value in errors.items()}
        numbers: dict[str, Any] = {"step": self.step, "seconds": self.seconds}
        if self.best is not None:
            tensors |= {f"best.{name}": value for name, value in self.best.weights.items()}
            numbers["best"] = self.best.psnr
        return tensors, numbers

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """The inverse of `state`."""
        self.model.load_state_dict(checkpoint.under("model.", tensors))
        self.optimiser.load(checkpoint.under("optimiser.", tensors))
        self._replay_state = checkpoint.under(f"replay.{self.world.rank}.", tensors)
        self.step, self.seconds = int(numbers["step"]), float(numbers["seconds"])
        if "best" in numbers:
            weights = checkpoint.under("best.", tensors)
            weights = {name: value.to(self.device) for name, value in weights.items()}
            self.best = Best(float(numbers["best"]), weights)


def statistics(model: LightField) -> list[Tensor]:
    """The running means and variances of a network's BatchNorms."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    found = [tensor for norm in norms for tensor in (norm.running_mean, norm.running_var)]
    return [tensor for tensor in found if tensor is not None]
