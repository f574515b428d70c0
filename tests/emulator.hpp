// A GPU's block on a CPU: every thread is a fibre, and what threads do together is done when all of
// them have come to it.
//
// Stands before a kernel's source (prelude.cuh and so on), which it makes take its GPU side. Matrix
// instructions follow the PTX ISA's description of their fragments ("Warp-level matrix
// instructions", m16n8k16 and ldmatrix), not the kernels' use of them. What is checked:
//
//   - a warp's lanes, and a block's threads, come to the same operation, all of them
//   - ldmatrix reads aligned rows within shared memory; nobody writes behind its end
//   - warps run one at a time, each as far as it gets, in an order drawn from a seed, and so do
//     blocks: a missing barrier shows up as a wrong result; a warp lets others go on after
//     __syncwarp, and before it takes its share of work from a counter (atomicAdd of an int)
//   - shared memory begins as NaN
//
// A violated rule ends the launch, whose text says what was wrong.
#include <ucontext.h>

#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#define EMULATED
#define __CUDACC_RTC__
#define __device__
#define __global__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static

struct Index {
  unsigned x, y, z;
};
static Index blockIdx, blockDim = {1, 1, 1}, threadIdx, gridDim = {1, 1, 1};

namespace emulator {

constexpr int LANES = 32, MOST_THREADS = 1024, STACK = 1 << 17, GUARD = 4096;
constexpr unsigned char POISON = 0x7f;  // 0x7f7f: NaN as float16; 0x7f7f7f7f: 3e38 as float32
constexpr unsigned ALL_LANES = 0xffffffffu;

struct Meeting {  // of a warp's lanes, or of a block's threads
  const char* name;  // what those that have come are doing; null while nobody has
  int come;
  unsigned long long held;  // how many times all had come
  void* brought[LANES];     // by each lane; in a block's meeting nothing
};

struct Fibre {
  ucontext_t context;
  bool finished;
  Meeting* meeting;  // the one it waits for, or null
  unsigned long long held;
};

static Fibre fibres[MOST_THREADS];
static Meeting warps[MOST_THREADS / LANES], block;
static char* stacks;
static ucontext_t scheduler;
static int current, threads;
static char message[512];
alignas(16) static char shared[(1 << 18) + GUARD];
static size_t shared_bytes;
static unsigned long long chance;

static unsigned below(unsigned limit) {
  chance = chance * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)(chance >> 33) % limit;
}

// Leaves the launch, from within a fibre or from the scheduler.
[[noreturn]] static void fail(const char* format, ...) {
  va_list values;
  va_start(values, format);
  int used = std::snprintf(message, sizeof message, "block %u, thread %d: ", blockIdx.x, current);
  std::vsnprintf(message + used, sizeof message - used, format, values);
  va_end(values);
  setcontext(&scheduler);
  std::abort();
}

static void pause() { swapcontext(&fibres[current].context, &scheduler); }

// Waits until `all` have come; the last one does the work.
template <class Work>
static void meet(Meeting& meeting, const char* name, int all, const Work& work) {
  if (meeting.come && std::strcmp(meeting.name, name) != 0)
    fail("has come to %s while others of its warp or block wait in %s", name, meeting.name);
  meeting.name = name;
  if (++meeting.come == all) {
    work();
    meeting.come = 0;
    meeting.held++;
    return;
  }
  Fibre& self = fibres[current];
  self.meeting = &meeting;
  self.held = meeting.held;
  pause();
  self.meeting = nullptr;
}

// `work(all)` gets what each of the 32 lanes has brought.
template <class Brought, class Work>
static void together(const char* name, Brought& brought, const Work& work) {
  Meeting& warp = warps[current / LANES];
  warp.brought[current % LANES] = &brought;
  meet(warp, name, LANES, [&] { work((Brought**)warp.brought); });
}

static bool gave_way;  // the warp that runs
static void give_way() {
  gave_way = true;
  pause();
}

static bool can_run(const Fibre& fibre) {
  return !fibre.finished && !(fibre.meeting && fibre.meeting->held == fibre.held);
}

static void resume(int thread) {
  current = thread;
  threadIdx.x = thread;
  swapcontext(&scheduler, &fibres[thread].context);
}

// Lets a warp get as far as it can; whether it got anywhere.
static bool run_warp(int warp) {
  bool moved = false, again = true;
  gave_way = false;
  while (again && !gave_way && !*message) {
    again = false;
    unsigned turn = below(LANES);
    for (int i = 0; i < LANES && !gave_way && !*message; i++) {
      int thread = warp * LANES + (int)(i + turn) % LANES;
      if (!can_run(fibres[thread])) continue;
      resume(thread);
      moved = again = true;
    }
  }
  return moved;
}

