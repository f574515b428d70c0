// ReLU networks on a CPU, a tile of points at a time, so that activations stay in the first cache.
//
// Everything is [TILE][columns], columns padded to whole vectors. All three products of a layer
//   y = x W^T,   dx = dy W,   dW += dy^T x
// are sums of (a word of one matrix) * (a row of words of another), blocked so that the sums stay
// in registers. A word is 32 bits: one float32, or two neighbouring bfloat16 of the dimension that
// is summed over, which the processor multiplies and adds to a float32 at once.
//
// MIXED = 1 asks for bfloat16 between layers, where the processor has it; sums are float32 always.
#if defined(__AVX512BF16__) && MIXED
#include <immintrin.h>
#define BF16 1
#else
#define BF16 0
#endif

#if defined(__AVX512F__)
constexpr int VECTOR = 16, SUMS = 16, WIDEST = 4;
#else
constexpr int VECTOR = 8, SUMS = 8, WIDEST = 2;
#endif
constexpr int TILE = 32;
constexpr int PER_WORD = BF16 ? 2 : 1;
typedef float Vector __attribute__((vector_size(4 * VECTOR), aligned(4), may_alias));

#define NOINLINE static __attribute__((noinline))

constexpr int padded(int columns) { return (columns + 15) / 16 * 16; }
constexpr int MOST_COLUMNS = padded(WIDTH) > 16 ? padded(WIDTH) : 16;  // of a layer's outputs
constexpr int words(int columns) { return (columns + PER_WORD - 1) / PER_WORD; }

#if BF16

typedef unsigned short Value;  // the upper half of a float32
typedef u32 Word;
typedef __m512i Words;

INLINE Words load(const Word* from) { return _mm512_loadu_si512(from); }
INLINE Words broadcast(Word word) { return _mm512_set1_epi32((int)word); }
INLINE Vector add_product(Vector sum, Words a, Words b) {
  return (Vector)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
INLINE void put(Value* to, Vector x) {
  _mm256_storeu_si256((__m256i*)to, (__m256i)_mm512_cvtneps_pbh((__m512)x));
}
INLINE Vector as_float(const Value* from) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)from));
  return (Vector)_mm512_slli_epi32(wide, 16);
}
INLINE Value rounded(float x) {  // to nearest, ties to even
  u32 bits;
  __builtin_memcpy(&bits, &x, 4);
  return x == x ? (Value)((bits + 0x7fff + (bits >> 16 & 1)) >> 16) : (Value)0x7fc0;
}

// Rows two by two, as words of what stands above one another: to sum over rows.
INLINE const Word* down(int columns, const Value* x, Word* room) {
  for (int s = 0; s < TILE; s += 2)
    for (int n = 0; n < columns; n++)
      room[s / 2 * columns + n] = x[s * columns + n] | (u32)x[(s + 1) * columns + n] << 16;
  return room;
}

#else

typedef float Value;
typedef float Word;
typedef Vector Words;

INLINE Words load(const Word* from) { return *(const Vector*)from; }
INLINE Words broadcast(Word word) { return word - Vector{}; }
INLINE Vector add_product(Vector sum, Words a, Words b) { return sum + a * b; }
INLINE Vector as_float(const Value* from) { return *(const Vector*)from; }
INLINE Value rounded(float x) { return x; }

INLINE const Word* down(int, const Value* x, Word*) { return x; }

#endif

INLINE void put(float* to, Vector x) { *(Vector*)to = x; }

// Vectors of a row that one block of sums spans, and the rows it then has.
constexpr int block_columns(int vectors) {
  int widest = WIDEST;
  while (vectors % widest) widest--;
  return widest;
}
constexpr int block_rows(int vectors) {
  int rows = SUMS / block_columns(vectors);
  return rows & (rows - 1) ? 4 : rows;
}

// sums[r][c] += sum over `terms` words k of x[r * x_stride + k * x_step] * w[k][c's vector], where
// the rows of w are `w_stride` apart.
template <int ROWS, int COLUMNS>
INLINE void add_block(
    Vector (&sums)[ROWS][COLUMNS],
    int terms,
    const Word* x,
    int x_stride,
    int x_step,
    const Word* w,
    int w_stride) {
  for (int k = 0; k < terms; k++) {
    Words row[COLUMNS];
    UNROLL for (int c = 0; c < COLUMNS; c++) row[c] = load(w + k * w_stride + c * VECTOR);
    UNROLL for (int r = 0; r < ROWS; r++) {
      Words one = broadcast(x[r * x_stride + k * x_step]);
      UNROLL for (int c = 0; c < COLUMNS; c++)
        sums[r][c] = add_product(sums[r][c], one, row[c]);
    }
  }
}

// What happens to sums before they are stored.
struct AsTheyAre {
  INLINE_MEMBER Vector operator()(Vector x, int) const { return x; }
};
struct Relu {
  INLINE_MEMBER Vector operator()(Vector x, int) const { return x > 0 ? x : Vector{}; }
};
struct WherePositive {
  const Value* gate;
  INLINE_MEMBER Vector operator()(Vector x, int at) const {
    return as_float(gate + at) > 0 ? x : Vector{};
  }
};

