// Marching rays through an occupancy grid: counts, then writes, the samples in occupied cells.
//
// One item is one ray. Compiled without fused multiply-add, so that the same rays give the same
// samples as reference.py to the last bit. What is empty is jumped over: blocks of 2^LOG2_BLOCK
// cells along each side, else single cells; never past a sample that rounding may put outside.
#define CHUNK 64

constexpr int BLOCK = 1 << LOG2_BLOCK;
constexpr float BEYOND = 1e30f;  // farther than any box

struct Ray {
  float origin[3], direction[3];
  float slope[3], shift[3];  // the ray passes the face number f of an axis at t = f * slope + shift
  int up[3];                 // 1 if it goes up the axis
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

INLINE float edge(const Lattice& q, i64 k) { return q.start + ((float)k + q.jitter) * q.step; }

INLINE Interval interval(const Lattice& q, i64 k) { return {k, edge(q, k), edge(q, k + 1)}; }

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

// The first interval after `at` whose middle is not before t, or by rounding one before it.
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

INLINE float smaller(float a, float b) { return b < a ? b : a; }
INLINE float larger(float a, float b) { return b > a ? b : a; }

// Narrows [near, far] to the part of the ray inside the box (Kay and Kajiya 1986); false if none
// is left.
INLINE bool clip(const Ray& ray, const float* box, float* near, float* far) {
  for (int d = 0; d < 3; d++) {
    float low = box[d], high = box[3 + d], o = ray.origin[d];
    if (ray.direction[d] == 0) {
      if (!(o >= low && o <= high)) return false;
      continue;
    }
    float a = (low - o) / ray.direction[d], b = (high - o) / ray.direction[d];
    if (a != a || b != b) return false;
    *near = larger(*near, smaller(a, b));
    *far = smaller(*far, larger(a, b));
  }
  return *near < *far && *far < BEYOND;  // a ray without a direction is clipped by no slab
}

struct Grid {
  const u8* occupancy;
  const u8* coarse;
  int cells, blocks;

  // Truncation serves for floor: both send what is below the grid to its first cell.
  INLINE_MEMBER int cell(float x) const {
    int i = (int)((x + 1) * (0.5f * cells));
    return i < 0 ? 0 : i < cells ? i : cells - 1;
  }
  INLINE_MEMBER bool occupied(const int* at) const {
    return occupancy[(at[0] * cells + at[1]) * cells + at[2]];
  }
  INLINE_MEMBER bool block_occupied(const int* at) const {
    int x = at[0] >> LOG2_BLOCK, y = at[1] >> LOG2_BLOCK, z = at[2] >> LOG2_BLOCK;
    return coarse[(x * blocks + y) * blocks + z];
  }
  // Where the ray leaves the cell, or with size = BLOCK the block around it; at most `far`.
  INLINE_MEMBER float exit(const Ray& ray, const int* at, int size, float far) const {
    float t = far;
    for (int d = 0; d < 3; d++) {
      int face = (at[d] & -size) + ray.up[d] * size;
      t = smaller(t, face * ray.slope[d] + ray.shift[d]);
    }
    return t;
  }
};

INLINE Ray ray_of(const float* origin, const float* direction, int cells) {
  Ray ray;
  for (int d = 0; d < 3; d++) {
    float o = origin[d], v = direction[d];
    // Faces are passed this much early: more than rounding can move a sample.
    float early = 1e-6f * (2 + (o < 0 ? -o : o));
    ray.origin[d] = o;
    ray.direction[d] = v;
    ray.up[d] = v > 0;
    ray.slope[d] = v == 0 ? 0 : 2.0f / cells / v;
    ray.shift[d] = v == 0 ? BEYOND : (-1 - o - (v > 0 ? early : -early)) / v;
  }
  return ray;
}

// Walks the ray; returns the number of samples, at most `most`, and writes them unless `starts` is
// null.
INLINE int march(
    const Ray& ray,
    const Lattice& lattice,
    float far,
    const Grid& grid,
    i64 most,
    float* starts,
    float* ends) {
  int count = 0;
  Interval at = first_interval(lattice);
  while (count < most && middle(at) < far) {
    int cell[3];
    for (int d = 0; d < 3; d++)
      cell[d] = grid.cell(ray.origin[d] + middle(at) * ray.direction[d]);
    bool block = grid.block_occupied(cell);
    if (block && grid.occupied(cell)) {
      if (starts) {
        starts[count] = at.t;
        ends[count] = at.end;
      }
      count++;
      at = next_interval(lattice, at);
    } else {
      at = skip_to(lattice, at, grid.exit(ray, cell, block ? 1 : BLOCK, far));
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
    i64 low[3] = {block / (blocks * blocks), block / blocks % blocks, block % blocks}, high[3];
    for (int d = 0; d < 3; d++) {
      low[d] *= BLOCK;
      high[d] = low[d] + BLOCK < cells ? low[d] + BLOCK : cells;
    }
    u8 any = 0;
    for (i64 x = low[0]; x < high[0]; x++)
      for (i64 y = low[1]; y < high[1]; y++)
        for (i64 z = low[2]; z < high[2]; z++) any |= occupancy[(x * cells + y) * cells + z];
    coarse[block] = any;
  }
}

// With `offsets` null: writes counts[ray]. Otherwise writes the samples of each ray from
// offsets[ray] on.
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
  Grid grid = {occupancy, coarse, (int)cells, (int)(cells + BLOCK - 1) / BLOCK};
  FOR_EACH_ITEM(r) {
    Ray ray = ray_of(origins + r * 3, directions + r * 3, grid.cells);
    float near = nears[r], far = BEYOND;
    bool hit = clip(ray, box, &near, &far);
    Lattice lattice = {near, jitter[r], step, cone_angle, largest, 1 / step};
    if (!offsets) {
      counts[r] = hit ? march(ray, lattice, far, grid, most, nullptr, nullptr) : 0;
    } else {
      i64 first = offsets[r], count = offsets[r + 1] - first;
      march(ray, lattice, far, grid, count, starts + first, ends + first);
      for (i64 i = first; i < first + count; i++) ray_indices[i] = (int)r;
    }
  }
}
