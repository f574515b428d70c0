// Tracing on a CPU. An item is a group of rays. In waves, every ray that still has light looks a
// few samples ahead; their densities are found together; then each ray is followed through its
// samples until its light is gone. Some of the last look is in vain: the price of whole tiles.
#include <cstdlib>
#include "march.cuh"
#include "radiance/field.cuh"
#define CHUNK 1

constexpr int GROUP = 128;  // rays
constexpr int DEEPEST = 16;  // samples that a ray looks ahead, when few others are left
constexpr int NEAREST = 8;   // and when all are

// What stays the same for all rays.
struct Scene {
  march::Grid grid;
  march::Lattice lattice;
  const float* box;
  float near;
  i64 most;      // samples of a ray
  float to_unit; // from the grid's frame to the unit cube: x * to_unit + 1/2
  const Level* layout;
  const Row* table;
  float early_stop, cull;
};

struct Ray {
  march::Walk walk;
  float light;  // how much of it comes from behind what was passed
  i64 left;     // samples that it may still look at
};

// The samples of one look: those of a ray behind one another.
struct Wave {
  int count;
  int ray[SPAN];
  float t0[SPAN], t1[SPAN], points[SPAN * DIMS];
  alignas(64) float encoded[SPAN * ENCODED];
  alignas(64) float raw[SPAN * RAW];
};

struct Rays {
  int alive;
  int index[GROUP];  // of the rays that are alive, ascending
  Ray ray[GROUP];
  i64 looked;  // samples whose density was found
};

INLINE void begin(
    Rays& rays,
    const Scene& scene,
    const float* origins,
    const float* directions,
    const float* jitter,
    int count) {
  rays.alive = 0;
  rays.looked = 0;
  for (int r = 0; r < count; r++) {
    Ray& ray = rays.ray[r];
    ray.light = 1;
    ray.left = scene.most;
    if (march::begin(ray.walk, scene.grid, scene.lattice, origins + r * 3, directions + r * 3,
                     scene.box, scene.near, jitter[r]))
      rays.index[rays.alive++] = r;
  }
}

// Fills the wave with the next samples of every ray; rays without any are no longer alive.
INLINE void look_ahead(Rays& rays, const Scene& scene, Wave& wave) {
  int depth = rays.alive ? SPAN / rays.alive : 0, alive = 0;
  depth = depth > DEEPEST ? DEEPEST : depth < NEAREST ? NEAREST : depth;
  wave.count = 0;
  for (int i = 0; i < rays.alive; i++) {
    int r = rays.index[i], before = wave.count;
    Ray& ray = rays.ray[r];
    for (int k = 0; k < depth && ray.left > 0; k++, ray.left--) {
      float t0, t1;
      if (!march::advance(ray.walk, scene.grid, &t0, &t1)) break;
      int at = wave.count++;
      wave.ray[at] = r;
      wave.t0[at] = t0;
      wave.t1[at] = t1;
      for (int d = 0; d < 3; d++) {
        float x = ray.walk.origin[d] + 0.5f * (t0 + t1) * ray.walk.direction[d];
        wave.points[at * DIMS + d] = x * scene.to_unit + 0.5f;
      }
    }
    if (wave.count > before) rays.index[alive++] = r;
  }
  rays.alive = alive;
  rays.looked += wave.count;
}

INLINE void find_density(const DensityNet& net, const Scene& scene, Wave& wave, Pass& pass) {
  encode_span(scene.layout, wave.points, wave.count, scene.table, (Row*)wave.encoded);
  for (int start = 0; start < wave.count; start += TILE) {
    int some = wave.count - start < TILE ? wave.count - start : TILE;
    pass.density(net, wave.encoded + start * ENCODED, some);
    __builtin_memcpy(wave.raw + start * RAW, pass.raw, some * RAW * 4);
  }
}

