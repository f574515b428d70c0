// The fused field on a GPU: warps take 16 points at a time; blocks stay, and take turns. A turn
// ends with a __syncwarp(): matrix instructions want all lanes together, and stores part them.
#include "radiance/warp.cuh"
#include "radiance/backward.cuh"

// The lane's two points, g and g + 8 of the 16 that begin at `first`.
struct Rows {
  i64 at[2];      // beyond the end: the last point
  bool inside[2];

  INLINE_MEMBER Rows(i64 first, i64 n) {
    UNROLL for (int row = 0; row < 2; row++) {
      i64 index = first + lane_id() / 4 + 8 * row;
      inside[row] = index < n;
      at[row] = inside[row] ? index : n - 1;
    }
  }

  INLINE_MEMBER void load(const float* from, float (&to)[2][3]) const {
    UNROLL for (int row = 0; row < 2; row++)
      UNROLL for (int d = 0; d < 3; d++) to[row][d] = from[at[row] * 3 + d];
  }

  INLINE_MEMBER Fragment<ENCODED> encoded(
      const Field& field, const u32* table, const float* points) const {
    float own[2][3];
    load(points, own);
    return encode(field.levels, table, own);
  }

  // What the colour network takes beside features.
  INLINE_MEMBER Fragment<ColourNet::IN> inputs(
      const Fragment<16>& features, const float* directions, const float* codes) const {
    float own[2][3];
    load(directions, own);
    const float* own_codes[2] = {codes + at[0] * CODES, codes + at[1] * CODES};
    return colour_inputs(features, harmonics_of(own), codes_of(own_codes));
  }

  INLINE_MEMBER void store_density(const Inside& inside_points, float* density) const {
    UNROLL for (int row = 0; row < 2; row++)
      if (inside[row] && lane_id() % 4 == 0) density[at[row]] = density_of(inside_points.raw[row]);
  }
};

// A step of a lane's fragment, as it is kept for the backward pass: [n / 16, ENCODED / 16, 32].
struct alignas(16) Step {
  u32 at[4];
};

INLINE i64 kept_at(i64 first) {
  return first / 16 * (ENCODED / 16) * 32 + lane_id();
}

INLINE void keep(const Fragment<ENCODED>& x, Step* own) {
  UNROLL for (int k = 0; k < ENCODED / 16; k++) {
    Step step;
    UNROLL for (int i = 0; i < 4; i++) step.at[i] = x.at[k][i];
    own[k * 32] = step;
  }
}

INLINE Fragment<ENCODED> recall(const Step* own, bool exists) {
  Fragment<ENCODED> x = {};
  UNROLL for (int k = 0; k < ENCODED / 16; k++) {
    Step step = {};
    if (exists) step = own[k * 32];
    UNROLL for (int i = 0; i < 4; i++) x.at[k][i] = step.at[i];
  }
  return x;
}

WARP_ENTRY(THREADS, 2) radiance_density(
    i64 n,
    const Level* __restrict__ layout,    // [LEVELS]
    const float* __restrict__ points,    // [n, 3]
    const u32* __restrict__ table,       // [entries, FEATURES] of float16
    const float* __restrict__ matrices,  // the density network's, one behind the other
    float* __restrict__ density) {       // [n]
  Field field = load_field<false>(dynamic_shared(), layout, matrices);
  __syncthreads();
  i64 step = (i64)gridDim.x * POINTS;
  for (i64 first = (i64)blockIdx.x * POINTS + 16 * warp_id(); first < n; first += step) {
    Rows rows(first, n);
    rows.store_density(field.inside(rows.encoded(field, table, points)), density);
    __syncwarp();
  }
}

