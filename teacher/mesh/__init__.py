"""A trained teacher as what other programs read: a coloured mesh, or a cloud of surface points.

    Teacher --solid.py--> density that pictures can show --region.py--> inside a box or ball
      mesh:   --level.py--> level --marching.py--> Surface --surface.py--> largest components --colours.py--> colours
      points: training cameras --points.py--> depth -> positions, colours, normals, evenly thinned
    --files.py--> GLB (+y up) or PLY (+z up), in the data set's units

Everything up to `files.py` is in the norm frame.
"""