// Follows every ray through its part of the wave; calls see(sample, weight) for what is visible.
// Rays whose light is gone are no longer alive.
template <class See>
INLINE void follow(Rays& rays, const Scene& scene, const Wave& wave, See see) {
  int alive = 0;
  for (int i = 0, at = 0; i < rays.alive; i++) {
    int r = rays.index[i];
    Ray& ray = rays.ray[r];
    for (; at < wave.count && wave.ray[at] == r; at++) {
      if (ray.light < scene.early_stop) continue;
      float thickness = density_of(wave.raw[at * RAW]) * (wave.t1[at] - wave.t0[at]);
      float opacity = -expm1f(-thickness), weight = ray.light * opacity;
      ray.light *= 1 - opacity;
      if (weight > scene.cull) see(at, weight);
    }
    if (ray.light >= scene.early_stop && ray.left > 0) rays.index[alive++] = r;
  }
  rays.alive = alive;
}

// The samples that are visible, of a group of rays, in the order in which they were found.
struct Found {
  struct Sample {
    int ray;
    float t0, t1;
  };
  i64 count, room;
  Sample* samples;

  void add(Sample sample) {
    if (count == room) {
      room = room ? 2 * room : 1024;
      samples = (Sample*)realloc(samples, room * sizeof(Sample));
    }
    samples[count++] = sample;
  }
};

INLINE Scene scene_of(
    const u64* words,
    i64 cells,
    i64 cascades,
    const float* box,
    float near,
    float step,
    float cone_angle,
    float largest,
    i64 most,
    float to_unit,
    const Level* layout,
    const Row* table,
    float early_stop,
    float cull) {
  return {march::grid_of(words, cells, cascades), march::lattice_of(step, cone_angle, largest), box,
          near, most, to_unit, layout, table, early_stop, cull};
}

// Items are groups. Writes the number of visible samples of each ray, and the samples themselves
// into memory of their own, which `trace_gather` empties.
ENTRY trace_visible(
    i64 items,
    i64 rays,
    const float* origins,     // [rays, 3]
    const float* directions,  // [rays, 3]
    const float* jitter,      // [rays]
    const u64* words,         // [cascades, cells^3 / 64]
    i64 cells,
    i64 cascades,
    const float* box,  // [2, 3]
    float near,
    float step,
    float cone_angle,
    float largest,
    i64 most,
    float to_unit,
    const Level* layout,    // [LEVELS]
    const Row* table,       // [entries]
    const float* matrices,  // the density network's
    float early_stop,
    float cull,
    int* counts,    // [rays]
    i64* looked,    // [items]
    Found** found,  // [items]
    i64 threads) {
  Scene scene = scene_of(words, cells, cascades, box, near, step, cone_angle, largest, most,
                         to_unit, layout, table, early_stop, cull);
  DensityNet net;
  net.load(matrices);
  FOR_EACH_ITEM(item) {
    Rays group;
    Wave wave;
    Pass pass;
    i64 first = item * GROUP;
    int count = rays - first < GROUP ? (int)(rays - first) : GROUP;
    Found* samples = found[item] = (Found*)calloc(1, sizeof(Found));
    for (int r = 0; r < count; r++) counts[first + r] = 0;
    begin(group, scene, origins + first * 3, directions + first * 3, jitter + first, count);
    while (group.alive) {
      look_ahead(group, scene, wave);
      find_density(net, scene, wave, pass);
      follow(group, scene, wave, [&](int at, float) {
        samples->add({wave.ray[at], wave.t0[at], wave.t1[at]});
        counts[first + wave.ray[at]]++;
      });
    }
    looked[item] = group.looked;
  }
}

// Items are groups. Moves what `trace_visible` found to where each ray's samples belong, if there
// is room for them.
ENTRY trace_gather(
    i64 items,
    i64 rays,
    const int* offsets,  // [rays + 1]
    Found** found,       // [items]
    int* ray_indices,    // [n]
    float* starts,       // [n]
    float* ends,         // [n]
    i64 threads) {
  FOR_EACH_ITEM(item) {
    i64 first = item * GROUP;
    int count = rays - first < GROUP ? (int)(rays - first) : GROUP, next[GROUP];
    for (int r = 0; r < count; r++) next[r] = offsets[first + r];
    for (i64 i = 0; i < found[item]->count; i++) {
      Found::Sample sample = found[item]->samples[i];
      if (next[sample.ray] == offsets[first + sample.ray + 1]) continue;
      int at = next[sample.ray]++;
      ray_indices[at] = (int)first + sample.ray;
      starts[at] = sample.t0;
      ends[at] = sample.t1;
    }
    free(found[item]->samples);
    free(found[item]);
  }
}

