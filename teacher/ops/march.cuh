// Marching one ray through an occupancy grid: `begin`, then `advance` from sample to sample.
//
// The grid is one bit per cell in cascades (Müller 2022, app. E.2): cascade c has the same number
// of cells over [-2^c, 2^c]^3, behind those of cascade c - 1, in Morton order. So the 64 bits of a
// word are a block of 4 x 4 x 4 cells: it is loaded once, and jumped over where it is empty, but
// never past a sample that rounding may put outside. An interval belongs to the finest cascade
// that holds its middle and whose cells are not shorter than the interval.
//
// Needs a compile without fused multiply-add: then the same rays give the same samples as
// ray_march/reference.py to the last bit. A Walk is meant to live in registers: its arrays are
// indexed by constants only, once loops are unrolled.
typedef unsigned long long u64;

// g++ would leave `advance` a function when it is called twice, and the walk in memory.
#if defined(__CUDACC_RTC__)
#define ALWAYS_INLINE INLINE
#else
#define ALWAYS_INLINE __attribute__((always_inline)) INLINE
#endif

namespace march {

constexpr float BEYOND = 1e30f;  // farther than any box
// A block's faces are passed this much early, by distance from the face and by t: more than
// rounding can move a sample.
constexpr float EARLY = 1e-6f;
constexpr u64 ALL = ~0ull;

ALWAYS_INLINE float smaller(float a, float b) { return b < a ? b : a; }
ALWAYS_INLINE float larger(float a, float b) { return b > a ? b : a; }

struct Grid {
  const u64* words;  // [cascades, cells^3 / 64]
  int cells, cascades;
  // Cells along a side of the small and large blocks that are jumped over: 4 and 8 (a word and a
  // cache line of bits), or less where such a block would reach into two cascades' realms.
  int block, large_block;
};

// Where intervals lie, the same for every ray: one that begins at t is clamp(t * cone_angle, step,
// largest) long.
struct Lattice {
  float step, cone_angle, largest, inverse_step;

  INLINE_MEMBER float length(float t) const {
    return smaller(largest, larger(step, t * cone_angle));
  }
  // Whether floats near t are close enough to count the intervals and to tell them apart.
  INLINE_MEMBER bool resolved(float t) const { return t + 0.25f * length(t) > t; }
};

// A ray, and the place on its lattice that is looked at next: the interval number k, [t, end].
struct Walk {
  Lattice lattice;
  float origin[3], direction[3];
  float slope[3], shift[3];  // it passes f cells from the centre not before t = f * slope + shift
  float start, jitter, far;
  float k, t, end;
  u64 word;     // of the block that the walk is in ...
  float until;  // ... for certain before this t
  float scale;  // cells per length there

