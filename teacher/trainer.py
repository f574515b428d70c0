"""One training in memory: the model, its optimiser and where they stand.

    PixelPool.draw -> rays, RGBA -> Variant.render_batch -> total_loss -> gradients -> FieldOptimiser -> variant
                        ^ number of rays adapted so that every step composites about `samples_per_step` samples

Each step's randomness comes from generators seeded by (seed, step) alone, and `state` holds everything else that steps
depend on: a killed and resumed run equals an uninterrupted one bit for bit (CPU, same number of threads).

Several processes: each draws rays of its own, gradients are averaged over all rays, and everything else that a step
changes is computed alike on all. So they hold the same bits, and learn what one process with all their rays would.

Nothing in a step waits for a GPU, except that its counts are read every `READ_EVERY` steps, and when a row is logged.
"""

import copy
from typing import Any

import torch
from torch import Tensor

from teacher import checkpoint
from teacher.data import PixelPool, RayBatch
from teacher.losses import total_loss
from teacher.metrics import mse_to_psnr
from teacher.model import Teacher, describe_scene
from teacher.optimiser import FieldOptimiser
from teacher.outcome import Numbers, Outcome
from teacher.parallel import World
from teacher.presets import TrainConfig
from teacher.scene import Scene
from teacher.seeds import generator_for
from teacher.selection import Best

MAX_RAYS = 1 << 18
READ_EVERY = 16
_ALONE = World()


