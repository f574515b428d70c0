// Multiresolution hash encoding (Mueller 2022): forward, and backward for the table and for the points.
//
// DIMS axes, FEATURES per row. A GPU takes one (level, point) per thread. A CPU takes blocks of points and runs through
// the levels inside a block, so that one level's rows stay in its cache; there a block's work on a level is split into
// tabulating rows and weights of all corners (vectorised over points) and fetching the rows.
#define CHUNK 1

constexpr int CORNERS = 1 << DIMS;
constexpr u32 PRIMES[4] = {1u, 2654435761u, 805459861u, 3674653429u};

struct Level {
  float scale;
  u32 resolution, offset, size, hashed;
};

INLINE float clamped(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }  // NaN becomes 0: a row is always in the table

// The point's place along one axis, in cells: returns the cell, gives the fraction within it.
INLINE u32 locate(float x, float scale, float* fraction) {
  float position = clamped(x) * scale + 0.5f;
  float cell = floorf(position);
  *fraction = position - cell;
  return (u32)(int)cell;
}

INLINE bool bit(int corner, int axis) { return corner >> axis & 1; }

template <bool HASHED>
INLINE u32 slot(const u32* cell, int corner, u32 resolution, u32 size) {
  u32 index = 0, stride = 1;
  for (int d = 0; d < DIMS; d++) {
    u32 vertex = cell[d] + bit(corner, d);
    index = HASHED ? index ^ vertex * PRIMES[d] : index + vertex * stride;
    stride *= resolution;
  }
  // Vertices on the far faces of a dense level run over its end by less than its size.
  return HASHED ? index & (size - 1) : index < size ? index : index - size;
}

INLINE float corner_weight(const float* fraction, int corner) {
  float product = 1;
  for (int d = 0; d < DIMS; d++) product *= bit(corner, d) ? fraction[d] : 1 - fraction[d];
  return product;
}

// d corner_weight / d fraction[axis]
INLINE float corner_slope(const float* fraction, int corner, int axis) {
  float product = bit(corner, axis) ? 1 : -1;
  for (int d = 0; d < DIMS; d++)
    if (d != axis) product *= bit(corner, d) ? fraction[d] : 1 - fraction[d];
  return product;
}

#if defined(__CUDACC_RTC__)

struct Place {
  u32 cell[DIMS];
  float fraction[DIMS];
};

INLINE Place place_of(const Level& level, const float* point) {
  Place place;
  for (int d = 0; d < DIMS; d++) place.cell[d] = locate(point[d], level.scale, &place.fraction[d]);
  return place;
}

INLINE i64 row_of(const Level& level, const Place& place, int corner) {
  u32 index = level.hashed ? slot<true>(place.cell, corner, level.resolution, level.size)
                           : slot<false>(place.cell, corner, level.resolution, level.size);
  return ((i64)level.offset + index) * FEATURES;
}

ENTRY hash_forward(
    i64 items,
    i64 n,
    i64 levels,
    const Level* __restrict__ layout,  // [levels]
    const float* __restrict__ points,  // [n, DIMS]
    const float* __restrict__ table,   // [entries, FEATURES]
    float* __restrict__ encoded,       // [n, levels * FEATURES]
    i64 threads) {
  FOR_EACH_ITEM(item) {
    i64 l = item / n, i = item % n;
    Level level = layout[l];
    Place place = place_of(level, points + i * DIMS);
    float sum[FEATURES] = {0};
    for (int c = 0; c < CORNERS; c++) {
      const float* row = table + row_of(level, place, c);
      float w = corner_weight(place.fraction, c);
      for (int f = 0; f < FEATURES; f++) sum[f] += w * row[f];
    }
    for (int f = 0; f < FEATURES; f++) encoded[(i * levels + l) * FEATURES + f] = sum[f];
  }
}

ENTRY hash_backward_table(
    i64 items,
    i64 n,
    i64 levels,
    const Level* __restrict__ layout,  // [levels]
    const float* __restrict__ points,  // [n, DIMS]
    const float* __restrict__ grad,    // [n, levels * FEATURES]
    float* __restrict__ table_grad,    // [entries, FEATURES], zero
    i64 threads) {
  FOR_EACH_ITEM(item) {
    i64 l = item / n, i = item % n;
    Level level = layout[l];
    Place place = place_of(level, points + i * DIMS);
    const float* g = grad + (i * levels + l) * FEATURES;
    for (int c = 0; c < CORNERS; c++) {
      float* row = table_grad + row_of(level, place, c);
      float w = corner_weight(place.fraction, c);
      for (int f = 0; f < FEATURES; f++) atomicAdd(row + f, w * g[f]);
    }
  }
}

ENTRY hash_backward_points(
    i64 items,
    i64 n,
    i64 levels,
    const Level* __restrict__ layout,  // [levels]
    const float* __restrict__ points,  // [n, DIMS]
    const float* __restrict__ table,   // [entries, FEATURES]
    const float* __restrict__ grad,    // [n, levels * FEATURES]
    float* __restrict__ points_grad,   // [n, DIMS], zero
    i64 threads) {
  FOR_EACH_ITEM(item) {
    i64 l = item / n, i = item % n;
    Level level = layout[l];
    Place place = place_of(level, points + i * DIMS);
    const float* g = grad + (i * levels + l) * FEATURES;
    float sum[DIMS] = {0};
    for (int c = 0; c < CORNERS; c++) {
      const float* row = table + row_of(level, place, c);
      float along = 0;
      for (int f = 0; f < FEATURES; f++) along += g[f] * row[f];
      for (int d = 0; d < DIMS; d++) sum[d] += along * corner_slope(place.fraction, c, d);
    }
    for (int d = 0; d < DIMS; d++) {
      float x = points[i * DIMS + d];
      if (x >= 0 && x <= 1) atomicAdd(points_grad + i * DIMS + d, level.scale * sum[d]);
    }
  }
}

