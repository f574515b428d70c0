/**
 * How long the stages of a frame take on the graphics card, where it can say so.
 *
 * Own stages are bracketed by timestamps; a stage of ONNX Runtime in between is what lies between
 * its neighbours' timestamps. Reading costs one small copy, after a frame is finished anyway.
 */

import type { StageTimes } from "./protocol";

export interface StageTimer {
  /** The descriptor of the compute pass that is the stage of this number. */
  around(stage: number): GPUComputePassDescriptor;
  /** Call after the pass of the stage, with its encoder. */
  end(encoder: GPUCommandEncoder, stage: number): void;
  /** The times of the last frame, once it is finished; null where the device has no clock. */
  read(): Promise<StageTimes | null>;
}

const NONE: StageTimer = { around: () => ({}), end: () => {}, read: async () => null };
const MILLISECOND = 1e6; // nanoseconds

/** A timer for the named stages, of which the first and the last are own passes. */
export function stageTimer(device: GPUDevice, names: readonly string[]): StageTimer {
  if (!device.features.has("timestamp-query")) return NONE;
  const count = 2 * names.length;
  const querySet = device.createQuerySet({ type: "timestamp", count });
  const size = 8 * count;
  const { QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ } = GPUBufferUsage;
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const readable = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  return {
    around: (stage) => ({
      timestampWrites: {
        querySet,
        beginningOfPassWriteIndex: 2 * stage,
        endOfPassWriteIndex: 2 * stage + 1,
      },
    }),
    end(encoder, stage) {
      if (stage < names.length - 1) return;
      encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, readable, 0, size);
    },
    async read() {
      await readable.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(readable.getMappedRange().slice(0));
      readable.unmap();
      return stageTimes(names, times);
    },
  };
}

/**
 * Milliseconds of each stage from the clock (nanoseconds) at its beginning and end; a stage without
 * timestamps of its own (zeros) lasted from the end of the one before to the beginning of the one
 * after.
 */
export function stageTimes(names: readonly string[], clock: BigUint64Array): StageTimes {
  const own = (stage: number): boolean => clock[2 * stage + 1] !== 0n;
  const entries = names.map((name, stage) => {
    const from = clock[own(stage) ? 2 * stage : 2 * stage - 1] ?? 0n;
    const to = clock[own(stage) ? 2 * stage + 1 : 2 * stage + 2] ?? 0n;
    return [name, Number(to - from) / MILLISECOND] as const;
  });
  return Object.fromEntries(entries);
}
