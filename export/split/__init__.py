"""The split form of a student, for WebGPU: a shader, an ONNX network of convolutions, a shader.

    camera --encode.wgsl--> encoded [1, h, w, C] --network.onnx--> ends [1, h, w, E]
    camera, ends --shade.wgsl--> picture, depth [H, W]            (both shaders also read the tables)

In one graph, looking features up is floor, index tensors and gathers, each written to memory for
every pixel (352 MB at 800 x 800 for one of them, `tiny`). Here a look-up is a few lines of WGSL
whose intermediate results never leave the registers, and ONNX Runtime is left with what it does
best. Nothing is read back: the three stages run on one device, one after the other.

* `form`: a student -> `Split`, everything to ship, and the proof that it draws the same
* `stages`: what a shader is: code, workgroups, the parts of the tables that it reads, its cost
* `space`: rays, the scene's box, how a fraction becomes a distance, where a point lies in the grids
* `grids`: feature grids as packed half-precision tables and functions that read them
* `head`: a perceptron of 1x1 convolutions, unrolled
* `encode`, `shade`: the two shaders
* `network`: the ray network as ONNX

What is generated depends on the student's sizes and box; its trained numbers are in the tables.
"""
