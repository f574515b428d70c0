// The hash-grid field for kernels whose warps work on 16 points each, on tensor cores.
//
// FEATURES (2, 4, 8), LEVELS: the grid. WIDTH, DENSITY_LAYERS, COLOUR_LAYERS (hidden), CODES: the
// networks. Matrices lie in shared memory as float16; activations stay in registers, as mma.cuh's
// fragments with points as rows:
//
//   encode ─► Fragment<ENCODED> ─► inside: Inside {raw, features} ─► outside ─► colour logits
//   harmonics_of, codes_of ─► Fragments ───────────────────────────────┘
//
// Lane l has points g = l / 4 and g + 8 of its warp, called its rows 0 and 1, and columns 2t and
// 2t + 1 of every 8, t = l % 4. A value that each point has one of is handed over as `rows`: those
// of the lane's two points. rows_of() and point_of() go between that and "lane l has point l % 16".
//
// Use: WARP_ENTRY; load_field once per block into dynamic_shared(), then __syncthreads(). Then, all
// lanes of a warp together, 16 points at a time:
//
//   float at[2][3], towards[2][3];  // of points g and g + 8: in the unit cube; unit directions
//   Inside inside = field.inside(encode(field.levels, table, at));
//   float raw = point_of(inside.raw);  // of point l % 16; its density is density_of(raw)
//   Sums<16> logits = field.outside(colour_inputs(inside.features, harmonics_of(towards), codes));
//   Colour colour = colour_of(logits);  // of point l % 16
#include "half.cuh"
#include "mma.cuh"
#include "grid.cuh"
#include "harmonics.cuh"

INLINE constexpr int padded(int columns) { return (columns + 15) / 16 * 16; }

// Words (pairs of float16) of a row of `columns` in shared memory; the 8 columns that are added
// put the 8 rows that ldmatrix reads at once into different banks.
INLINE constexpr int words(int columns) { return (columns + 8) / 2; }

// 16 points x COLUMNS, float16: step k has columns 16 k and on, as mma's a.
template <int COLUMNS>
struct Fragment {
  u32 at[COLUMNS < 16 ? 1 : COLUMNS / 16][4];
};

// 16 points x COLUMNS, float32: tile j has columns 8 j and on, as mma's c.
template <int COLUMNS>
struct Sums {
  float at[COLUMNS < 8 ? 1 : COLUMNS / 8][4];
};

template <int COLUMNS>
INLINE Fragment<COLUMNS> halves(const Sums<COLUMNS>& x) {
  Fragment<COLUMNS> y;
  UNROLL for (int j = 0; j < COLUMNS / 8; j++)
    UNROLL for (int row = 0; row < 2; row++)
      y.at[j / 2][j % 2 * 2 + row] = pack(x.at[j][2 * row], x.at[j][2 * row + 1]);
  return y;
}

template <int COLUMNS>
INLINE Fragment<COLUMNS> relu(Sums<COLUMNS> x) {
  UNROLL for (int j = 0; j < COLUMNS / 8; j++)
    UNROLL for (int i = 0; i < 4; i++) x.at[j][i] = x.at[j][i] > 0 ? x.at[j][i] : 0;
  return halves(x);
}

// x W^T, for W [OUT, IN] in shared memory.
template <int OUT, int IN>
INLINE Sums<OUT> multiply(const u32* matrix, const Fragment<IN>& x) {
  // ldmatrix's four: outputs 0..7, then 8..15; of each, inputs 0..7, then 8..15.
  int lane = lane_id();
  const u32* row = matrix + (lane % 8 + lane / 16 * 8) * words(IN) + lane / 8 % 2 * 4;
  Sums<OUT> y = {};
  UNROLL for (int k = 0; k < IN / 16; k++)
    UNROLL for (int n = 0; n < OUT / 16; n++) {
      u32 b[4];
      load_matrices(b, row + n * 16 * words(IN) + k * 8);
      mma(y.at[2 * n], x.at[k], b[0], b[1]);
      mma(y.at[2 * n + 1], x.at[k], b[2], b[3]);
    }
  return y;
}