#else

constexpr int BLOCK = 262144;  // points whose features stay in a core's cache while the levels go by
constexpr int LANES = 32;    // points tabulated at once

struct Corners {
  alignas(64) u32 row[CORNERS][LANES];
  alignas(64) float weight[CORNERS][LANES];
  alignas(64) float fraction[DIMS][LANES];
};

template <bool HASHED>
static void tabulate(const Level& level, const float* points, int count, Corners& corners) {
  float scale = level.scale;
  u32 resolution = level.resolution, size = level.size, offset = level.offset;
#pragma omp simd
  for (int i = 0; i < count; i++) {
    u32 cell[DIMS];
    float fraction[DIMS];
    for (int d = 0; d < DIMS; d++) {
      cell[d] = locate(points[i * DIMS + d], scale, &fraction[d]);
      corners.fraction[d][i] = fraction[d];
    }
    for (int c = 0; c < CORNERS; c++) {
      corners.row[c][i] = (offset + slot<HASHED>(cell, c, resolution, size)) * FEATURES;
      corners.weight[c][i] = corner_weight(fraction, c);
    }
  }
}

static inline void tabulate(const Level& level, const float* points, int count, Corners& corners) {
  if (level.hashed) tabulate<true>(level, points, count, corners);
  else tabulate<false>(level, points, count, corners);
}

static inline int lanes(i64 from, i64 to) { return to - from < LANES ? (int)(to - from) : LANES; }

// Items are blocks of BLOCK points.
ENTRY hash_forward(
    i64 items, i64 n, i64 levels, const Level* layout, const float* points, const float* table, float* encoded, i64 threads) {
  FOR_EACH_ITEM(block) {
    i64 first = block * BLOCK, last = first + BLOCK < n ? first + BLOCK : n;
    Corners corners;
    for (i64 l = 0; l < levels; l++)
      for (i64 start = first; start < last; start += LANES) {
        int count = lanes(start, last);
        tabulate(layout[l], points + start * DIMS, count, corners);
        for (int c = 0; c < CORNERS; c++) for (int i = 0; i < count; i++) __builtin_prefetch(table + corners.row[c][i], 0);
        for (int i = 0; i < count; i++) {
          float sum[FEATURES] = {0};
          for (int c = 0; c < CORNERS; c++)
            for (int f = 0; f < FEATURES; f++) sum[f] += corners.weight[c][i] * table[corners.row[c][i] + f];
          for (int f = 0; f < FEATURES; f++) encoded[((start + i) * levels + l) * FEATURES + f] = sum[f];
        }
      }
  }
}

// Items are levels: each row is written by one thread in the order of the points, whatever the number of threads.
ENTRY hash_backward_table(
    i64 items, i64 n, i64 levels, const Level* layout, const float* points, const float* grad, float* table_grad, i64 threads) {
  FOR_EACH_ITEM(item) {
    i64 l = levels - 1 - item;  // the fine levels, which take longest, first
    Corners corners;
    for (i64 start = 0; start < n; start += LANES) {
      int count = lanes(start, n);
      tabulate(layout[l], points + start * DIMS, count, corners);
        for (int c = 0; c < CORNERS; c++) for (int i = 0; i < count; i++) __builtin_prefetch(table_grad + corners.row[c][i], 1);
      for (int i = 0; i < count; i++) {
        const float* g = grad + ((start + i) * levels + l) * FEATURES;
        for (int c = 0; c < CORNERS; c++)
          for (int f = 0; f < FEATURES; f++) table_grad[corners.row[c][i] + f] += corners.weight[c][i] * g[f];
      }
    }
  }
}

// Items are blocks of BLOCK points.
ENTRY hash_backward_points(
    i64 items, i64 n, i64 levels, const Level* layout, const float* points, const float* table, const float* grad,
    float* points_grad, i64 threads) {
  FOR_EACH_ITEM(block) {
    i64 first = block * BLOCK, last = first + BLOCK < n ? first + BLOCK : n;
    Corners corners;
    for (i64 l = 0; l < levels; l++)
      for (i64 start = first; start < last; start += LANES) {
        int count = lanes(start, last);
        tabulate(layout[l], points + start * DIMS, count, corners);
        for (int i = 0; i < count; i++) {
          const float* g = grad + ((start + i) * levels + l) * FEATURES;
          float fraction[DIMS], sum[DIMS] = {0};
          for (int d = 0; d < DIMS; d++) fraction[d] = corners.fraction[d][i];
          for (int c = 0; c < CORNERS; c++) {
            float along = 0;
            for (int f = 0; f < FEATURES; f++) along += g[f] * table[corners.row[c][i] + f];
            for (int d = 0; d < DIMS; d++) sum[d] += along * corner_slope(fraction, c, d);
          }
          for (int d = 0; d < DIMS; d++) {
            float x = points[(start + i) * DIMS + d];
            if (x >= 0 && x <= 1) points_grad[(start + i) * DIMS + d] += layout[l].scale * sum[d];
          }
        }
      }
  }
}

#endif
