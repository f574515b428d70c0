// Tracing on a GPU. Blocks stay; a lane of a warp follows one ray at a time, and takes the next of
// all rays when it ends. In rounds, lanes look for their rays' next samples, each at its own pace,
// until few still do; then the warp asks the field about all that were found, 16 at a time:
//
//   Ray (registers) ─look─► Sample ─► points (shared memory) ─► Fragment ─► density ─┐
//   light, weight ◄────────────────────────── the lane that follows the ray ◄────────┘
//
// What a ray gets does not depend on which lane follows it, and when.
#include "march.cuh"
#include "radiance/warp.cuh"

constexpr int WARPS = 8, THREADS = 32 * WARPS;
constexpr u32 ALL_LANES = 0xffffffffu;
constexpr int NONE = -1;
// A round goes on while more than one in so many lanes looks for its sample: when lanes wait for
// others, so does the field, and where they do not, it is asked about fewer points than it could.
constexpr int PATIENCE = 4;

// What stays the same for all rays.
struct Scene {
  int rays;
  const float* origins;     // [rays, 3]
  const float* directions;  // [rays, 3]
  const float* jitter;      // [rays]
  march::Grid grid;
  march::Lattice lattice;
  const float* box;  // [2, 3]
  float near;
  int most;       // samples of a ray
  float to_unit;  // from the grid's frame to the unit cube: x * to_unit + 1/2
  const u32* table;
  float early_stop, cull;
  int* next;  // the first ray that no lane has taken

  INLINE_MEMBER bool begin(march::Walk& walk, i64 r) const {
    const float *origin = origins + r * 3, *direction = directions + r * 3;
    return march::begin(walk, grid, lattice, origin, direction, box, near, jitter[r]);
  }
};

// What a lane follows.
struct Ray {
  int index;    // or NONE
  int left;     // samples that it may still look at
  float light;  // how much of it comes from behind what was passed
  march::Walk walk;
};

struct Sample {
  float t0, t1;
};

// Which lanes say yes.
INLINE u32 lanes_where(bool vote) { return __ballot_sync(ALL_LANES, vote); }
INLINE int count(u32 lanes) { return __popc(lanes); }
// How many of `lanes` come before this one.
INLINE int rank_among(u32 lanes) { return count(lanes & ((1u << lane_id()) - 1)); }

// Gives each lane without a ray the next one; false when there are no more.
template <class Sight>
INLINE bool take_rays(Ray& ray, const Scene& scene, Sight& sight) {
  u32 idle = lanes_where(ray.index == NONE);
  if (!idle) return true;
  int first = 0;
  if (lane_id() == 0) first = atomicAdd(scene.next, count(idle));
  first = __shfl_sync(ALL_LANES, first, 0);
  int index = first + rank_among(idle);
  if (ray.index == NONE && index < scene.rays) {
    sight.begin(index, scene);
    if (scene.begin(ray.walk, index)) {
      ray = {index, scene.most, 1, ray.walk};
    } else {
      sight.end(index);
    }
  }
  return first + count(idle) < scene.rays;
}

INLINE bool is_over(const Ray& ray, const Scene& scene) {
  return march::ended(ray.walk) || ray.light < scene.early_stop || ray.left == 0;
}

// Finds samples for most lanes that follow a ray: which. For none only if there are no more rays.
template <class Sight>
INLINE u32 look_ahead(Ray& ray, const Scene& scene, Sight& sight, bool& more, Sample& sample) {
  bool has_sample = false;
  u32 found = 0, looking = 0;
  do {
    if (more) more = take_rays(ray, scene, sight);
    if (ray.index != NONE && !has_sample) {
      if (is_over(ray, scene)) {
        sight.end(ray.index);
        ray.index = NONE;
      } else {
        has_sample = march::look(ray.walk, scene.grid, &sample.t0, &sample.t1);
      }
    }
    found = lanes_where(has_sample);
    looking = lanes_where(ray.index == NONE ? more : !has_sample);
  } while (PATIENCE * count(looking) > count(found | looking));
  return found;
}

