// Multiresolution hash encoding (Mueller 2022): forward, and backward for table and points.
//
// DIMS axes, FEATURES per row. Work is cut into spans of points on one level and done level by
// level, so that a level's rows stay in the cache while all points visit it. On a GPU a span is one
// point.
#define CHUNK 1

#include "hash_encode/corners.cuh"

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
      Row* out = encoded + start * levels + at.level;
      encode(level, points + start * DIMS, lanes(start, at.last), rows, corners, out, levels);
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
