"""A look at a training while it goes on, in a browser on this machine: `python -m teacher train … --viewer`.

    train loop --after each step--> view.py: LiveView --when its share of the time allows--> Trainer.teacher().render
                                      ^ cameras of visitors, pause       | pictures, text
                                    server.py: viser, in threads of its own that never touch torch

The training thread renders, from a copy of the weights, so that a training that is looked at takes the same steps, bit
for bit.
"""
