/**
 * The split form of a student on WebGPU: a shader, ONNX Runtime, a shader (export/split generates
 * all three).
 *
 *     camera --encode--> encoded --ray network--> ends --shade--> picture, depth
 *
 * All on one device and in its queue's order, so nothing is read back and nothing waits. The shaders'
 * constants are the tables, uploaded once: part k of a stage is its @group(1) @binding(k).
 */
import type { InferenceSession } from "onnxruntime-web";

import type { BundleFile, CameraPose, ModelFile, ShaderStage, SplitForm } from "./manifest";
import type { GpuEngine, Ort } from "./runtime";
import { frameTextures } from "./textures";
import { type StageTimer, stageTimer } from "./timing";

/** The files of a split form, downloaded. */
export interface SplitContents {
  readonly encode: string;
  readonly shade: string;
  readonly network: Uint8Array;
  readonly tables: Uint8Array<ArrayBuffer>;
}

/** All files of a split form, in the order that `contentsOf` takes them in. */
export const filesOf = ({ encode, shade, network, tables }: SplitForm): readonly BundleFile[] => [
  encode.shader,
  shade.shader,
  network,
  tables,
];

/** The contents of the files that `filesOf` names. */
export function contentsOf(files: readonly Uint8Array<ArrayBuffer>[]): SplitContents {
  const [encode, shade, network, tables] = files as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array<ArrayBuffer>,
  ];
  const text = new TextDecoder();
  return { encode: text.decode(encode), shade: text.decode(shade), network, tables };
}

/** Rows of the pose, then the intrinsics: `struct Camera` of the shaders. */
export const cameraNumbers = ({
  T_norm_camera,
  intrinsics,
}: CameraPose): Float32Array<ArrayBuffer> => Float32Array.from([...T_norm_camera, ...intrinsics]);

/** An engine of the split form `form` of `model`, whose ray network runs in `session`. */
export async function splitEngine(
  ort: Ort,
  session: InferenceSession,
  device: GPUDevice,
  model: ModelFile,
  form: SplitForm,
  contents: SplitContents,
): Promise<GpuEngine> {
  const camera = uniform(
    device,
    cameraNumbers({ T_norm_camera: Array(16).fill(0), intrinsics: [1, 1, 0, 0] }),
  );
  const type = model.precision === "fp16" ? "float16" : "float32";
  const encoded = between(ort, device, "encoded", form.encoded, type);
  const ends = between(ort, device, "ends", form.ends, type);
  const frame = frameTextures(device, model);
  const timer = stageTimer(device, ["encode", "network", "shade"]);
  const encode = await stage(device, form.encode, contents.encode, contents.tables, [
    { buffer: camera },
    { buffer: encoded.buffer },
  ]);
  const shade = await stage(device, form.shade, contents.shade, contents.tables, [
    { buffer: camera },
    { buffer: ends.buffer },
    frame.picture.createView(),
    frame.depth.createView(),
  ]);
  const [feeds, fetches] = [{ encoded: encoded.tensor }, { ends: ends.tensor }];
  return {
    kind: "webgpu",
    form: "split",
    device,
    frame,
    async run(pose) {
      device.queue.writeBuffer(camera, 0, cameraNumbers(pose));
      submit(device, encode, timer, 0);
      const began = performance.now();
      await session.run(feeds, fetches);
      const milliseconds = performance.now() - began;
      submit(device, shade, timer, 2);
      return milliseconds;
    },
    stages: () => timer.read(),
  };
}

/** A buffer between two stages, and the same as ONNX Runtime sees it. */
function between(
  ort: Ort,
  device: GPUDevice,
  label: string,
  dims: readonly number[],
  dataType: "float32" | "float16",
) {
  const numbers = dims.reduce((a, b) => a * b, 1);
  const buffer = device.createBuffer({
    label,
    size: dataType === "float16" ? 4 * Math.ceil(numbers / 2) : 4 * numbers,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  return { buffer, tensor: ort.Tensor.fromGpuBuffer(buffer, { dataType, dims: [...dims] }) };
}

function uniform(device: GPUDevice, content: Float32Array<ArrayBuffer>): GPUBuffer {
  const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
  const buffer = device.createBuffer({ size: content.byteLength, usage });
  device.queue.writeBuffer(buffer, 0, content);
  return buffer;
}

type Encode = (pass: GPUComputePassEncoder) => void;

/** One shader with its resources: `frame` in group 0, its parts of the tables in group 1. */
async function stage(
  device: GPUDevice,
  { parts, workgroups }: ShaderStage,
  code: string,
  tables: Uint8Array<ArrayBuffer>,
  frame: readonly GPUBindingResource[],
): Promise<Encode> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const group = (index: number, resources: readonly GPUBindingResource[]): GPUBindGroup =>
    device.createBindGroup({
      layout: pipeline.getBindGroupLayout(index),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
  const constants = parts.map(({ kind, offset, bytes }) => {
    const usage = kind === "uniform" ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
    const buffer = device.createBuffer({ size: bytes, usage: usage | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(buffer, 0, tables, offset, bytes);
    return { buffer };
  });
  const groups = [group(0, frame), group(1, constants)];
  return (pass) => {
    pass.setPipeline(pipeline);
    groups.forEach((it, index) => pass.setBindGroup(index, it));
    pass.dispatchWorkgroups(...workgroups);
  };
}

function submit(device: GPUDevice, encode: Encode, timer: StageTimer, index: number): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass(timer.around(index));
  encode(pass);
  pass.end();
  timer.end(encoder, index);
  device.queue.submit([encoder.finish()]);
}
