// The corners of the grid cells around points: their rows in a hash grid's table, and their weights.
//
// DIMS axes, FEATURES per row. LANES points at a time, rows and weights of all corners are tabulated
// (a CPU does that in vectors), then the rows are fetched. On a GPU, LANES is one point.
#include "level.cuh"

constexpr int CORNERS = 1 << DIMS;

#if defined(__CUDACC_RTC__)

constexpr int LANES = 1;
struct Row {
  float value[FEATURES];
  INLINE_MEMBER void operator+=(const Row& other) {
    for (int f = 0; f < FEATURES; f++) value[f] += other.value[f];
  }
  INLINE_MEMBER float operator[](int f) const { return value[f]; }
};
INLINE Row operator*(float w, Row row) {
  for (int f = 0; f < FEATURES; f++) row.value[f] *= w;
  return row;
}
INLINE Row operator*(Row row, const Row& other) {
  for (int f = 0; f < FEATURES; f++) row.value[f] *= other.value[f];
  return row;
}
INLINE void add(Row* row, const Row& term) {
  for (int f = 0; f < FEATURES; f++) atomicAdd(row->value + f, term.value[f]);
}
INLINE void prefetch(const Row*) {}

#else

constexpr int LANES = 128;
typedef float Row __attribute__((vector_size(4 * FEATURES), aligned(4), may_alias));
INLINE void add(Row* row, const Row& term) { *row += term; }
INLINE void prefetch(const Row* row) { __builtin_prefetch(row); }

#endif

// The corners of the cells around LANES points.
struct Corners {
  u32 row[CORNERS][LANES];  // within the level
  float weight[CORNERS][LANES];
  // What the near and the far vertex of each axis add to the row's index, and to the weight.
  u32 term[2][DIMS][LANES];
  float share[2][DIMS][LANES];
};

INLINE int lanes(i64 from, i64 to) {
  return LANES > 1 && to - from < LANES ? (int)(to - from) : LANES;
}

INLINE int side(int corner, int axis) { return corner >> axis & 1; }

template <bool HASHED>
INLINE void tabulate(const Level& level, const float* points, int count, Corners& at) {
  u32 stride = 1, size = level.size;
  for (int d = 0; d < DIMS; d++) {
    u32 factor = HASHED ? PRIMES[d] : stride;
    for (int i = 0; i < count; i++) {
      float position = clamped(points[i * DIMS + d]) * level.scale + 0.5f;
      float cell = floorf(position), fraction = position - cell;
      u32 term = (u32)(int)cell * factor;
      at.term[0][d][i] = term;
      at.term[1][d][i] = term + factor;
      at.share[0][d][i] = 1 - fraction;
      at.share[1][d][i] = fraction;
    }
    stride *= level.resolution;
  }
  for (int c = 0; c < CORNERS; c++)
    for (int i = 0; i < count; i++) {
      u32 index = at.term[side(c, 0)][0][i];
      float weight = at.share[side(c, 0)][0][i];
      UNROLL for (int d = 1; d < DIMS; d++) {
        u32 term = at.term[side(c, d)][d][i];
        index = HASHED ? index ^ term : index + term;
        weight *= at.share[side(c, d)][d][i];
      }
      // Vertices on the far faces of a dense level run over its end, by less than its size.
      at.row[c][i] = HASHED ? index & (size - 1) : index < size ? index : index - size;
      at.weight[c][i] = weight;
    }
}

// Also asks for the rows. Every other corner will do: the hash of its neighbour along x differs in
// the lowest bits.
INLINE void tabulate(
    const Level& level, const float* points, int count, const Row* rows, Corners& at) {
  if (!level.hashed) return tabulate<false>(level, points, count, at);
  tabulate<true>(level, points, count, at);
  for (int c = 0; c < CORNERS; c += 2)
    for (int i = 0; i < count; i++) prefetch(rows + at.row[c][i]);
}

// The features of `count` points, at most LANES, on one level; `stride` rows apart in `encoded`.
INLINE void encode(
    const Level& level,
    const float* points,
    int count,
    const Row* rows,
    Corners& corners,
    Row* encoded,
    i64 stride) {
  tabulate(level, points, count, rows, corners);
  for (int i = 0; i < count; i++) {
    Row sum = {};
    for (int c = 0; c < CORNERS; c++) sum += corners.weight[c][i] * rows[corners.row[c][i]];
    encoded[i * stride] = sum;
  }
}