// out[s][n] = finish(sum_k x[s][k] w[k][n]) for the tile's rows s, with K terms and N columns.
// (K is no template parameter: compiling takes half as long, and running no longer.)
template <int N, class Out, class Finish>
NOINLINE void multiply(int K, const Value* x, const Word* w, Out* out, Finish finish) {
  constexpr int COLUMNS = block_columns(N / VECTOR), ROWS = block_rows(N / VECTOR);
  int stride = padded(K) / PER_WORD;
  for (int n = 0; n < N; n += COLUMNS * VECTOR)
    for (int s = 0; s < TILE; s += ROWS) {
      Vector sums[ROWS][COLUMNS] = {};
      add_block(sums, words(K), (const Word*)x + s * stride, stride, 1, w + n, N);
      UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLUMNS; c++) {
          int at = (s + r) * N + n + c * VECTOR;
          put(out + at, finish(sums[r][c], at));
        }
    }
}

// dw[n][k] += sum over the tile's rows s of dy[s][n] x[s][k], with N (rounded up) and K columns.
template <int K>
NOINLINE void accumulate(int N, const Value* dy, const Value* x, float* dw) {
  constexpr int COLUMNS = block_columns(K / VECTOR), ROWS = block_rows(K / VECTOR);
  constexpr int TERMS = TILE / PER_WORD;
  alignas(64) Word dy_room[TERMS * MOST_COLUMNS], x_room[TERMS * K];
  const Word *dy_down = down(padded(N), dy, dy_room), *x_down = down(K, x, x_room);
  for (int n = 0; n < N; n += ROWS)
    for (int k = 0; k < K; k += COLUMNS * VECTOR) {
      float* block = dw + n * K + k;
      Vector sums[ROWS][COLUMNS];
      UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLUMNS; c++)
          sums[r][c] = *(const Vector*)(block + r * K + c * VECTOR);
      add_block(sums, TERMS, dy_down + n, 1, padded(N), x_down + k, K);
      UNROLL for (int r = 0; r < ROWS; r++)
        UNROLL for (int c = 0; c < COLUMNS; c++) put(block + r * K + c * VECTOR, sums[r][c]);
    }
}

// One matrix [OUT, IN], both ways round, its words along what is summed over.
template <int IN, int OUT>
struct Layer {
  static constexpr int INPUTS = padded(IN), OUTPUTS = padded(OUT);
  alignas(64) Value forward[INPUTS / PER_WORD][OUTPUTS][PER_WORD];
  alignas(64) Value backward[OUTPUTS / PER_WORD][INPUTS][PER_WORD];

  // Returns where the next matrix begins.
  const float* load(const float* matrix) {
    __builtin_memset(this, 0, sizeof *this);
    for (int o = 0; o < OUT; o++)
      for (int i = 0; i < IN; i++) {
        Value value = rounded(matrix[o * IN + i]);
        forward[i / PER_WORD][o][i % PER_WORD] = value;
        backward[o / PER_WORD][i][o % PER_WORD] = value;
      }
    return matrix + OUT * IN;
  }
  const Word* ahead() const { return (const Word*)forward; }
  const Word* back() const { return (const Word*)backward; }
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
    alignas(64) Value layer[HIDDEN][TILE * WIDE];
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
  void forward(const Value* x, Hidden& hidden, float* y) const {
    multiply<WIDE>(IN, x, first.ahead(), hidden.layer[0], Relu());
    for (int l = 1; l < HIDDEN; l++)
      multiply<WIDE>(WIDTH, hidden.layer[l - 1], inner[l].ahead(), hidden.layer[l], Relu());
    multiply<OUTPUTS>(WIDTH, hidden.layer[HIDDEN - 1], last.ahead(), y, AsTheyAre());
  }

  // From dy [TILE][OUTPUTS]: dx [TILE][INPUTS], and adds to the gradient.
  void backward(
      const Value* x, const Hidden& hidden, const Value* dy, float* dx, Gradient& to) const {
    alignas(64) Value d[2][TILE * WIDE];
    Value *now = d[0], *next = d[1];
    const Value* top = hidden.layer[HIDDEN - 1];
    accumulate<WIDE>(OUT, dy, top, to.last.sum[0]);
    multiply<WIDE>(OUT, dy, last.back(), now, WherePositive{top});
    for (int l = HIDDEN - 1; l > 0; l--) {
      const Value* below = hidden.layer[l - 1];
      accumulate<WIDE>(WIDTH, now, below, to.inner[l].sum[0]);
      multiply<WIDE>(WIDTH, now, inner[l].back(), next, WherePositive{below});
      Value* swap = now;
      now = next;
      next = swap;
    }
    accumulate<INPUTS>(WIDTH, now, x, to.first.sum[0]);
    multiply<INPUTS>(WIDTH, now, first.back(), dx, AsTheyAre());
  }
};
