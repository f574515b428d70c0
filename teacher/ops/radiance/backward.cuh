// Gradients of the networks and of the encoding, for the kernel in gpu.cuh.
//
// Gradients with respect to activations go back as activations came: fragments, in registers.
// Those with respect to matrices are sums over points, which lie across lanes and warps: the
// block's warps put activations x and gradients dy of its points into shared memory, and each warp
// sums a share of the tiles of dW = dy^T x in its registers, over all points that the block visits.

constexpr int WARPS = 8;
constexpr int THREADS = 32 * WARPS;
constexpr int POINTS = 16 * WARPS;  // of a block, at a time

INLINE constexpr int larger(int a, int b) { return a > b ? a : b; }

constexpr int X_WORDS = POINTS * words(larger(WIDTH, larger(ENCODED, ColourNet::IN)));
constexpr int EXCHANGE_WORDS = X_WORDS + POINTS * words(WIDTH);

// The block's points x COLUMNS in shared memory.
template <int COLUMNS>
INLINE void put(u32* to, const Fragment<COLUMNS>& from) {
  u32* own = to + (16 * warp_id() + lane_id() / 4) * words(COLUMNS) + lane_id() % 4;
  UNROLL for (int j = 0; j < COLUMNS / 8; j++)
    UNROLL for (int row = 0; row < 2; row++)
      own[8 * row * words(COLUMNS) + 4 * j] = from.at[j / 2][j % 2 * 2 + row];
}

// The warp's share of the gradient of a matrix [OUT, IN], in tiles of 16 x 8.
template <int OUT, int IN>
struct MatrixSums {
  static constexpr int ACROSS = IN / 8, TILES = OUT / 16 * ACROSS;
  static constexpr int OWN = (TILES + WARPS - 1) / WARPS;
  static constexpr bool ONE_ROW = ACROSS % OWN == 0;  // of tiles: they share dy
  float at[OWN][4];

  // Adds what the block's points give: called by all of the block's threads.
  INLINE_MEMBER void add(u32* exchange, const Fragment<IN>& x, const Fragment<OUT>& dy) {
    __syncthreads();  // everybody has read what was there before
    put(exchange, x);
    put(exchange + X_WORDS, dy);
    __syncthreads();
    int lane = lane_id(), first = warp_id() * OWN;
    if (first >= TILES) return;
    // ldmatrix's four of dy: points 0..7, then 8..15; of each, outputs 0..7, then 8..15.
    const u32* dys =
        exchange + X_WORDS + (lane % 8 + lane / 16 * 8) * words(OUT) + lane / 8 % 2 * 4;
    const u32* xs = exchange + lane * words(IN);  // of x: points 0..7, 8..15, 16..23, 24..31
    ROLLED for (int point = 0; point < POINTS; point += 32) {
      u32 a[2][4], b[4];
      UNROLL for (int i = 0; i < OWN; i++) {
        int tile = first + i < TILES ? first + i : TILES - 1;
        if (i == 0 || !ONE_ROW)
          UNROLL for (int k = 0; k < 2; k++)
            load_transposed(a[k], dys + (point + 16 * k) * words(OUT) + tile / ACROSS * 8);
        load_transposed(b, xs + point * words(IN) + tile % ACROSS * 4);
        mma(at[i], a[0], b[0], b[1]);
        mma(at[i], a[1], b[2], b[3]);
      }
    }
  }

  // Into float32 [rows, columns], whose first column is column `shift` here.
  INLINE_MEMBER void store(float* to, int rows, int columns, int shift, float factor) const {
    UNROLL for (int i = 0; i < OWN; i++)
      UNROLL for (int value = 0; value < 4; value++) {
        int tile = warp_id() * OWN + i;
        int row = tile / ACROSS * 16 + lane_id() / 4 + value / 2 * 8;
        int column = tile % ACROSS * 8 + lane_id() % 4 * 2 + value % 2 - shift;
        if (row < rows && column >= 0 && column < columns)
          to[row * columns + column] = at[i][value] * factor;
      }
  }
};

// dy where the activation y was not cut off.
INLINE u32 where_positive(u32 y, float first, float second) {
  return pack(y & 0xffffu ? first : 0, y >> 16 ? second : 0);
}

// From the gradient of a layer's outputs to that of its inputs x before their ReLU, for its W
// [OUT, IN]: what takes the activations' places.
template <int OUT, int IN>
INLINE Fragment<IN> through_layer(const u32* matrix, const Fragment<OUT>& dy, Fragment<IN> x) {
  constexpr int STRIP = strip_of(IN);
  ROLLED for (int n = 0; n < IN; n += STRIP) {
    Sums<STRIP> d = multiply_transposed<OUT, IN, STRIP>(matrix + n / 2, dy);
    Fragment<STRIP> strip;
    UNROLL for (int j = 0; j < STRIP / 8; j++)
      UNROLL for (int row = 0; row < 2; row++) {
        int i = j % 2 * 2 + row;
        strip.at[j / 2][i] = where_positive(x.at[j / 2][i], d.at[j][2 * row], d.at[j][2 * row + 1]);
      }
    push(x, strip);
  }
  return x;
}