// The visible samples of a wave, and what their colour adds up to.
struct Seen {
  int count;
  int sample[SPAN];
  float weight[SPAN];
};

INLINE void add_colour(
    const ColourNet& net,
    const Seen& seen,
    const Wave& wave,
    const float* harmonics,  // [GROUP, HARMONICS]
    const float* codes,      // [GROUP, CODES]
    float* rgba,             // [GROUP, 4]
    Pass& pass) {
  for (int start = 0; start < seen.count; start += TILE) {
    int some = seen.count - start < TILE ? seen.count - start : TILE;
    for (int s = 0; s < some; s++) {
      int at = seen.sample[start + s], r = wave.ray[at];
      pass.give(s, wave.raw + at * RAW + 1, harmonics + r * HARMONICS, codes + r * CODES);
    }
    pass.colour(net);
    for (int s = 0; s < some; s++) {
      float* sum = rgba + wave.ray[seen.sample[start + s]] * 4;
      for (int c = 0; c < 3; c++)
        sum[c] += seen.weight[start + s] * sigmoid(pass.logits[s * ColourNet::OUTPUTS + c]);
    }
  }
}

// Items are groups.
ENTRY trace_render(
    i64 items,
    i64 rays,
    const float* origins,     // [rays, 3]
    const float* directions,  // [rays, 3]
    const float* jitter,      // [rays]
    const u64* words,         // [cascades, cells^3 / 64]
    i64 cells,
    i64 cascades,
    const float* box,  // [2, 3]
    float near,
    float step,
    float cone_angle,
    float largest,
    i64 most,
    float to_unit,
    const Level* layout,    // [LEVELS]
    const Row* table,       // [entries]
    const float* matrices,  // both networks'
    float early_stop,
    float cull,
    const float* codes,  // [rays, CODES]
    float* rgba,         // [rays, 4]
    float* depth,        // [rays]
    i64* looked,         // [items]
    i64 threads) {
  Scene scene = scene_of(words, cells, cascades, box, near, step, cone_angle, largest, most,
                         to_unit, layout, table, early_stop, cull);
  DensityNet density_net;
  ColourNet colour_net;
  colour_net.load(density_net.load(matrices));
  FOR_EACH_ITEM(item) {
    Rays group;
    Wave wave;
    Pass pass;
    Seen seen;
    float harmonics[GROUP * HARMONICS];
    i64 first = item * GROUP;
    int count = rays - first < GROUP ? (int)(rays - first) : GROUP;
    float *sums = rgba + first * 4, *depths = depth + first;
    for (int r = 0; r < count; r++) {
      spherical_harmonics(directions + (first + r) * 3, harmonics + r * HARMONICS);
      for (int c = 0; c < 4; c++) sums[r * 4 + c] = 0;
      depths[r] = 0;
    }
    __builtin_memset(pass.given, 0, sizeof pass.given);
    begin(group, scene, origins + first * 3, directions + first * 3, jitter + first, count);
    while (group.alive) {
      look_ahead(group, scene, wave);
      find_density(density_net, scene, wave, pass);
      seen.count = 0;
      follow(group, scene, wave, [&](int at, float weight) {
        int r = wave.ray[at];
        sums[r * 4 + 3] += weight;
        depths[r] += weight * 0.5f * (wave.t0[at] + wave.t1[at]);
        seen.sample[seen.count] = at;
        seen.weight[seen.count++] = weight;
      });
      add_colour(colour_net, seen, wave, harmonics, codes + first * CODES, sums, pass);
    }
    looked[item] = group.looked;
  }
}
