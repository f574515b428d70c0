"""The teacher's kernels: one folder per op, and one source for CUDA and for the CPU.

    teacher/ops/<op>/__init__.py   the op: checks, dispatch on the tensors' device, autograd
                     reference.py  its definition in plain torch: the kernels' oracle and fallback
                     kernel.cu     CUDA C++ without headers, for NVRTC (a GPU) and g++ (a CPU)

`build.py` compiles and caches, `launch.py` chooses a build and starts it. An op and its reference
have one name and one signature. A new op is a new folder: the tests discover it.
"""
