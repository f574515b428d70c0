/**
 * The shaders of a split form by themselves, in a page with WebGPU: what goes in, what comes out.
 *
 * SwiftShader has no shader-f16, so ONNX Runtime runs no half-precision network there; the shaders
 * around it do without that feature, and are run here.
 */

/**
 * Run both shaders in `page`. `ends` are numbers; in half precision they travel as halves.
 *
 * -> encoded: numbers, as the encoding shader wrote them; rgba: bytes; depth: numbers
 */
export function runShaders(page, folder, model, camera, ends) {
  return page.evaluate(inPage, {
    folder,
    form: model.split,
    half: model.precision === "fp16",
    size: [model.width, model.height],
    camera: [...camera.T_norm_camera, ...camera.intrinsics],
    ends,
  });
}

async function inPage({ folder, form, half, size, camera, ends }) {
  const device = await (await navigator.gpu.requestAdapter()).requestDevice();
  const [COPY_SRC, COPY_DST, UNIFORM, STORAGE] = [4, 8, 64, 128]; // GPUBufferUsage
  const fetched = async ({ file }) => (await fetch(folder + file)).arrayBuffer();
  const tables = await fetched(form.tables);

  function bufferOf(content, usage) {
    const buffer = device.createBuffer({ size: content.byteLength, usage: usage | COPY_DST });
    device.queue.writeBuffer(buffer, 0, content);
    return { buffer };
  }
  async function run(stage, frame) {
    const code = new TextDecoder().decode(await fetched(stage.shader));
    const module = device.createShaderModule({ code });
    const pipeline = device.createComputePipeline({ layout: "auto", compute: { module } });
    const parts = stage.parts.map(({ kind, offset, bytes }) =>
      bufferOf(tables.slice(offset, offset + bytes), kind === "uniform" ? UNIFORM : STORAGE),
    );
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    [frame, parts].forEach((resources, index) => {
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      pass.setBindGroup(
        index,
        device.createBindGroup({ layout: pipeline.getBindGroupLayout(index), entries }),
      );
    });
    const [x, y, z] = stage.workgroups;
    pass.dispatchWorkgroups(x, y, z);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
  async function read(bytes, copy) {
    const buffer = device.createBuffer({ size: bytes, usage: 1 | COPY_DST }); // MAP_READ
    const encoder = device.createCommandEncoder();
    copy(encoder, buffer);
    device.queue.submit([encoder.finish()]);
    await buffer.mapAsync(1);
    return buffer.getMappedRange().slice(0);
  }
  function texture(format) {
    return device.createTexture({ size, format, usage: 1 | 8 }); // COPY_SRC, STORAGE_BINDING
  }
  /** Texels of four bytes, row by row; in a buffer a row fills a multiple of 256 bytes. */
  async function readTexture(texture) {
    const [bytes, bytesPerRow] = [4 * size[0], 256 * Math.ceil(size[0] / 64)];
    const padded = await read(bytesPerRow * size[1], (encoder, buffer) =>
      encoder.copyTextureToBuffer({ texture }, { buffer, bytesPerRow }, size),
    );
    const rows = new Uint8Array(bytes * size[1]);
    for (let y = 0; y < size[1]; y++)
      rows.set(new Uint8Array(padded, y * bytesPerRow, bytes), y * bytes);
    return rows.buffer;
  }
  const toHalf = (x) => {
    // exact for numbers of few bits, as a test has them
    if (x === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(x)));
    const fraction = Math.round((Math.abs(x) / 2 ** exponent - 1) * 1024);
    return (x < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
  };
  const fromHalf = (bits) => {
    const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
    const size = exponent === 0 ? fraction / 2 ** 24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
    return bits & 0x8000 ? -size : size;
  };

  const view = bufferOf(Float32Array.from(camera), UNIFORM);
  const bytes = form.encoded.reduce((a, b) => a * b) * (half ? 2 : 4);
  const encoded = device.createBuffer({ size: bytes, usage: STORAGE | COPY_SRC });
  await run(form.encode, [view, { buffer: encoded }]);
  const raw = await read(bytes, (encoder, to) =>
    encoder.copyBufferToBuffer(encoded, 0, to, 0, bytes),
  );

  const given = bufferOf(half ? Uint16Array.from(ends, toHalf) : Float32Array.from(ends), STORAGE);
  const [picture, depth] = [texture("rgba8unorm"), texture("r32float")];
  await run(form.shade, [view, given, picture.createView(), depth.createView()]);
  return {
    encoded: half ? Array.from(new Uint16Array(raw), fromHalf) : Array.from(new Float32Array(raw)),
    rgba: Array.from(new Uint8Array(await readTexture(picture))),
    depth: Array.from(new Float32Array(await readTexture(depth))),
  };
}
