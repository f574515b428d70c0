// Tensor cores: 16 x 8 x 16 products of float16 matrices, summed in float32.
//
// Lane l of a warp has the row g = l / 4 and the column pair t = l % 4 of every 8 x 8 matrix:
//
//   a[4]  16 x 16, rows x inner   (g, 2t..) (g + 8, 2t..) (g, 2t + 8..) (g + 8, 2t + 8..)
//   b[2]  16 x 8, inner x columns (2t.., g) (2t + 8.., g)
//   c[4]  16 x 8, rows x columns  (g, 2t) (g, 2t + 1) (g + 8, 2t) (g + 8, 2t + 1), float32
//
// (PTX ISA, "Matrix fragments for mma.m16n8k16".) Two neighbouring c, made float16, are an a: what
// one layer of a network gives is what the next one takes, in the same lane.
//
// Every function here is called by all 32 lanes together. For EMULATED see half.cuh.

// An entry point of blocks of `threads`, of which at least `blocks` fit a multiprocessor.
#define WARP_ENTRY(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)

// Before a loop that is better left as it is: unrolling it only takes time to compile.
#define ROLLED _Pragma("unroll 1")

INLINE int lane_id() { return threadIdx.x % 32; }
INLINE int warp_id() { return threadIdx.x / 32; }

#if !defined(EMULATED)

// The block's dynamic shared memory, aligned to 16 bytes.
INLINE u32* dynamic_shared() {
  extern __shared__ __align__(16) u32 shared[];
  return shared;
}

// c += a b
INLINE void mma(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#if __CUDA_ARCH__ >= 800
  asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(b0));
  asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

INLINE u32 shared_address(const u32* at) {
  u32 address;
  asm("{.reg .u64 a; cvta.to.shared.u64 a, %1; cvt.u32.u64 %0, a;}" : "=r"(address) : "l"(at));
  return address;
}

// Four 8 x 8 matrices of float16 from shared memory: `row` of lane l is row l % 8, 16 bytes, of
// matrix l / 8. Each lane gets (g, 2t) and (g, 2t + 1) of each.
INLINE void load_matrices(u32 (&to)[4], const u32* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

// The same of the transposed matrices: each lane gets (2t, g) and (2t + 1, g).
INLINE void load_transposed(u32 (&to)[4], const u32* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

#endif
