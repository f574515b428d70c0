// Marching rays through an occupancy grid: counts, then writes, the samples in occupied cells.
//
// One item is one ray. Compiled without fused multiply-add, so that the same rays give the same
// samples as reference.py to the last bit.
#define CHUNK 64
#include "march.cuh"

// With `offsets` null: writes counts[ray], at most `most`, and marks[ray], where the first sample
// is. Otherwise writes the samples of each ray from offsets[ray] to offsets[ray + 1], where that
// is not nothing.
ENTRY ray_march(
    i64 items,
    const float* __restrict__ origins,     // [items, 3]
    const float* __restrict__ directions,  // [items, 3]
    const u64* __restrict__ words,         // [cascades, cells^3 / 64]
    i64 cells,
    i64 cascades,
    const float* __restrict__ box,     // [2, 3]
    const float* __restrict__ nears,   // [items]
    const float* __restrict__ jitter,  // [items]
    float step,
    float cone_angle,
    float largest,
    i64 most,
    int* __restrict__ counts,         // [items]
    float* __restrict__ marks,        // [items]
    const int* __restrict__ offsets,  // [items + 1] or null
    int* __restrict__ ray_indices,    // [n]
    float* __restrict__ starts,       // [n]
    float* __restrict__ ends,         // [n]
    i64 threads) {
  march::Grid grid = march::grid_of(words, cells, cascades);
  march::Lattice lattice = march::lattice_of(step, cone_angle, largest);
  FOR_EACH_ITEM(r) {
    i64 at = offsets ? offsets[r] : 0, end = offsets ? offsets[r + 1] : most;
    march::Walk walk;
    bool hit = at < end && march::begin(walk, grid, lattice, origins + r * 3, directions + r * 3,
                                        box, nears[r], jitter[r]);
    float t0, t1;
    if (!offsets) {
      for (; hit && at < end && march::advance(walk, grid, &t0, &t1); at++)
        if (at == 0) marks[r] = march::mark(walk, t0);
      counts[r] = (int)at;
    } else {
      if (hit) march::resume(walk, marks[r]);
      for (; hit && at < end && march::advance(walk, grid, &t0, &t1); at++) {
        ray_indices[at] = (int)r;
        starts[at] = t0;
        ends[at] = t1;
      }
    }
  }
}