// dy W, the first COLUMNS columns of it, for W [OUT, IN].
template <int OUT, int IN, int COLUMNS>
INLINE Sums<COLUMNS> multiply_transposed(const u32* matrix, const Fragment<OUT>& dy) {
  // ldmatrix's four: inputs 0..7, then 8..15; of each, outputs 0..7, then 8..15.
  int lane = lane_id();
  const u32* row = matrix + lane % 16 * words(IN) + lane / 16 * 4;
  Sums<COLUMNS> dx = {};
  UNROLL for (int k = 0; k < OUT / 16; k++)
    UNROLL for (int n = 0; n < COLUMNS / 16; n++) {
      u32 b[4];
      load_transposed(b, row + k * 16 * words(IN) + n * 8);
      mma(dx.at[2 * n], dy.at[k], b[0], b[1]);
      mma(dx.at[2 * n + 1], dy.at[k], b[2], b[3]);
    }
  return dx;
}

// Hidden layers are computed a strip of columns at a time, in a loop: unrolled, their products take
// more registers than there are. As registers have no index, strips go through a fragment as
// through a queue: each push moves the others to the front.
INLINE constexpr int strip_of(int columns) { return columns % 32 ? 16 : 32; }

template <int COLUMNS, int STRIP>
INLINE void push(Fragment<COLUMNS>& x, const Fragment<STRIP>& last) {
  constexpr int STEPS = COLUMNS / 16, NEW = STRIP / 16;
  UNROLL for (int k = 0; k < STEPS; k++)
    UNROLL for (int i = 0; i < 4; i++)
      x.at[k][i] = k + NEW < STEPS ? x.at[(k + NEW) % STEPS][i] : last.at[(k + NEW) % STEPS][i];
}

// relu(x W^T)
template <int OUT, int IN>
INLINE Fragment<OUT> hidden_layer(const u32* matrix, const Fragment<IN>& x) {
  constexpr int STRIP = strip_of(OUT);
  Fragment<OUT> y = {};
  ROLLED for (int n = 0; n < OUT; n += STRIP)
    push(y, relu(multiply<STRIP>(matrix + n * words(IN), x)));
  return y;
}

// By all threads of the block: a float32 matrix [rows, columns] into float16 [HIGH, WIDE], where
// its first column is column `shift`, with zeros around it.
template <int HIGH, int WIDE>
INLINE void put_matrix(u32* to, const float* from, int rows, int columns, int shift) {
  ROLLED for (int i = threadIdx.x; i < HIGH * WIDE / 2; i += blockDim.x) {
    int row = i / (WIDE / 2), pair = i % (WIDE / 2);
    float value[2];
    UNROLL for (int half = 0; half < 2; half++) {
      int column = 2 * pair + half - shift;
      bool is_weight = row < rows && column >= 0 && column < columns;
      value[half] = is_weight ? from[row * columns + column] : 0;
    }
    to[row * words(WIDE) + pair] = pack(value[0], value[1]);
  }
}

// A ReLU network without biases: matrices [WIDTH, COLUMNS], [WIDTH, WIDTH]..., [ROWS, WIDTH]. Its
// inputs are padded to IN, with SHIFT zeros in front; its outputs to 16.
template <int LAYERS_, int COLUMNS, int SHIFT, int ROWS>
struct Network {
  static constexpr int LAYERS = LAYERS_, IN = padded(COLUMNS + SHIFT), OUT = 16;
  static constexpr int MIDDLE = WIDTH * words(IN);  // where its second matrix begins, in words
  static constexpr int LAST = MIDDLE + (LAYERS - 1) * WIDTH * words(WIDTH);
  static constexpr int WORDS = LAST + OUT * words(WIDTH);
  static constexpr int WEIGHTS = WIDTH * (COLUMNS + (LAYERS - 1) * WIDTH + ROWS);  // in float32
  const u32* matrices;

  typedef Fragment<WIDTH> Hidden[LAYERS];

  INLINE_MEMBER const u32* middle(int layer) const {
    return matrices + MIDDLE + (layer - 1) * WIDTH * words(WIDTH);
  }

  // `hidden` gets the activations of all hidden layers; where nobody reads them they cost nothing.
  INLINE_MEMBER Sums<OUT> operator()(const Fragment<IN>& x, Hidden& hidden) const {
    hidden[0] = hidden_layer<WIDTH>(matrices, x);
    UNROLL for (int l = 1; l < LAYERS; l++)
      hidden[l] = hidden_layer<WIDTH>(middle(l), hidden[l - 1]);
    return multiply<OUT>(matrices + LAST, hidden[LAYERS - 1]);
  }