def last_weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The averaged weights of the step that `Trainer.state` gave these tensors at, whichever are kept."""
    return checkpoint.under("variant.", state) | checkpoint.under("optimiser.average.", state)


class Trainer:
    """See the module's docstring. `world` are the processes that train together."""

    best: Best | None
    """The weights to keep so far, where the configuration keeps the best."""

    def __init__(
        self,
        scene: Scene,
        config: TrainConfig,
        device: torch.device | str = "cpu",
        world: World = _ALONE,
    ) -> None:
        torch.manual_seed(config.seed)
        self.scene, self.config, self.device = scene, config, torch.device(device)
        self.world, self.runs_ahead = world, self.device.type != "cpu"
        frames = scene.splits["train"]
        self.pool = PixelPool(frames, device)
        variant = config.build(scene.aabb, scene.cameras())
        variant.prepare(frames, scene.points)
        self.variant = variant.to(device)
        self.optimiser = FieldOptimiser(self.variant, self.variant.groups(), config.optimiser)
        self.step, self.rays, self.seconds = 0, config.first_rays, 0.0
        self.stopping, self.best = False, None

    def train_step(self, stop: bool = False) -> Outcome:
        """One step; `stop` asks all processes to set `stopping` when they next look at their counts."""
        generator = self._generator()
        self.variant.update(self.step, generator, self.config.steps)
        if self.world.rank:
            generator = self._generator(self.world.rank)
        outcome = self._gradients(self.pool.draw(self.rays, generator), generator, stop)
        self._share(outcome)
        self.optimiser.step(self.step, self.config.steps)
        self.step += 1
        if not self.runs_ahead or self.step % READ_EVERY == 0:
            self._adapt(outcome.read())
        return outcome

    def _generator(self, rank: int = 0) -> torch.Generator:
        return generator_for(self.config.seed, self.step, self.device, rank)

    def _gradients(self, batch: RayBatch, generator: torch.Generator, stop: bool) -> Outcome:
        rays = len(batch.rays)
        jitter = torch.rand(rays, generator=generator, device=self.device)
        background = torch.rand(rays, 3, generator=generator, device=self.device)
        rendering = self.variant.render_batch(batch.rays, batch.frames, jitter, self._capacity())
        loss, mse = total_loss(rendering, batch.rgba, background, self.config.loss)
        if len(rendering.sampling.samples) or self.world.size > 1:
            loss.backward()
        return Outcome.of(loss.detach(), mse, rays, rendering.sampling, stop)

    def _capacity(self) -> int | None:
        given = self.config.render.capacity
        return self.config.samples_per_step if given is None and self.runs_ahead else given

    def _share(self, outcome: Outcome) -> None:
        """Average gradients over the rays of all processes, and add up what they count."""
        if self.world.size == 1:
            return
        gradients = [p.grad for p in self.variant.parameters() if p.grad is not None]
        for gradient in gradients:
            gradient.mul_(outcome.weight)  # afterwards, in float32: it would not fit half a float
        self.world.add([outcome.values, *gradients])
        for gradient in gradients:
            gradient.div_(outcome.weight)

    def _adapt(self, numbers: Numbers) -> None:
        """Next step's number of rays: towards the sample budget, at most doubled or halved."""
        ratio = self.config.samples_per_step * self.world.size / max(1, numbers.work)
        self.rays = max(64, min(MAX_RAYS, int(self.rays * min(2.0, max(0.5, ratio)))))
        self.stopping |= numbers.stop

    def row(self, outcome: Outcome) -> dict[str, Any]:
        """What the log says of a step; waits for the device."""
        numbers = outcome.read()
        return {
            "loss": numbers.loss,
            "psnr": mse_to_psnr(numbers.mse),
            "rays": numbers.rays,
            "samples": numbers.samples,
            "candidates": numbers.candidates,
            **self.variant.sampler.report(),
        }

    def teacher(self) -> Teacher:
        """The model as it would be saved now: averaged weights, in evaluation mode."""
        return self._teacher_of(self._averaged())

    def kept(self) -> Teacher:
        """The model to leave behind: the best so far, where that is wanted and one was measured."""
        return self._teacher_of(self._averaged() if self.best is None else self.best.weights)

    def judge(self, psnr: float, judges: list[str]) -> None:
        """Keep the weights of now if `psnr`, on the views named `judges`, is the best so far."""
        if self.best is None or psnr > self.best.psnr:
            weights = {name: tensor.clone() for name, tensor in self._averaged().items()}
            self.best = Best(psnr, self.step, self.seconds, judges, weights)

    def _averaged(self) -> dict[str, Tensor]:
        return self.variant.state_dict() | self.optimiser.averaged()

    def _teacher_of(self, weights: dict[str, Tensor]) -> Teacher:
        variant = copy.deepcopy(self.variant)
        variant.load_state_dict(weights)
        return Teacher(variant, describe_scene(self.scene))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and values that `load` needs to go on from here."""
        tensors = {f"variant.{k}": v for k, v in self.variant.state_dict().items()}
        tensors |= {f"optimiser.{k}": v for k, v in self.optimiser.state().items()}
        if self.best is not None:
            tensors |= {f"best.{k}": v for k, v in self.best.weights.items()}
        names = self._names()
        others = {k: rows for k, rows in self.variant.rows(names).items() if rows != names}
        return tensors, {**self.progress(), "frames": names, "rows": others}

    def progress(self) -> dict[str, Any]:
        """How far training is, and what it would leave behind."""
        best = {} if self.best is None else {"best": self.best.numbers()}
        return {"step": self.step, "rays": self.rays, "seconds": self.seconds, **best}

    def load(self, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
        """The inverse of `state`, on any device; rows of training frames find theirs by name, new ones begin anew.

        With other frames the best weights so far are forgotten too: they never saw some of these.
        """
        if numbers["frames"] != self._names():
            tensors = self._matched(tensors, numbers["frames"], numbers.get("rows", {}))
            numbers = {key: value for key, value in numbers.items() if key != "best"}
        self._make_room(numbers)
        if self.best is not None:
            for name, tensor in self.best.weights.items():
                tensor.copy_(tensors[f"best.{name}"])
        self.variant.load_state_dict(checkpoint.under("variant.", tensors))
        self.optimiser.load(checkpoint.under("optimiser.", tensors))
        self._stand(numbers)

    def align(self) -> None:
        """Take over the first process's state, which may have loaded a checkpoint."""
        numbers = self.world.agree(self.state()[1])
        self._make_room(numbers)
        self.world.share(self.state()[0].values())
        self._stand(numbers)

    def _make_room(self, numbers: dict[str, Any]) -> None:
        """Have best weights if `numbers` say that there are some; their values are still to come."""
        if "best" not in numbers:
            self.best = None
            return
        room = self._averaged() if self.best is None else self.best.weights
        weights = {name: tensor.clone() for name, tensor in room.items()}
        self.best = Best(**numbers["best"], weights=weights)

    def _stand(self, numbers: dict[str, Any]) -> None:
        self.step, self.rays = int(numbers["step"]), int(numbers["rays"])
        self.seconds = numbers["seconds"]

    def _names(self) -> list[str]:
        return [frame.name for frame in self.scene.splits["train"]]

    def _matched(
        self, tensors: dict[str, Tensor], frames: list[str], others: dict[str, list[str]]
    ) -> dict[str, Any]:
        """`tensors` of a run on `frames`, for this run's; `others` are the rows that belonged to something else."""
        fresh, matched = self.state()[0], dict(tensors)
        for parameter, now in self.variant.rows(self._names()).items():
            saved = others.get(parameter, frames)
            for name in tensors:
                if name.endswith(f".{parameter}") and name in fresh:
                    rows = checkpoint.rows_by_name(tensors[name], saved, fresh[name], now)
                    matched[name] = rows
        return matched