  INLINE_MEMBER float middle() const { return 0.5f * (t + end); }
};

ALWAYS_INLINE Grid grid_of(const u64* words, i64 cells, i64 cascades) {
  int most = cascades > 1 ? (int)cells / 4 : 8;
  return {words, (int)cells, (int)cascades, most < 4 ? most : 4, most < 8 ? most : 8};
}

ALWAYS_INLINE Lattice lattice_of(float step, float cone_angle, float largest) {
  return {step, cone_angle, largest, 1 / step};
}

// The bits of x < 256, two zeros after each: its part of a Morton code.
ALWAYS_INLINE u32 spread(u32 x) {
  x = (x | x << 8) & 0x00f00f;
  x = (x | x << 4) & 0x0c30c3;
  return (x | x << 2) & 0x249249;
}

ALWAYS_INLINE float edge(const Walk& walk, float k) {
  return walk.start + (k + walk.jitter) * walk.lattice.step;
}

// To the next interval.
ALWAYS_INLINE void step(Walk& walk) {
  walk.t = walk.end;
  walk.k += 1;
  bool even = walk.lattice.cone_angle == 0;
  walk.end = even ? edge(walk, walk.k + 1) : walk.t + walk.lattice.length(walk.t);
}

// To the first interval whose middle is not before `t`, or by rounding one before it; at least to
// the next.
ALWAYS_INLINE void skip_to(Walk& walk, float t) {
  if (walk.lattice.cone_angle == 0) {
    float k = ceilf((t - walk.start) * walk.lattice.inverse_step - walk.jitter - 0.51f);
    walk.k = larger(walk.k + 1, k);
    walk.t = edge(walk, walk.k);
    walk.end = edge(walk, walk.k + 1);
  } else {
    do step(walk);
    while (walk.middle() < t);
  }
}

// Narrows [near, far] to the part of the ray inside the box (Kay and Kajiya 1986); false if none
// is left.
ALWAYS_INLINE bool clip(const Walk& walk, const float* box, float* near, float* far) {
  UNROLL
  for (int d = 0; d < 3; d++) {
    float low = box[d], high = box[3 + d], o = walk.origin[d];
    if (walk.direction[d] == 0) {
      if (!(o >= low && o <= high)) return false;
      continue;
    }
    float a = (low - o) / walk.direction[d], b = (high - o) / walk.direction[d];
    if (a != a || b != b) return false;
    *near = larger(*near, smaller(a, b));
    *far = smaller(*far, larger(a, b));
  }
  return *near < *far && *far < BEYOND;  // a ray without a direction is clipped by no slab
}

// Starts a walk along a ray (unit direction, box inside the coarsest cascade); false if the ray
// has no part that is inside the box and beyond `near`, or is too far away for its lattice.
// jitter in [0, 1) shifts the lattice.
ALWAYS_INLINE bool begin(
    Walk& walk,
    const Grid& grid,
    const Lattice& lattice,
    const float* origin,     // [3]
    const float* direction,  // [3]
    const float* box,        // [2, 3]
    float near,
    float jitter) {
  float extent = (float)(1 << (grid.cascades - 1)), side = 2.0f / grid.cells;
  walk.lattice = lattice;
  UNROLL
  for (int d = 0; d < 3; d++) {
    float o = origin[d], v = direction[d], early = EARLY * (2 * extent + (o < 0 ? -o : o));
    walk.origin[d] = o;
    walk.direction[d] = v;
    walk.slope[d] = v == 0 ? 0 : side * (1 - EARLY) / v;
    walk.shift[d] = v == 0 ? BEYOND : (-o - (v > 0 ? early : -early)) * (1 - EARLY) / v - EARLY;
  }
  float far = BEYOND;
  if (!clip(walk, box, &near, &far)) return false;
  if (!(lattice.resolved(near) && lattice.resolved(far))) return false;
  bool even = lattice.cone_angle == 0;
  walk.start = near;
  walk.jitter = jitter;
  walk.far = far;
  walk.until = -BEYOND;
  walk.k = 0;
  walk.t = even ? edge(walk, 0) : near + jitter * lattice.length(near);
  walk.end = even ? edge(walk, 1) : walk.t + lattice.length(walk.t);
  return true;
}

// Where `walk` was when `advance` gave the interval that begins at t0, for `resume`.
ALWAYS_INLINE float mark(const Walk& walk, float t0) {
  return walk.lattice.cone_angle == 0 ? walk.k - 1 : t0;
}

// Back or on to that interval: `advance` will give it again.
ALWAYS_INLINE void resume(Walk& walk, float at) {
  bool even = walk.lattice.cone_angle == 0;
  walk.k = at;
  walk.t = even ? edge(walk, at) : at;
  walk.end = even ? edge(walk, at + 1) : at + walk.lattice.length(at);
  walk.until = -BEYOND;
}

// The cell along one axis. Truncation serves for floor: both send what is below the grid to its
// first cell.
ALWAYS_INLINE int cell_of(const Walk& walk, const Grid& grid, float x) {
  int i = (int)(x * walk.scale + 0.5f * grid.cells), last = grid.cells - 1;
  return i < 0 ? 0 : i < last ? i : last;
}

// Loads the block around the middle of the interval.
ALWAYS_INLINE void enter(Walk& walk, const Grid& grid) {
  float m = walk.middle(), x[3], reach = 0;
  UNROLL
  for (int d = 0; d < 3; d++) {
    x[d] = walk.origin[d] + m * walk.direction[d];
    reach = larger(reach, x[d] < 0 ? -x[d] : x[d]);
  }
  // Powers of two: all of this is exact.
  float extent = 1, side = 2.0f / grid.cells, length = walk.lattice.length(walk.t);
  walk.scale = 0.5f * grid.cells;
  int cascade = 0;
  for (; cascade + 1 < grid.cascades && (reach > extent || length > side); cascade++)
    extent *= 2, side *= 2, walk.scale *= 0.5f;
  int cell[3];
  u32 code = 0;
  UNROLL
  for (int d = 0; d < 3; d++) {
    cell[d] = cell_of(walk, grid, x[d]);
    code |= spread((u32)cell[d] >> 2) << d;
  }
  i64 words = (i64)grid.cells * grid.cells * grid.cells / 64;
  const u64* line = grid.words + cascade * words + (code & ~7u);
  walk.word = line[code & 7];
  int size = grid.block;
  if (walk.word == 0) {
    u64 any = 0;
    UNROLL
    for (int i = 0; i < 8; i++) any |= line[i];
    if (any == 0) size = grid.large_block;
  }
  // The block ends at its faces, and where intervals become too long for its cascade.
  bool grows = cascade + 1 < grid.cascades && walk.lattice.cone_angle > 0;
  float until = grows ? smaller(walk.far, side * (1 - EARLY) / walk.lattice.cone_angle) : walk.far;
  UNROLL
  for (int d = 0; d < 3; d++) {
    int face = (cell[d] & -size) + (walk.slope[d] > 0 ? size : 0) - grid.cells / 2;
    until = smaller(until, face * (extent * walk.slope[d]) + walk.shift[d]);
  }
  walk.until = until;
}

// Whether the cell around the middle of the interval is occupied; it is in the block.
ALWAYS_INLINE bool occupied(const Walk& walk, const Grid& grid) {
  if (walk.word == ALL) return true;
  u32 bit = 0;
  UNROLL
  for (int d = 0; d < 3; d++) {
    u32 cell = (u32)cell_of(walk, grid, walk.origin[d] + walk.middle() * walk.direction[d]);
    bit |= ((cell & 1) | (cell & 2) << 2) << d;
  }
  return walk.word >> bit & 1;
}

// One step: over what is empty, or onto one interval. Whether that has its middle in an occupied
// cell; then it is [*t0, *t1].
ALWAYS_INLINE bool look(Walk& walk, const Grid& grid, float* t0, float* t1) {
  if (!(walk.middle() < walk.until)) enter(walk, grid);
  if (walk.word == 0) {
    skip_to(walk, walk.until);
    return false;
  }
  bool found = occupied(walk, grid);
  *t0 = walk.t;
  *t1 = walk.end;
  step(walk);
  return found;
}

ALWAYS_INLINE bool ended(const Walk& walk) { return !(walk.middle() < walk.far); }

// The next interval with its middle in an occupied cell, as [*t0, *t1]; false at the ray's end.
ALWAYS_INLINE bool advance(Walk& walk, const Grid& grid, float* t0, float* t1) {
  while (!ended(walk))
    if (look(walk, grid, t0, t1)) return true;
  return false;
}

}  // namespace march
