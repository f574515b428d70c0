"""What belongs to the object: a crop of a teacher that was trained on everything.

    teacher --find.py--> Crop --files.py--> crop.json in the run folder --Teacher.load--> views on transparency

A teacher learns the object and what is behind it; a crop says afterwards which part of space is the object. Density
outside is nothing. Training never hears of it.
"""