// The samples of a round, densely: the field is asked about no more tiles than there must be.
struct Round {
  int count;
  int slot;  // where the lane's sample is, or NONE

  INLINE_MEMBER Round(u32 found)
      : count(::count(found)),
        slot(found >> lane_id() & 1 ? rank_among(found) : NONE) {}

  // The value of the lane's sample, from each lane's `rows`: those of the lanes with that `t`.
  INLINE_MEMBER float value_of(const float (&rows)[2], int t) const {
    int from = slot % 8 * 4 + t;
    float low = __shfl_sync(ALL_LANES, rows[0], from);
    float high = __shfl_sync(ALL_LANES, rows[1], from);
    return slot % 16 < 8 ? low : high;
  }
};

// Sixteen of them.
struct Tile {
  const Round& round;
  int first;

  // Whether it has the lane's sample. (No tile has NONE.)
  INLINE_MEMBER bool has_own() const { return (round.slot & ~15) == first; }

  // Of one of the lane's two points; beyond the end: the last one.
  INLINE_MEMBER int slot_of(int row) const {
    int at = first + lane_id() / 4 + 8 * row;
    return at < round.count ? at : round.count - 1;
  }
};

typedef float Points[32][3];  // of a round's samples, in the unit cube

// How much of what is seen comes from this sample; the ray's light is what is left behind it.
INLINE float pass(Ray& ray, const Sample& sample, float density) {
  float opacity = -expm1f(-density * (sample.t1 - sample.t0)), weight = ray.light * opacity;
  ray.light *= 1 - opacity;
  return weight;
}

// Follows rays to their ends, until there are no more; returns how many samples were looked at.
template <class Sight>
INLINE u32 follow_rays(const Scene& scene, const Field& field, Points& points, Sight& sight) {
  Ray ray;
  ray.index = NONE;
  Sample sample;
  u32 looked = 0;
  for (bool more = true;;) {
    Round round(look_ahead(ray, scene, sight, more, sample));
    if (!round.count) return looked;
    if (round.slot != NONE) {
      float middle = 0.5f * (sample.t0 + sample.t1);
      UNROLL for (int d = 0; d < 3; d++) {
        float x = ray.walk.origin[d] + middle * ray.walk.direction[d];
        points[round.slot][d] = x * scene.to_unit + 0.5f;
      }
      sight.place(round.slot);
      ray.left--;
    }
    looked += round.count;
    __syncwarp();
    ROLLED for (int first = 0; first < round.count; first += 16) {
      Tile tile = {round, first};
      float own[2][3];
      UNROLL for (int row = 0; row < 2; row++)
        UNROLL for (int d = 0; d < 3; d++) own[row][d] = points[tile.slot_of(row)][d];
      Inside inside = field.inside(encode(field.levels, scene.table, own));
      float raw = round.value_of(inside.raw, 0), weight = 0;
      if (tile.has_own()) weight = pass(ray, sample, density_of(raw));
      sight.see(ray, sample, weight, weight > scene.cull, tile, inside.features);
      __syncwarp();  // the next round's points come after all of these were read
    }
  }
}

// The sum over all warps, of which each lane has its warp's.
INLINE void add_up(u32 looked, u64* sum) {
  if (lane_id() == 0) atomicAdd(sum, (u64)looked);
}

// A picture of what rays see.
struct Picture {
  // What the warp's lanes have to know of each other's rays and samples.
  struct Desk {
    Points points;
    int owner[32];         // the lane that follows the ray of a slot's sample
    int index[32];         // of the ray that a lane follows
    u32 harmonics[32][9];  // of that ray's direction, float16; the ninth is for other banks
  };
  const Field& field;
  Desk& desk;
  const float* codes;  // [rays, CODES]
  float* rgba;         // [rays, 4]
  float* depths;       // [rays]
  float colour[3], alpha, depth;

  INLINE_MEMBER void begin(i64 index, const Scene& scene) {
    UNROLL for (int c = 0; c < 3; c++) colour[c] = 0;
    alpha = depth = 0;
    float all[HARMONICS];
    spherical_harmonics(scene.directions + index * 3, all);
    UNROLL for (int i = 0; i < HARMONICS / 2; i++)
      desk.harmonics[lane_id()][i] = pack(all[2 * i], all[2 * i + 1]);
    desk.index[lane_id()] = (int)index;
  }

