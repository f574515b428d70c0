// What a processor can do at most of the two things that a hash-grid field is made of: multiplying
// and adding, and fetching rows of a table at random.
//
// WORDS: 32-bit words of a row. Stands behind teacher/ops/prelude.cuh.

#if !defined(__CUDACC_RTC__)

#define CHUNK 1
#if defined(__AVX512F__)
constexpr int VECTOR = 16;
#else
constexpr int VECTOR = 8;
#endif
constexpr int CHAINS = 16;  // sums under way at once: latency times units, and then some
typedef float Vector __attribute__((vector_size(4 * VECTOR)));

// float32: items * repeats * CHAINS * VECTOR multiplications, and as many additions.
ENTRY ceiling_fma(i64 items, i64 repeats, float* out, i64 threads) {
  FOR_EACH_ITEM(i) {
    Vector sums[CHAINS] = {}, a = sums[0] + 0.999f + (float)i * 1e-9f, b = sums[0] + 0.25f;
    // Each chain its own beginning: a compiler computes equal ones but once.
    for (int c = 0; c < CHAINS; c++) sums[c] += out[i] + (float)c;
    for (i64 k = 0; k < repeats; k++)
      UNROLL for (int c = 0; c < CHAINS; c++) sums[c] = sums[c] * a + b;
    float total = 0;
    for (int c = 0; c < CHAINS; c++)
      for (int v = 0; v < VECTOR; v++) total += sums[c][v];
    out[i] = total;
  }
}

#if defined(__AVX512BF16__)
#include <immintrin.h>
// bfloat16 pairs into float32 sums: twice as many of each.
ENTRY ceiling_bf16(i64 items, i64 repeats, float* out, i64 threads) {
  FOR_EACH_ITEM(i) {
    __m512 sums[CHAINS];
    for (int c = 0; c < CHAINS; c++) sums[c] = _mm512_set1_ps(out[i] + (float)c);
    __m512i a = _mm512_set1_epi32(0x3e803e80), b = _mm512_set1_epi32(0x3e813e80 + (int)i);
    for (i64 k = 0; k < repeats; k++)
      UNROLL for (int c = 0; c < CHAINS; c++)
        sums[c] = _mm512_dpbf16_ps(sums[c], (__m512bh)a, (__m512bh)b);
    float total = 0;
    for (int c = 0; c < CHAINS; c++) total += _mm512_reduce_add_ps(sums[c]);
    out[i] = total;
  }
}
#endif

// Each item's sum of the `span` rows that its indices name.
ENTRY ceiling_gather(
    i64 items, i64 span, const int* indices, const float* table, float* out, i64 threads) {
  typedef float Row __attribute__((vector_size(4 * WORDS), aligned(4)));
  FOR_EACH_ITEM(i) {
    Row sums[4] = {};
    const int* own = indices + i * span;
    for (i64 k = 0; k < span; k += 4)
      UNROLL for (int c = 0; c < 4; c++) sums[c] += ((const Row*)table)[own[k + c]];
    Row total = sums[0] + sums[1] + sums[2] + sums[3];
    out[i] = total[0];
  }
}

// Adds to the rows that indices name; each item has `rows` rows of its own, and `span` indices.
ENTRY ceiling_scatter(
    i64 items, i64 span, i64 rows, const int* indices, float* table, i64 threads) {
  typedef float Row __attribute__((vector_size(4 * WORDS), aligned(4)));
  FOR_EACH_ITEM(i) {
    Row* own = (Row*)table + i * rows;
    for (i64 k = 0; k < span; k++) own[indices[i * span + k]] += 1;
  }
}

#else

struct Row {
  u32 word[WORDS];
};

ENTRY ceiling_gather(
    i64 items, i64 span, const int* indices, const float* table, float* out, i64 threads) {
  FOR_EACH_ITEM(i) {
    u32 total = 0;
    for (i64 k = 0; k < span; k += 4) {
      Row rows[4];  // four fetches in flight
      UNROLL for (int c = 0; c < 4; c++)
        rows[c] = ((const Row*)table)[indices[(k + c) * items + i]];
      UNROLL for (int c = 0; c < 4; c++)
        UNROLL for (int w = 0; w < WORDS; w++) total ^= rows[c].word[w];
    }
    out[i] = total;
  }
}

// float32 atomics, as every gradient of the table ends up in one.
ENTRY ceiling_scatter(
    i64 items, i64 span, i64 rows, const int* indices, float* table, i64 threads) {
  FOR_EACH_ITEM(i) {
    for (i64 k = 0; k < span; k++)
      UNROLL for (int w = 0; w < WORDS; w++)
        atomicAdd(table + (i64)indices[k * items + i] * WORDS + w, 1.0f);
  }
}

#endif
