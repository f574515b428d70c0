// The hash-grid field on a CPU: points to encodings, a span at a time and level by level, and
// encodings to density and colour, a tile at a time.
//
// DIMS = 3, FEATURES, LEVELS: the grid. WIDTH, DENSITY_LAYERS, COLOUR_LAYERS (hidden), CODES, MIXED:
// the networks.
#include "hash_encode/corners.cuh"
#include "harmonics.cuh"
#include "radiance/tile.cuh"

constexpr int SPAN = 1024;
constexpr int ENCODED = LEVELS * FEATURES;
constexpr int RAW = 16;  // the density network's outputs: log density, then features
constexpr int GIVEN = RAW - 1 + HARMONICS + CODES;
constexpr float MOST = 15;  // of the logarithm of a density

typedef Network<ENCODED, RAW, DENSITY_LAYERS> DensityNet;
typedef Network<GIVEN, 3, COLOUR_LAYERS> ColourNet;

// exp in plain arithmetic, which compilers turn into vectors (libm's they call one by one);
// 2^-22 relative (Cephes' polynomial).
INLINE float exponential(float x) {
  x = x < -87 ? -87 : x > 88 ? 88 : x;
  float n = floorf(x * 1.44269504f + 0.5f);
  float r = x - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  int bits = ((int)n + 127) << 23;
  float power;
  __builtin_memcpy(&power, &bits, 4);
  return (p * r * r + r + 1) * power;
}

INLINE float density_of(float raw) { return exponential(raw - 1 < MOST ? raw - 1 : MOST); }
INLINE float sigmoid(float x) { return 1 / (1 + exponential(-x)); }

// Encodes up to SPAN points, all of them level by level.
INLINE void encode_span(
    const Level* layout, const float* points, int count, const Row* table, Row* encoded) {
  Corners corners;
  for (int l = 0; l < LEVELS; l++)
    for (int start = 0; start < count; start += LANES) {
      int some = lanes(start, count);
      const Row* rows = table + layout[l].offset;
      Row* out = encoded + (i64)start * LEVELS + l;
      encode(layout[l], points + start * DIMS, some, rows, corners, out, LEVELS);
    }
}

// `count` rows of WIDE columns into a tile; rows beyond, and columns beyond, are zero.
template <int WIDE, int INPUTS>
INLINE void fill(Value* tile, const float* rows, int count) {
  if (count < TILE || WIDE < INPUTS) __builtin_memset(tile, 0, TILE * INPUTS * sizeof(Value));
  for (int s = 0; s < count; s++)
    for (int i = 0; i < WIDE; i++) tile[s * INPUTS + i] = rounded(rows[s * WIDE + i]);
}

// What a tile of points passes through.
struct Pass {
  alignas(64) Value encoded[TILE * DensityNet::INPUTS];
  alignas(64) float raw[TILE * RAW];
  alignas(64) Value given[TILE * ColourNet::INPUTS];
  alignas(64) float logits[TILE * ColourNet::OUTPUTS];
  DensityNet::Hidden density_hidden;
  ColourNet::Hidden colour_hidden;

  void density(const DensityNet& net, const float* rows, int count) {
    fill<ENCODED, DensityNet::INPUTS>(encoded, rows, count);
    net.forward(encoded, density_hidden, raw);
  }

  // The colour network's inputs, but for the harmonics: they do not change along a ray.
  INLINE_MEMBER void give(int s, const float* features, const float* harmonics, const float* codes) {
    Value* to = given + s * ColourNet::INPUTS;
    for (int i = 0; i < RAW - 1; i++) to[i] = rounded(features[i]);
    for (int i = 0; i < HARMONICS; i++) to[RAW - 1 + i] = rounded(harmonics[i]);
    for (int i = 0; i < CODES; i++) to[RAW - 1 + HARMONICS + i] = rounded(codes[i]);
    for (int i = GIVEN; i < ColourNet::INPUTS; i++) to[i] = 0;
  }

  void colour(const ColourNet& net) { net.forward(given, colour_hidden, logits); }
};