  // By all threads of the block: float32 matrices, one behind the other, into shared memory.
  static INLINE_MEMBER Network load(u32* to, const float* from) {
    put_matrix<WIDTH, IN>(to, from, WIDTH, COLUMNS, SHIFT);
    ROLLED for (int l = 1; l < LAYERS; l++)
      put_matrix<WIDTH, WIDTH>(
          to + MIDDLE + (l - 1) * WIDTH * words(WIDTH), from + WIDTH * (COLUMNS + (l - 1) * WIDTH),
          WIDTH, WIDTH, 0);
    put_matrix<OUT, WIDTH>(to + LAST, from + WEIGHTS - ROWS * WIDTH, ROWS, WIDTH, 0);
    return {to};
  }
};

// The density network's outputs are the logarithm of density (plus 1), then features. The colour
// network takes all 16, the first one as 0.
typedef Network<DENSITY_LAYERS, LEVELS * FEATURES, 0, 16> DensityNet;
typedef Network<COLOUR_LAYERS, 15 + HARMONICS + CODES, 1, 3> ColourNet;
constexpr int ENCODED = DensityNet::IN;
constexpr int LEVEL_WORDS = LEVELS * sizeof(Level) / 4;
constexpr int DENSITY_WORDS = (LEVEL_WORDS + 3) / 4 * 4 + DensityNet::WORDS;
constexpr int FIELD_WORDS = DENSITY_WORDS + ColourNet::WORDS;  // a multiple of 4: 16 bytes

constexpr int PARTS = FEATURES / 2;  // pairs of features in a row of the table

// The two features of a row that a lane has: pair `pair` of the encoding.
INLINE u32 encode_pair(const Level& level, const u32* part, const float (&point)[3]) {
  Cell cell = cell_of(level, point);
  float first = 0, second = 0;
  UNROLL for (int corner = 0; corner < 8; corner++) {
    u32 value = part[(i64)row_of(level, cell, corner) * PARTS];
    float weight = weight_of(cell, corner);
    first += weight * first_of(value);
    second += weight * second_of(value);
  }
  return pack(first, second);
}

// Encodes the lane's two points, in the unit cube: each lane exactly the features that it has in
// the fragment.
INLINE Fragment<ENCODED> encode(
    const Level* levels, const u32* table, const float (&points)[2][3]) {
  // A few tiles of one point at a time, by the same code: it has enough rows on their way, and more
  // would not fit the registers. What it gives goes through a queue, whose places are known.
  constexpr int TILES = ENCODED / 8, STRIP = TILES % 4 ? 2 : 4, STRIPS = TILES / STRIP;
  u32 queue[2 * STRIPS][STRIP] = {};
  ROLLED for (int turn = 0; turn < 2 * STRIPS; turn++) {
    float point[3];
    UNROLL for (int d = 0; d < 3; d++) point[d] = turn < STRIPS ? points[0][d] : points[1][d];
    UNROLL for (int i = 0; i < STRIP; i++) {
      int pair = 4 * (turn % STRIPS * STRIP + i) + lane_id() % 4;
      int at = pair < LEVELS * PARTS ? pair / PARTS : 0;
      u32 value = encode_pair(levels[at], table + pair % PARTS, point);
      UNROLL for (int q = 1; q < 2 * STRIPS; q++) queue[q - 1][i] = queue[q][i];
      queue[2 * STRIPS - 1][i] = pair < LEVELS * PARTS ? value : 0;
    }
  }
  Fragment<ENCODED> x;
  UNROLL for (int j = 0; j < TILES; j++)
    UNROLL for (int row = 0; row < 2; row++)
      x.at[j / 2][j % 2 * 2 + row] = queue[row * STRIPS + j / STRIP][j % STRIP];
  return x;
}

INLINE float choose(int t, float a, float b, float c, float d) {
  float low = t == 0 ? a : b, high = t == 2 ? c : d;
  return t < 2 ? low : high;
}

// The spherical harmonics of the directions of the lane's two points.
INLINE Fragment<16> harmonics_of(const float (&directions)[2][3]) {
  Fragment<16> x;
  int t = lane_id() % 4;
  UNROLL for (int row = 0; row < 2; row++) {
    float all[16];
    spherical_harmonics(directions[row], all);
    UNROLL for (int half = 0; half < 2; half++) {
      const float* h = all + 8 * half;
      float first = choose(t, h[0], h[2], h[4], h[6]);
      x.at[0][2 * half + row] = pack(first, choose(t, h[1], h[3], h[5], h[7]));
    }
  }
  return x;
}

