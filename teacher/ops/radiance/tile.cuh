// ReLU networks on a CPU, a tile of points at a time, so that activations stay in the first cache.
//
// Everything is [TILE][columns], columns padded to whole vectors. All three products of a layer
//   y = x W^T,   dx = dy W,   dW += dy^T x
// are sums of (scalar of one matrix) * (row of another), blocked so that the sums stay in registers.

#if defined(__AVX512F__)
constexpr int VECTOR = 16, SUMS = 16, WIDEST = 4;
#else
constexpr int VECTOR = 8, SUMS = 8, WIDEST = 2;
#endif
constexpr int TILE = 32;
typedef float Vector __attribute__((vector_size(4 * VECTOR), aligned(4), may_alias));

constexpr int padded(int columns) { return (columns + 15) / 16 * 16; }

// Vectors of a row that one block of sums spans, and the rows it then has.
constexpr int block_columns(int vectors) {
  int widest = WIDEST;
  while (vectors % widest) widest--;
  return widest;
}
constexpr int block_rows(int vectors) {
  int rows = SUMS / block_columns(vectors);
  return rows > 16 ? 16 : rows & (rows - 1) ? 4 : rows;
}

enum Finish { AS_IS, RELU, WHERE_POSITIVE };

// out[s][n] = sum_k x[s][k] w[k][n] for the tile's rows s, with K terms and N columns; then a ReLU,
// or zero where `gate` is not positive.
template <int K, int X_STRIDE, int N, Finish FINISH>
INLINE void multiply(
    const float* __restrict__ x, const float* __restrict__ w, float* __restrict__ out,
    const float* __restrict__ gate = nullptr) {
  constexpr int COLUMNS = block_columns(N / VECTOR), ROWS = block_rows(N / VECTOR);
  for (int n = 0; n < N; n += COLUMNS * VECTOR)
    for (int s = 0; s < TILE; s += ROWS) {
      Vector sum[ROWS][COLUMNS] = {};
      for (int k = 0; k < K; k++) {
        Vector row[COLUMNS];
        UNROLL for (int c = 0; c < COLUMNS; c++) row[c] = *(const Vector*)(w + k * N + n + c * VECTOR);
        UNROLL for (int r = 0; r < ROWS; r++)
          UNROLL for (int c = 0; c < COLUMNS; c++) sum[r][c] += x[(s + r) * X_STRIDE + k] * row[c];
      }
      UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLUMNS; c++) {
          int at = (s + r) * N + n + c * VECTOR;
          Vector y = sum[r][c];
          if (FINISH == RELU) y = y > 0 ? y : Vector{};
          if (FINISH == WHERE_POSITIVE) y = *(const Vector*)(gate + at) > 0 ? y : Vector{};
          *(Vector*)(out + at) = y;
        }
    }
}

// dw[n][k] += sum over the tile's rows s of dy[s][n] x[s][k], with N (rounded up) and K columns.
template <int N, int Y_STRIDE, int K, int X_STRIDE>
INLINE void accumulate(
    const float* __restrict__ dy, const float* __restrict__ x, float* __restrict__ dw) {
  constexpr int COLUMNS = block_columns(K / VECTOR), ROWS = block_rows(K / VECTOR);
  for (int n = 0; n < N; n += ROWS)
    for (int k = 0; k < K; k += COLUMNS * VECTOR) {
      Vector sum[ROWS][COLUMNS];
      UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLUMNS; c++)
          sum[r][c] = *(const Vector*)(dw + (n + r) * K + k + c * VECTOR);
      for (int s = 0; s < TILE; s++) {
        Vector row[COLUMNS];
        UNROLL for (int c = 0; c < COLUMNS; c++)
          row[c] = *(const Vector*)(x + s * X_STRIDE + k + c * VECTOR);
        UNROLL for (int r = 0; r < ROWS; r++)
          UNROLL for (int c = 0; c < COLUMNS; c++) sum[r][c] += dy[s * Y_STRIDE + n + r] * row[c];
      }
      UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLUMNS; c++)
          *(Vector*)(dw + (n + r) * K + k + c * VECTOR) = sum[r][c];
    }
}

