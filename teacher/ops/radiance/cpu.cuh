// The fused field on a CPU. Items are spans of points; in a span, tiles.
#include "radiance/field.cuh"
#define CHUNK 1

INLINE int smaller(i64 a, i64 b) { return (int)(b < a ? b : a); }

ENTRY radiance_density(
    i64 items,
    i64 n,
    const Level* layout,    // [LEVELS]
    const float* points,    // [n, 3]
    const Row* table,       // [entries]
    const float* matrices,  // the density network's, one behind the other
    float* density,         // [n]
    i64 threads) {
  DensityNet net;
  net.load(matrices);
  FOR_EACH_ITEM(item) {
    alignas(64) float encoded[SPAN * ENCODED];
    Pass pass;
    i64 first = item * SPAN;
    int count = smaller(SPAN, n - first);
    encode_span(layout, points + first * DIMS, count, table, (Row*)encoded);
    for (int start = 0; start < count; start += TILE) {
      int some = smaller(TILE, count - start);
      pass.density(net, encoded + start * ENCODED, some);
      for (int s = 0; s < some; s++) density[first + start + s] = density_of(pass.raw[s * RAW]);
    }
  }
}

INLINE void both(
    Pass& pass,
    const DensityNet& density_net,
    const ColourNet& colour_net,
    const float* encoded,
    const float* directions,
    const float* codes,
    int count) {
  pass.density(density_net, encoded, count);
  for (int s = 0; s < TILE; s++) {
    float harmonics[HARMONICS] = {};
    const float* own = codes;
    if (s < count) {
      spherical_harmonics(directions + s * 3, harmonics);
      own += s * CODES;
    }
    pass.give(s, pass.raw + s * RAW + 1, harmonics, own);
  }
  pass.colour(colour_net);
}

ENTRY radiance_forward(
    i64 items,
    i64 n,
    const Level* layout,      // [LEVELS]
    const float* points,      // [n, 3]
    const float* directions,  // [n, 3]
    const float* codes,       // [n, CODES]
    const Row* table,         // [entries]
    const float* matrices,    // all of both networks
    float* density,           // [n]
    float* colour,            // [n, 3]
    float* encoded,           // [n, ENCODED]
    i64 threads) {
  DensityNet density_net;
  ColourNet colour_net;
  colour_net.load(density_net.load(matrices));
  FOR_EACH_ITEM(item) {
    Pass pass;
    i64 first = item * SPAN;
    int count = smaller(SPAN, n - first);
    float* own = encoded + first * ENCODED;
    encode_span(layout, points + first * DIMS, count, table, (Row*)own);
    for (int start = 0; start < count; start += TILE) {
      i64 at = first + start;
      int some = smaller(TILE, count - start);
      both(pass, density_net, colour_net, encoded + at * ENCODED, directions + at * 3,
           codes + at * CODES, some);
      for (int s = 0; s < some; s++) {
        density[at + s] = density_of(pass.raw[s * RAW]);
        for (int c = 0; c < 3; c++)
          colour[(at + s) * 3 + c] = sigmoid(pass.logits[s * ColourNet::OUTPUTS + c]);
      }
    }
  }
}

struct FieldGradient {
  DensityNet::Gradient density;
  ColourNet::Gradient colour;
};

// The tile's gradients with respect to what the networks gave, into dlogits and draw.
INLINE void through_activations(
    const Pass& pass,
    const float* density_grad,
    const float* colour_grad,
    int count,
    Value* draw,
    Value* dlogits) {
  __builtin_memset(dlogits, 0, TILE * ColourNet::OUTPUTS * sizeof(Value));
  for (int s = 0; s < count; s++)
    for (int c = 0; c < 3; c++) {
      float y = sigmoid(pass.logits[s * ColourNet::OUTPUTS + c]);
      dlogits[s * ColourNet::OUTPUTS + c] = rounded(colour_grad[s * 3 + c] * y * (1 - y));
    }
  __builtin_memset(draw, 0, TILE * RAW * sizeof(Value));
  for (int s = 0; s < count; s++) {
    float x = pass.raw[s * RAW] - 1;
    x = x < -MOST ? -MOST : x > MOST ? MOST : x;
    draw[s * RAW] = rounded(density_grad[s] * exponential(x));
  }
}

// Items are parts of the points, always as many: sums over them, in their order, do not depend on
// the number of threads.
ENTRY radiance_backward(
    i64 items,
    i64 n,
    const float* encoded,       // [n, ENCODED]
    const float* directions,    // [n, 3]
    const float* codes,         // [n, CODES]
    const float* matrices,      // all of both networks
    const float* density_grad,  // [n]
    const float* colour_grad,   // [n, 3]
    float* encoded_grad,        // [n, ENCODED]
    float* harmonics_grad,      // [n, 16] or null
    float* codes_grad,          // [n, CODES] or null
    float* matrices_grad,       // [items, all of both networks]
    i64 threads) {
  DensityNet density_net;
  ColourNet colour_net;
  colour_net.load(density_net.load(matrices));
  constexpr i64 WEIGHTS = DensityNet::WEIGHTS + ColourNet::WEIGHTS;
  i64 part = (n + items - 1) / items;
  FOR_EACH_ITEM(item) {
    Pass pass;
    FieldGradient sum;
    __builtin_memset(&sum, 0, sizeof sum);
    alignas(64) Value draw[TILE * RAW], dlogits[TILE * ColourNet::OUTPUTS];
    alignas(64) float dgiven[TILE * ColourNet::INPUTS], dencoded[TILE * DensityNet::INPUTS];
    i64 last = part * (item + 1) < n ? part * (item + 1) : n;
    for (i64 at = part * item; at < last; at += TILE) {
      int count = smaller(TILE, last - at);
      both(pass, density_net, colour_net, encoded + at * ENCODED, directions + at * 3,
           codes + at * CODES, count);
      through_activations(pass, density_grad + at, colour_grad + at * 3, count, draw, dlogits);
      colour_net.backward(pass.given, pass.colour_hidden, dlogits, dgiven, sum.colour);
      for (int s = 0; s < count; s++) {
        const float* from = dgiven + s * ColourNet::INPUTS;
        for (int i = 1; i < RAW; i++) draw[s * RAW + i] = rounded(from[i - 1]);
        if (harmonics_grad)
          for (int i = 0; i < HARMONICS; i++)
            harmonics_grad[(at + s) * HARMONICS + i] = from[RAW - 1 + i];
        if (codes_grad)
          for (int i = 0; i < CODES; i++)
            codes_grad[(at + s) * CODES + i] = from[RAW - 1 + HARMONICS + i];
      }
      density_net.backward(pass.encoded, pass.density_hidden, draw, dencoded, sum.density);
      for (int s = 0; s < count; s++)
        for (int i = 0; i < ENCODED; i++)
          encoded_grad[(at + s) * ENCODED + i] = dencoded[s * DensityNet::INPUTS + i];
    }
    sum.colour.store(sum.density.store(matrices_grad + item * WEIGHTS));
  }
}
