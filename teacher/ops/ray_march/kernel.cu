// Marching rays through an occupancy grid: counts, then writes, the samples that fall into occupied cells.
//
// One item is one ray. Compiled without fused multiply-add: the same rays give the same samples as reference.py, to the
// last bit. BLOCK is the number of cells along a side of the blocks, which are jumped over when empty. Empty cells are only ever skipped up to a lattice point that is still inside them.
#define CHUNK 64

struct Ray {
  float origin[3], direction[3], inverse[3];
};

struct Lattice {
  float start, jitter, step, cone_angle, largest, inverse_step;

  INLINE_MEMBER float length(float t) const {
    float wanted = t * cone_angle;
    return wanted < step ? step : wanted > largest ? largest : wanted;
  }
};

// A place on the lattice: the interval number k, from t to `end`.
struct Interval {
  i64 k;
  float t, end;
};

INLINE Interval interval(const Lattice& q, i64 k) {
  return {k, q.start + ((float)k + q.jitter) * q.step, q.start + ((float)(k + 1) + q.jitter) * q.step};
}

INLINE Interval first_interval(const Lattice& q) {
  if (q.cone_angle == 0) return interval(q, 0);
  float t = q.start + q.jitter * q.length(q.start);
  return {0, t, t + q.length(t)};
}

INLINE Interval next_interval(const Lattice& q, const Interval& at) {
  if (q.cone_angle == 0) return interval(q, at.k + 1);
  return {at.k + 1, at.end, at.end + q.length(at.end)};
}

INLINE float middle(const Interval& at) { return 0.5f * (at.t + at.end); }

// The first interval after `at` whose middle may lie at or behind t: rounding must not pass one that does.
INLINE Interval skip_to(const Lattice& q, Interval at, float t) {
  float safe = t - 1e-6f * (1 + t);
  if (q.cone_angle == 0) {
    float target = ceilf((safe - q.start) * q.inverse_step - q.jitter - 0.51f);
    return interval(q, target > (float)(at.k + 1) ? (i64)target : at.k + 1);
  }
  do at = next_interval(q, at);
  while (middle(at) < safe);
  return at;
}

// Narrows [near, far] to the ray's part inside the box (the slab method, Kay and Kajiya 1986); false if none is left.
INLINE bool clip(const Ray& ray, const float* box, float* near, float* far) {
  for (int d = 0; d < 3; d++) {
    float low = box[d], high = box[3 + d], o = ray.origin[d];
    if (ray.direction[d] == 0) {
      if (o < low || o > high) return false;
      continue;
    }
    float a = (low - o) / ray.direction[d], b = (high - o) / ray.direction[d];
    *near = fmaxf(*near, fminf(a, b));
    *far = fminf(*far, fmaxf(a, b));
  }
  return *near < *far;
}

// Truncation equals floor here: both send what is below the grid to its first cell.
INLINE int cell_of(const Ray& ray, float t, int d, int cells) {
  int i = (int)((ray.origin[d] + t * ray.direction[d] + 1) * (0.5f * cells));
  return i < 0 ? 0 : i < cells ? i : cells - 1;
}

// Where the ray leaves the cell, or with size > 1 the block of size^3 cells around it; at most `far`.
INLINE float exit_of(const Ray& ray, const int* cell, int size, int cells, float far) {
  float t = far;
  for (int d = 0; d < 3; d++) {
    int face = (cell[d] / size + (ray.direction[d] > 0)) * size;
    float leave = (face * (2.0f / cells) - 1 - ray.origin[d]) * ray.inverse[d];
    t = ray.direction[d] == 0 ? t : fminf(t, leave);
  }
  return t;
}

struct Grid {
  const u8* occupancy;
  const u8* coarse;
  int cells, blocks;

  INLINE_MEMBER bool occupied(const int* cell) const {
    return occupancy[(cell[0] * cells + cell[1]) * cells + cell[2]];
  }
  INLINE_MEMBER bool block_occupied(const int* cell) const {
    return coarse[(cell[0] / BLOCK * blocks + cell[1] / BLOCK) * blocks + cell[2] / BLOCK];
  }
};

