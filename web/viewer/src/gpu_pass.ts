/** Render passes that cover their target with one triangle: a fragment shader for every pixel. */

const TRIANGLE = /* wgsl */ `
@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}`;

/** Encodes the pass, into one view for each format that it was made for. */
export type Pass = (encoder: GPUCommandEncoder, ...targets: GPUTextureView[]) => void;

/** A pass of the fragment shader `code`; the k-th resource is its @group(0) @binding(k). */
export function fullScreenPass(
  device: GPUDevice,
  code: string,
  formats: readonly GPUTextureFormat[],
  resources: readonly GPUBindingResource[],
  constants: Record<string, number> = {},
): Pass {
  const module = device.createShaderModule({ code: TRIANGLE + code });
  const targets = formats.map((format) => ({ format }));
  const pipeline = device.createRenderPipeline({
    layout: "auto",
    vertex: { module },
    fragment: { module, targets, constants },
  });
  const entries = resources.map((resource, binding) => ({ binding, resource }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  return (encoder, ...views) => {
    const pass = encoder.beginRenderPass({
      colorAttachments: views.map((view) => ({ view, loadOp: "clear", storeOp: "store" })),
    });
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.draw(3);
    pass.end();
  };
}