// Sums of the gradients of a Net's matrices.
template <class Net, int COLUMNS, int SHIFT, int ROWS>
struct NetSums {
  static constexpr int LAYERS = Net::LAYERS;
  MatrixSums<WIDTH, Net::IN> first;
  MatrixSums<WIDTH, WIDTH> middle[larger(LAYERS - 1, 1)];
  MatrixSums<16, WIDTH> last;

  // From the gradient of the outputs to that of the first hidden layer before its ReLU.
  INLINE_MEMBER Fragment<WIDTH> add(
      const Net& net,
      u32* exchange,
      const Fragment<Net::IN>& x,
      const typename Net::Hidden& hidden,
      const Fragment<16>& dy) {
    last.add(exchange, hidden[LAYERS - 1], dy);
    Fragment<WIDTH> d = through_layer(net.matrices + Net::LAST, dy, hidden[LAYERS - 1]);
    UNROLL for (int l = LAYERS - 1; l > 0; l--) {
      middle[l - 1].add(exchange, hidden[l - 1], d);
      d = through_layer(net.middle(l), d, hidden[l - 1]);
    }
    first.add(exchange, x, d);
    return d;
  }

  INLINE_MEMBER void store(float* to, float factor) const {
    first.store(to, WIDTH, COLUMNS, SHIFT, factor);
    UNROLL for (int l = 1; l < LAYERS; l++)
      middle[l - 1].store(to + WIDTH * (COLUMNS + (l - 1) * WIDTH), WIDTH, WIDTH, 0, factor);
    last.store(to + Net::WEIGHTS - ROWS * WIDTH, ROWS, WIDTH, 0, factor);
  }
};

typedef NetSums<DensityNet, LEVELS * FEATURES, 0, 16> DensitySums;
typedef NetSums<ColourNet, 15 + HARMONICS + CODES, 1, 3> ColourSums;

// How gradients of the table are summed.
#if defined(DETERMINISTIC)
// In fixed point, one number per feature: additions of integers may come in any order. 2^28 parts
// leave room for 2^19 of the largest float16.
typedef unsigned long long TableSum;
constexpr int SUMS_PER_PAIR = 2;
INLINE void add_to(TableSum* to, float first, float second) {
  atomicAdd(to, (TableSum)llrintf(first * 268435456.0f));
  atomicAdd(to + 1, (TableSum)llrintf(second * 268435456.0f));
}
#else
typedef u32 TableSum;  // a pair of float16
constexpr int SUMS_PER_PAIR = 1;
INLINE void add_to(TableSum* to, float first, float second) { add_pair(to, pack(first, second)); }
#endif

// Through the two features of a level that a lane has: adds to the table's sums and, where the
// table is given, to the point's gradient.
INLINE void decode_pair(
    const Level& level,
    const float (&point)[3],
    float first,
    float second,
    TableSum* sums,
    const u32* part,
    float (&point_grad)[3]) {
  Cell cell = cell_of(level, point);
  // Edges along x: half the work of a corner is its neighbour's too, and the code stays short.
  ROLLED for (int edge = 0; edge < 8; edge += 2)
    UNROLL for (int corner = edge; corner < edge + 2; corner++) {
      i64 at = (i64)row_of(level, cell, corner) * PARTS * SUMS_PER_PAIR;
      float weight = weight_of(cell, corner);
      add_to(sums + at, weight * first, weight * second);
    }
  if (!part) return;
  float slopes[3] = {};
  ROLLED for (int edge = 0; edge < 8; edge += 2)
    UNROLL for (int corner = edge; corner < edge + 2; corner++) {
      u32 value = part[(i64)row_of(level, cell, corner) * PARTS];
      float along = first * first_of(value) + second * second_of(value);
      UNROLL for (int d = 0; d < 3; d++) slopes[d] += along * slope_of(cell, corner, d);
    }
  UNROLL for (int d = 0; d < 3; d++) point_grad[d] += level.scale * slopes[d];
}

// The encoding's backward pass for the lane's features of its point `row`. Returns its share of
// the point's gradient in `point_grad`.
INLINE void decode(
    const Level* levels,
    const float (&point)[3],
    const Sums<ENCODED>& dx,
    int row,
    TableSum* sums,
    const u32* table,
    float (&point_grad)[3]) {
  UNROLL for (int j = 0; j < ENCODED / 8; j++) {
    int pair = 4 * j + lane_id() % 4, part = pair % PARTS;
    float first = row ? dx.at[j][2] : dx.at[j][0], second = row ? dx.at[j][3] : dx.at[j][1];
    // Many points get no gradient: those behind a surface, and those beyond the end.
    if (pair < LEVELS * PARTS && (first != 0 || second != 0))
      decode_pair(
          levels[pair / PARTS], point, first, second, sums + part * SUMS_PER_PAIR,
          table ? table + part : nullptr, point_grad);
  }
}
