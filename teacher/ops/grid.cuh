// One point in one level of a hash grid over the unit cube: what hash_encode/corners.cuh does for
// many points at a time.
#include "level.cuh"

// The cell around a point. Near and far vertex of each axis: the term of the row's index, and the
// share of the weight.
struct Cell {
  u32 term[3][2];
  float share[3][2];
};

INLINE Cell cell_of(const Level& level, const float (&point)[3]) {
  Cell cell;
  u32 factor[3] = {
      1u,
      level.hashed ? PRIMES[1] : level.resolution,
      level.hashed ? PRIMES[2] : level.resolution * level.resolution};
  UNROLL for (int d = 0; d < 3; d++) {
    float position = clamped(point[d]) * level.scale + 0.5f, whole = floorf(position);
    cell.term[d][0] = (u32)(int)whole * factor[d];
    cell.term[d][1] = cell.term[d][0] + factor[d];
    cell.share[d][1] = position - whole;
    cell.share[d][0] = 1 - cell.share[d][1];
  }
  return cell;
}

// Near or far, by selection: an array that is indexed at run time would lie in memory.
INLINE u32 term_of(const Cell& cell, int corner, int axis) {
  return corner >> axis & 1 ? cell.term[axis][1] : cell.term[axis][0];
}
INLINE float share_of(const Cell& cell, int corner, int axis) {
  return corner >> axis & 1 ? cell.share[axis][1] : cell.share[axis][0];
}

// The row of a corner in the whole table.
INLINE u32 row_of(const Level& level, const Cell& cell, int corner) {
  u32 x = term_of(cell, corner, 0), y = term_of(cell, corner, 1), z = term_of(cell, corner, 2);
  // Vertices on the far faces of a dense level run over its end, by less than its size. Both ways
  // are computed: neighbouring lanes have different levels.
  u32 hash = (x ^ (y ^ z)) & (level.size - 1), sum = x + (y + z);
  u32 dense = sum < level.size ? sum : sum - level.size;
  return level.offset + (level.hashed ? hash : dense);
}

INLINE float weight_of(const Cell& cell, int corner) {
  return share_of(cell, corner, 0) * (share_of(cell, corner, 1) * share_of(cell, corner, 2));
}

// d weight / d x_axis of a corner, for a cell of unit size.
INLINE float slope_of(const Cell& cell, int corner, int axis) {
  float product = corner >> axis & 1 ? 1 : -1;
  UNROLL for (int d = 0; d < 3; d++) product *= d == axis ? 1 : share_of(cell, corner, d);
  return product;
}