// One matrix [OUT, IN], both ways round.
template <int IN, int OUT>
struct Layer {
  static constexpr int INPUTS = padded(IN), OUTPUTS = padded(OUT);
  alignas(64) float forward[INPUTS][OUTPUTS];
  alignas(64) float backward[OUTPUTS][INPUTS];

  // Returns where the next matrix begins.
  const float* load(const float* matrix) {
    __builtin_memset(this, 0, sizeof *this);
    for (int o = 0; o < OUT; o++)
      for (int i = 0; i < IN; i++) forward[i][o] = backward[o][i] = matrix[o * IN + i];
    return matrix + OUT * IN;
  }
};

// The gradient of a Layer.
template <int IN, int OUT>
struct LayerGradient {
  alignas(64) float sum[padded(OUT)][padded(IN)];

  float* store(float* matrix) const {
    for (int o = 0; o < OUT; o++)
      for (int i = 0; i < IN; i++) matrix[o * IN + i] = sum[o][i];
    return matrix + OUT * IN;
  }
};

// A network of HIDDEN >= 1 hidden layers, WIDTH wide.
template <int IN, int OUT, int HIDDEN>
struct Network {
  static constexpr int INPUTS = padded(IN), OUTPUTS = padded(OUT), WIDE = padded(WIDTH);
  static constexpr int WEIGHTS = WIDTH * (IN + (HIDDEN - 1) * WIDTH + OUT);

  struct Hidden {
    alignas(64) float layer[HIDDEN][TILE * WIDE];
  };
  struct Gradient {
    LayerGradient<IN, WIDTH> first;
    LayerGradient<WIDTH, WIDTH> inner[HIDDEN];
    LayerGradient<WIDTH, OUT> last;

    float* store(float* matrices) const {
      matrices = first.store(matrices);
      for (int l = 1; l < HIDDEN; l++) matrices = inner[l].store(matrices);
      return last.store(matrices);
    }
  };

  Layer<IN, WIDTH> first;
  Layer<WIDTH, WIDTH> inner[HIDDEN];  // the first is not used
  Layer<WIDTH, OUT> last;

  const float* load(const float* matrices) {
    matrices = first.load(matrices);
    for (int l = 1; l < HIDDEN; l++) matrices = inner[l].load(matrices);
    return last.load(matrices);
  }

  // x [TILE][INPUTS] to y [TILE][OUTPUTS].
  void forward(const float* x, Hidden& hidden, float* y) const {
    multiply<IN, INPUTS, WIDE, RELU>(x, first.forward[0], hidden.layer[0]);
    for (int l = 1; l < HIDDEN; l++)
      multiply<WIDTH, WIDE, WIDE, RELU>(hidden.layer[l - 1], inner[l].forward[0], hidden.layer[l]);
    multiply<WIDTH, WIDE, OUTPUTS, AS_IS>(hidden.layer[HIDDEN - 1], last.forward[0], y);
  }

  // From dy [TILE][OUTPUTS]: dx [TILE][INPUTS], and adds to the gradient. The hidden layers' values
  // are replaced by their gradients on the way.
  void backward(const float* x, Hidden& hidden, const float* dy, float* dx, Gradient& to) const {
    alignas(64) float d[2][TILE * WIDE];
    float *now = d[0], *next = d[1];
    const float* top = hidden.layer[HIDDEN - 1];
    accumulate<OUT, OUTPUTS, WIDE, WIDE>(dy, top, to.last.sum[0]);
    multiply<OUT, OUTPUTS, WIDE, WHERE_POSITIVE>(dy, last.backward[0], now, top);
    for (int l = HIDDEN - 1; l > 0; l--) {
      const float* below = hidden.layer[l - 1];
      accumulate<WIDTH, WIDE, WIDE, WIDE>(now, below, to.inner[l].sum[0]);
      multiply<WIDTH, WIDE, WIDE, WHERE_POSITIVE>(now, inner[l].backward[0], next, below);
      float* swap = now;
      now = next;
      next = swap;
    }
    accumulate<WIDTH, WIDE, INPUTS, INPUTS>(now, x, to.first.sum[0]);
    multiply<WIDTH, WIDE, INPUTS, AS_IS>(now, first.backward[0], dx);
  }
};
