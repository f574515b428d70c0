"""`python -m export {onnx,bundle,verify,site,publish,serve,summary,report,figure,cost,types}`: the last stage."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from export.manifest import ModelFile, Precision
from teacher.cli import run_verbs
from teacher.errors import UserError, exit_on_user_error


@dataclass(frozen=True)
class Onnx:
    """Write a student as one ONNX file, proved against torch first."""

    student: Path
    """Run folder of the student."""
    output: Path
    """ONNX file to write."""
    precision: Precision = "fp32"
    """Precision of the network's body; rays and encoding are float32 in both."""

    def run(self) -> None:
        """Export, prove, write."""
        from export.bundle import write_onnx
        from export.proof import prove_student
        from export.student_run import open_student

        proved = prove_student(open_student(self.student))
        write_onnx(self.output, proved.graphs[self.precision])
        print(f"{self.output}: {proved.agreements[self.precision]}")


@dataclass(frozen=True)
class Bundle:
    """Write what the page needs of a student: models, reference pictures, manifest."""

    student: Path
    """Run folder of the student."""
    output: Path
    """Folder to write."""

    def run(self) -> None:
        """Export, prove, write."""
        from export.bundle import write_bundle
        from export.proof import prove_student
        from export.student_run import open_student

        source = open_student(self.student)
        manifest = write_bundle(source, prove_student(source), self.output)
        for model in manifest.models:
            print(
                f"{model.file}: {model.bytes / 1e6:.2f} MB, {model.parameters / 1e6:.2f} M "
                f"parameters, {model.gflop:.2f} GFLOP for {model.width}x{model.height}, "
                f"{model.psnr:.1f} dB against torch"
            )
            if model.split is not None:
                megabytes = sum(file.bytes for file in model.split.files) / 1e6
                print(
                    f"  for WebGPU: {model.split.network.file} between two shaders, "
                    f"{megabytes:.2f} MB, {model.split.psnr:.1f} dB against torch"
                )
            print(f"  {_reduced(model)}")


def _reduced(model: ModelFile) -> str:
    """A line on the smaller rendition of `model`."""
    if (found := model.reduced) is None:
        return "no smaller rendition: this student's work is done ray by ray, not pixel by pixel"
    own = {file.file: file.bytes for file in found.files}
    shared = {file.file for file in dataclasses.replace(model, reduced=None).files}
    kilobytes = sum(own[name] for name in own.keys() - shared) / 1e3
    return (
        f"for moving cameras: {found.width}x{found.height}, {found.gflop:.2f} GFLOP, "
        f"{kilobytes:.0f} kB more, {found.psnr:.1f} dB against torch"
    )


@dataclass(frozen=True)
class Verify:
    """Check a written bundle: schema, hashes, operators, and its models against its pictures."""

    bundle: Path
    """Folder of the bundle."""

    def run(self) -> None:
        """Check and print."""
        from export.verify import verify_bundle

        for file, agreement in verify_bundle(self.bundle).items():
            print(f"{file}: {agreement.psnr:.1f} dB against the reference pictures")


@dataclass(frozen=True)
class Site:
    """Put the built viewer and one or more bundles together into a folder for any static web server."""

    bundle: tyro.conf.UseAppendAction[tuple[Path, ...]]
    """Folder of a bundle; given several times, the page opens with a gallery."""
    output: Path
    """Folder to write; files in it that are not part of the site are removed."""
    viewer: Path = Path("web/viewer/dist")
    """Folder of the built viewer."""
    path: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """Camera-path file (`python -m teacher path`) to put beside the page; may be given several times."""

    def run(self) -> None:
        """Assemble."""
        from export.site import PATHS, write_site
        from export.transfer import transfer_table

        write_site(self.bundle, self.viewer, self.output, self.path)
        print(transfer_table(self.output))
        for path in self.path:
            print(f"?path={PATHS}/{path.name} at the end of the page's address plays {path}")
        print(f"{self.output}: open it with `python -m export serve --folder {self.output}`")


@dataclass(frozen=True)
class Publish:
    """Pack a site into one file, which any static host takes: see docs/hosting.md."""

    site: Path
    """Folder of the site, as `python -m export site` wrote it."""
    zip: Path
    """ZIP file to write; the same site always gives the same bytes."""

    def run(self) -> None:
        """Check and pack."""
        from export.publish import publish

        count = publish(self.site, self.zip)
        print(f"{self.zip}: {count} files, {self.zip.stat().st_size / 1e6:.1f} MB")


