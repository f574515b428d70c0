// Distortion of packed rays' weights (mip-NeRF 360, equation 15): forward and backward.
//
// One item is one ray, swept in each direction. From one sample to the next, the sum over the
// passed j of w_j |m - m_j| grows by the weight so far times the way: sums of positive terms only,
// which lose no digits.
#define CHUNK 64

// The sum over the samples already passed of w_j |m - m_j|, as m moves on.
struct Moment {
  float weight, sum, start, end;

  // To the next interval. The way is measured between like ends, whose differences are exact.
  INLINE_MEMBER float move_to(float next_start, float next_end) {
    sum += weight * 0.5f * fabsf((next_start - start) + (next_end - end));
    start = next_start;
    end = next_end;
    return sum;
  }
};

ENTRY distortion_forward(
    i64 items,
    const float* __restrict__ weights,  // [n]
    const float* __restrict__ starts,   // [n]
    const float* __restrict__ ends,     // [n]
    const int* __restrict__ offsets,    // [items + 1]
    float* __restrict__ spread,         // [items]
    i64 threads) {
  FOR_EACH_ITEM(ray) {
    Moment passed = {0, 0, 0, 0};
    float sum = 0;
    for (i64 i = offsets[ray]; i < offsets[ray + 1]; i++) {
      float w = weights[i];
      sum += 2 * w * passed.move_to(starts[i], ends[i]) + w * w * (ends[i] - starts[i]) / 3;
      passed.weight += w;
    }
    spread[ray] = sum;
  }
}

// d spread / d w_i = 2 (sum over all j of w_j |m_i - m_j|) + 2/3 w_i length_i
ENTRY distortion_backward(
    i64 items,
    const float* __restrict__ weights,  // [n]
    const float* __restrict__ starts,   // [n]
    const float* __restrict__ ends,     // [n]
    const int* __restrict__ offsets,    // [items + 1]
    const float* __restrict__ grad,     // [items]
    float* __restrict__ weights_grad,   // [n]
    i64 threads) {
  FOR_EACH_ITEM(ray) {
    i64 first = offsets[ray], end = offsets[ray + 1];
    Moment before = {0, 0, 0, 0}, behind = {0, 0, 0, 0};
    for (i64 i = first; i < end; i++) {
      float own = weights[i] * (ends[i] - starts[i]) / 3;
      weights_grad[i] = before.move_to(starts[i], ends[i]) + own;
      before.weight += weights[i];
    }
    for (i64 i = end - 1; i >= first; i--) {
      float both = weights_grad[i] + behind.move_to(starts[i], ends[i]);
      weights_grad[i] = 2 * grad[ray] * both;
      behind.weight += weights[i];
    }
  }
}
