// Emission and absorption along packed rays (Max 1995): forward and backward.
//
// One item is one ray; CHANNELS is the number of colour channels, perhaps 0. Letters as in
// reference.py.
#define CHUNK 64

INLINE float opacity(float density, float start, float end) {
  return -expm1f(-density * (end - start));
}

ENTRY composite_forward(
    i64 items,
    const float* __restrict__ density,  // [n]
    const float* __restrict__ colour,   // [n, CHANNELS]
    const float* __restrict__ starts,   // [n]
    const float* __restrict__ ends,     // [n]
    const int* __restrict__ offsets,    // [items + 1]
    float early_stop,
    float* __restrict__ ray_colour,  // [items, CHANNELS]
    float* __restrict__ ray_alpha,   // [items]
    float* __restrict__ ray_depth,   // [items]
    float* __restrict__ weights,     // [n]
    i64 threads) {
  FOR_EACH_ITEM(ray) {
    float sum[CHANNELS + 1] = {0}, alpha = 0, depth = 0, T = 1;
    i64 i = offsets[ray], end = offsets[ray + 1];
    for (; i < end && T >= early_stop; i++) {
      float a = opacity(density[i], starts[i], ends[i]), w = T * a;
      T *= 1 - a;
      for (int c = 0; c < CHANNELS; c++) sum[c] += w * colour[i * CHANNELS + c];
      alpha += w;
      depth += w * 0.5f * (starts[i] + ends[i]);
      weights[i] = w;
    }
    for (; i < end; i++) weights[i] = 0;
    for (int c = 0; c < CHANNELS; c++) ray_colour[ray * CHANNELS + c] = sum[c];
    ray_alpha[ray] = alpha;
    ray_depth[ray] = depth;
  }
}

// What the loss wants of the ray's outputs; null where it does not depend on one.
struct Cotangent {
  const float *colour, *alpha, *depth, *weights;

  // dL/dw_i
  INLINE_MEMBER float of_weight(i64 ray, i64 i, const float* sample_colour, float middle) const {
    float sum = weights ? weights[i] : 0;
    if (alpha) sum += alpha[ray];
    if (depth) sum += depth[ray] * middle;
    if (colour)
      for (int c = 0; c < CHANNELS; c++)
        sum += colour[ray * CHANNELS + c] * sample_colour[i * CHANNELS + c];
    return sum;
  }
};

// dL/dtau_i = T_(i+1) dL/dw_i - sum over j > i of w_j dL/dw_j
ENTRY composite_backward(
    i64 items,
    const float* __restrict__ density,  // [n]
    const float* __restrict__ colour,   // [n, CHANNELS]
    const float* __restrict__ starts,   // [n]
    const float* __restrict__ ends,     // [n]
    const int* __restrict__ offsets,    // [items + 1]
    float early_stop,
    const float* __restrict__ weights,       // [n]
    const float* __restrict__ grad_colour,   // [items, CHANNELS] or null
    const float* __restrict__ grad_alpha,    // [items] or null
    const float* __restrict__ grad_depth,    // [items] or null
    const float* __restrict__ grad_weights,  // [n] or null
    float* __restrict__ density_grad,        // [n]
    float* __restrict__ colour_grad,         // [n, CHANNELS]
    i64 threads) {
  Cotangent cotangent = {grad_colour, grad_alpha, grad_depth, grad_weights};
  FOR_EACH_ITEM(ray) {
    i64 first = offsets[ray], end = offsets[ray + 1], i = first;
    float T = 1, behind = 0;
    for (; i < end && T >= early_stop; i++) {
      T *= 1 - opacity(density[i], starts[i], ends[i]);
      density_grad[i] = T;
    }
    for (i64 j = i; j < end; j++) density_grad[j] = 0;
    for (i--; i >= first; i--) {
      float h = cotangent.of_weight(ray, i, colour, 0.5f * (starts[i] + ends[i]));
      density_grad[i] = (ends[i] - starts[i]) * (density_grad[i] * h - behind);
      behind += weights[i] * h;
    }
    for (i = first; i < end; i++)
      for (int c = 0; c < CHANNELS; c++)
        colour_grad[i * CHANNELS + c] =
            grad_colour ? weights[i] * grad_colour[ray * CHANNELS + c] : 0;
  }
}