@dataclass(frozen=True)
class Serve:
    """Serve a static site on this machine."""

    folder: Path
    """Folder of the site."""
    port: int = 8000
    """Port to listen on; the next free one where it is taken."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 lets other machines in."""

    def run(self) -> None:
        """Serve until Ctrl-C."""
        from export.serve import serve

        serve(self.folder, self.port, self.host)


@dataclass(frozen=True)
class Summary:
    """Write and print the figures of a whole run."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Folder with the run's bundle and its stages.jsonl."""

    def run(self) -> None:
        """Write RUN/summary.json and print it for people."""
        from export.summary import report, summarise

        print(report(summarise(self.run_folder)))


@dataclass(frozen=True)
class Report:
    """Compare truth, teacher, student and exports of runs; write one HTML page, and CSV beside it."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, such as runs/demo; several are put side by side."""
    output: Path = Path("report.html")
    """HTML file to write; the CSV file has the same name."""
    split: str = "test"
    """Split of the photographs to compare on."""
    background: Literal["white", "black"] = "white"
    """What transparent pixels are put over."""
    bench: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()
    """JSON that the page's ?bench saved; may be given several times."""
    limit: int | None = None
    """At most so many views of each run, spread evenly; None: all."""

    def run(self) -> None:
        """Compare what has not been compared, write, say how large."""
        from export.report.write import write_report

        written = write_report(
            self.runs,
            self.output,
            split=self.split,
            background=self.background,
            benches=self.bench,
            limit=self.limit,
        )
        lacks = f"; {written.lacks} things are missing, see its end" if written.lacks else ""
        megabytes = written.html.stat().st_size / 1e6
        print(f"{written.html}: {written.views} views, {megabytes:.1f} MB{lacks}")
        print(f"{written.csv}: a row for each view and model")


@dataclass(frozen=True)
class Figure:
    """Put truth, teacher, student and the page's canvas side by side, after tests/browser/canvas.mjs."""

    run_folder: Annotated[Path, tyro.conf.arg(name="run")]
    """Folder of the run."""
    output: Path
    """PNG file to write."""
    backend: Literal["wasm", "webgpu"] = "wasm"
    """What the page ran on."""
    views: int = 4
    """Rows of the figure."""

    def run(self) -> None:
        """Write the figure; print the canvas's agreement with torch."""
        from export.figure import write_figure

        found = write_figure(self.run_folder, self.backend, self.views, self.output)
        worst = min(found, key=lambda name: found[name])
        print(f"{self.output}: canvas ({self.backend}) against torch, {len(found)} held-out views")
        print(
            f"  mean {sum(found.values()) / len(found):.1f} dB, worst {found[worst]:.1f} dB ({worst})"
        )


@dataclass(frozen=True)
class Cost:
    """Count what a frame of a student costs in each exported form: operations, bytes, dispatches.

    At its size, and at half its width and height where the student has such a form.
    """

    student: Path
    """Run folder of the student."""
    size: tuple[int, int] | None = None
    """(height, width) of the picture; None: as trained."""
    runs: int = 3
    """Frames to time in ONNX Runtime on the CPU; 0: none."""

    def run(self) -> None:
        """Count, time and print a table."""
        from export.cost import cost_table, frame_cost, reduced_cost
        from export.student_run import open_student

        source = open_student(self.student)
        size = self.size or source.size
        rows = frame_cost(source.model, size, self.runs)
        print(cost_table(rows + reduced_cost(source.model, size, self.runs)))


@dataclass(frozen=True)
class Types:
    """Write the page's types of manifest.json and scenes/index.json, from the Python dataclasses."""

    output: Path | None = None
    """File to write the manifest's type to, alone; by default both files of the viewer."""
    check: bool = False
    """Write nothing; fail if a file is not what would be written."""

    def run(self) -> None:
        """Generate."""
        from export import typescript

        texts = {self.output or typescript.GENERATED: typescript.generate()}
        if self.output is None:
            texts[typescript.GENERATED_GALLERY] = typescript.generate_gallery()
        for path, text in texts.items():
            if not self.check:
                typescript.write(path, text)
            elif not path.is_file() or path.read_text() != text:
                expected = "what export's dataclasses generate"
                raise UserError(f"{path}", "another text", expected, f"run `{typescript.COMMAND}`")


COMMANDS = (Onnx, Bundle, Verify, Site, Publish, Serve, Summary, Report, Figure, Cost, Types)


def main() -> None:
    """Parse the command line and run its verb."""
    run_verbs("python -m export", COMMANDS)


if __name__ == "__main__":
    exit_on_user_error(main)
