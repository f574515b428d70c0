"""From what people have, a phone video or a folder of photographs, to a data set that `teacher train` loads.

    clip.mp4 --video.py: decode--> glances --selection.py--> chosen frames --+
    folder   --photos.py: EXIF-----------------------------> photographs ----+--> images/
    images/  --matching.py: pycolmap features, pairs, incremental mapping--> model.py: Model
    Model    --geometry.py, evidence.py, verdict.py: is it true?--> cameras dropped, or a UserError with advice
             --world.py: up, centre, scale--> dataset.py: transforms.json, sparse_pc.ply, process.json
             --report.py, drawings.py--> report/: contact sheet, charts, cameras from above and from the side

`process.py` runs the stages in a work folder beside the data set, which appears whole or not at all.
"""