  INLINE_MEMBER void end(i64 index) const {
    UNROLL for (int c = 0; c < 3; c++) rgba[index * 4 + c] = colour[c];
    rgba[index * 4 + 3] = alpha;
    depths[index] = depth;
  }

  INLINE_MEMBER void place(int slot) const { desk.owner[slot] = lane_id(); }

  // What the colour network takes of the rays of the lane's two points.
  INLINE_MEMBER Fragment<ColourNet::IN> inputs(
      const Fragment<16>& features, const Tile& tile) const {
    Fragment<16> harmonics;
    const float* own_codes[2];
    UNROLL for (int row = 0; row < 2; row++) {
      int owner = desk.owner[tile.slot_of(row)];
      UNROLL for (int half = 0; half < 2; half++)
        harmonics.at[0][2 * half + row] = desk.harmonics[owner][4 * half + lane_id() % 4];
      own_codes[row] = codes + (i64)desk.index[owner] * CODES;
    }
    return colour_inputs(features, harmonics, codes_of(own_codes));
  }

  INLINE_MEMBER void see(
      const Ray&,
      const Sample& sample,
      float weight,
      bool is_seen,
      const Tile& tile,
      const Fragment<16>& features) {
    if (!lanes_where(is_seen)) return;
    Sums<16> logits = field.outside(inputs(features, tile));
    weight = is_seen ? weight : 0;
    alpha += weight;
    depth += weight * (0.5f * (sample.t0 + sample.t1));
    UNROLL for (int c = 0; c < 3; c++) {
      float rows[2] = {logits.at[0][c % 2], logits.at[0][2 + c % 2]};
      float logit = tile.round.value_of(rows, c / 2);
      if (is_seen) colour[c] += weight * sigmoid(logit);
    }
  }
};

// Which samples count. Of each ray, from the first such sample on, one bit per sample.
struct Finds {
  int* counts;   // [rays]
  float* marks;  // [rays], where march::resume gives a ray's first visible sample
  u32* bits;     // [rays, words]
  int words;
  int seen, passed;  // visible samples; all, from the first visible one on
  u32 word;

  INLINE_MEMBER void begin(i64, const Scene&) {
    seen = passed = 0;
    word = 0;
  }

  INLINE_MEMBER void end(i64 index) const {
    counts[index] = seen;
    if (passed % 32) bits[index * words + passed / 32] = word;
  }

  INLINE_MEMBER void place(int) const {}

  INLINE_MEMBER void see(
      const Ray& ray,
      const Sample& sample,
      float,
      bool is_seen,
      const Tile& tile,
      const Fragment<16>&) {
    if (!tile.has_own() || !(seen || is_seen)) return;
    if (!seen) marks[ray.index] = march::mark(ray.walk, sample.t0);
    seen += is_seen;
    word |= (u32)is_seen << passed % 32;
    if (++passed % 32) return;
    bits[(i64)ray.index * words + passed / 32 - 1] = word;
    word = 0;
  }
};

WARP_ENTRY(THREADS, 2) trace_render(
    i64 rays,
    const float* __restrict__ origins,     // [rays, 3]
    const float* __restrict__ directions,  // [rays, 3]
    const float* __restrict__ jitter,      // [rays]
    const u64* __restrict__ bits,          // [cascades, cells^3 / 64]
    i64 cells,
    i64 cascades,
    const float* __restrict__ box,  // [2, 3]
    float near,
    float step,
    float cone_angle,
    float largest,
    i64 most,
    float to_unit,
    const Level* __restrict__ layout,    // [LEVELS]
    const u32* __restrict__ table,       // [entries, FEATURES] of float16
    const float* __restrict__ matrices,  // both networks'
    float early_stop,
    float cull,
    int* __restrict__ next,           // zero
    u64* __restrict__ looked,         // zero
    const float* __restrict__ codes,  // [rays, CODES]
    float* __restrict__ rgba,         // [rays, 4]
    float* __restrict__ depth) {      // [rays]
  Field field = load_field<true>(dynamic_shared(), layout, matrices);
  Scene scene = {(int)rays, origins, directions, jitter, march::grid_of(bits, cells, cascades),
                 march::lattice_of(step, cone_angle, largest), box, near, (int)most, to_unit, table,
                 early_stop, cull, next};
  Picture::Desk& desk = ((Picture::Desk*)(dynamic_shared() + FIELD_WORDS))[warp_id()];
  __syncthreads();
  Picture picture = {field, desk, codes, rgba, depth};
  add_up(follow_rays(scene, field, desk.points, picture), looked);
}