// The per-image codes of the lane's two points: `rows` are those points' CODES values.
INLINE Fragment<padded(CODES)> codes_of(const float* const (&rows)[2]) {
  Fragment<padded(CODES)> x;
  UNROLL for (int j = 0; j < padded(CODES) / 8; j++)
    UNROLL for (int row = 0; row < 2; row++) {
      int column = 8 * j + lane_id() % 4 * 2;
      float first = column < CODES ? rows[row][column] : 0;
      float second = column + 1 < CODES ? rows[row][column + 1] : 0;
      x.at[j / 2][j % 2 * 2 + row] = pack(first, second);
    }
  return x;
}

// What the density network says of 16 points.
struct Inside {
  float raw[2];  // the logarithm of density, plus 1, of the lane's points; in lanes with t = 0 only
  Fragment<16> features;  // column 0 is zero
};

INLINE float density_of(float raw) { return expf(raw - 1 < 15 ? raw - 1 : 15); }
INLINE float sigmoid(float x) { return 1 / (1 + expf(-x)); }

struct Field {
  DensityNet density_net;
  ColourNet colour_net;  // without matrices, where only the density was loaded
  const Level* levels;   // in shared memory

  INLINE_MEMBER Inside inside(const Fragment<ENCODED>& x, DensityNet::Hidden& hidden) const {
    Sums<16> raw = density_net(x, hidden);
    Inside result = {{raw.at[0][0], raw.at[0][2]}, halves(raw)};
    if (lane_id() % 4 == 0) {
      result.features.at[0][0] &= 0xffff0000u;
      result.features.at[0][1] &= 0xffff0000u;
    }
    return result;
  }

  INLINE_MEMBER Inside inside(const Fragment<ENCODED>& x) const {
    DensityNet::Hidden unused;
    return inside(x, unused);
  }

  // The colour's logits: columns 0 to 2 of 16; sigmoid() makes them sRGB.
  INLINE_MEMBER Sums<16> outside(
      const Fragment<ColourNet::IN>& x, ColourNet::Hidden& hidden) const {
    return colour_net(x, hidden);
  }

  INLINE_MEMBER Sums<16> outside(const Fragment<ColourNet::IN>& x) const {
    ColourNet::Hidden unused;
    return outside(x, unused);
  }
};

// What the colour network takes.
INLINE Fragment<ColourNet::IN> colour_inputs(
    const Fragment<16>& features,
    const Fragment<16>& harmonics,
    const Fragment<padded(CODES)>& codes) {
  Fragment<ColourNet::IN> x;
  UNROLL for (int i = 0; i < 4; i++) {
    x.at[0][i] = features.at[0][i];
    x.at[1][i] = harmonics.at[0][i];
    UNROLL for (int k = 2; k < ColourNet::IN / 16; k++) x.at[k][i] = codes.at[k - 2][i];
  }
  return x;
}

// By all threads of the block, and before a __syncthreads(): levels and float32 matrices, one
// behind the other, into DENSITY_WORDS or (with colour) FIELD_WORDS of shared memory.
template <bool COLOUR>
INLINE Field load_field(u32* shared, const Level* layout, const float* matrices) {
  ROLLED for (int i = threadIdx.x; i < LEVEL_WORDS; i += blockDim.x)
    shared[i] = ((const u32*)layout)[i];
  Field field;
  field.levels = (const Level*)shared;
  u32* nets = shared + DENSITY_WORDS - DensityNet::WORDS;
  field.density_net = DensityNet::load(nets, matrices);
  if (COLOUR)
    field.colour_net =
        ColourNet::load(shared + DENSITY_WORDS, matrices + DensityNet::WEIGHTS);
  return field;
}

// The value of point l % 16 in lane l, from each lane's `rows`: those of the lanes with that `t`.
INLINE float point_of(const float (&rows)[2], int t = 0) {
  int from = lane_id() % 8 * 4 + t;
  float low = __shfl_sync(0xffffffffu, rows[0], from);
  float high = __shfl_sync(0xffffffffu, rows[1], from);
  return lane_id() % 16 < 8 ? low : high;
}

// The other way: lane l has the value of point l % 16, and gets those of its rows.
INLINE void rows_of(float value, float (&rows)[2]) {
  rows[0] = __shfl_sync(0xffffffffu, value, lane_id() / 4);
  rows[1] = __shfl_sync(0xffffffffu, value, lane_id() / 4 + 8);
}

struct Colour {
  float red, green, blue;
};

// The colour of point l % 16 in lane l.
INLINE Colour colour_of(const Sums<16>& logits) {
  float first[2] = {sigmoid(logits.at[0][0]), sigmoid(logits.at[0][2])};
  float second[2] = {sigmoid(logits.at[0][1]), sigmoid(logits.at[0][3])};
  return {point_of(first), point_of(second), point_of(first, 1)};
}
