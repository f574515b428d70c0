"""Grids of trainings: presets x seeds x steps x numbers of training pictures, as one table with mean and deviation.

    Grid --grid.py--> Cells --cells.py: train, evaluate--> OUTPUT/<cell>/{a teacher's run folder, row.json}
                              all row.json --table.py, figure.py--> results.csv, table.md, frames.svg, steps.svg

Every cell is a run folder like any other: it can be rendered, evaluated, distilled. What is finished is never done
again, a cell that was killed goes on at its last checkpoint, and another grid into the same folder adds its cells.

Each number of steps is a training of its own. Measuring the longest one on the way would be cheaper and wrong: the
learning rate follows a cosine to the end of the training (`OptimiserConfig.rate`), so a training of 1000 steps that is
looked at after 500 has not cooled down as one of 500 has. Only a rate that is constant (`final` 1) would make it exact;
no preset has that.
"""