WARP_ENTRY(THREADS, 2) radiance_forward(
    i64 n,
    const Level* __restrict__ layout,      // [LEVELS]
    const float* __restrict__ points,      // [n, 3]
    const float* __restrict__ directions,  // [n, 3]
    const float* __restrict__ codes,       // [n, CODES]
    const u32* __restrict__ table,         // [entries, FEATURES] of float16
    const float* __restrict__ matrices,    // all of both networks
    float* __restrict__ density,           // [n]
    float* __restrict__ colour,            // [n, 3]
    Step* __restrict__ encoded) {          // [n / 16, rounded up] of fragments
  Field field = load_field<true>(dynamic_shared(), layout, matrices);
  __syncthreads();
  i64 step = (i64)gridDim.x * POINTS;
  for (i64 first = (i64)blockIdx.x * POINTS + 16 * warp_id(); first < n; first += step) {
    Rows rows(first, n);
    Fragment<ENCODED> x = rows.encoded(field, table, points);
    keep(x, encoded + kept_at(first));
    Inside inside = field.inside(x);
    Sums<16> logits = field.outside(rows.inputs(inside.features, directions, codes));
    rows.store_density(inside, density);
    UNROLL for (int i = 0; i < 4; i++) {
      int row = i / 2, channel = lane_id() % 4 * 2 + i % 2;
      if (rows.inside[row] && channel < 3)
        colour[rows.at[row] * 3 + channel] = sigmoid(logits.at[0][i]);
    }
    __syncwarp();
  }
}

// The gradient of what the colour network gave; float16 has room for it after `scale`.
INLINE Fragment<16> through_sigmoid(
    const Rows& rows, const Sums<16>& logits, const float* colour_grad, float scale) {
  Sums<16> d = {};
  UNROLL for (int i = 0; i < 4; i++) {
    int row = i / 2, channel = lane_id() % 4 * 2 + i % 2;
    if (!rows.inside[row] || channel >= 3) continue;
    float y = sigmoid(logits.at[0][i]);
    d.at[0][i] = colour_grad[rows.at[row] * 3 + channel] * scale * (y * (1 - y));
  }
  return halves(d);
}

// Puts the gradient of the logarithm of density into column 0.
INLINE void through_exponential(
    const Rows& rows, const float (&raw)[2], const float* density_grad, float scale, Sums<16>& d) {
  if (lane_id() % 4 != 0) return;
  UNROLL for (int row = 0; row < 2; row++) {
    float x = raw[row] - 1;
    float slope = expf(x < -15 ? -15 : x > 15 ? 15 : x);
    d.at[0][2 * row] = rows.inside[row] ? density_grad[rows.at[row]] * scale * slope : 0;
  }
}

// The gradient of columns [0, COLUMNS) of something that each point has `wide` values of.
template <int COLUMNS>
INLINE void store_rows(
    const Rows& rows, const Sums<COLUMNS>& d, int wide, float factor, float* to) {
  UNROLL for (int j = 0; j < COLUMNS / 8; j++)
    UNROLL for (int i = 0; i < 4; i++) {
      int row = i / 2, column = 8 * j + lane_id() % 4 * 2 + i % 2;
      if (rows.inside[row] && column < wide)
        to[rows.at[row] * wide + column] = d.at[j][i] * factor;
    }
}

// The points' gradient: the sum of what the four lanes of a row have.
INLINE void store_point(
    const Rows& rows,
    int row,
    float (&grad)[3],
    float factor,
    const float* points,
    float* to) {
  UNROLL for (int d = 0; d < 3; d++) {
    grad[d] += __shfl_xor_sync(0xffffffffu, grad[d], 1);
    grad[d] += __shfl_xor_sync(0xffffffffu, grad[d], 2);
    i64 at = (row ? rows.at[1] : rows.at[0]) * 3 + d;
    bool is_own = lane_id() % 4 == 0 && (row ? rows.inside[1] : rows.inside[0]);
    float x = is_own ? points[at] : 0;
    if (is_own) to[at] = x >= 0 && x <= 1 ? grad[d] * factor : 0;
  }
}

