/** A manifest as export writes it. */
import {
  type Manifest,
  type Rendition,
  SCHEMA,
  type ShaderStage,
  type SplitForm,
} from "../src/manifest";
import { RING, START } from "./envelope";

const stage = (name: string): ShaderStage => ({
  shader: { file: `student.fp32.${name}.wgsl`, bytes: 100, sha256: "ef".repeat(32) },
  workgroups: [4, 4, 1],
  parts: [
    { kind: "storage", offset: 0, bytes: 64 },
    { kind: "uniform", offset: 256, bytes: 16 },
  ],
  gflop: 0.01,
});

export const SPLIT: SplitForm = {
  encode: stage("encode"),
  network: { file: "student.fp32.network.onnx", bytes: 500, sha256: "01".repeat(32) },
  shade: stage("shade"),
  tables: { file: "student.tables.bin", bytes: 272, sha256: "23".repeat(32) },
  encoded: [1, 8, 16, 20],
  ends: [1, 8, 16, 32],
  gflop: 0.1,
  psnr: 80,
};

export const REDUCED: Rendition = {
  width: 32,
  height: 16,
  gflop: 0.05,
  file: { file: "student.fp32.reduced.onnx", bytes: 99, sha256: "67".repeat(32) },
  split: { ...SPLIT, shade: stage("reduced.shade"), gflop: 0.05 },
  psnr: 80,
};

export const MANIFEST: Manifest = {
  schema: SCHEMA,
  name: "still life",
  models: [
    {
      file: "student.fp32.onnx",
      bytes: 1234,
      sha256: "ab".repeat(32),
      precision: "fp32",
      width: 64,
      height: 32,
      student: "tiny",
      parameters: 10,
      gflop: 0.1,
      psnr: 80,
      sampled: { file: "student.fp32.sampled.onnx", bytes: 1200, sha256: "45".repeat(32) },
      split: SPLIT,
      reduced: REDUCED,
    },
  ],
  start: START,
  poster: "poster.png",
  envelope: RING,
  references: [
    { camera: START, image: "references/00.png", sha256: "cd".repeat(32), reduced: null },
  ],
  background: [1, 1, 1],
  quality: {
    views: 1,
    split: "test",
    background: "white",
    width: 64,
    height: 32,
    teacher_psnr: null,
    student_psnr_truth: null,
    student_psnr_teacher: null,
    onnx_psnr: 80,
  },
  provenance: { scene: "demo", created: "2026-01-01T00:00:00Z", versions: {} },
};
