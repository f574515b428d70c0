/** The graphics adapter and the device that ONNX Runtime and the drawing share. */
import type { AdapterFacts } from "./device";
import { OutOfMemory } from "./trouble";

/** What ONNX Runtime's kernels use where the adapter has it. */
const FEATURES: readonly GPUFeatureName[] = ["shader-f16", "subgroups"];

/**
 * ONNX Runtime sizes its kernels by these; a device has only WebGPU's defaults unless more is asked
 * for.
 */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxBindGroups",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxComputeWorkgroupSizeZ",
  "maxComputeWorkgroupsPerDimension",
  "maxTextureDimension2D",
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/**
 * The fastest adapter, or null: `navigator.gpu` alone says nothing, it exists on machines without
 * one too.
 */
export async function findAdapter(): Promise<GPUAdapter | null> {
  const gpu = (navigator as Partial<Navigator>).gpu;
  if (gpu === undefined) return null;
  return gpu.requestAdapter({ powerPreference: "high-performance" }).catch(() => null);
}

/** What the choice of backend needs to know of `adapter`. */
export function factsOf(adapter: GPUAdapter): AdapterFacts {
  const info = adapter.info as GPUAdapterInfo | undefined; // Chrome before 121 has none
  // Where it was until 2025.
  const earlier = (adapter as { isFallbackAdapter?: boolean }).isFallbackAdapter;
  return {
    name: [info?.vendor, info?.architecture].filter(Boolean).join(" ") || "unnamed",
    software: info?.isFallbackAdapter ?? earlier ?? false,
    halfPrecision: adapter.features.has("shader-f16"),
    largestBuffer: Math.min(
      adapter.limits.maxStorageBufferBindingSize,
      adapter.limits.maxBufferSize,
    ),
    largestSide: adapter.limits.maxTextureDimension2D,
  };
}

/** A device with everything of `adapter` that ONNX Runtime can use; `timings` adds its clock. */
export function openDevice(adapter: GPUAdapter, timings: boolean): Promise<GPUDevice> {
  const features: GPUFeatureName[] = timings ? [...FEATURES, "timestamp-query"] : [...FEATURES];
  const limits = LIMITS.filter((name) => adapter.limits[name] !== undefined);
  return adapter.requestDevice({
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  });
}

/**
 * `failed` hears when `device` is lost, and of errors that nobody catches: a shader or a buffer that
 * is not valid, or too little memory.
 */
export function watch(device: GPUDevice, failed: (error: unknown) => void): void {
  void device.lost.then(({ reason, message }) =>
    failed(new Error(`the graphics device was lost (${reason}): ${message}`)),
  );
  device.addEventListener("uncapturederror", ({ error }) => failed(errorOf(error)));
}

/**
 * Do `work`; where the device runs out of memory meanwhile, that is the error, whatever else is.
 * Without a device there is nothing to watch.
 */
export async function withinMemory<Result>(
  device: GPUDevice | null,
  work: () => Promise<Result>,
): Promise<Result> {
  if (device === null) return work();
  device.pushErrorScope("out-of-memory");
  const done = work();
  await done.catch(() => {}); // thrown below, unless memory was the reason
  const error = await device.popErrorScope().catch(() => null); // a lost device has no answer
  if (error !== null) throw errorOf(error);
  return done;
}

const errorOf = (error: GPUError): Error =>
  error instanceof GPUOutOfMemoryError ? new OutOfMemory(error.message) : new Error(error.message);