// Walks the ray; returns the number of samples, and writes them where `starts` is not null.
INLINE int march(
    const Ray& ray, const Lattice& lattice, float far, const Grid& grid, int most, float* starts, float* ends) {
  int count = 0;
  Interval at = first_interval(lattice);
  while (count < most && middle(at) < far) {
    int cell[3];
    for (int d = 0; d < 3; d++) cell[d] = cell_of(ray, middle(at), d, grid.cells);
    if (grid.occupied(cell)) {
      if (starts) {
        starts[count] = at.t;
        ends[count] = at.end;
      }
      count++;
      at = next_interval(lattice, at);
    } else {
      int size = grid.block_occupied(cell) ? 1 : BLOCK;
      at = skip_to(lattice, at, exit_of(ray, cell, size, grid.cells, far));
    }
  }
  return count;
}

// Items are blocks; sets whether any of a block's cells is occupied.
ENTRY coarsen(
    i64 items,
    const u8* __restrict__ occupancy,  // [cells, cells, cells]
    i64 cells,
    u8* __restrict__ coarse,  // [items]
    i64 threads) {
  FOR_EACH_ITEM(block) {
    i64 blocks = (cells + BLOCK - 1) / BLOCK;
    i64 low[3] = {block / (blocks * blocks) * BLOCK, block / blocks % blocks * BLOCK, block % blocks * BLOCK};
    i64 high[3];
    for (int d = 0; d < 3; d++) high[d] = low[d] + BLOCK < cells ? low[d] + BLOCK : cells;
    u8 any = 0;
    for (i64 x = low[0]; x < high[0]; x++)
      for (i64 y = low[1]; y < high[1]; y++)
        for (i64 z = low[2]; z < high[2]; z++) any |= occupancy[(x * cells + y) * cells + z];
    coarse[block] = any;
  }
}

// With `offsets` null: writes counts[ray]. Otherwise writes the samples of ray at offsets[ray] and behind.
ENTRY ray_march(
    i64 items,
    const float* __restrict__ origins,     // [items, 3]
    const float* __restrict__ directions,  // [items, 3]
    const u8* __restrict__ occupancy,      // [cells, cells, cells] over [-1, 1]^3
    const u8* __restrict__ coarse,         // [blocks, blocks, blocks], as `coarsen` fills it
    i64 cells,
    const float* __restrict__ box,     // [2, 3]
    const float* __restrict__ nears,   // [items]
    const float* __restrict__ jitter,  // [items]
    float step,
    float cone_angle,
    float largest,
    i64 most,
    int* __restrict__ counts,         // [items]
    const int* __restrict__ offsets,  // [items + 1] or null
    int* __restrict__ ray_indices,    // [n]
    float* __restrict__ starts,       // [n]
    float* __restrict__ ends,         // [n]
    i64 threads) {
  FOR_EACH_ITEM(r) {
    Ray ray;
    for (int d = 0; d < 3; d++) {
      ray.origin[d] = origins[r * 3 + d];
      ray.direction[d] = directions[r * 3 + d];
      ray.inverse[d] = 1 / ray.direction[d];
    }
    float near = nears[r], far = INFINITY;
    bool hit = clip(ray, box, &near, &far);
    Lattice lattice = {near, jitter[r], step, cone_angle, largest, 1 / step};
    Grid grid = {occupancy, coarse, (int)cells, (int)(cells + BLOCK - 1) / BLOCK};
    if (!offsets) {
      counts[r] = hit ? march(ray, lattice, far, grid, most, nullptr, nullptr) : 0;
    } else if (offsets[r + 1] > offsets[r]) {
      march(ray, lattice, far, grid, most, starts + offsets[r], ends + offsets[r]);
      for (int i = offsets[r]; i < offsets[r + 1]; i++) ray_indices[i] = (int)r;
    }
  }
}