static void say_who_waits() {
  int waits = 0, left = 0, first = 0;
  for (int i = 0; i < threads; i++) {
    left += fibres[i].finished;
    if (!fibres[i].finished && !waits++) first = i;
  }
  if (!waits) return;
  current = first;
  std::snprintf(
      message, sizeof message,
      "block %u: %d threads wait for others that never come: thread %d in %s; %d have finished",
      blockIdx.x, waits, first, fibres[first].meeting->name, left);
}

static void (*body)();
static void start() {
  body();
  fibres[current].finished = true;
  setcontext(&scheduler);
}

static void run_block() {
  std::memset(shared, POISON, shared_bytes + GUARD);
  block = {};
  for (int i = 0; i < threads; i++) {
    Fibre& fibre = fibres[i];
    fibre.finished = false;
    fibre.meeting = nullptr;
    warps[i / LANES] = {};
    getcontext(&fibre.context);
    fibre.context.uc_stack.ss_sp = stacks + (size_t)i * STACK;
    fibre.context.uc_stack.ss_size = STACK;
    fibre.context.uc_link = nullptr;
    makecontext(&fibre.context, start, 0);
  }
  for (bool moved = true; moved && !*message;) {
    moved = false;
    int count = threads / LANES, turn = (int)below((unsigned)count);
    for (int i = 0; i < count; i++) moved |= run_warp((i + turn) % count);
  }
  if (!*message) say_who_waits();
  for (int i = 0; i < GUARD && !*message; i++)
    if ((unsigned char)shared[shared_bytes + i] != POISON)
      std::snprintf(
          message, sizeof message, "block %u wrote %d bytes behind the end of shared memory",
          blockIdx.x, i);
}

// What was wrong, or an empty text. Blocks run in an order drawn from `seed`.
static const char* run(
    void (*whole)(), int blocks, int block_threads, size_t bytes, unsigned seed) {
  *message = 0;
  if (block_threads % LANES || block_threads > MOST_THREADS || bytes + GUARD > sizeof shared)
    return "the block has a size that the emulator does not know";
  if (!stacks) stacks = (char*)std::malloc((size_t)MOST_THREADS * STACK);
  body = whole, threads = block_threads, shared_bytes = bytes, chance = seed;
  blockDim.x = (unsigned)threads, gridDim.x = (unsigned)blocks;
  unsigned* order = (unsigned*)std::malloc(sizeof(unsigned) * (unsigned)blocks);
  for (int i = 0; i < blocks; i++) order[i] = (unsigned)i;
  for (int i = blocks - 1; i > 0; i--) std::swap(order[i], order[below((unsigned)i + 1)]);
  for (int i = 0; i < blocks && !*message; i++) {
    blockIdx.x = order[i];
    run_block();
  }
  std::free(order);
  return message;
}

template <class... Types, std::size_t... Positions>
static void call(void (*entry)(Types...), void** values, std::index_sequence<Positions...>) {
  entry(*(Types*)values[Positions]...);
}

template <class... Types>
static void call(void (*entry)(Types...), void** values) {
  call(entry, values, std::index_sequence_for<Types...>{});
}

static float to_float(unsigned half) {
  _Float16 value;
  unsigned short bits = (unsigned short)half;
  std::memcpy(&value, &bits, 2);
  return (float)value;
}

static unsigned to_half(float value) {
  _Float16 half = (_Float16)value;
  unsigned short bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}

static float half_of(unsigned pair, int index) { return to_float(index ? pair >> 16 : pair); }

struct Rows {  // what a lane brings to ldmatrix
  const void* row;
  unsigned* to;
};

// PTX ISA, ldmatrix: lanes 0..7 give the rows of matrix 0, 8..15 those of matrix 1 and so on; lane
// l gets elements 2 (l % 4) and the next of row l / 4, or with .trans of column l / 4.
static void load(const void* row, unsigned (&to)[4], bool transposed) {
  size_t at = (size_t)((const char*)row - shared);
  if (at % 16 || at + 16 > shared_bytes) fail("ldmatrix reads a row at %zu of shared memory", at);
  Rows rows = {row, to};
  together(transposed ? "ldmatrix.trans" : "ldmatrix", rows, [transposed](Rows** all) {
    unsigned short values[4][8][8];
    for (int lane = 0; lane < LANES; lane++)
      std::memcpy(values[lane / 8][lane % 8], all[lane]->row, 16);
    for (int lane = 0; lane < LANES; lane++)
      for (int matrix = 0; matrix < 4; matrix++) {
        unsigned pair[2];
        for (int i = 0; i < 2; i++) {
          int line = lane / 4, element = lane % 4 * 2 + i;
          pair[i] = transposed ? values[matrix][element][line] : values[matrix][line][element];
        }
        all[lane]->to[matrix] = pair[0] | pair[1] << 16;
      }
  });
}

