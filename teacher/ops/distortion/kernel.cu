// Distortion of packed rays' weights (mip-NeRF 360, equation 15) in one sweep per direction; one item is one ray.
//
// With m increasing along a ray, sum over j < i of w_j (m_i - m_j) grows from one sample to the next by the weight so far
// times the distance: sums of positive terms only, which lose no digits.
#define CHUNK 64

INLINE float middle(const float* starts, const float* ends, i64 i) { return 0.5f * (starts[i] + ends[i]); }

// sum over the samples already passed of w_j |m - m_j|, as m moves on.
struct Moment {
  float weight, distance, at;

  INLINE_MEMBER float move_to(float m) {
    distance += weight * fabsf(m - at);
    at = m;
    return distance;
  }
};

ENTRY distortion_forward(
    i64 items,
    const float* __restrict__ weights,  // [n]
    const float* __restrict__ starts,   // [n]
    const float* __restrict__ ends,     // [n]
    const int* __restrict__ offsets,    // [items + 1]
    float* __restrict__ loss,           // [items]
    i64 threads) {
  FOR_EACH_ITEM(ray) {
    Moment passed = {0, 0, 0};
    float sum = 0;
    for (i64 i = offsets[ray]; i < offsets[ray + 1]; i++) {
      float w = weights[i];
      sum += 2 * w * passed.move_to(middle(starts, ends, i)) + w * w * (ends[i] - starts[i]) / 3;
      passed.weight += w;
    }
    loss[ray] = sum;
  }
}

// d loss / d w_i = 2 sum over j of w_j |m_i - m_j| + 2/3 w_i length_i
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
    Moment before = {0, 0, 0}, behind = {0, 0, 0};
    for (i64 i = first; i < end; i++) {
      weights_grad[i] = before.move_to(middle(starts, ends, i)) + weights[i] * (ends[i] - starts[i]) / 3;
      before.weight += weights[i];
    }
    for (i64 i = end - 1; i >= first; i--) {
      weights_grad[i] = 2 * grad[ray] * (weights_grad[i] + behind.move_to(middle(starts, ends, i)));
      behind.weight += weights[i];
    }
  }
}
