// Adam over rows that carry their own step counts, and are skipped without a gradient
// (tiny-cuda-nn's adam.h). One item is one row of FEATURES values; FEATURES = 0 stands for any
// number, then given as `features`.
#define CHUNK 4096

ENTRY adam_step(
    i64 items,
    i64 features,
    float* __restrict__ parameter,          // [items, features]
    const float* __restrict__ gradient,     // [items, features]
    float* __restrict__ first,              // [items, features], mean of the gradient
    float* __restrict__ second,             // [items, features], mean of its square
    int* __restrict__ steps,                // [items]
    const float* __restrict__ corrections,  // [last + 1], by step count, as reference.py has them
    i64 last,                               // from this count on the correction is 1
    float learning_rate,
    float gain1,  // 1 - beta1
    float gain2,  // 1 - beta2
    float eps,
    float decay,
    i64 threads) {
  const i64 width = FEATURES ? FEATURES : features;
  FOR_EACH_ITEM(row) {
    i64 start = row * width;
    bool skip = true;
    for (i64 f = 0; f < width; f++) skip &= gradient[start + f] == 0;
    if (!skip) {
      int step = ++steps[row];
      float rate = learning_rate * corrections[step < last ? step : last];
      for (i64 i = start; i < start + width; i++) {
        float g = gradient[i] + decay * parameter[i];
        float m = first[i] + gain1 * (g - first[i]);
        float v = second[i] + gain2 * (g * g - second[i]);
        first[i] = m;
        second[i] = v;
        parameter[i] -= rate * m / (sqrtf(v) + eps);
      }
    }
  }
}