struct Factors {  // what a lane brings to mma
  float* c;
  const unsigned* a;
  unsigned b[2];
};

// PTX ISA, "Matrix fragments for mma.m16n8k16 with floating point type", .f16: groupID = l >> 2,
// threadID_in_group = l % 4.
static void multiply(Factors** all) {
  float a[16][16], b[16][8];
  for (int lane = 0; lane < LANES; lane++) {
    int group = lane >> 2, in_group = lane % 4;
    for (int i = 0; i < 8; i++) {  // a0 to a7
      int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
      int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
      a[row][column] = half_of(all[lane]->a[i / 2], i % 2);
    }
    for (int i = 0; i < 4; i++) {  // b0 to b3
      int row = in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0);
      b[row][group] = half_of(all[lane]->b[i / 2], i % 2);
    }
  }
  for (int lane = 0; lane < LANES; lane++)
    for (int i = 0; i < 4; i++) {  // c0 to c3
      int row = (lane >> 2) + (i < 2 ? 0 : 8), column = lane % 4 * 2 + (i & 1);
      double sum = 0;
      for (int k = 0; k < 16; k++) sum += (double)a[row][k] * b[k][column];
      all[lane]->c[i] = (float)(all[lane]->c[i] + sum);
    }
}

}  // namespace emulator

// What mma.cuh and half.cuh have for a GPU.

static inline unsigned pack(float first, float second) {
  return emulator::to_half(first) | emulator::to_half(second) << 16;
}
static inline float first_of(unsigned pair) { return emulator::half_of(pair, 0); }
static inline float second_of(unsigned pair) { return emulator::half_of(pair, 1); }
static inline void add_pair(unsigned* to, unsigned pair) {
  *to = pack(first_of(*to) + first_of(pair), second_of(*to) + second_of(pair));
}
static inline unsigned* dynamic_shared() { return (unsigned*)emulator::shared; }
static inline void mma(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  emulator::Factors factors = {c, a, {b0, b1}};
  emulator::together("mma", factors, emulator::multiply);
}
static inline void load_matrices(unsigned (&to)[4], const unsigned* row) {
  emulator::load(row, to, false);
}
static inline void load_transposed(unsigned (&to)[4], const unsigned* row) {
  emulator::load(row, to, true);
}

// What CUDA itself has.

static inline void __syncthreads() {
  emulator::meet(emulator::block, "__syncthreads", emulator::threads, [] {});
}
static inline void __syncwarp() {
  int nothing = 0;
  emulator::together("__syncwarp", nothing, [](int**) {});
  if (emulator::current % emulator::LANES == 0) emulator::give_way();
}
template <class Value, class Choose>
static Value exchange(const char* name, unsigned mask, Value value, int choice, Choose choose) {
  if (mask != emulator::ALL_LANES) emulator::fail("%s among some lanes is not emulated", name);
  struct Brought {
    Value value, found;
    int choice;
  } brought = {value, value, choice};
  emulator::together(name, brought, [choose](Brought** all) {
    for (int lane = 0; lane < emulator::LANES; lane++)
      all[lane]->found = all[choose(lane, all[lane]->choice)]->value;
  });
  return brought.found;
}
template <class Value>
static Value __shfl_sync(unsigned mask, Value value, int from) {
  return exchange("__shfl_sync", mask, value, from, [](int, int lane) { return lane & 31; });
}
template <class Value>
static Value __shfl_xor_sync(unsigned mask, Value value, int bits) {
  return exchange("__shfl_xor_sync", mask, value, bits, [](int lane, int b) { return lane ^ b; });
}
static inline unsigned __ballot_sync(unsigned mask, bool vote) {
  if (mask != emulator::ALL_LANES) emulator::fail("__ballot_sync among some lanes is not emulated");
  unsigned bits = vote;
  emulator::together("__ballot_sync", bits, [](unsigned** all) {
    unsigned votes = 0;
    for (int lane = 0; lane < emulator::LANES; lane++) votes |= *all[lane] << lane;
    for (int lane = 0; lane < emulator::LANES; lane++) *all[lane] = votes;
  });
  return bits;
}
static inline int atomicAdd(int* at, int value) {
  emulator::give_way();
  int old = *at;
  *at += value;
  return old;
}
template <class Value>
static Value atomicAdd(Value* at, Value value) {
  Value old = *at;
  *at += value;
  return old;
}
static inline int atomicMax(int* at, int value) {
  int old = *at;
  if (old < value) *at = value;
  return old;
}
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
static inline int __float_as_int(float x) {
  int bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
