/** A manifest as export writes it. */
import { type Manifest, SCHEMA } from "../src/manifest";
import { RING, START } from "./envelope";

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
    },
  ],
  start: START,
  poster: "poster.png",
  envelope: RING,
  references: [{ camera: START, image: "references/00.png", sha256: "cd".repeat(32) }],
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