WARP_ENTRY(THREADS, 2) trace_visible(
    i64 rays,
    const float* __restrict__ origins,     // [rays, 3]
    const float* __restrict__ directions,  // [rays, 3]
    const float* __restrict__ jitter,      // [rays]
    const u64* __restrict__ bits,          // [cascades, cells^3 / 64]
    i64 cells,
    i64 cascades,
    const float* __restrict__ box,  // [2, 3]
    float near,
    float step,
    float cone_angle,
    float largest,
    i64 most,
    float to_unit,
    const Level* __restrict__ layout,    // [LEVELS]
    const u32* __restrict__ table,       // [entries, FEATURES] of float16
    const float* __restrict__ matrices,  // the density network's
    float early_stop,
    float cull,
    int* __restrict__ next,     // zero
    u64* __restrict__ looked,   // zero
    int* __restrict__ counts,   // [rays]
    float* __restrict__ marks,  // [rays]
    u32* __restrict__ seen,     // [rays, words]
    i64 words) {
  Field field = load_field<false>(dynamic_shared(), layout, matrices);
  Scene scene = {(int)rays, origins, directions, jitter, march::grid_of(bits, cells, cascades),
                 march::lattice_of(step, cone_angle, largest), box, near, (int)most, to_unit, table,
                 early_stop, cull, next};
  Points& points = ((Points*)(dynamic_shared() + DENSITY_WORDS))[warp_id()];
  __syncthreads();
  Finds finds = {counts, marks, seen, (int)words};
  add_up(follow_rays(scene, field, points, finds), looked);
}

// One thread per ray: writes the samples that trace_visible saw. It marches again, to the same
// samples bit for bit, but asks no field.
WARP_ENTRY(THREADS, 2) trace_gather(
    i64 rays,
    const float* __restrict__ origins,     // [rays, 3]
    const float* __restrict__ directions,  // [rays, 3]
    const float* __restrict__ jitter,      // [rays]
    const u64* __restrict__ bits,          // [cascades, cells^3 / 64]
    i64 cells,
    i64 cascades,
    const float* __restrict__ box,  // [2, 3]
    float near,
    float step,
    float cone_angle,
    float largest,
    const float* __restrict__ marks,  // [rays]
    const u32* __restrict__ seen,     // [rays, words]
    i64 words,
    const int* __restrict__ offsets,  // [rays + 1]
    int* __restrict__ ray_indices,    // [n]
    float* __restrict__ starts,       // [n]
    float* __restrict__ ends) {       // [n]
  march::Grid grid = march::grid_of(bits, cells, cascades);
  march::Lattice lattice = march::lattice_of(step, cone_angle, largest);
  i64 r = blockIdx.x * (i64)THREADS + threadIdx.x;
  int at = r < rays ? offsets[r] : 0, end = r < rays ? offsets[r + 1] : 0;
  if (at == end) return;
  march::Walk walk;
  march::begin(walk, grid, lattice, origins + r * 3, directions + r * 3, box, near, jitter[r]);
  march::resume(walk, marks[r]);
  float t0, t1;
  for (int passed = 0; at < end && march::advance(walk, grid, &t0, &t1); passed++) {
    if (!(seen[r * words + passed / 32] >> passed % 32 & 1)) continue;
    ray_indices[at] = (int)r;
    starts[at] = t0;
    ends[at++] = t1;
  }
}
