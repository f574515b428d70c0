// Generated from export/manifest.py by `python -m export types`: change the dataclasses, not this file.

/** Version of manifest.json that this page reads; any other is refused. */
export const SCHEMA = 3;

/** A file of the bundle. */
export interface BundleFile {
  /** Path relative to manifest.json. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A range of the tables' file. */
export interface TablePart {
  /** The kind of buffer that it is bound as. */
  readonly kind: "storage" | "uniform";
  /** Of its first byte in the file, a multiple of 256. */
  readonly offset: number;
  readonly bytes: number;
}

/** A WGSL compute shader with the entry point `main`, run once for each frame. */
export interface ShaderStage {
  readonly shader: BundleFile;
  /** How many to dispatch. */
  readonly workgroups: readonly [number, number, number];
  /** What it reads of the tables: the k-th is its @group(1) @binding(k). */
  readonly parts: readonly TablePart[];
  readonly gflop: number;
}

/**
 * A model for WebGPU in three stages, joined by buffers of the model's precision: float32, or
 * float16 in pairs.
 */
export interface SplitForm {
  /** Camera -> buffer `encoded`. */
  readonly encode: ShaderStage;
  /** ONNX: `encoded` -> `ends`, both in the model's precision. */
  readonly network: BundleFile;
  /** Camera and `ends` -> texture of the picture (rgba8unorm), texture of depth (r32float). */
  readonly shade: ShaderStage;
  /** Feature grids in half precision and small weights, of both shaders and all precisions. */
  readonly tables: BundleFile;
  /** Shape of `encoded`: 1, coarse height, coarse width, channels. */
  readonly encoded: readonly [number, number, number, number];
  /** Shape of `ends`. */
  readonly ends: readonly [number, number, number, number];
  /** Of one frame, all stages together. */
  readonly gflop: number;
  /** The ray network in ONNX Runtime between the shaders' arithmetic in torch, against torch. */
  readonly psnr: number;
}

/**
 * The model at half its width and height: the same rays and weights, fewer pixels. What both sizes
 * have in common is downloaded once: large constants of its graph are ranges of the full size's
 * file (ONNX external data, whose location is that file's name).
 */
export interface Rendition {
  /** Width of the picture, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Floating-point operations of one frame of `file`, in 10^9. */
  readonly gflop: number;
  /** As `ModelFile.file`, in which its large constants are. */
  readonly file: BundleFile;
  /**
   * As `ModelFile.split`, of which only the last shader differs: it averages what the network says.
   */
  readonly split: SplitForm | null;
  /** ONNX Runtime against torch at this size, as `ModelFile.psnr`. */
  readonly psnr: number;
}

/** A student in one precision: one ONNX file that runs anywhere, and what is faster somewhere. */
export interface ModelFile {
  /** Path relative to manifest.json. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Precision of the network's body; inputs and outputs are float32 in both. */
  readonly precision: "fp32" | "fp16";
  /** Width of the picture that the model computes, in pixels. */
  readonly width: number;
  readonly height: number;
  /** Name of the student's preset. */
  readonly student: string;
  /** Trained numbers: weights, biases, feature grids. */
  readonly parameters: number;
  /** Floating-point operations of one frame, in 10^9 (a multiply-add counts as two). */
  readonly gflop: number;
  /** ONNX Runtime against torch in float32, premultiplied RGBA, worst reference view, in dB. */
  readonly psnr: number;
  /**
   * The same graph with GridSample, faster in place of `file` wherever that is there: not on
   * WebGPU.
   */
  readonly sampled: BundleFile | null;
  /** What to run on WebGPU, where `file` may then lack operators. */
  readonly split: SplitForm | null;
  /** A smaller picture in less time; null for a student without such a form. */
  readonly reduced: Rendition | null;
}

/** A camera as the model takes it. */
export interface CameraPose {
  /** Camera-to-norm, 16 numbers, row-major; OpenGL camera axes (+x right, +y up, -z forward). */
  readonly T_norm_camera: readonly number[];
  /** fx / width, fy / height, cx / width, cy / height. */
  readonly intrinsics: readonly [number, number, number, number];
}

/** Ranges of an orbit camera; angles in radians, lengths in norm units. */
export interface Envelope {
  /**
   * The point orbited, or turned about: least-squares intersection of the training cameras' optical
   * axes.
   */
  readonly pivot: readonly [number, number, number];
  /** Nearest and farthest distance from the pivot, or from the point `outlook` ahead of it. */
  readonly radius: readonly [number, number];
  /** First angle and last angle, first < last; a span of 2 pi means all the way round. */
  readonly azimuth: readonly [number, number];
  /** Lowest and highest angle above the horizontal plane through the pivot. */
  readonly elevation: readonly [number, number];
  /** How far from the pivot the point looked at may lie, or an optical axis may pass it. */
  readonly target_spread: number;
  /** Smallest and largest focal length, as a fraction of the picture's height. */
  readonly focal: readonly [number, number];
  /**
   * Around a filmed path, the ranges of elevation and radius at azimuths evenly from the first to
   * the last (all the way round the last one is left out, being the first); between two they are
   * linear. Empty: the same everywhere.
   */
  readonly track?: readonly (readonly [number, number, number, number])[];
  /**
   * 0: cameras orbit the pivot. Else they look around, and what they see is taken to be this far
   * ahead of it.
   */
  readonly outlook?: number;
}

/** A camera with the picture that torch computed for it. */
export interface ReferenceView {
  readonly camera: CameraPose;
  /** Straight-alpha RGBA PNG at the model's size, relative to manifest.json. */
  readonly image: string;
  readonly sha256: string;
  /** What torch computed for it at the size of `ModelFile.reduced`, likewise. */
  readonly reduced: BundleFile | null;
}

/** Measured quality; PSNR is the mean over views of -10 log10(MSE), in dB. */
export interface Quality {
  /** How many were measured; 0: none, and all figures but the last are null. */
  readonly views: number;
  readonly split: string;
  readonly background: string;
  readonly width: number;
  readonly height: number;
  readonly teacher_psnr: number | null;
  readonly student_psnr_truth: number | null;
  readonly student_psnr_teacher: number | null;
  /** ONNX Runtime (fp32 model) against torch, RGBA, worst reference view. */
  readonly onnx_psnr: number;
}

/** Where the bundle comes from. */
export interface Provenance {
  readonly scene: string;
  /** UTC, ISO 8601. */
  readonly created: string;
  readonly versions: Readonly<Record<string, string>>;
}

/** The whole of manifest.json. */
export interface Manifest {
  readonly schema: number;
  readonly name: string;
  /** Best first; the page takes the first one that its device can run. */
  readonly models: readonly ModelFile[];
  readonly start: CameraPose;
  /** Straight-alpha RGBA PNG of the start camera, to show while the page loads; relative path. */
  readonly poster: string;
  readonly envelope: Envelope;
  readonly references: readonly ReferenceView[];
  /** Suggested page background behind the transparent picture. */
  readonly background: readonly [number, number, number];
  readonly quality: Quality;
  readonly provenance: Provenance;
}