WARP_ENTRY(THREADS, 1) radiance_backward(
    i64 n,
    const Level* __restrict__ layout,        // [LEVELS]
    const float* __restrict__ points,        // [n, 3]
    const float* __restrict__ directions,    // [n, 3]
    const float* __restrict__ codes,         // [n, CODES]
    const u32* __restrict__ table,           // [entries, FEATURES] of float16
    const float* __restrict__ matrices,      // all of both networks
    const Step* __restrict__ kept,           // as the forward pass kept it
    const float* __restrict__ density_grad,  // [n]
    const float* __restrict__ colour_grad,   // [n, 3]
    const float* __restrict__ scale_of,      // [1], a power of two: of gradients between layers
    TableSum* __restrict__ table_sums,       // [entries, FEATURES], zero; scaled
    float* __restrict__ matrix_sums,         // [blocks, all of both networks]
    float* __restrict__ points_grad,         // [n, 3] or null
    float* __restrict__ harmonics_grad,      // [n, 16] or null
    float* __restrict__ codes_grad) {        // [n, CODES] or null
  u32* exchange = dynamic_shared() + FIELD_WORDS;
  Field field = load_field<true>(dynamic_shared(), layout, matrices);
  DensitySums density_sums = {};
  ColourSums colour_sums = {};
  float scale = scale_of[0], unscale = 1 / scale;
  __syncthreads();
  i64 step = (i64)gridDim.x * POINTS;
  // Warps without points go on too: the block meets in every turn.
  for (i64 first = (i64)blockIdx.x * POINTS; first < n; first += step) {
    i64 own = first + 16 * warp_id();
    Rows rows(own, n);
    Fragment<ENCODED> encoded = recall(kept + kept_at(own), own < n);
    DensityNet::Hidden density_hidden;
    ColourNet::Hidden colour_hidden;
    Inside inside = field.inside(encoded, density_hidden);
    Fragment<ColourNet::IN> inputs = rows.inputs(inside.features, directions, codes);
    Sums<16> logits = field.outside(inputs, colour_hidden);

    Fragment<16> dlogits = through_sigmoid(rows, logits, colour_grad, scale);
    const ColourNet& colour_net = field.colour_net;
    Fragment<WIDTH> d = colour_sums.add(colour_net, exchange, inputs, colour_hidden, dlogits);
    constexpr int IN = ColourNet::IN;
    Sums<16> draw = multiply_transposed<WIDTH, IN, 16>(colour_net.matrices, d);
    if (harmonics_grad) {
      Sums<16> dharmonics = multiply_transposed<WIDTH, IN, 16>(colour_net.matrices + 8, d);
      store_rows(rows, dharmonics, HARMONICS, unscale, harmonics_grad);
    }
    if (CODES > 0 && codes_grad) {
      Sums<padded(CODES)> dcodes =
          multiply_transposed<WIDTH, IN, padded(CODES)>(colour_net.matrices + 16, d);
      store_rows(rows, dcodes, CODES, unscale, codes_grad);
    }
    through_exponential(rows, inside.raw, density_grad, scale, draw);

    const DensityNet& density_net = field.density_net;
    d = density_sums.add(density_net, exchange, encoded, density_hidden, halves(draw));
    Sums<ENCODED> dx = multiply_transposed<WIDTH, ENCODED, ENCODED>(density_net.matrices, d);
    ROLLED for (int row = 0; row < 2; row++) {
      i64 at = (row ? rows.at[1] : rows.at[0]) * 3;
      float point[3] = {points[at], points[at + 1], points[at + 2]}, grad[3] = {};
      const u32* values = points_grad ? table : nullptr;
      decode(field.levels, point, dx, row, table_sums, values, grad);
      if (points_grad) store_point(rows, row, grad, unscale, points, points_grad);
    }
    __syncwarp();
  }
  float* own_sums = matrix_sums + (i64)blockIdx.x * (DensityNet::WEIGHTS + ColourNet::WEIGHTS);
  density_sums.store(own_sums, unscale);
  colour_sums.store(own_sums + DensityNet::WEIGHTS, unscale);
}
