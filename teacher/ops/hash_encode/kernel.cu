// Multiresolution hash encoding (Mueller 2022): forward, and backward for table and points.
//
// DIMS axes, FEATURES per row. Work is cut into spans of points on one level and done level by
// level, so that a level's rows stay in the cache while all points visit it. In a span, LANES
// points at a time, rows and weights of all corners are tabulated (a CPU does that in vectors),
// then the rows are fetched. On a GPU spans and lanes hold one point.
#define CHUNK 1

constexpr int CORNERS = 1 << DIMS;
constexpr u32 PRIMES[4] = {1u, 2654435761u, 805459861u, 3674653429u};

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

struct Level {
  float scale;
  u32 resolution, offset, size, hashed;
};

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

// Into [0, 1]; NaN becomes 0, so that a row is always in the table.
INLINE float clamped(float x) {
  x = x > 0 ? x : 0;
  return x < 1 ? x : 1;
}

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

struct Span {
  i64 level, first, last;
};

// The item's span of points: all spans of the first level, then of the second...
INLINE Span span_of(i64 item, i64 n, i64 span) {
  i64 spans = (n + span - 1) / span, first = item % spans * span;
  return {item / spans, first, first + span < n ? first + span : n};
}

ENTRY hash_forward(
    i64 items,
    i64 span,
    i64 n,
    i64 levels,
    const Level* __restrict__ layout,  // [levels]
    const float* __restrict__ points,  // [n, DIMS]
    const Row* __restrict__ table,     // [entries]
    Row* __restrict__ encoded,         // [n, levels]
    i64 threads) {
  FOR_EACH_ITEM(item) {
    Span at = span_of(item, n, span);
    Level level = layout[at.level];
    const Row* rows = table + level.offset;
    Corners corners;
    for (i64 start = at.first; start < at.last; start += LANES) {
      int count = lanes(start, at.last);
      tabulate(level, points + start * DIMS, count, rows, corners);
      Row* out = encoded + start * levels + at.level;
      for (int i = 0; i < count; i++) {
        Row sum = {};
        for (int c = 0; c < CORNERS; c++) sum += corners.weight[c][i] * rows[corners.row[c][i]];
        out[i * levels] = sum;
      }
    }
  }
}

// A CPU's spans hold all points: one thread fills a level, in the points' order, whatever the
// number of threads.
ENTRY hash_backward_table(
    i64 items,
    i64 span,
    i64 n,
    i64 levels,
    const Level* __restrict__ layout,  // [levels]
    const float* __restrict__ points,  // [n, DIMS]
    const Row* __restrict__ grad,      // [n, levels]
    Row* __restrict__ table_grad,      // [entries], zero on a GPU
    i64 threads) {
  FOR_EACH_ITEM(item) {
    Span at = span_of(item, n, span);
    Level level = layout[at.level];
    Row* rows = table_grad + level.offset;
    Corners corners;
#if !defined(__CUDACC_RTC__)
    __builtin_memset(rows, 0, level.size * sizeof(Row));  // here: it leaves the rows in the cache
#endif
    for (i64 start = at.first; start < at.last; start += LANES) {
      int count = lanes(start, at.last);
      tabulate(level, points + start * DIMS, count, rows, corners);
      const Row* g = grad + start * levels + at.level;
      for (int i = 0; i < count; i++)
        for (int c = 0; c < CORNERS; c++)
          add(rows + corners.row[c][i], corners.weight[c][i] * g[i * levels]);
    }
  }
}

// d weight / d x_axis of a corner, for a cell of unit size.
INLINE float slope(const Corners& corners, int corner, int axis, int lane) {
  float product = side(corner, axis) ? 1 : -1;
  UNROLL for (int d = 0; d < DIMS; d++)
    product *= d == axis ? 1 : corners.share[side(corner, d)][d][lane];
  return product;
}

// Items are spans of points over all levels.
ENTRY hash_backward_points(
    i64 items,
    i64 span,
    i64 n,
    i64 levels,
    const Level* __restrict__ layout,  // [levels]
    const float* __restrict__ points,  // [n, DIMS]
    const Row* __restrict__ table,     // [entries]
    const Row* __restrict__ grad,      // [n, levels]
    float* __restrict__ points_grad,   // [n, DIMS], zero
    i64 threads) {
  FOR_EACH_ITEM(item) {
    Span at = span_of(item, n, span);
    Corners corners;
    for (i64 l = 0; l < levels; l++) {
      Level level = layout[l];
      const Row* rows = table + level.offset;
      for (i64 start = at.first; start < at.last; start += LANES) {
        int count = lanes(start, at.last);
        tabulate(level, points + start * DIMS, count, rows, corners);
        for (int c = 0; c < CORNERS; c++)
          for (int i = 0; i < count; i++) {
            Row product = rows[corners.row[c][i]] * grad[(start + i) * levels + l];
            float sum = product[0];
            for (int f = 1; f < FEATURES; f++) sum += product[f];
            corners.weight[c][i] = sum;  // dL/dweight, in the weight's place
          }
        for (int d = 0; d < DIMS; d++)
          for (int i = 0; i < count; i++) {
            float x = points[(start + i) * DIMS + d], sum = 0;
            UNROLL for (int c = 0; c < CORNERS; c++)
              sum += corners.weight[c][i] * slope(corners, c, d, i);
            points_grad[(start + i) * DIMS + d] += x >= 0 && x <= 1 ? level.scale * sum : 0;
          }
      }
    }
  }
}
