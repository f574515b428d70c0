"""The built-in scene: an analytic, ray-traced still life with mirrors, gloss and print.

scene.py (what stands where) --tracer.py--> RGBA, depth, normals, instance numbers
  geometry, implicit (solids) . materials, textures, glyphs (colour) . light (sky and lamps)
dataset.py writes it as a NeRF-synthetic data set; oracle.py renders it as a teacher would.
"""

from teacher.demo.dataset import write_demo_scene
from teacher.demo.oracle import DemoRenderer

__all__ = ["DemoRenderer", "write_demo_scene"]
